// SPDX-License-Identifier: Apache-2.0
//
// See host_check.h.
#include "group/host_check.h"

#include <string>
#include <vector>

#include "group/path_group.h"
#include "snapshot/store.h"

namespace hanet::group {

namespace {

std::vector<std::string> kept_ports(const config::Config& config,
                                    const std::filesystem::path& run_directory) {
  std::vector<std::string> groups;
  for (const config::GroupConfig& group : config.groups) groups.push_back(group.name);
  return snapshot::kept_ports(run_directory, groups);
}

}  // namespace

Result<std::vector<std::string>> ports_not_here(const config::Config& config,
                                                const std::filesystem::path& run_directory) {
  return config::ports_not_here(config, kept_ports(config, run_directory));
}

Status check_cards(const config::Config& config, std::string_view name,
                   const std::filesystem::path& run_directory, config::DeviceOnPort on_port) {
  return config::check_interfaces(config, name, kept_ports(config, run_directory), on_port);
}

Status check_host(const config::Config& config, std::string_view name,
                  const std::filesystem::path& run_directory,
                  std::span<const engine::GroupIndex> indexes, config::DeviceOnPort on_port,
                  const std::function<void()>& before_each) {
  if (Status here = check_cards(config, name, run_directory, on_port); !here) return here;
  Result<net::NetlinkSocket> requests = net::NetlinkSocket::open();
  if (!requests) return pass_on(requests);
  const std::unique_ptr<engine::Engine> engine = engine::Engine::without_programs();
  failover::History history;
  std::string mistakes;
  for (std::size_t at = 0; at < config.groups.size(); ++at) {
    if (before_each) before_each();
    PathGroup group(config.groups[at],
                    indexes.empty() ? static_cast<engine::GroupIndex>(at) : indexes[at],
                    {.engine = *engine,
                     .requests = *requests,
                     .history = history,
                     .publish = [](const Notice&) {},
                     .is_port = {},
                     .replace_socket = {},
                     .is_blind = {},
                     .drain_notifications = {},
                     .run_directory = run_directory});
    if (const Status looked = group.look(); !looked)
      mistakes += (mistakes.empty() ? "" : "\n") + looked.error().message;
  }
  return mistakes.empty() ? Status() : Status(failure(mistakes));
}

}  // namespace hanet::group
