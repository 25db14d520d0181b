// SPDX-License-Identifier: Apache-2.0
//
// When the identity moves after a verdict: at once, or a little later while the kernel bridges.
//
// While the kernel bridges, traffic flows; while the identity moves it does not for some 0.3 ms.
// The move waits two detection times after the verdict: if the other end of a pair is set like this
// one, it has its own verdict by then, even if this end saw its carrier go and the other has to
// miss heartbeats. Two short gaps instead of one long one. It waits longer where an answer may yet
// come because the network only limits how many do.
#pragma once

#include <chrono>

#include "core/clock.h"
#include "policy/group.h"

namespace hanet::policy {

/// With detection times above 50 ms this limit comes first: the bridge needs the failed interface,
/// and that may vanish.
inline constexpr Nanoseconds kLongestBridge = std::chrono::milliseconds(100);

struct BridgeFacts {
  bool bridges = false;      ///< the kernel sends by the standby already
  bool from_present = true;  ///< the failed interface exists
  bool keeps_mac = true;  ///< with another MAC address the switch looks for the old one elsewhere
  /// The kernel sends the host's packets elsewhere, or nowhere, once the port has no carrier.
  bool left_without_carrier = false;
  Nanoseconds detection_time{};  ///< of the failed path's session
  bool may_be_policed = false;   ///< its silence may be a limit (pacing.h)
};

/// Does the bridge carry the host's traffic well enough to wait? It sees only what is sent by the
/// failed port.
[[nodiscard]] bool bridge_serves(const BridgeFacts& facts, Cause cause);

/// How long the move waits after the decision. `delay`: the configured one that holds back the
/// enabling of a standby (spec F7); zero where none is.
[[nodiscard]] Nanoseconds wait_before_move(const BridgeFacts& facts, const Switchover& switchover,
                                           Nanoseconds delay);

}  // namespace hanet::policy
