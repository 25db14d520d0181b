// SPDX-License-Identifier: Apache-2.0
//
// `[group.heartbeat]`: paths whose heartbeats are signed (kind "hanet").
//
// Without a key such a heartbeat would be worth no more than an ARP request, so there is none
// without one; and a key where nothing is signed is a person's wrong belief. A target may be a MAC
// address alone: then nothing is searched for, so what belongs to a search is refused.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/key_file.h"
#include "config/limits.h"
#include "config/sections.h"

namespace hanet::config {
namespace {

constexpr std::string_view kKeyFileRule =
    "the absolute path of a file with 1 or 2 keys (hanet.toml(5))";

void check_signed_path(const TableReader& heartbeat, const GroupConfig& config, std::size_t at) {
  const PortConfig& port = config.paths[at].port();
  if (config.kind_of(port) != HeartbeatKind::Hanet || config.asks_an_address(port) ||
      config.udp_port)
    return;  // what is missing of a datagram: datagrams.cpp
  if (heartbeat.has(kPathKeys[at].source) && port.source)
    heartbeat.report(kPathKeys[at].source, fmt::format("'{}'", port.source->text()),
                     "only with a target address, because a MAC address is not searched for");
  if (heartbeat.has("further_targets"))
    heartbeat.report("further_targets", "addresses",
                     "only with a target address beside the MAC address");
}

void read_key_file(const TableReader& heartbeat, GroupConfig& config) {
  const std::optional<std::string> file = heartbeat.string("key_file", kKeyFileRule);
  if (!file) return;
  if (!file->starts_with('/'))
    heartbeat.report("key_file", in_quotes(*file), kKeyFileRule);
  else
    config.key_file = *file;
}

// The numbers of IANA's ieee-802-numbers of protocols that a host may speak: the kernel side does
// not look at most of their frames for a heartbeat (bpf/hanet.bpf.c, may_be_beat).
constexpr std::array<std::int64_t, 14> kTakenTypes{0x0800 /* IPv4 */,   0x0806 /* ARP */,
                                                   0x8035 /* RARP */,   0x8100 /* VLAN */,
                                                   0x86dd /* IPv6 */,   0x8808 /* pause */,
                                                   0x8809 /* LACP */,   0x8847 /* MPLS */,
                                                   0x8863 /* PPPoE */,  0x8864 /* PPPoE */,
                                                   0x888e /* 802.1X */, 0x88a8 /* VLAN */,
                                                   0x88cc /* LLDP */,   0x88f7 /* PTP */};

void read_ether_type(const TableReader& heartbeat, GroupConfig& config) {
  const auto type = heartbeat.integer("ether_type", kEtherType);
  if (!type) return;
  if (is_taken_ether_type(*type))
    return heartbeat.report("ether_type", fmt::format("{:#06x}", *type),
                            "a type that no other protocol of the host has, such as 0x88b5");
  config.ether_type = static_cast<std::uint16_t>(*type);
  if (!config.signs())
    heartbeat.report("ether_type", fmt::format("{:#06x}", *type),
                     "only with kind 'hanet', because no other has frames of its own");
}

}  // namespace

bool is_taken_ether_type(std::int64_t type) { return std::ranges::count(kTakenTypes, type) != 0; }

void read_signed_kind(const TableReader& heartbeat, GroupConfig& config) {
  read_key_file(heartbeat, config);
  read_ether_type(heartbeat, config);
  for (std::size_t at = 0; at < config.paths.size(); ++at) check_signed_path(heartbeat, config, at);
  if (!config.signs() && heartbeat.has("key_file"))
    heartbeat.report("key_file", in_quotes(config.key_file.native()),
                     "only with kind 'hanet', because no other is signed");
  if (config.signs() && !heartbeat.has("key_file"))
    heartbeat.report_missing("key_file",
                             fmt::format("{}, because kind 'hanet' is signed", kKeyFileRule));
}

Status load_keys(Config& config) {
  std::string mistakes;
  for (GroupConfig& group : config.groups) {
    if (group.key_file.empty()) continue;
    Result<std::vector<hanet_key>> keys = load_key_file(group.key_file);
    if (keys)
      group.keys = std::move(*keys);
    else
      mistakes += fmt::format("{}{} (key_file of group {})", mistakes.empty() ? "" : "\n",
                              keys.error().message, group.name);
  }
  if (mistakes.empty()) return {};
  return failure(std::move(mistakes));
}

}  // namespace hanet::config
