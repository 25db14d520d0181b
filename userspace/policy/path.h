// SPDX-License-Identifier: Apache-2.0
//
// Path health: what a path's ports and sessions say about it, and nothing else.
//
// Pure: no I/O, no clock, no BPF types. A port works when its link is there and its heartbeats are
// answered. Unknown is a state of its own: nothing heard because nothing was sent is not "down".
//
// A path of several ports is a trunk. It works as long as what is lost of its capacity stays below
// the threshold (spec T1, T2), and the threshold has one meaning for each percentage: the path is
// down when `lost * 100 >= threshold * total`. For ports of equal weight that is the smallest
// number k of lost ports with k >= ports * threshold / 100:
//
//   threshold   2 ports         4 ports                     8 ports
//     1 ..  12  1 lost: down    1 lost: down                1 lost: down
//    13 ..  25  1               1                           2
//    26 ..  50  1               2 (50: two of four, down)   3 (26..37), 4 (38..50)
//    51 ..  75  2               3                           5 (51..62), 6 (63..75)
//    76 .. 100  2               4                           7 (76..87), 8 (88..100)
//
// The kernel side counts in the same way (bpf/trunk.bpf.h).
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
enum class PeerClaim { Unknown, Elsewhere, Here, HereByHand };

struct PortState {
  bool present = true;          ///< the interface exists
  bool taken_out = false;       ///< a person removed it from the group (spec F10)
  bool admin_up = true;         ///< IFF_UP
  std::optional<bool> carrier;  ///< empty until somebody saw it
  SessionState session = SessionState::Unknown;
  std::uint32_t weight = 1;  ///< share of the path's capacity: 1, or the link speed in Mbit/s
  PeerClaim peer = PeerClaim::Unknown;
  bool operator==(const PortState&) const = default;
};

enum class Health { Unknown, Up, Down };

/// Why a path is down; the most direct reason counts.
enum class DownReason { None, TakenOut, InterfaceGone, AdminDown, CarrierLost, HeartbeatLost };

inline constexpr std::uint32_t kDefaultThreshold = 50;

/// Sums of the ports' weights. What is neither is unknown.
struct Capacity {
  std::uint64_t total = 0;
  std::uint64_t working = 0;
  std::uint64_t lost = 0;
};

struct PathState {
  std::vector<PortState> ports;  ///< a trunk has several
  /// The port whose interface has the identity, or will when the path takes over.
  std::size_t lead = 0;
  std::uint32_t threshold_percent = kDefaultThreshold;  ///< 1 .. 100
  /// False for an idle cold standby: it is down by intent and says nothing about itself.
  bool watched = true;
  /// A path that failed, or that refused the identity, is not tried again before this.
  MonotonicTime avoid_until{};
  /// A port that refused the identity of its trunk: none of the trunk is asked again before this.
  MonotonicTime keep_lead_until{};
  /// Failures since the path last proved to work; the avoidance doubles with each.
  std::uint32_t failures = 0;
  MonotonicTime up_since{};  ///< when it last began to work
  Damping damping;
  bool operator==(const PathState&) const = default;
};

[[nodiscard]] Capacity capacity_of(const PathState& path);
/// Whether so much lost capacity means that the path is down. `threshold_percent`: 1 .. 100.
[[nodiscard]] bool below_threshold(std::uint64_t lost, std::uint64_t total,
                                   std::uint32_t threshold_percent);
/// Why one port of the path is down.
[[nodiscard]] DownReason down_reason(const PathState& path, std::size_t port);
/// Why the path is down: what most of its lost ports have, the earlier reason when it is a draw.
[[nodiscard]] DownReason down_reason(const PathState& path);
/// Whether the port is watched and works.
[[nodiscard]] bool is_proved(const PathState& path, std::size_t port);
/// Whether the port's interface can have the identity: it is there and up, whatever its cable.
[[nodiscard]] bool can_lead(const PathState& path, std::size_t port);
/// Both: it can have the identity, and is proved to work.
[[nodiscard]] bool works(const PathState& path, std::size_t port);
/// The port that should have the identity when the path has it or takes over: the present lead as
/// long as it can, else a port that is proved to work, else one that can. A path that takes over
/// (`fresh`) prefers a proved port to the present lead.
[[nodiscard]] std::size_t best_lead(const PathState& path, bool fresh);
[[nodiscard]] Health health_of(const PathState& path);

[[nodiscard]] std::string_view to_text(Health health);
[[nodiscard]] std::string_view to_text(DownReason reason);
[[nodiscard]] std::string_view to_text(SessionState state);
[[nodiscard]] std::string_view to_text(PeerClaim claim);

}  // namespace hanet::policy
