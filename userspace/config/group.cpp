// SPDX-License-Identifier: Apache-2.0
//
// `[[group]]`: one path group of a configuration file, without its heartbeat.
//
// The names get the most attention. A metaname and an interface name share one namespace for people
// and, with a metanetwork device, for the kernel too, so both obey the kernel's rules for netdevs,
// and no metaname may be an interface. A key that has no effect in the chosen standby mode is
// refused: whoever wrote it expects something that will not happen.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "config/parameters.h"
#include "config/sections.h"

namespace hanet::config {
namespace {

constexpr std::array<std::string_view, 27> kGroupKeys{"name",
                                                      "primary",
                                                      "standby",
                                                      "mode",
                                                      "bridging",
                                                      "move_mac",
                                                      "announce_count",
                                                      "announce_gap_ms",
                                                      "cold_retry_ms",
                                                      "delay_ms",
                                                      kEnabled.name,
                                                      "heartbeat",
                                                      "failback",
                                                      "warm",
                                                      "restore",
                                                      "trunk",
                                                      "capacity",
                                                      "delay_enabling",
                                                      kOnDaemonLoss.name,
                                                      kDaemonLoss.name,
                                                      "take_over",
                                                      kPathKeys[2].path,
                                                      kPathKeys[3].path,
                                                      kPathKeys[4].path,
                                                      kPathKeys[5].path,
                                                      kPathKeys[6].path,
                                                      kPathKeys[7].path};
constexpr std::array<std::string_view, 2> kTrunkKeys{"mode", kThreshold.name};
constexpr std::array<std::string_view, 2> kWarmKeys{"dummy_address", "dummy_mac"};
constexpr std::array<std::string_view, 3> kFailbackKeys{"policy", "hold_down_ms",
                                                        "damping_half_life_ms"};

constexpr std::string_view kMetanameRule = "1 to 15 characters of A-Z a-z 0-9 _ . -, not hanetd";
constexpr std::string_view kInterfaceRule =
    "an interface name: 1 to 15 characters, no '/', no ':', no white space";
constexpr std::string_view kPortsRule =
    "an interface name, or a list of them for a trunk: 1 to 15 characters, no '/', no ':', no "
    "white "
    "space";

bool is_dots(std::string_view name) { return name == "." || name == ".."; }

bool is_metaname_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

/// "." and ".." are no names, because a metaname may become part of a path; "hanetd" is what is
/// told of no group.
bool is_metaname(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameLength && !is_dots(name) && name != "hanetd" &&
         std::ranges::all_of(name, is_metaname_character);
}

/// As dev_valid_name() in net/core/dev.c has it; control characters are refused on top of that.
bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameLength && !is_dots(name) &&
         std::ranges::none_of(name, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return c == '/' || c == ':' || byte <= 0x20 || byte == 0x7f;
         });
}

/// Leaves a claim for a name if it is right.
std::string read_name(const TableReader& group, const Item& item, std::string_view rule,
                      bool (*is_valid)(std::string_view), std::vector<Claim>& claims) {
  if (!is_valid(item.text)) {
    group.report(item, in_quotes(item.text), rule);
    return {};
  }
  claims.push_back({item.text, group.path_of(item), item.line});
  return item.text;
}

std::string read_metaname(const TableReader& group, std::vector<Claim>& claims) {
  if (!group.has("name")) group.report_missing("name", kMetanameRule);
  const std::optional<std::string> name = group.string("name", kMetanameRule);
  if (!name) return {};
  return read_name(group,
                   {.key = "name", .position = {}, .line = group.line_of("name"), .text = *name},
                   kMetanameRule, is_metaname, claims);
}

/// A path is never without a port, so that what follows a mistake has something to look at.
PathConfig read_path(const TableReader& group, std::string_view key, std::vector<Claim>& claims) {
  PathConfig path;
  if (!group.has(key)) group.report_missing(key, kPortsRule);
  const std::vector<Item> items = group.items(key, kPortsRule);
  if (items.size() > kMaxTrunkPorts)
    group.report(key, fmt::format("{} interfaces", items.size()),
                 fmt::format("up to {}", kMaxTrunkPorts));
  for (const Item& item : items) {
    PortConfig port;
    port.interface = read_name(group, item, kInterfaceRule, is_interface_name, claims);
    path.ports.push_back(std::move(port));
  }
  if (path.ports.empty()) path.ports.emplace_back();
  return path;
}

/// The first two are there in any case.
void read_paths(const TableReader& group, GroupConfig& config, Claims& claims) {
  for (std::size_t at = 0; at < kPathKeys.size(); ++at) {
    const std::string_view key = kPathKeys[at].path;
    if (at >= 2 && !group.has(key)) continue;
    if (at > config.paths.size())
      group.report(key, "a path", fmt::format("only behind '{}'", kPathKeys[at - 1].path));
    else
      config.paths.push_back(read_path(group, key, claims.ports));
  }
}

/// The kernel side bridges from one port to one other; a device uses any.
void check_number_of_paths(const TableReader& group, const GroupConfig& config) {
  if (config.paths.size() > 2 && !config.has_device())
    group.report(kPathKeys[2].path, "a third path", "only with mode = \"metanet\"");
}

void read_trunk(const TableReader& group, GroupConfig& config) {
  config.trunk.capacity =
      read_enum(group, "capacity", std::array{Capacity::Count, Capacity::Speed}, Capacity::Count);
  const std::optional<TableReader> trunk = group.table("trunk");
  if (!trunk) return;
  trunk->refuse_unknown(kTrunkKeys);
  if (!config.has_trunk())
    group.report("trunk", "a table", "only with a list of interfaces as 'primary' or 'standby'");
  config.trunk.mode =
      read_enum(*trunk, "mode", std::array{TrunkMode::Independent, TrunkMode::Static},
                TrunkMode::Independent);
  if (const auto threshold = trunk->integer(kThreshold.name, kThreshold.range))
    config.live.threshold_percent = static_cast<std::uint32_t>(*threshold);
}

// In independent mode each port has an address of its own on the wire, and the identity's moves
// from port to port.
void check_trunk_moves_mac(const TableReader& group, const GroupConfig& config) {
  if (config.has_trunk() && !config.move_mac)
    group.report("move_mac", "false", "true, because a trunk has one MAC address for its ports");
}

/// Bridging and the retry time each belong to one standby mode.
void read_standby_mode(const TableReader& group, GroupConfig& config) {
  config.standby_mode = read_enum(
      group, "mode",
      std::array{StandbyMode::Hot, StandbyMode::Warm, StandbyMode::Cold, StandbyMode::Metanet},
      StandbyMode::Hot);
  const bool cold = config.standby_is_down();

  const std::optional<bool> bridging = group.boolean("bridging");
  if (cold && bridging.value_or(false)) {
    group.report("bridging", "true",
                 fmt::format("false, because a {} standby cannot carry packets at once",
                             to_text(config.standby_mode)));
  }
  config.bridging = !cold && bridging.value_or(true);

  const std::optional<std::int64_t> retry = group.integer("cold_retry_ms", kColdRetryMs);
  if (!retry) return;
  if (!cold)
    group.report("cold_retry_ms", fmt::format("{}", *retry),
                 "only with mode = \"cold\" or \"warm\"");
  config.cold_retry = std::chrono::milliseconds(*retry);
}

void read_switchover(const TableReader& group, GroupConfig& config) {
  if (const auto flag = group.boolean("move_mac")) config.move_mac = *flag;
  if (const auto flag = group.boolean("restore")) config.restore = *flag;
  if (const auto flag = group.boolean(kEnabled.name)) config.live.enabled = *flag;
  if (const auto word = group.choice(kOnDaemonLoss.name, kOnDaemonLoss.words))
    config.live.on_daemon_loss = static_cast<OnDaemonLoss>(*word);
  if (const auto time = group.integer(kDaemonLoss.name, kDaemonLoss.range))
    config.live.daemon_loss = std::chrono::milliseconds(*time);
  if (const auto count = group.integer("announce_count", kAnnounceCount)) {
    config.announce_count = static_cast<std::uint32_t>(*count);
  }
  if (const auto gap = group.integer("announce_gap_ms", kAnnounceGapMs)) {
    config.announce_gap = std::chrono::milliseconds(*gap);
  }
  if (const auto delay = group.integer("delay_ms", kDelayMs)) {
    config.delay = std::chrono::milliseconds(*delay);
  }
  if (const auto flag = group.boolean("delay_enabling")) config.delay_enabling = *flag;
  if (config.delay_enabling && (config.delay.count() == 0 || !config.standby_is_down()))
    group.report("delay_enabling", "true",
                 "false, because it needs mode = \"cold\" or \"warm\" and a delay_ms above 0");
}

void read_failback(const TableReader& group, GroupConfig& config) {
  const std::optional<TableReader> failback = group.table("failback");
  if (!failback) return;
  failback->refuse_unknown(kFailbackKeys);
  using policy::Failback;
  config.failback.policy =
      read_enum(*failback, "policy",
                std::array{Failback::Never, Failback::Failure, Failback::Better, Failback::Always},
                Failback::Never);
  const Failback policy = config.failback.policy;
  if ((policy == Failback::Always || policy == Failback::Better) && config.standby_is_down())
    failback->report("policy", in_quotes(to_text(policy)),
                     fmt::format("never, failure, because a {} path is not seen while it is down",
                                 to_text(config.standby_mode)));
  else if (policy == Failback::Better && !config.has_trunk() &&
           config.trunk.capacity == Capacity::Count)
    failback->report("policy", "'better'",
                     "never, failure, always, because two single ports are never better than each "
                     "other with capacity = \"count\"");
  if (const auto hold = failback->integer("hold_down_ms", kHoldDownMs))
    config.failback.hold_down = std::chrono::milliseconds(*hold);
  if (const auto half_life = failback->integer("damping_half_life_ms", kDampingHalfLifeMs))
    config.failback.damping_half_life = std::chrono::milliseconds(*half_life);
}

// What is about moving has no meaning where nothing moves, and the other way round.
void read_metanet(const TableReader& group, GroupConfig& config) {
  const std::optional<bool> take_over = group.boolean("take_over");
  config.take_over = take_over.value_or(false);
  if (config.take_over && !config.has_device())
    group.report("take_over", "true", "only with mode = \"metanet\"");
  if (!config.has_device()) return;
  // One of the wrong type is told already, and reads as its default here.
  const auto refuse = [&](std::string_view key, bool value) {
    const toml::node* given = group.node(key);
    if (given != nullptr && given->is_boolean())
      group.report(key, value ? "true" : "false",
                   "only with mode = \"hot\", \"warm\" or \"cold\", because nothing moves with "
                   "\"metanet\"");
  };
  refuse("move_mac", config.move_mac);
  refuse("restore", config.restore);
}

// The MAC address is one of the parameters that are swapped.
void check_warm_moves_mac(const TableReader& group, const GroupConfig& config) {
  if (config.standby_mode == StandbyMode::Warm && !config.move_mac)
    group.report("move_mac", "false", "true, because a warm standby swaps its MAC address");
}

/// A dummy is nobody's, so no other standby may be called so, and nobody may be asked there.
void claim_dummies(const TableReader& group, const GroupConfig& config, Claims& claims) {
  if (config.standby_mode != StandbyMode::Warm) return;
  const std::optional<TableReader> warm = group.table("warm");
  const auto claim = [&](std::string name, std::string_view key) {
    if (warm && warm->has(key))
      claims.dummies.push_back({std::move(name), warm->path_of(key), warm->line_of(key)});
    else
      claims.dummies.push_back({std::move(name), group.path_of("mode"), group.line_of("mode")});
  };
  const IpAddress dummy = config.warm.dummy_address.value_or(default_dummy(claims.group));
  claim(dummy.text(), "dummy_address");
  if (config.warm.dummy_mac) claim(net::to_text(*config.warm.dummy_mac), "dummy_mac");
  if (!warm || !config.warm.dummy_address) return;
  const auto is_asked = [&](const PortConfig& port) {
    const std::vector<IpAddress> targets = config.targets_of(port);
    return std::ranges::count(targets, dummy) != 0 || port.source == dummy || port.gateway == dummy;
  };
  if (std::ranges::any_of(config.paths, [&](const PathConfig& path) {
        return std::ranges::any_of(path.ports, is_asked);
      }))
    warm->report("dummy_address", fmt::format("'{}' (an address of the heartbeat)", dummy.text()),
                 "an address that nobody has");
}

void read_warm(const TableReader& group, GroupConfig& config) {
  const std::optional<TableReader> warm = group.table("warm");
  if (!warm) return;
  warm->refuse_unknown(kWarmKeys);
  if (config.standby_mode != StandbyMode::Warm)
    group.report("warm", "a table", "only with mode = \"warm\"");
  config.warm.dummy_address = warm->address("dummy_address");
  config.warm.dummy_mac = warm->mac_address("dummy_mac");
}

using FirstUse = std::unordered_map<std::string_view, const Claim*>;

/// Reports every claim but the first of each name, in order of the file.
FirstUse check_unique(std::vector<Claim>& claims, std::string_view allowed, Mistakes& mistakes) {
  std::ranges::stable_sort(claims, {}, &Claim::line);
  FirstUse first_use;
  for (const Claim& claim : claims) {
    const auto [first, is_new] = first_use.try_emplace(claim.name, &claim);
    if (is_new) continue;
    mistakes.found(
        claim.line, claim.path,
        fmt::format("{} (used by '{}' already)", in_quotes(claim.name), first->second->path),
        allowed);
  }
  return first_use;
}

}  // namespace

GroupConfig read_group(const TableReader& group, Claims& claims) {
  GroupConfig config;
  group.refuse_unknown(kGroupKeys);
  config.name = read_metaname(group, claims.metanames);
  read_paths(group, config, claims);
  read_standby_mode(group, config);
  read_switchover(group, config);
  read_metanet(group, config);
  check_number_of_paths(group, config);
  read_trunk(group, config);
  read_failback(group, config);
  read_warm(group, config);
  check_warm_moves_mac(group, config);
  check_trunk_moves_mac(group, config);
  read_heartbeat(group, config, claims);
  claim_dummies(group, config, claims);
  return config;
}

IpAddress default_dummy(std::size_t group) {
  return {.family = AF_INET, .bytes = {203, 0, 113, static_cast<std::uint8_t>(group + 1)}};
}

void check_claims(const Claims& claims, Mistakes& mistakes) {
  std::vector<Claim> ports = claims.ports;
  std::vector<Claim> metanames = claims.metanames;
  if (ports.size() > kMaxPorts)
    mistakes.found(ports[kMaxPorts].line, ports[kMaxPorts].path,
                   fmt::format("{} ports in all groups", ports.size()),
                   fmt::format("up to {} ports in all groups", kMaxPorts));
  if (claims.sessions.size() > kMaxSessions)
    mistakes.found(
        claims.sessions[kMaxSessions].line, claims.sessions[kMaxSessions].path,
        fmt::format("{} times a port that asks a target, in all groups", claims.sessions.size()),
        fmt::format("up to {}", kMaxSessions));
  const FirstUse port_use = check_unique(ports, "an interface that no other path uses", mistakes);
  check_unique(metanames, "a name that no other group has", mistakes);
  std::vector<Claim> dummies = claims.dummies;
  check_unique(dummies, "a dummy that no other group has", mistakes);
  for (const Claim& metaname : metanames) {
    const auto port = port_use.find(metaname.name);
    if (port == port_use.end()) continue;
    mistakes.found(
        metaname.line, metaname.path,
        fmt::format("{} (the interface of '{}')", in_quotes(metaname.name), port->second->path),
        "a name that no interface has");
  }
}

}  // namespace hanet::config
