// SPDX-License-Identifier: Apache-2.0
//
// The live parameters (spec D4): each one's name and range, in this one place. The configuration
// reads them by it, `hanetctl set` checks by it, reports show them by it; the kernel side clamps by
// the same bounds (hanet/abi.h).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "config/limits.h"
#include "hanet/abi.h"

namespace hanet::config {

struct LiveParameter {
  std::string_view name;  ///< in the file, on the command line and in reports; with the unit
  Range range;
  std::uint32_t hanet_params::* field;  ///< in the pinned map
  /// What each value is called; empty: they are numbers.
  std::span<const std::string_view> words{};
};

inline constexpr LiveParameter kInterval{
    "interval_us", {HANET_INTERVAL_MIN_US, HANET_INTERVAL_MAX_US}, &hanet_params::interval_us};
inline constexpr LiveParameter kMultiplier{
    "multiplier", {HANET_MULTIPLIER_MIN, HANET_MULTIPLIER_MAX}, &hanet_params::multiplier};
inline constexpr LiveParameter kUpCount{
    "up_count", {HANET_UP_COUNT_MIN, HANET_UP_COUNT_MAX}, &hanet_params::up_count};
inline constexpr LiveParameter kLinkPoll{
    "link_poll_us", {HANET_LINK_POLL_MIN_US, HANET_LINK_POLL_MAX_US}, &hanet_params::link_poll_us};
inline constexpr LiveParameter kThreshold{
    "threshold_percent",
    {HANET_THRESHOLD_MIN_PERCENT, HANET_THRESHOLD_MAX_PERCENT},
    &hanet_params::threshold_percent};
inline constexpr std::array<std::string_view, 2> kFlagWords{"false", "true"};
/// Of the group; on the command line a flag may be 1 or 0.
inline constexpr LiveParameter kEnabled{"enabled", {0, 1}, &hanet_params::enabled, kFlagWords};
/// In the order of enum hanet_on_daemon_loss.
inline constexpr std::array<std::string_view, 3> kOnDaemonLossWords{"steer", "detect", "release"};
inline constexpr LiveParameter kOnDaemonLoss{"on_daemon_loss",
                                             {HANET_LOSS_STEER, HANET_LOSS_RELEASE},
                                             &hanet_params::on_daemon_loss,
                                             kOnDaemonLossWords};
inline constexpr LiveParameter kDaemonLoss{"daemon_loss_ms",
                                           {HANET_DAEMON_LOSS_MIN_MS, HANET_DAEMON_LOSS_MAX_MS},
                                           &hanet_params::daemon_loss_ms};

/// interval x multiplier. A path that needs longer to fail is not watched in any useful sense.
inline constexpr std::chrono::seconds kMaxDetectionTime{HANET_DETECTION_MAX_US / 1'000'000};

inline constexpr std::array kLiveParameters{kInterval,  kMultiplier, kUpCount,      kLinkPoll,
                                            kThreshold, kEnabled,    kOnDaemonLoss, kDaemonLoss};

}  // namespace hanet::config
