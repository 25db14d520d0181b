// SPDX-License-Identifier: Apache-2.0
//
// Ports that appear late.
//
// A service that is started at boot may be quicker than a driver, and a card may be put in hours
// later. Neither is a mistake in the configuration, and neither may hold up the boot or look like a
// crash. So the service is told to be ready, and what it waits for is its status.
#pragma once

#include <filesystem>

#include "config/config.h"
#include "core/result.h"

namespace hanet::daemon {

/// Returns when every port of the configuration is in this network namespace. Says once for which
/// it waits, in the log and to the service manager, and feeds the watchdog meanwhile. Any signal
/// that ends a process ends it here, where nothing has been touched yet.
[[nodiscard]] Status wait_for_ports(const config::Config& config,
                                    const std::filesystem::path& run_directory);

}  // namespace hanet::daemon
