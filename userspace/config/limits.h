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

#include "hanet/abi.h"

namespace hanet::config {

/// Both ends belong to the range.
struct Range {
  std::int64_t low;
  std::int64_t high;
  [[nodiscard]] constexpr bool holds(std::int64_t value) const {
    return low <= value && value <= high;
  }
};

// The sizes of the kernel side's tables, for one hanetd.
inline constexpr std::size_t kMaxGroups = HANET_MAX_GROUPS;
inline constexpr std::size_t kMaxPorts = HANET_MAX_PORTS;  ///< of all groups together
inline constexpr std::size_t kMaxTrunkPorts = HANET_TRUNK_PORTS;
inline constexpr std::size_t kMaxSessions = HANET_MAX_SESSIONS;
inline constexpr std::size_t kMaxFurtherTargets = HANET_PORT_TARGETS - 1;
static_assert(kMaxSessions >= kMaxPorts, "each port has a session");
static_assert(HANET_MAX_TRUNKS >= 2 * kMaxGroups, "both paths of each group may be trunks");

/// Smaller ones are lengths (IEEE 802.3, 3.2.6). Not all of them: config/signed_kind.cpp.
inline constexpr Range kEtherType{0x600, 0xffff};
inline constexpr Range kUdpPort{1, 0xffff};

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

/// A configuration of 16 groups has some 10 KiB; beyond this it is the wrong file.
inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

/// A key cannot span lines, so this bounds its parts, and with them how deep tables can be nested.
inline constexpr std::size_t kMaxLineBytes = 1024;

}  // namespace hanet::config
