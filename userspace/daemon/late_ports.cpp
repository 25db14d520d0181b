// SPDX-License-Identifier: Apache-2.0
//
// See late_ports.h.
#include "daemon/late_ports.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "config/text.h"
#include "core/log.h"
#include "group/host_check.h"

namespace hanet::daemon {
namespace {

constexpr std::chrono::milliseconds kLookAgain{100};

std::string waiting_for(const std::vector<std::string>& absent) {
  return fmt::format("waiting for {}, which {} not here yet", config::listed(absent),
                     absent.size() == 1 ? "is" : "are");
}

}  // namespace

Status wait_for_ports(const config::Config& config, const std::filesystem::path& run_directory) {
  std::vector<std::string> told;
  for (;;) {
    const Result<std::vector<std::string>> absent = group::ports_not_here(config, run_directory);
    if (!absent) return std::unexpected(absent.error());
    if (absent->empty()) break;
    if (*absent != told) {
      told = *absent;
      log::warning("{}; nothing is protected until then", waiting_for(told));
      ::sd_notifyf(0, "READY=1\nSTATUS=%s", waiting_for(told).c_str());
    }
    ::sd_notify(0, "WATCHDOG=1");
    std::this_thread::sleep_for(kLookAgain);
  }
  if (!told.empty()) log::notice("every port is here");
  return {};
}

}  // namespace hanet::daemon
