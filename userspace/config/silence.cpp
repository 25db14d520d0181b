// SPDX-License-Identifier: Apache-2.0
//
// `[group.heartbeat]`: paths that are watched by listening (spec M5).
//
// Whoever configures silence relies on frames that somebody else decides to send, so what can not
// work is refused here: a source address for requests that are never sent, a peer that is named
// twice, and a standby that is down while it waits. The last would be used unheard, and a path on
// which nothing was heard yet is unknown and never fails.
#include <fmt/format.h>

#include "config/sections.h"

namespace hanet::config {
namespace {

constexpr std::array kKinds{HeartbeatKind::Arp, HeartbeatKind::Icmp, HeartbeatKind::Hanet,
                            HeartbeatKind::Silence};

bool is_silent(const GroupConfig& config, std::size_t at) {
  return config.kind_of(config.paths[at].port()) == HeartbeatKind::Silence;
}

bool all_silent(const GroupConfig& config) {
  for (std::size_t at = 0; at < config.paths.size(); ++at)
    if (!is_silent(config, at)) return false;
  return true;
}

std::string shown(const std::optional<net::MacAddress>& mac) {
  return mac ? fmt::format("'{}'", net::to_text(*mac)) : std::string("no MAC address");
}

void check_path(const TableReader& heartbeat, const GroupConfig& config, std::size_t at) {
  const PathKeys& keys = kPathKeys[at];
  const PortConfig& port = config.paths[at].port();
  if (!is_silent(config, at)) {
    if (heartbeat.has(keys.peer_mac))
      heartbeat.report(keys.peer_mac, shown(port.peer_mac),
                       "only where the kind is 'silence', because others ask an address");
    return;
  }
  if (heartbeat.has(keys.target_mac))
    heartbeat.report(
        keys.target_mac, shown(port.target_mac),
        "only where the kind is 'arp', 'icmp' or 'hanet'; where it is 'silence' this is "
        "the peer_mac");
  if (heartbeat.has(keys.source))
    heartbeat.report(
        keys.source, port.source ? fmt::format("'{}'", port.source->text()) : "no address",
        "only where the kind is 'arp', 'icmp' or 'hanet', because a path of kind 'silence' asks "
        "nobody");
  if (heartbeat.has(keys.peer_mac) && heartbeat.has(keys.target))
    heartbeat.report(keys.peer_mac, fmt::format("{} (and '{}')", shown(port.peer_mac), keys.target),
                     "one of the two, because a path has one peer");
}

/// Reported once for the key that all paths have in common.
void check_mode(const TableReader& heartbeat, const GroupConfig& config) {
  if (!config.standby_is_down()) return;
  std::string_view reported;
  for (std::size_t at = 0; at < config.paths.size(); ++at) {
    const std::string_view key = heartbeat.has(kPathKeys[at].kind) ? kPathKeys[at].kind : "kind";
    if (!is_silent(config, at) || key == reported) continue;
    reported = key;
    heartbeat.report(
        key, "'silence'",
        fmt::format("arp, icmp, hanet, because a {} path is used before anything was heard "
                    "on it",
                    to_text(config.standby_mode)));
  }
}

}  // namespace

void read_kinds(const TableReader& heartbeat, GroupConfig& config) {
  config.heartbeat = read_enum(heartbeat, "kind", kKinds, HeartbeatKind::Arp);
  config.peer_mac = heartbeat.mac_address("peer_mac");
  config.target_mac = heartbeat.mac_address("target_mac");
  for (std::size_t at = 0; at < config.paths.size(); ++at) {
    std::optional<HeartbeatKind> kind;
    if (heartbeat.has(kPathKeys[at].kind))
      kind = read_enum(heartbeat, kPathKeys[at].kind, kKinds, config.heartbeat);
    const std::optional<net::MacAddress> peer = heartbeat.mac_address(kPathKeys[at].peer_mac);
    const std::optional<net::MacAddress> target = heartbeat.mac_address(kPathKeys[at].target_mac);
    for (PortConfig& port : config.paths[at].ports) {
      port.heartbeat = kind;
      port.peer_mac = peer;
      port.target_mac = target;
    }
  }
}

bool has_own_peer(const TableReader& heartbeat, const GroupConfig& config, std::size_t at) {
  const PathKeys& keys = kPathKeys[at];
  if (heartbeat.has(keys.target)) return true;
  if (config.kind_of(config.paths[at].port()) == HeartbeatKind::Hanet)
    return heartbeat.has(keys.target_mac) || heartbeat.has("target_mac");
  return is_silent(config, at) && (heartbeat.has(keys.peer_mac) || heartbeat.has("peer_mac"));
}

void check_silence(const TableReader& heartbeat, const GroupConfig& config) {
  for (std::size_t at = 0; at < config.paths.size(); ++at) check_path(heartbeat, config, at);
  check_mode(heartbeat, config);
  if (heartbeat.has("target_mac") && all_silent(config))
    heartbeat.report(
        "target_mac", shown(config.target_mac),
        "only with kind 'arp', 'icmp' or 'hanet'; with 'silence' this is the peer_mac");
  if (!heartbeat.has("peer_mac")) return;
  if (!config.watches_silence())
    heartbeat.report("peer_mac", shown(config.peer_mac),
                     "only with kind 'silence', because others ask an address");
  else if (heartbeat.has("target") && all_silent(config))
    heartbeat.report("peer_mac", fmt::format("{} (and 'target')", shown(config.peer_mac)),
                     "one of the two, because a path has one peer");
}

}  // namespace hanet::config
