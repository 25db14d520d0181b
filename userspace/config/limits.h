// SPDX-License-Identifier: Apache-2.0
//
// What a configuration may ask for.
//
// In the units of the keys. The limits are wide on purpose: they refuse what cannot work (a
// detection time of hours) and leave taste to the person who knows the network. Those of the live
// parameters are in parameters.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hanet::config {

/// Both ends belong to the range.
struct Range {
  std::int64_t low;
  std::int64_t high;
  [[nodiscard]] constexpr bool holds(std::int64_t value) const {
    return low <= value && value <= high;
  }
};

// Trunks, see TrunkConfig.
/// Ports of one trunk: the size of the kernel side's tables.
inline constexpr std::size_t kMaxTrunkPorts = 16;

// Switchover, see GroupConfig.
inline constexpr Range kAnnounceCount{0, 60};
inline constexpr Range kAnnounceGapMs{1, 10'000};
inline constexpr Range kColdRetryMs{1000, 3'600'000};
inline constexpr Range kDelayMs{0, 60'000};

// Failback, see FailbackConfig. Without any hold-down a path that flaps would pull the identity to
// and fro.
inline constexpr Range kHoldDownMs{100, 3'600'000};
inline constexpr Range kDampingHalfLifeMs{100, 3'600'000};

/// IFNAMSIZ without the final NUL; a metaname obeys it too, because it may become a netdev (A3).
inline constexpr std::size_t kMaxNameLength = 15;

/// Groups per daemon: the size of the kernel side's maps.
inline constexpr std::size_t kMaxGroups = 16;

/// A configuration of 16 groups has some 10 KiB; beyond this it is the wrong file.
inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

/// A key cannot span lines, so this bounds its parts, and with them how deep tables can be nested.
inline constexpr std::size_t kMaxLineBytes = 1024;

}  // namespace hanet::config
