// SPDX-License-Identifier: Apache-2.0
//
// What hanetd answers to hanetctl: one function for each command. What is not right is answered by
// {"ok": false, "error": ...} and changes nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "daemon/group_set.h"
#include "daemon/kept_history.h"
#include "daemon/reloads.h"
#include "engine/sender.h"
#include "group/path_group.h"

namespace hanet::daemon {

class Answers {
 public:
  struct Sources {
    engine::Engine& engine;
    const KeptHistory& history;
    const GroupSet& groups;
    Reloads& reloads;
    MonotonicTime started{};
  };
  Answers(const Sources& sources, group::Notices::Publish publish)
      : sources_(sources), publish_(std::move(publish)) {}

  /// Throws Json::exception where a member has the wrong type; the caller answers that.
  [[nodiscard]] Json operator()(const Json& request) const;
  /// The same for those who may change nothing.
  [[nodiscard]] Json to_reader(const Json& request) const;

 private:
  [[nodiscard]] Json status(const Json& request) const;
  [[nodiscard]] Json late_groups(const std::string& only) const;
  [[nodiscard]] Json running() const;
  [[nodiscard]] Json reload(const Json& request) const;
  [[nodiscard]] Json explain(const Json& request) const;
  [[nodiscard]] Json for_group(const std::string& command, const Json& request) const;
  [[nodiscard]] Status carry_out(group::PathGroup& group, const std::string& command,
                                 const Json& request) const;
  [[nodiscard]] Status set(group::PathGroup& group, const Json& request) const;
  [[nodiscard]] Result<group::PathGroup*> find_group(const std::string& name) const;

  Sources sources_;
  group::Notices::Publish publish_;
};

}  // namespace hanet::daemon
