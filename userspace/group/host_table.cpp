// SPDX-License-Identifier: Apache-2.0
//
// See host_table.h.
#include "group/host_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

#include "group/inventory.h"
#include "net/capture.h"
#include "net/look.h"
#include "net/settings.h"

namespace hanet::group {
namespace {

using net::Bound;

bool has_name(net::NetlinkSocket& socket, const net::InterfaceName& port, std::string_view name) {
  const net::BoundThings names = net::alternative_names_of(socket, port);
  return names && std::ranges::count(*names, name, &Bound::text) != 0;
}

// hanetd gives the holder the metaname. Without one it is the first that has an address, as hanetd
// would find it.
std::size_t find_active(net::NetlinkSocket& socket, const std::vector<PortLook>& ports) {
  for (std::size_t at = 0; at < ports.size(); ++at)
    if (has_name(socket, ports[at].identity.on, ports[at].config.name)) return at;
  const auto first = std::ranges::find_if(ports, [](const PortLook& port) {
    return !std::ranges::all_of(port.identity.addresses, net::made_by_kernel);
  });
  return first == ports.end() ? 0 : static_cast<std::size_t>(first - ports.begin());
}

// A thing of a VLAN that the other port has not: the VLAN itself is said.
bool is_on_vlan_of(const Bound& thing, const PortLook& other) {
  constexpr std::string_view kVlan = "VLAN ";
  const std::size_t colon = thing.text.find(": ");
  if (!thing.text.starts_with(kVlan) || colon == std::string::npos) return true;
  unsigned id = 0;
  std::from_chars(thing.text.data() + kVlan.size(), thing.text.data() + colon, id);
  return std::ranges::any_of(other.identity.vlans,
                             [&](const net::Vlan& vlan) { return id_of(vlan) == id; });
}

/// Of `things`, what `others` lacks.
std::vector<Bound> only_in(const std::vector<Bound>& things, const std::vector<Bound>& others,
                           const PortLook& other) {
  std::vector<Bound> only;
  std::ranges::copy_if(things, std::back_inserter(only), [&](const Bound& one) {
    return std::ranges::count(others, one) == 0 && is_on_vlan_of(one, other);
  });
  return only;
}

std::vector<std::string> texts_of(const std::vector<Bound>& things,
                                  const std::vector<Bound>& others) {
  std::vector<std::string> texts;
  for (const Bound& one : things)
    texts.push_back(one.text + (std::ranges::count(others, one.text, &Bound::text) != 0
                                    ? ", with options of its own"
                                    : ""));
  return texts;
}

void note_unknown(const Thing& thing, const PortLook& port, const Error& error, GroupTable& table) {
  const bool is_known = std::ranges::any_of(table.unknown, [&](const UnknownThing& one) {
    return one.thing == &thing && one.port == port.identity.on.name;
  });
  if (!is_known)
    table.unknown.push_back({.thing = &thing, .port = port.identity.on.name, .why = error.message});
}

void note(std::vector<TableEntry>& entries, TableEntry entry) {
  const auto same = std::ranges::find_if(entries, [&](const TableEntry& one) {
    return one.thing == entry.thing && one.active == entry.active && one.other == entry.other;
  });
  if (same == entries.end())
    entries.push_back(std::move(entry));
  else
    same->waiting.push_back(std::move(entry.waiting.front()));
}

void compare(const Thing& thing, const PortLook& active, const PortLook& other, GroupTable& table) {
  const net::BoundThings has = thing.read(active), others = thing.read(other);
  if (!has || !others) {
    note_unknown(thing, has ? other : active, (has ? others : has).error(), table);
    return;
  }
  const std::vector<Bound> here = only_in(*has, *others, other),
                           there = only_in(*others, *has, active);
  if (here.empty() && there.empty()) return;
  TableEntry entry{.thing = &thing,
                   .waiting = {other.identity.on.name},
                   .active = texts_of(here, *others),
                   .other = texts_of(there, *has)};
  const bool is_lost = thing.fate == Fate::Lost || (thing.fate == Fate::Said && there.empty());
  note(is_lost ? table.lost : table.differs, std::move(entry));
}

/// How many of the ports that wait have a thing of this text.
Result<std::unordered_map<std::string, std::size_t>> held_by_others(
    const Thing& thing, const std::vector<PortLook>& ports) {
  std::unordered_map<std::string, std::size_t> holders;
  for (const PortLook& port : ports) {
    if (!port.waits) continue;
    net::BoundThings others = thing.read(port);
    if (!others) return pass_on(others);
    for (const Bound& one : *others) ++holders[one.text];
  }
  return holders;
}

void leave_ipv6_out(net::Identity& identity) {
  std::erase_if(identity.addresses,
                [](const net::Address& address) { return address.family == AF_INET6; });
  const auto is_ipv6 = [](const net::KernelObject& one) { return one.header.at(0) == AF_INET6; };
  std::erase_if(identity.routes, is_ipv6);
  std::erase_if(identity.nexthops, is_ipv6);
}

/// The active port, as if it had only what `waiting` can take.
PortLook as_taken_by(const PortLook& active, const PortLook& waiting) {
  PortLook taken = active;
  taken.identity = net::part_for(active.identity, net::place_of(waiting.identity));
  if (net::refuses_ipv6(waiting.identity.on.name)) leave_ipv6_out(taken.identity);
  return taken;
}

using Texts = std::unordered_set<std::string>;

Texts texts_of(const std::vector<Bound>& things) {
  Texts texts;
  for (const Bound& one : things) texts.insert(one.text);
  return texts;
}

/// A part of what moves goes nowhere where a port that waits has not the VLAN, or no IPv6. Returns
/// what stays behind of any of them.
Texts note_what_stays(const Thing& thing, const PortLook& active, const std::vector<Bound>& has,
                      const std::vector<PortLook>& ports, GroupTable& table) {
  Texts all;
  for (const PortLook& port : ports) {
    if (!port.waits) continue;
    const net::BoundThings takes = thing.read(as_taken_by(active, port));
    if (!takes) continue;  // list_moving() has read the same
    const Texts taken = texts_of(*takes);
    TableEntry entry{.thing = &thing,
                     .waiting = {port.identity.on.name},
                     .active = {},
                     .help = "a VLAN is missing on the other port, or IPv6 is off there"};
    for (const Bound& one : has) {
      if (taken.contains(one.text)) continue;
      all.insert(one.text);
      if (is_on_vlan_of(one, port)) entry.active.push_back(one.text);
    }
    if (!entry.active.empty()) note(table.lost, std::move(entry));
  }
  return all;
}

void list_moving(const Thing& thing, const PortLook& active, const std::vector<PortLook>& ports,
                 GroupTable& table) {
  const net::BoundThings has = thing.read(active);
  const auto holders = held_by_others(thing, ports);
  if (!has || !holders) {
    note_unknown(thing, active, has ? holders.error() : has.error(), table);
    return;
  }
  const Texts stays = note_what_stays(thing, active, *has, ports, table);
  MovingThing moving{.thing = &thing};
  for (const Bound& one : *has) {
    if (stays.contains(one.text)) continue;
    const auto held = holders->find(one.text);
    if (held != holders->end() && held->second >= table.waiting.size())
      ++moving.alike;
    else
      moving.has.push_back(one.text);
  }
  if (has->size() > stays.size()) table.moves.push_back(std::move(moving));
}

Result<std::vector<PortLook>> look_at_ports(net::NetlinkSocket& socket, const HostLook& host,
                                            const config::GroupConfig& config) {
  std::vector<PortLook> ports;
  for (const std::string& name : host.ports) {
    const auto link = std::ranges::find(
        host.links, name, [](const net::LinkInfo& one) { return one.interface.name; });
    if (link == host.links.end()) continue;
    Result<net::Identity> identity = net::capture(socket, link->interface);
    if (!identity) return pass_on(identity);
    ports.push_back({.host = host,
                     .socket = socket,
                     .identity = std::move(*identity),
                     .config = config,
                     .waits = true});
  }
  if (ports.empty()) return failure(fmt::format("no port of {} is here", config.name));
  return ports;
}

Json entries_json(const std::vector<TableEntry>& entries) {
  Json list = Json::array();
  for (const TableEntry& entry : entries)
    list.push_back({{"thing", entry.thing->name},
                    {"word", to_text(entry.thing->fate)},
                    {"ports", entry.waiting},
                    {"only_active", entry.active},
                    {"only_ports", entry.other},
                    {"help", entry.help.empty() ? entry.thing->help : entry.help}});
  return list;
}

}  // namespace

Result<GroupTable> look_at_host(net::NetlinkSocket& socket, const config::GroupConfig& config) {
  Result<std::vector<net::LinkInfo>> links = net::read_links(socket);
  if (!links) return pass_on(links);
  HostLook host{.links = std::move(*links), .firewall = net::firewall_rules(), .ports = {}};
  for (const config::PathConfig& path : config.paths)
    for (const config::PortConfig& port : path.ports) host.ports.push_back(port.interface);
  Result<std::vector<PortLook>> ports = look_at_ports(socket, host, config);
  if (!ports) return pass_on(ports);
  PortLook& active = (*ports)[find_active(socket, *ports)];
  active.waits = false;
  GroupTable table{.group = config.name, .active = active.identity.on.name};
  for (const PortLook& port : *ports)
    if (port.waits) table.waiting.push_back(port.identity.on.name);
  table.nothing_moves = config.has_device() && !config.take_over;
  if (table.nothing_moves) return table;
  for (const Thing& thing : inventory()) {
    if (thing.fate == Fate::Moves) {
      list_moving(thing, active, *ports, table);
      continue;
    }
    for (const PortLook& port : *ports)
      if (port.waits) compare(thing, active, port, table);
  }
  return table;
}

Json to_json(const GroupTable& table) {
  Json moves = Json::array(), unknown = Json::array();
  for (const MovingThing& moving : table.moves)
    moves.push_back({{"thing", moving.thing->name}, {"has", moving.has}, {"alike", moving.alike}});
  for (const UnknownThing& one : table.unknown)
    unknown.push_back({{"thing", one.thing->name}, {"port", one.port}, {"why", one.why}});
  return {{"name", table.group},
          {"active", table.active},
          {"waiting", table.waiting},
          {"nothing_moves", table.nothing_moves},
          {"moves", std::move(moves)},
          {"differs", entries_json(table.differs)},
          {"lost", entries_json(table.lost)},
          {"unknown", std::move(unknown)}};
}

}  // namespace hanet::group
