// SPDX-License-Identifier: Apache-2.0
//
// What a group is worth now, in one word: would the next failure be survived?
//
// "Protected" is what a check found: the active path is proved, and so is another one that could
// take over. Everything else has a word that says what is missing.
#pragma once

#include <string_view>

#include "policy/group.h"

namespace hanet::policy {

enum class Condition {
  Protected,
  Disabled,         ///< by a person: nothing moves by itself
  NoWorkingPath,    ///< the active path is down and nothing can take over
  Incomplete,       ///< a part of the identity is missing on the active path
  SwitchoverRuns,   ///< one is decided, and the kernel still bridges or the delay lasts
  NoStandby,        ///< a standby is down, and no other is left
  ActiveNotProved,  ///< nothing was heard on it yet, so nothing would be missed either
  FewerStandbys,    ///< a standby is down, and another one is left
  StandbyNotProved,
  StandbyNotReady,  ///< a switchover to it would lose a part of the identity
};

/// A part of the identity that is missing, or would be.
struct Losses {
  bool active = false;
  bool standby = false;
};

[[nodiscard]] Condition condition_of(const GroupState& state, const Losses& losses);
[[nodiscard]] std::string_view to_text(Condition condition);

}  // namespace hanet::policy
