// SPDX-License-Identifier: Apache-2.0
//
// Both ends on one path (spec F8): which end goes where when they are not.
//
// On two cables between two nodes, ends on different paths can not talk, however well both paths
// work. They come apart although each judged rightly: a fault just as long as the detection time is
// seen by one end only, after a fault of both paths each end takes what recovers first, and a
// hanetd that was dead or stood still missed what its peer saw. Nothing would bring them together
// again.
//
// So each end says in its answers where its identity is. When both paths work and the ends have
// been apart for longer than a switchover takes, one end goes to the other: a person's choice of
// the last seconds wins, else the path that comes first in the configuration. Both ends apply the
// same rule to the same facts, so exactly one of them moves. Paths have to be configured in one
// order on both ends.
#pragma once

#include <cstddef>
#include <optional>

#include "core/clock.h"
#include "policy/group.h"

namespace hanet::policy {

/// For so long a switch by hand is told to the other end as one.
inline constexpr Nanoseconds kByHand = std::chrono::seconds(5);
/// Longer than one end is behind the other while both move, the bridging included.
inline constexpr Nanoseconds kApart = std::chrono::milliseconds(200);

/// Where the other end is, if this end is the one to go there.
[[nodiscard]] std::optional<std::size_t> meeting_path(const GroupState& state, MonotonicTime now);

/// What this end says of itself on a path.
[[nodiscard]] PeerClaim claim_of(const GroupState& state, std::size_t path, MonotonicTime now);

}  // namespace hanet::policy
