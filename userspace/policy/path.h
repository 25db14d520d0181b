// SPDX-License-Identifier: Apache-2.0
//
// Path health: what a path's ports and sessions say about it, and nothing else.
//
// Pure: no I/O, no clock, no BPF types. A path works when its link is there and its heartbeats are
// answered. Unknown is a state of its own: nothing heard because nothing was sent is not "down".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "policy/damping.h"

namespace hanet::policy {

/// A heartbeat session's state as the kernel side decided it.
enum class SessionState { Unknown, Up, Down, Paused };

/// What the other end says of its own identity in its answers on a path; Unknown where the target
/// runs no hanet.
enum class Place { Unknown, Elsewhere, Here, HereByHand };

struct PortState {
  bool present = true;          ///< the interface exists
  bool taken_out = false;       ///< a person removed it from the group (spec F10)
  bool admin_up = true;         ///< IFF_UP
  std::optional<bool> carrier;  ///< empty until somebody saw it
  SessionState session = SessionState::Unknown;
  Place peer = Place::Unknown;
  bool operator==(const PortState&) const = default;
};

enum class Health { Unknown, Up, Down };

/// Why a path is down; the most direct reason counts.
enum class DownReason { None, TakenOut, InterfaceGone, AdminDown, CarrierLost, HeartbeatLost };

struct PathState {
  std::vector<PortState> ports;  ///< one for now; a trunk has several
  /// False for an idle cold standby: it is down by intent and says nothing about itself.
  bool watched = true;
  /// A path that failed, or that refused the identity, is not tried again before this.
  MonotonicTime avoid_until{};
  /// Failures since the path last proved to work; the avoidance doubles with each.
  std::uint32_t failures = 0;
  MonotonicTime up_since{};  ///< when it last began to work
  Damping damping;
  bool operator==(const PathState&) const = default;
};

[[nodiscard]] DownReason down_reason(const PathState& path);
[[nodiscard]] Health health_of(const PathState& path);

[[nodiscard]] std::string_view to_text(Health health);
[[nodiscard]] std::string_view to_text(DownReason reason);
[[nodiscard]] std::string_view to_text(SessionState state);
[[nodiscard]] std::string_view to_text(Place place);

}  // namespace hanet::policy
