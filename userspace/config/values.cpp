// SPDX-License-Identifier: Apache-2.0
//
// See values.h.
#include "config/values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <ranges>

#include "config/key_file.h"
#include "config/parameters.h"
#include "config/sections.h"

namespace hanet::config {
namespace {

constexpr std::string_view kNone = "none";

// What hanetd reads anew each time that it needs it; everything else a group is built of.
constexpr std::array<std::string_view, 19> kAtOnce{"announce_count",
                                                   "announce_gap_ms",
                                                   "cold_retry_ms",
                                                   "daemon_loss_ms",
                                                   "delay_enabling",
                                                   "delay_ms",
                                                   "enabled",
                                                   "failback.damping_half_life_ms",
                                                   "failback.hold_down_ms",
                                                   "failback.policy",
                                                   "heartbeat.interval_us",
                                                   "heartbeat.key_file",
                                                   "heartbeat.keys",
                                                   "heartbeat.link_poll_us",
                                                   "heartbeat.multiplier",
                                                   "heartbeat.up_count",
                                                   "on_daemon_loss",
                                                   "restore",
                                                   "trunk.threshold_percent"};

std::string text_of(bool value) { return value ? "true" : "false"; }
template <typename Rep, typename Period>
std::string text_of(std::chrono::duration<Rep, Period> value) {
  return fmt::format("{}", value.count());
}
std::string text_of(const std::optional<IpAddress>& address) {
  return address ? address->text() : std::string(kNone);
}
std::string text_of(const std::optional<net::MacAddress>& mac) {
  return mac ? net::to_text(*mac) : std::string(kNone);
}

/// One value for each port of a path: one text where all are the same.
std::string text_of(const PathConfig& path,
                    const std::function<std::string(const PortConfig&)>& of) {
  std::vector<std::string> texts;
  for (const PortConfig& port : path.ports) texts.push_back(of(port));
  if (std::ranges::adjacent_find(texts, std::not_equal_to<>()) == texts.end()) return texts.front();
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string interfaces_of(const PathConfig& path) {
  return fmt::format("{}",
                     fmt::join(path.ports | std::views::transform(&PortConfig::interface), ", "));
}

std::string listed(const std::vector<IpAddress>& addresses) {
  if (addresses.empty()) return std::string(kNone);
  return fmt::format("{}", fmt::join(addresses | std::views::transform(&IpAddress::text), ", "));
}

/// The keys themselves are nobody's to see.
std::string named(const std::vector<hanet_key>& keys) {
  if (keys.empty()) return std::string(kNone);
  return fmt::format("{}", fmt::join(keys | std::views::transform(key_name), ", "));
}

void put_path(Values& values, const GroupConfig& group, std::size_t at) {
  const PathConfig& path = group.paths[at];
  const auto put = [&](std::string_view key,
                       const std::function<std::string(const PortConfig&)>& of) {
    values[fmt::format("heartbeat.{}", key)] = text_of(path, of);
  };
  const PathKeys& keys = kPathKeys.at(at);
  put(keys.kind, [&](const PortConfig& port) { return std::string(to_text(group.kind_of(port))); });
  put(keys.target, [&](const PortConfig& port) { return group.target_of(port).text(); });
  put(keys.source, [](const PortConfig& port) { return text_of(port.source); });
  put(keys.peer_mac, [](const PortConfig& port) { return text_of(port.peer_mac); });
  put(keys.target_mac, [](const PortConfig& port) { return text_of(port.target_mac); });
  put(keys.gateway, [](const PortConfig& port) { return text_of(port.gateway); });
}

void put_heartbeat(Values& values, const GroupConfig& group) {
  const LiveParameters& live = group.live;
  values.insert({{"heartbeat.kind", std::string(to_text(group.heartbeat))},
                 {"heartbeat.target", group.target.text()},
                 {"heartbeat.peer_mac", text_of(group.peer_mac)},
                 {"heartbeat.target_mac", text_of(group.target_mac)},
                 {"heartbeat.further_targets", listed(group.further_targets)},
                 {"heartbeat.key_file",
                  group.key_file.empty() ? std::string(kNone) : group.key_file.native()},
                 {"heartbeat.keys", named(group.keys)},
                 {"heartbeat.ether_type", fmt::format("{:#06x}", group.ether_type)},
                 {"heartbeat.udp_port",
                  group.udp_port ? fmt::format("{}", *group.udp_port) : std::string(kNone)},
                 {"heartbeat.quorum", fmt::format("{}", group.quorum)},
                 {"heartbeat.both_ends", text_of(group.both_ends)},
                 {"heartbeat.interval_us", text_of(live.interval)},
                 {"heartbeat.multiplier", fmt::format("{}", live.multiplier)},
                 {"heartbeat.up_count", fmt::format("{}", live.up_count)},
                 {"heartbeat.link_poll_us", text_of(live.link_poll)}});
  for (std::size_t at = 0; at < group.paths.size(); ++at) put_path(values, group, at);
}

const NamedValues* find(const std::vector<NamedValues>& all, const std::string& group) {
  const auto found = std::ranges::find(all, group, &NamedValues::group);
  return found == all.end() ? nullptr : &*found;
}

std::vector<KeyChange> keys_between(const Values& from, const Values& to) {
  std::vector<KeyChange> changes;
  const auto in = [](const Values& values, const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? std::string(kNone) : found->second;
  };
  Values all = from;
  all.insert(to.begin(), to.end());
  for (const auto& [key, value] : all)
    if (in(from, key) != in(to, key)) changes.push_back({key, in(from, key), in(to, key)});
  return changes;
}

}  // namespace

Values values_of(const GroupConfig& group) {
  Values values{{"mode", std::string(to_text(group.standby_mode))},
                {"take_over", text_of(group.take_over)},
                {"bridging", text_of(group.bridging)},
                {"restore", text_of(group.restore)},
                {"move_mac", text_of(group.move_mac)},
                {"enabled", text_of(group.live.enabled)},
                {"on_daemon_loss", std::string(to_text(group.live.on_daemon_loss))},
                {"daemon_loss_ms", text_of(group.live.daemon_loss)},
                {"announce_count", fmt::format("{}", group.announce_count)},
                {"announce_gap_ms", text_of(group.announce_gap)},
                {"delay_ms", text_of(group.delay)},
                {"delay_enabling", text_of(group.delay_enabling)},
                {"cold_retry_ms", text_of(group.cold_retry)},
                {"capacity", std::string(to_text(group.trunk.capacity))},
                {"trunk.mode", std::string(to_text(group.trunk.mode))},
                {"trunk.threshold_percent", fmt::format("{}", group.live.threshold_percent)},
                {"failback.policy", std::string(policy::to_text(group.failback.policy))},
                {"failback.hold_down_ms", text_of(group.failback.hold_down)},
                {"failback.damping_half_life_ms", text_of(group.failback.damping_half_life)},
                {"warm.dummy_address", text_of(group.warm.dummy_address)},
                {"warm.dummy_mac", text_of(group.warm.dummy_mac)}};
  for (std::size_t at = 0; at < group.paths.size(); ++at)
    values[std::string(kPathKeys[at].path)] = interfaces_of(group.paths[at]);
  put_heartbeat(values, group);
  return values;
}

ConfigValues values_of(const Config& config) {
  ConfigValues all{.log_level = config.log_level, .groups = {}};
  for (const GroupConfig& group : config.groups)
    all.groups.push_back({group.name, values_of(group)});
  return all;
}

Effect effect_of(std::string_view key) {
  return std::ranges::count(kAtOnce, key) != 0 ? Effect::AtOnce : Effect::RestartOfGroup;
}

std::string_view to_text(GroupFate fate) {
  switch (fate) {
    case GroupFate::Changed:
      return "changed";
    case GroupFate::Restarted:
      return "restarted";
    case GroupFate::Added:
      return "added";
    case GroupFate::Removed:
      return "removed";
  }
  return "?";
}

Changes changes_between(const ConfigValues& from, const ConfigValues& to) {
  Changes changes;
  if (from.log_level != to.log_level)
    changes.log_level = {"daemon.log_level", from.log_level, to.log_level};
  for (const NamedValues& one : from.groups)
    if (find(to.groups, one.group) == nullptr)
      changes.groups.push_back({one.group, GroupFate::Removed, {}});
  for (const NamedValues& one : to.groups) {
    const NamedValues* before = find(from.groups, one.group);
    if (before == nullptr) {
      changes.groups.push_back({one.group, GroupFate::Added, {}});
      continue;
    }
    std::vector<KeyChange> keys = keys_between(before->values, one.values);
    if (keys.empty()) continue;
    const bool at_once = std::ranges::all_of(
        keys, [](const KeyChange& change) { return effect_of(change.key) == Effect::AtOnce; });
    changes.groups.push_back(
        {one.group, at_once ? GroupFate::Changed : GroupFate::Restarted, std::move(keys)});
  }
  return changes;
}

}  // namespace hanet::config
