// SPDX-License-Identifier: Apache-2.0
//
// The decision: when a path group switches, where to, and why.
//
//   decide(state, event, now) -> (state, actions)
//
// Pure, so that thousands of random histories can be played through it in a test. Invariants that
// hold after every call:
//   - exactly one path is active, and at most one switchover runs;
//   - a switchover goes only to a path that is not known to be down: a watched one must be proved
//     up, an idle cold one must not have failed lately;
//   - with no usable path nothing is torn down (spec F11), and the first that recovers is used;
//   - every switchover has a cause and a rule that fired, in words.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "policy/path.h"

namespace hanet::policy {

enum class Cause { HeartbeatLost, CarrierLost, AdminDown, InterfaceGone, Manual };

/// Settings that a decision depends on.
struct GroupRules {
  bool cold = false;  ///< standby mode: idle paths are administratively down and not watched
  /// An unseen path that failed is avoided for `first_retry`, twice as long after every further
  /// failure, and never longer than `cold_retry`: two dead paths are tried in turn, not in a
  /// frenzy.
  Nanoseconds cold_retry = std::chrono::seconds(10);
  Nanoseconds first_retry = std::chrono::seconds(1);
};

struct Switchover {
  std::size_t from = 0;
  std::size_t to = 0;
  Cause cause = Cause::Manual;
  bool operator==(const Switchover&) const = default;
};

struct GroupState {
  std::vector<PathState> paths;  ///< [0] is the primary
  std::size_t active = 0;
  bool enabled = true;
  std::optional<Switchover> running;
  bool no_path_alarm = false;       ///< the active path is down and nothing can take over
  std::vector<bool> standby_alarm;  ///< per path: a standby is down before it is needed
  bool operator==(const GroupState&) const = default;
};

// Events.
struct PortChanged {
  std::size_t path = 0;
  std::size_t port = 0;
  PortState state;
};
struct ManualSwitch {
  std::size_t to = 0;
};
struct SwitchoverEnded {
  bool moved = true;  ///< false: rolled back, the identity is where it was
};
struct EnabledChanged {
  bool enabled = true;
};
struct TimePassed {};
using Event = std::variant<PortChanged, ManualSwitch, SwitchoverEnded, EnabledChanged, TimePassed>;

// Actions.
struct StartSwitchover {
  Switchover switchover;
};
struct RaiseAlarm {
  std::size_t path = 0;
  bool no_path = false;  ///< else: a standby path is down
};
struct ClearAlarm {
  std::size_t path = 0;
  bool no_path = false;
};
struct Refuse {
  std::string_view reason;  ///< answer to a ManualSwitch
};
using Action = std::variant<StartSwitchover, RaiseAlarm, ClearAlarm, Refuse>;

struct Decision {
  GroupState state;
  std::vector<Action> actions;
};

/// A group of `paths` single-port paths with `active` carrying the identity.
[[nodiscard]] GroupState initial_state(std::size_t paths, std::size_t active,
                                       const GroupRules& rules);

[[nodiscard]] Decision decide(GroupState state, const Event& event, MonotonicTime now,
                              const GroupRules& rules);

/// When TimePassed should come although nothing happens; empty if never.
[[nodiscard]] std::optional<MonotonicTime> next_deadline(const GroupState& state,
                                                         MonotonicTime now);

[[nodiscard]] std::string_view to_text(Cause cause);
/// The rule that fires for a cause, in words.
[[nodiscard]] std::string_view rule_of(Cause cause);

}  // namespace hanet::policy
