// SPDX-License-Identifier: Apache-2.0
//
// The kinds of events that hanet tells the world: logs, `hanetctl watch`, journal and hooks.
//
// Programs filter by these words, and each has an entry of the journal and a text of its catalogue
// (daemon/journal.h). A word that is not here does not compile.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "policy/path.h"

namespace hanet::group {

inline constexpr std::array<std::string_view, 28> kEvents{"taken-over",
                                                          "stood-still",
                                                          "reload-failed",
                                                          "alarm",
                                                          "alarm-cleared",
                                                          "path-down",
                                                          "path-up",
                                                          "path-unknown",
                                                          "port-down",
                                                          "port-up",
                                                          "port-removed",
                                                          "port-back",
                                                          "came-first",
                                                          "target-moved",
                                                          "target-missing",
                                                          "switchover",
                                                          "switchover-abandoned",
                                                          "bridging-released",
                                                          "restored",
                                                          "kept",
                                                          "recovered",
                                                          "group-enabled",
                                                          "group-disabled",
                                                          "set",
                                                          "reload",
                                                          "reload-refused",
                                                          "reload-confirmed",
                                                          "reload-undone"};

/// One of kEvents, checked by the compiler.
struct EventName {
  // NOLINTNEXTLINE(google-explicit-constructor): a word stands for itself
  consteval EventName(const char* word) : text(word) {
    if (std::ranges::find(kEvents, text) == kEvents.end()) throw "no event of kEvents";
  }
  std::string_view text;
};

constexpr EventName path_event(policy::Health health) {
  if (health == policy::Health::Unknown) return "path-unknown";
  return health == policy::Health::Up ? EventName("path-up") : EventName("path-down");
}

}  // namespace hanet::group
