// SPDX-License-Identifier: Apache-2.0
//
// `[group.heartbeat]`: paths whose signed heartbeats are UDP datagrams (kind "hanet" with a
// `udp_port`), for targets behind routers.
//
// A router is a neighbour like any other, so it is named: the host's routes change with what other
// programs do, and a heartbeat that leaves by another router watches another path. What a router
// can not send back is refused here: a datagram without a source, or from an address of the link.
#include <fmt/format.h>

#include <algorithm>

#include "config/limits.h"
#include "config/sections.h"

namespace hanet::config {
namespace {

constexpr std::string_view kOnlyDatagrams =
    "only with 'udp_port', because nothing else is sent on by a router";

bool sends_datagrams(const GroupConfig& config, const PortConfig& port) {
  return config.udp_port && config.kind_of(port) == HeartbeatKind::Hanet;
}

bool is_source(const GroupConfig& config, const IpAddress& address) {
  return std::ranges::any_of(config.paths, [&](const PathConfig& path) {
    return std::ranges::count(path.ports, address, &PortConfig::source) != 0;
  });
}

void check_gateway(const TableReader& heartbeat, const GroupConfig& config, std::size_t at) {
  const PortConfig& port = config.paths[at].port();
  if (!port.gateway) return;
  const std::string_view own = kPathKeys[at].gateway;
  const std::string_view key = heartbeat.has(own) ? own : "gateway";
  const IpAddress& gateway = *port.gateway;
  const IpAddress& target = config.target_of(port);
  if (!sends_datagrams(config, port))
    heartbeat.report(own, in_quotes(gateway.text()), kOnlyDatagrams);
  else if (target == IpAddress{})
    return;  // what is missing is told there
  else if (target.is_link_local())
    heartbeat.report(key, in_quotes(gateway.text()),
                     fmt::format("only for a target that is not of the link, as {} is",
                                 in_quotes(target.text())));
  else if (gateway.family != target.family)
    heartbeat.report(
        key, in_quotes(gateway.text()),
        fmt::format("an address of the target's family, as {}", in_quotes(target.text())));
  else if (is_source(config, gateway))
    heartbeat.report(key, fmt::format("{} (also a source)", in_quotes(gateway.text())),
                     "an address of another host");
}

void check_datagram_path(const TableReader& heartbeat, const GroupConfig& config, std::size_t at) {
  const PortConfig& port = config.paths[at].port();
  if (!sends_datagrams(config, port)) return;
  if (config.peer_mac_of(port) && !config.asks_an_address(port))
    heartbeat.report_missing(kPathKeys[at].target,
                             "an address beside the MAC address, because a datagram goes to one");
  if (!heartbeat.has(kPathKeys[at].source))
    heartbeat.report_missing(kPathKeys[at].source,
                             "an address of this host, because a datagram is answered to one");
}

}  // namespace

void read_datagrams(const TableReader& heartbeat, GroupConfig& config) {
  if (const auto port = heartbeat.integer("udp_port", kUdpPort))
    config.udp_port = static_cast<std::uint16_t>(*port);
  const std::optional<IpAddress> gateway = heartbeat.address("gateway");
  for (std::size_t at = 0; at < config.paths.size(); ++at) {
    const std::string_view own = kPathKeys[at].gateway;
    std::optional<IpAddress> of_path;
    if (heartbeat.has(own))
      of_path = heartbeat.address(own);
    else if (sends_datagrams(config, config.paths[at].port()))
      of_path = gateway;
    for (PortConfig& port : config.paths[at].ports) port.gateway = of_path;
  }
}

void check_datagrams(const TableReader& heartbeat, const GroupConfig& config) {
  if (heartbeat.has("udp_port") && !config.udp_port) return;  // a wrong port is told already
  for (std::size_t at = 0; at < config.paths.size(); ++at) {
    check_datagram_path(heartbeat, config, at);
    // One for all paths is one mistake.
    if (at == 0 || heartbeat.has(kPathKeys[at].gateway) || heartbeat.has(kPathKeys[0].gateway))
      check_gateway(heartbeat, config, at);
  }
  if (heartbeat.has("gateway") && !(config.signs() && config.udp_port))
    heartbeat.report("gateway", "an address", kOnlyDatagrams);
  if (!heartbeat.has("udp_port")) return;
  const std::string found = fmt::format("{}", config.udp_port.value_or(0));
  if (!config.signs())
    heartbeat.report("udp_port", found,
                     "only with kind 'hanet', because no other is sent as datagrams");
  if (heartbeat.has("ether_type"))
    heartbeat.report("udp_port", fmt::format("{} (and 'ether_type')", found),
                     "one of the two, because a heartbeat is a frame or a datagram");
}

}  // namespace hanet::config
