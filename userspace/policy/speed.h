// SPDX-License-Identifier: Apache-2.0
//
// What a port weighs by its speed (spec T1, capacity = "speed"), so that it does not depend on when
// hanetd started.
//
// A link that is down tells no speed. If such a port weighed nothing much, a trunk with a cable out
// would be whole for a hanetd that starts now, and below its threshold for one that ran before. So
// what is not told now is what it was last, also for an earlier hanetd; and a port that never had a
// link here weighs what it can negotiate at most, until it has one.
#pragma once

#include <cstdint>
#include <optional>

namespace hanet::policy {

/// In Mbit/s; empty where it is not known.
struct SpeedFacts {
  bool carrier = false;
  std::optional<std::uint32_t> told;      ///< by the driver, now
  std::optional<std::uint32_t> last;      ///< with a link, as it was seen last
  std::optional<std::uint32_t> possible;  ///< the fastest that it offers to the other end
};

/// What the port was seen to have with a link, by what is seen now; empty: never.
[[nodiscard]] std::optional<std::uint32_t> seen_speed(const SpeedFacts& facts);
/// At least 1: a port that tells nothing at all counts as the slowest one.
[[nodiscard]] std::uint32_t weight_by_speed(const SpeedFacts& facts);

}  // namespace hanet::policy
