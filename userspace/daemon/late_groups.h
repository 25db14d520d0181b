// SPDX-License-Identifier: Apache-2.0
//
// Groups that can not begin yet.
//
// A service that is started at boot may be quicker than a driver, and a card may be put in hours
// later. Neither is a mistake in the configuration, and neither may hold up the boot, look like a
// crash, or leave another group without protection. So a group waits for its own ports only, and
// the verdict says for which. The same holds for whatever else keeps one from beginning.
//
// Threading: hanetd's main thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/clock.h"
#include "core/result.h"
#include "group/notices.h"

namespace hanet::daemon {

struct LateGroup {
  config::GroupConfig config;
  std::vector<std::string> missing;  ///< interfaces
  std::string refused{};             ///< why it could not begin although they are here; or empty
  bool goes_on = false;              ///< what a killed hanetd left watches it
  MonotonicTime since{};
  MonotonicTime try_at{};  ///< not before
  std::string told{};      ///< what the alarm says; empty: there is none yet

  /// "waiting for eth5, which is not here yet", or why it can not begin; and what goes on.
  [[nodiscard]] std::string text() const;
};

/// Which interfaces of the group are not in this network namespace. Those that hanet can do without
/// for now, because it knows their identity (`run_directory`), do not count.
[[nodiscard]] Result<std::vector<std::string>> missing_ports(
    const config::GroupConfig& group, const std::filesystem::path& run_directory);

/// The groups that need not wait.
[[nodiscard]] Result<config::Config> without_late_groups(
    const config::Config& config, const std::filesystem::path& run_directory);

/// What they wait for, when each of them is tried again, and what is told of them.
class LateGroups {
 public:
  /// What is to be seen of a group that is not at work.
  struct Sight {
    std::vector<std::string> missing;  ///< as LateGroup's
    bool goes_on = false;              ///< as LateGroup's
  };
  using Look = std::function<Sight(const config::GroupConfig&)>;
  using Begin = std::function<Status(const config::GroupConfig&)>;
  using IsAtWork = std::function<bool(const std::string& group)>;

  LateGroups(Look look, group::Notices::Publish publish)
      : look_(std::move(look)), publish_(std::move(publish)) {}

  /// In the order of the file; what add() put in comes last.
  [[nodiscard]] const std::vector<LateGroup>& all() const { return groups_; }

  /// Those of `wanted` that are not at work, from now on. `refused`: names of groups that could not
  /// begin, and why. Alarms of the others end.
  void wait_for(const config::Config& wanted, const IsAtWork& is_at_work,
                const std::map<std::string, std::string>& refused);
  /// One that was at work.
  void add(const config::GroupConfig& config, const std::string& refused);
  /// Looks at them, and begins the first in whose way nothing is. True: one has begun, the rest
  /// have to wait for the next look. Costs nothing most of the time.
  [[nodiscard]] bool begin_one(MonotonicTime now, const Begin& begin);

 private:
  void take_in(const config::GroupConfig& config, const std::vector<LateGroup>& before,
               const std::map<std::string, std::string>& refused);
  void look_at(LateGroup& late) const;
  void tell(LateGroup& late, MonotonicTime now);
  void tell_no_more(const std::string& group, const std::string& text);
  [[nodiscard]] bool try_to_begin(LateGroup& late, MonotonicTime now, const Begin& begin);

  Look look_;
  group::Notices::Publish publish_;
  std::vector<LateGroup> groups_;
  std::set<std::string> told_;  ///< of which there is an alarm
  MonotonicTime look_at_{};
};

}  // namespace hanet::daemon
