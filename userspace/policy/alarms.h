// SPDX-License-Identifier: Apache-2.0
//
// What an alarm of the policy says to people.
//
// It names the path that it is about, what holds for the others, and what will be done, all by the
// state at that moment. A person acts on these words at night: that nothing works is said only
// where nothing works, and that something will be used only where it will be.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/group.h"

namespace hanet::policy {

/// What a message calls the group and its paths.
struct GroupNames {
  std::string_view group;
  std::span<const std::string> paths;
};

/// `state`: after the decision that raised it.
[[nodiscard]] std::string alarm_text(const RaiseAlarm& alarm, const GroupState& state,
                                     const GroupNames& names, MonotonicTime now);
[[nodiscard]] std::string cleared_text(const ClearAlarm& alarm, const GroupState& state,
                                       const GroupNames& names);

}  // namespace hanet::policy
