// SPDX-License-Identifier: Apache-2.0
//
// See late_ports.h.
#include "daemon/late_ports.h"

#include <fmt/format.h>

#include "config/text.h"
#include "group/host_check.h"

namespace hanet::daemon {

std::string LateGroup::text() const {
  std::string text = refused.empty() ? "about to begin" : "unable to begin: " + refused;
  if (!missing.empty())
    text = fmt::format("waiting for {}, which {} not here yet", config::listed(missing),
                       missing.size() == 1 ? "is" : "are");
  return text + (goes_on ? "; what the hanetd before left goes on in the kernel" : "");
}

Result<std::vector<std::string>> missing_ports(const config::GroupConfig& group,
                                               const std::filesystem::path& run_directory) {
  config::Config alone;
  alone.groups.push_back(group);
  return group::ports_not_here(alone, run_directory);
}

Result<config::Config> without_late_groups(const config::Config& config,
                                           const std::filesystem::path& run_directory) {
  config::Config here = config;
  here.groups.clear();
  for (const config::GroupConfig& group : config.groups) {
    const Result<std::vector<std::string>> missing = missing_ports(group, run_directory);
    if (!missing) return std::unexpected(missing.error());
    if (missing->empty()) here.groups.push_back(group);
  }
  return here;
}

}  // namespace hanet::daemon
