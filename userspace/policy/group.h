// SPDX-License-Identifier: Apache-2.0
//
// The decision: when a path group switches, where to, and why.
//
//   decide(state, event, now) -> (state, actions)
//
// Pure, so that thousands of random histories can be played through it in a test. Invariants that
// hold after every call:
//   - exactly one path is active, and at most one switchover runs;
//   - the identity is on one port of the active path, its lead; it moves to another port of a trunk
//     when the lead's interface can not carry it any more, and stays there for a lost cable (the
//     kernel side sends by the other ports);
//   - a switchover goes only to a path that is not known to be down: a watched one must be proved
//     up, an idle cold one must not have failed lately;
//   - with no usable path nothing is torn down (spec F11), and the first that recovers is used;
//   - nothing returns by itself to a path that keeps failing (damping.h);
//   - every switchover has a cause and a rule that fired, in words.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "policy/path.h"

namespace hanet::policy {

enum class Cause {
  HeartbeatLost,
  CarrierLost,
  AdminDown,
  InterfaceGone,
  GroupEnabled,  ///< a person enabled the group, whose active path had failed before
  Manual,
  Failback,
  PeerElsewhere
};

/// Whether the active path had failed.
[[nodiscard]] constexpr bool is_failure(Cause cause) {
  return cause != Cause::Manual && cause != Cause::Failback && cause != Cause::PeerElsewhere;
}

/// When the identity returns to the primary by itself (spec F9).
enum class Failback {
  Never,    ///< only when the path it is on fails
  Failure,  ///< the same, but then to the primary rather than to another path
  Better,   ///< as Always, but only while more capacity of the primary works than of this path
  Always,   ///< as soon as the primary has worked for the hold-down time and is not suppressed
};

/// Settings that a decision depends on.
struct GroupRules {
  bool cold = false;  ///< standby mode: idle paths are administratively down and not watched
  /// An unseen path that failed is avoided for `first_retry`, twice as long after every further
  /// failure, and never longer than `cold_retry`: two dead paths are tried in turn, not in a
  /// frenzy.
  Nanoseconds cold_retry = std::chrono::seconds(10);
  Nanoseconds first_retry = std::chrono::seconds(1);
  Failback failback = Failback::Never;
  Nanoseconds hold_down = std::chrono::seconds(10);
  Nanoseconds damping_half_life = std::chrono::seconds(15);
};

struct Switchover {
  std::size_t from = 0;
  std::size_t to = 0;  ///< the same path when only the lead of a trunk changes
  Cause cause = Cause::Manual;
  std::size_t from_port = 0;  ///< the lead of `from`
  std::size_t to_port = 0;    ///< of `to`
  bool operator==(const Switchover&) const = default;
};

struct GroupState {
  std::vector<PathState> paths;  ///< [0] is the primary
  std::size_t active = 0;
  bool enabled = true;
  std::optional<Switchover> running;
  /// `running` is decided and has not touched anything; it is carried out then.
  std::optional<MonotonicTime> waits_until;
  /// A person moved the identity away from the primary, here or at the other end: it stays until
  /// the primary has failed and recovered, or a person moves it back.
  bool failback_held = false;
  MonotonicTime by_hand_until{};             ///< see agreement.h
  std::optional<MonotonicTime> apart_since;  ///< the other end is on another path, see agreement.h
  /// The active path is down and nothing can take over. What a switchover that runs comes to is not
  /// known yet: until it ends the alarm stays as it is.
  bool no_path_alarm = false;
  std::vector<bool> standby_alarm;  ///< per path: a standby is down before it is needed
  bool operator==(const GroupState&) const = default;
};

// Events.
/// What is known of all ports of a path now. All at once: a switch that dies takes every port
/// along, and that is one verdict (spec T5).
struct PathChanged {
  std::size_t path = 0;
  std::vector<PortState> ports;
};
struct ManualSwitch {
  std::size_t to = 0;
  std::optional<std::size_t> port{};  ///< of a trunk: this one is to have the identity
};
/// What carries out the switchover that was started is ready, and moves the identity not before
/// `until`, because the kernel bridges. Until then it is given up if its reason or its goal goes
/// away. A time that has come: at once.
struct SwitchoverWaits {
  MonotonicTime until;
};
/// Nothing carries the traffic any more while a switchover waits, or hanetd ends: it is carried out
/// by the next TimePassed.
struct WaitingEnds {};
/// The identity is on the new path, and the switchover is not yet at its end.
struct IdentityMoved {};
struct SwitchoverEnded {
  bool moved = true;      ///< false: rolled back, the identity is where it was
  bool attempted = true;  ///< false: the goal went away before anything was touched
};
struct EnabledChanged {
  bool enabled = true;
};
struct ThresholdChanged {
  std::uint32_t percent = kDefaultThreshold;
};
struct TimePassed {};
using Event = std::variant<PathChanged, ManualSwitch, SwitchoverWaits, WaitingEnds, IdentityMoved,
                           SwitchoverEnded, EnabledChanged, ThresholdChanged, TimePassed>;

// Actions.
/// Make ready; the answer is SwitchoverWaits.
struct StartSwitchover {
  Switchover switchover;
};
/// Move the identity now; the answer is IdentityMoved, or SwitchoverEnded if it did not.
struct CarryOutSwitchover {
  Switchover switchover;
};
/// The identity is on the new path, which is active now: do what follows; the answer is
/// SwitchoverEnded.
struct FinishSwitchover {
  Switchover switchover;
};
/// A switchover that waited is not carried out.
struct AbandonSwitchover {
  Switchover switchover;
  std::string_view reason;
};
struct RaiseAlarm {
  std::size_t path = 0;
  bool no_path = false;  ///< else: a standby path is down
};
struct ClearAlarm {
  std::size_t path = 0;
  bool no_path = false;
  bool taken_over = false;  ///< with no_path: by this path, which is active now
};
struct Refuse {
  std::string_view reason;  ///< answer to a ManualSwitch
};
using Action = std::variant<StartSwitchover, CarryOutSwitchover, FinishSwitchover,
                            AbandonSwitchover, RaiseAlarm, ClearAlarm, Refuse>;

struct Decision {
  GroupState state;
  std::vector<Action> actions;
};

/// A group of paths with so many ports each, of which port `lead` of path `active` has the
/// identity.
[[nodiscard]] GroupState initial_state(std::span<const std::size_t> ports, std::size_t active,
                                       const GroupRules& rules, std::size_t lead = 0,
                                       std::uint32_t threshold_percent = kDefaultThreshold);

/// Where a failover would go if it came now; the next path in order where none is fit. Never the
/// active one.
[[nodiscard]] std::size_t next_path(const GroupState& state, MonotonicTime now,
                                    const GroupRules& rules);

[[nodiscard]] Decision decide(GroupState state, const Event& event, MonotonicTime now,
                              const GroupRules& rules);

/// When TimePassed should come although nothing happens; empty if never.
[[nodiscard]] std::optional<MonotonicTime> next_deadline(const GroupState& state, MonotonicTime now,
                                                         const GroupRules& rules);

/// When the identity may return to the primary; empty if nothing but time keeps it from there, or
/// if it will not by itself.
[[nodiscard]] std::optional<MonotonicTime> failback_at(const GroupState& state,
                                                       const GroupRules& rules);

[[nodiscard]] std::string_view to_text(Cause cause);
[[nodiscard]] std::string_view to_text(Failback failback);
/// The rule that fires for a cause, in words.
[[nodiscard]] std::string_view rule_of(Cause cause);

}  // namespace hanet::policy
