// SPDX-License-Identifier: Apache-2.0
//
// What the sessions of one port say together (spec M9).
//
// The state is counted as the kernel side counts it (hanet_quorum_state()). Beside it stands what
// only people and the policy ask: since when, and whose verdict made it so. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hanet/abi.h"

namespace hanet::engine {

struct PortVerdict {
  hanet_session_state state = HANET_SESSION_UNKNOWN;
  /// Whose change made the state, counted from the port's first session: the loss, the deadline,
  /// the verdict and the time of recovery of the port are this session's.
  std::size_t decider = 0;
  std::uint64_t last_reply_ns = 0;  ///< a quorum has answered then or later; 0: never
  bool was_up = false;              ///< a quorum has been up since the port was added
};

/// `sessions`: all of the port's, in their order, as many as port.targets. Without any: unknown.
[[nodiscard]] PortVerdict verdict_of(const hanet_port& port,
                                     std::span<const hanet_session> sessions);

}  // namespace hanet::engine
