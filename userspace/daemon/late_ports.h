// SPDX-License-Identifier: Apache-2.0
//
// Ports that appear late.
//
// A service that is started at boot may be quicker than a driver, and a card may be put in hours
// later. Neither is a mistake in the configuration, and neither may hold up the boot, look like a
// crash, or leave another group without protection. So a group waits for its own ports only, and
// the verdict says for which.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/clock.h"
#include "core/result.h"

namespace hanet::daemon {

/// A group that can not begin yet.
struct LateGroup {
  config::GroupConfig config;
  std::vector<std::string> missing;  ///< interfaces
  std::string refused{};             ///< why it could not begin although they are here; or empty
  bool goes_on = false;              ///< what a killed hanetd left watches it
  MonotonicTime since{};
  MonotonicTime try_at{};  ///< not before
  std::string told{};      ///< what the alarm says; empty: there is none yet

  /// "waiting for eth5, which is not here yet", or why it can not begin; and what goes on.
  [[nodiscard]] std::string text() const;
};

/// Which interfaces of the group are not in this network namespace. Those that hanet can do without
/// for now, because it knows their identity (`run_directory`), do not count.
[[nodiscard]] Result<std::vector<std::string>> missing_ports(
    const config::GroupConfig& group, const std::filesystem::path& run_directory);

/// The groups that need not wait.
[[nodiscard]] Result<config::Config> without_late_groups(
    const config::Config& config, const std::filesystem::path& run_directory);

}  // namespace hanet::daemon
