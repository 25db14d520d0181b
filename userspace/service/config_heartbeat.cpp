// SPDX-License-Identifier: Apache-2.0
//
// `[group.heartbeat]`: whom the paths of a group ask, and how often.
//
// Wrong addresses are the mistakes that hurt most here: a heartbeat that asks the host itself, or a
// whole network, is answered while the path is dead. So a target must be one other host, a source
// must not be a target, and both must be of one family. The two paths of a group use one family
// too: they lead to the same network. An IPv6 source must be link-local, because that is the one
// address that a standby has of its own and keeps when the identity moves.
#include <fmt/format.h>

#include "service/config_sections.h"

namespace hanet::config {
namespace {

constexpr std::array<std::string_view, 15> kHeartbeatKeys{
    "kind",           "target",           "primary_target",   "standby_target", "primary_source",
    "standby_source", "interval_us",      "multiplier",       "up_count",       "link_poll_us",
    "peer_mac",       "primary_peer_mac", "standby_peer_mac", "primary_kind",   "standby_kind"};

/// The keys of one path, and what they hold.
struct Side {
  std::string_view target_key;
  std::string_view source_key;
  std::optional<IpAddress> target;  ///< the one that counts: the path's own, or the group's
  std::optional<IpAddress> source;
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

void check_source(const TableReader& heartbeat, const Side& side) {
  if (!side.source || !side.target) return;
  const IpAddress& source = *side.source;
  if (source.family != side.target->family) {
    heartbeat.report(side.source_key, fmt::format("{} ({})", shown(source), family_text(source)),
                     fmt::format("an {} address, as the target {}", family_text(*side.target),
                                 shown(*side.target)));
  } else if (source == *side.target) {
    heartbeat.report(side.source_key, fmt::format("{} (also the target)", shown(source)),
                     "an address of this host");
  } else if (source.family == AF_INET6 && !source.is_link_local()) {
    heartbeat.report(side.source_key, shown(source),
                     "a link-local address (fe80::/10), because the target is IPv6");
  }
}

/// ICMP over IPv4 cannot ask without an address of its own; ARP and IPv6 can.
void require_source(const TableReader& heartbeat, HeartbeatKind kind, const Side& side) {
  const bool needed = kind == HeartbeatKind::Icmp && side.target && side.target->family == AF_INET;
  if (!needed || heartbeat.has(side.source_key)) return;
  heartbeat.report_missing(side.source_key,
                           "an IPv4 address of this host, because kind 'icmp' needs one per path");
}

void read_addresses(const TableReader& heartbeat, GroupConfig& config) {
  const bool both_own = has_own_peer(heartbeat, config, 0) && has_own_peer(heartbeat, config, 1);
  if (!heartbeat.has("target") && !both_own) {
    heartbeat.report_missing(
        "target", fmt::format("the IPv4 or IPv6 address of one host, or both 'primary_target' and "
                              "'standby_target'{}",
                              config.watches_silence() ? ", or 'peer_mac'" : ""));
  }
  const std::optional<IpAddress> target = heartbeat.address("target");
  std::array<Side, 2> sides{Side{kPathKeys[0].target, kPathKeys[0].source, {}, {}},
                            Side{kPathKeys[1].target, kPathKeys[1].source, {}, {}}};
  for (std::size_t i = 0; i < sides.size(); ++i) {
    Side& side = sides[i];
    PortConfig& port = config.paths[i].ports.front();
    port.target = heartbeat.address(side.target_key);
    port.source = side.source = heartbeat.address(side.source_key);
    side.target = heartbeat.has(side.target_key) ? port.target : target;
    const HeartbeatKind kind = config.kind_of(port);
    if (kind != HeartbeatKind::Silence) check_source(heartbeat, side);
    require_source(heartbeat, kind, side);
  }
  if (sides[0].source && sides[0].source == sides[1].source) {
    heartbeat.report("standby_source",
                     fmt::format("{} (also 'primary_source')", shown(*sides[1].source)),
                     "an address that only this path has");
  }
  const std::array<std::pair<std::string_view, std::optional<IpAddress>>, 3> targets{
      {{"target", target},
       {"primary_target", config.paths[0].port().target},
       {"standby_target", config.paths[1].port().target}}};
  check_target_families(heartbeat, targets);
  config.target = target ? *target : config.paths[0].port().target.value_or(IpAddress{});
}

/// The limits of the factors allow products that nobody wants to wait for.
void check_detection_time(const TableReader& heartbeat, const LiveParameters& live) {
  const std::chrono::microseconds detection_time = live.interval * live.multiplier;
  if (detection_time <= kMaxDetectionTime) return;
  const std::chrono::microseconds limit = kMaxDetectionTime;
  heartbeat.report("interval_us",
                   fmt::format("{} (with multiplier {} a detection time of {} us)",
                               live.interval.count(), live.multiplier, detection_time.count()),
                   fmt::format("interval_us x multiplier up to {}", limit.count()));
}

void read_timing(const TableReader& heartbeat, LiveParameters& live) {
  if (const auto interval = heartbeat.integer("interval_us", kIntervalUs)) {
    live.interval = std::chrono::microseconds(*interval);
  }
  if (const auto multiplier = heartbeat.integer("multiplier", kMultiplier)) {
    live.multiplier = static_cast<std::uint32_t>(*multiplier);
  }
  if (const auto up_count = heartbeat.integer("up_count", kUpCount)) {
    live.up_count = static_cast<std::uint32_t>(*up_count);
  }
  if (const auto poll = heartbeat.integer("link_poll_us", kLinkPollUs)) {
    live.link_poll = std::chrono::microseconds(*poll);
  }
  check_detection_time(heartbeat, live);
}

}  // namespace

void read_heartbeat(const TableReader& group, GroupConfig& config) {
  if (!group.has("heartbeat")) {
    group.report_missing("heartbeat", "a table [group.heartbeat] with at least 'target'");
    return;
  }
  const std::optional<TableReader> heartbeat = group.table("heartbeat");
  if (!heartbeat) return;
  heartbeat->refuse_unknown(kHeartbeatKeys);
  read_kinds(*heartbeat, config);
  read_addresses(*heartbeat, config);
  check_silence(*heartbeat, config);
  read_timing(*heartbeat, config.live);
}

}  // namespace hanet::config
