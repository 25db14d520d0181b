// SPDX-License-Identifier: Apache-2.0
//
// `[group.heartbeat]`: whom the paths of a group ask, and how often.
//
// Wrong addresses are the mistakes that hurt most here: a heartbeat that asks the host itself, or a
// whole network, is answered while the path is dead. So a target must be one other host, a source
// must not be a target, and both must be of one family. The paths of a group use one family
// too: they lead to the same network. An IPv6 source must be link-local, because that is the one
// address that a standby has of its own and keeps when the identity moves.
#include <fmt/format.h>

#include "config/parameters.h"
#include "config/sections.h"

namespace hanet::config {
namespace {

constexpr std::array<std::string_view, 15> kCommonKeys{
    "kind",         "target",   kInterval.name, kMultiplier.name,  kUpCount.name,
    kLinkPoll.name, "peer_mac", "both_ends",    "further_targets", "quorum",
    "target_mac",   "key_file", "ether_type",   "udp_port",        "gateway"};

/// Those of the paths that the group has, and those that all have in common.
std::vector<std::string_view> known_keys(const GroupConfig& config) {
  std::vector<std::string_view> known(kCommonKeys.begin(), kCommonKeys.end());
  for (std::size_t at = 0; at < config.paths.size(); ++at) {
    const PathKeys& keys = kPathKeys[at];
    known.insert(known.end(), {keys.kind, keys.target, keys.source, keys.peer_mac, keys.target_mac,
                               keys.gateway});
  }
  return known;
}

/// What one port asks, and from where; where the file says so.
struct Asked {
  std::optional<Item> source_item;
  std::optional<IpAddress> target;  ///< the one that counts: the port's own, or the group's
  std::optional<IpAddress> source;
  bool by_gateway = false;
};

std::string_view family_text(const IpAddress& address) {
  return address.family == AF_INET ? "IPv4" : "IPv6";
}

std::string shown(const IpAddress& address) { return fmt::format("'{}'", address.text()); }

/// The first target in the file's order of precedence decides the family of the others.
void check_target_families(
    const TableReader& heartbeat,
    std::span<const std::pair<std::string_view, std::optional<IpAddress>>> targets) {
  const std::pair<std::string_view, std::optional<IpAddress>>* first = nullptr;
  for (const auto& target : targets) {
    const auto& [key, address] = target;
    if (!address) continue;
    if (first == nullptr) first = &target;
    const IpAddress& model = *first->second;
    if (address->family == model.family) continue;
    heartbeat.report(key, fmt::format("{} ({})", shown(*address), family_text(*address)),
                     fmt::format("an {} address, as in '{}'", family_text(model), first->first));
  }
}

void check_source(const TableReader& heartbeat, const Asked& asked) {
  if (!asked.source || !asked.target) return;
  const IpAddress& source = *asked.source;
  if (source.family != asked.target->family) {
    heartbeat.report(*asked.source_item, fmt::format("{} ({})", shown(source), family_text(source)),
                     fmt::format("an {} address, as the target {}", family_text(*asked.target),
                                 shown(*asked.target)));
  } else if (source == *asked.target) {
    heartbeat.report(*asked.source_item, fmt::format("{} (also the target)", shown(source)),
                     "an address of this host");
  } else if (asked.by_gateway) {
    if (source.is_link_local())
      heartbeat.report(*asked.source_item, shown(source),
                       "an address to which the gateway can send the answers, not one of the link");
  } else if (source.family == AF_INET6 && !source.is_link_local()) {
    heartbeat.report(*asked.source_item, shown(source),
                     "a link-local address (fe80::/10), because the target is IPv6");
  }
}

/// ICMP over IPv4 cannot ask without an address of its own; ARP and IPv6 can.
void require_source(const TableReader& heartbeat, HeartbeatKind kind, std::string_view key,
                    const Asked& asked) {
  const bool needed =
      kind == HeartbeatKind::Icmp && asked.target && asked.target->family == AF_INET;
  if (!needed || heartbeat.has(key)) return;
  heartbeat.report_missing(key,
                           "an IPv4 address of this host, because kind 'icmp' needs one per path");
}

/// A list has one entry for each port of the path; a single string is the only port's, or, where it
/// makes sense (`for_all`), that of all.
std::vector<Item> items_per_port(const TableReader& heartbeat, std::string_view key,
                                 std::size_t ports, bool for_all) {
  std::vector<Item> items = heartbeat.items(key, "an address, or a list with one for each port");
  if (items.empty() || items.size() == ports) return items;
  if (items.size() == 1 && for_all && !items.front().position)
    return std::vector<Item>(ports, items.front());
  heartbeat.report(key, fmt::format("{} address{}", items.size(), items.size() == 1 ? "" : "es"),
                   fmt::format("a list of {}, one for each port of the path", ports));
  return {};
}

using SourceUse = std::vector<std::pair<IpAddress, std::string>>;

void check_source_is_free(const TableReader& heartbeat, const Asked& asked, SourceUse& used) {
  const auto other = std::ranges::find(used, *asked.source, &SourceUse::value_type::first);
  if (other != used.end())
    heartbeat.report(*asked.source_item,
                     fmt::format("{} (also '{}')", shown(*asked.source), other->second),
                     "an address that only this path has");
  used.emplace_back(*asked.source, name_of(*asked.source_item));
}

void read_side(const TableReader& heartbeat, const PathKeys& side,
               const std::optional<IpAddress>& target, GroupConfig& config, PathConfig& path,
               SourceUse& used) {
  const std::size_t count = path.ports.size();
  const std::vector<Item> targets = items_per_port(heartbeat, side.target, count, true);
  const std::vector<Item> sources = items_per_port(heartbeat, side.source, count, false);
  for (std::size_t at = 0; at < count; ++at) {
    PortConfig& port = path.ports[at];
    Asked asked;
    // A target for all ports is one address, and one mistake.
    if (!targets.empty())
      port.target =
          at > 0 && !targets[at].position ? path.ports[0].target : heartbeat.address(targets[at]);
    if (!sources.empty()) {
      asked.source_item = sources[at];
      port.source = asked.source = heartbeat.address(sources[at]);
    }
    asked.target = heartbeat.has(side.target) ? port.target : target;
    asked.by_gateway = port.gateway.has_value();
    const HeartbeatKind kind = config.kind_of(port);
    if (kind != HeartbeatKind::Silence) check_source(heartbeat, asked);
    if (at == 0) require_source(heartbeat, kind, side.source, asked);
    if (asked.source) check_source_is_free(heartbeat, asked, used);
  }
}

void read_addresses(const TableReader& heartbeat, GroupConfig& config) {
  bool all_own = true;
  for (std::size_t at = 0; at < config.paths.size(); ++at)
    all_own = all_own && has_own_peer(heartbeat, config, at);
  if (!heartbeat.has("target") && !all_own) {
    heartbeat.report_missing(
        "target", fmt::format("the IPv4 or IPv6 address of one host, or both 'primary_target' and "
                              "'standby_target'{}",
                              config.watches_silence() ? ", or 'peer_mac'"
                              : config.signs()         ? ", or 'target_mac'"
                                                       : ""));
  }
  const std::optional<IpAddress> target = heartbeat.address("target");
  SourceUse used;
  for (std::size_t i = 0; i < config.paths.size(); ++i)
    read_side(heartbeat, kPathKeys[i], target, config, config.paths[i], used);
  std::vector<std::pair<std::string_view, std::optional<IpAddress>>> targets{{"target", target}};
  for (std::size_t i = 0; i < config.paths.size(); ++i) {
    const std::vector<PortConfig>& ports = config.paths[i].ports;
    for (std::size_t at = 0; at < ports.size(); ++at)
      if (at == 0 || ports[at].target != ports[at - 1].target)
        targets.emplace_back(kPathKeys[i].target, ports[at].target);
  }
  check_target_families(heartbeat, targets);
  config.target = target ? *target : config.paths[0].port().target.value_or(IpAddress{});
}

/// What is wrong with one more target of every port; empty: nothing.
std::string why_not_further(const GroupConfig& config, const IpAddress& address) {
  if (address.family != config.target.family)
    return fmt::format("an {} address, as the target '{}'", family_text(config.target),
                       config.target.text());
  if (std::ranges::count(config.further_targets, address) != 0) return "each address once";
  for (const PathConfig& path : config.paths)
    for (const PortConfig& port : path.ports) {
      if (config.target_of(port) == address) return "an address that is not the target anyway";
      if (port.source == address) return "an address of another host";
    }
  return {};
}

/// Beside the target, so that one that dies or reboots is no failed path (spec M9).
void read_further_targets(const TableReader& heartbeat, GroupConfig& config) {
  const std::vector<Item> items =
      heartbeat.items("further_targets", "an address, or a list of them");
  if (!items.empty() && config.watches_silence())
    heartbeat.report(
        "further_targets", fmt::format("{} addresses", items.size()),
        "only where the kind is 'arp', 'icmp' or 'hanet', because a path of kind 'silence' has "
        "one peer");
  if (items.size() > kMaxFurtherTargets)
    heartbeat.report("further_targets", fmt::format("{} addresses", items.size()),
                     fmt::format("up to {}", kMaxFurtherTargets));
  for (const Item& item : items) {
    const std::optional<IpAddress> address = heartbeat.address(item);
    if (!address) continue;
    if (const std::string allowed = why_not_further(config, *address); !allowed.empty())
      heartbeat.report(item, shown(*address), allowed);
    else
      config.further_targets.push_back(*address);
  }
  const auto all = static_cast<std::int64_t>(items.size()) + 1;
  if (const auto quorum = heartbeat.integer("quorum", {1, all}))
    config.quorum = static_cast<std::uint32_t>(*quorum);
}

/// One for each target of each port.
void claim_sessions(const TableReader& heartbeat, const GroupConfig& config, Claims& claims) {
  const std::string_view key = "further_targets";
  const Claim claim{.name = {}, .path = heartbeat.path_of(key), .line = heartbeat.line_of(key)};
  for (const PathConfig& path : config.paths)
    claims.sessions.insert(claims.sessions.end(),
                           path.ports.size() * (1 + config.further_targets.size()), claim);
}

/// The limits of the factors allow products that nobody wants to wait for.
void check_detection_time(const TableReader& heartbeat, const LiveParameters& live) {
  const std::chrono::microseconds detection_time = live.interval * live.multiplier;
  if (detection_time <= kMaxDetectionTime) return;
  const std::chrono::microseconds limit = kMaxDetectionTime;
  heartbeat.report(
      kInterval.name,
      fmt::format("{} (with multiplier {} a detection time of {} us)", live.interval.count(),
                  live.multiplier, detection_time.count()),
      fmt::format("{} x {} up to {}", kInterval.name, kMultiplier.name, limit.count()));
}

/// The other end asks our sources, and hears in the answers where our identity is.
void read_both_ends(const TableReader& heartbeat, GroupConfig& config) {
  config.both_ends = heartbeat.boolean("both_ends").value_or(false);
  if (!config.both_ends) return;
  if (config.watches_silence())
    heartbeat.report("both_ends", "true",
                     "false, because a path of kind 'silence' asks nobody and gets no answers");
  for (const PathKeys& side : std::span(kPathKeys).first(config.paths.size()))
    if (!config.watches_silence() && !heartbeat.has(side.source))
      heartbeat.report_missing(side.source,
                               "an address of this host, because with both_ends = true the other "
                               "end asks for it");
}

void read_timing(const TableReader& heartbeat, LiveParameters& live) {
  if (const auto interval = heartbeat.integer(kInterval.name, kInterval.range)) {
    live.interval = std::chrono::microseconds(*interval);
  }
  if (const auto multiplier = heartbeat.integer(kMultiplier.name, kMultiplier.range)) {
    live.multiplier = static_cast<std::uint32_t>(*multiplier);
  }
  if (const auto up_count = heartbeat.integer(kUpCount.name, kUpCount.range)) {
    live.up_count = static_cast<std::uint32_t>(*up_count);
  }
  if (const auto poll = heartbeat.integer(kLinkPoll.name, kLinkPoll.range)) {
    live.link_poll = std::chrono::microseconds(*poll);
  }
  check_detection_time(heartbeat, live);
}

}  // namespace

void read_heartbeat(const TableReader& group, GroupConfig& config, Claims& claims) {
  if (!group.has("heartbeat")) {
    group.report_missing("heartbeat", "a table [group.heartbeat] with at least 'target'");
    return;
  }
  const std::optional<TableReader> heartbeat = group.table("heartbeat");
  if (!heartbeat) return;
  heartbeat->refuse_unknown(known_keys(config));
  read_kinds(*heartbeat, config);
  read_datagrams(*heartbeat, config);
  read_addresses(*heartbeat, config);
  read_further_targets(*heartbeat, config);
  check_silence(*heartbeat, config);
  read_signed_kind(*heartbeat, config);
  check_datagrams(*heartbeat, config);
  read_both_ends(*heartbeat, config);
  read_timing(*heartbeat, config.live);
  claim_sessions(*heartbeat, config, claims);
}

}  // namespace hanet::config
