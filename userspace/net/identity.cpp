// SPDX-License-Identifier: Apache-2.0
//
// See identity.h: rewriting what names the interface. Comparing is in compare.cpp.
#include "net/identity.h"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

#include "net/bytes.h"
#include "net/route.h"

namespace hanet::net {
namespace {

// "eth0:web" follows its interface; a label that somebody chose freely stays.
std::string retarget_label(const std::string& label, const std::string& from,
                           const std::string& to) {
  if (label == from) return to;
  if (label.starts_with(from + ":")) {
    const std::string moved = to + label.substr(from.size());
    if (moved.size() < IFNAMSIZ) return moved;
  }
  return label;
}

/// What the interfaces of one place are called in another one.
struct Renaming {
  std::uint32_t tag = 0;
  InterfaceName from;
  InterfaceName to;
};

std::vector<Renaming> renamings(const Place& from, const Place& to) {
  std::vector<Renaming> all{{.tag = 0, .from = from.port, .to = to.port}};
  for (const Vlan& vlan : from.vlans)
    if (const InterfaceName* twin = to.at(vlan.tag))
      all.push_back({.tag = vlan.tag, .from = vlan.on, .to = *twin});
  return all;
}

// One MAC address for a port and its VLANs is the rule; one of its own stays where it is.
std::vector<Vlan> vlans_at(const Identity& identity, const Place& to) {
  std::vector<Vlan> vlans;
  for (const Vlan& vlan : identity.vlans)
    if (const auto twin = std::ranges::find(to.vlans, vlan.tag, &Vlan::tag); twin != to.vlans.end())
      vlans.push_back({.tag = vlan.tag,
                       .on = twin->on,
                       .mac = vlan.mac == identity.mac ? identity.mac : twin->mac});
  return vlans;
}

/// Without what is behind its end; empty: none.
std::string_view name_in(const KernelObject& rule, std::uint16_t attribute) {
  const Attributes::Value bytes = rule.attributes.find(attribute).value_or(Attributes::Value());
  const std::string_view name(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return name.substr(0, name.find('\0'));
}

void retarget_rule(KernelObject& rule, const std::string& from, const std::string& to) {
  for (const std::uint16_t attribute : {FRA_IIFNAME, FRA_OIFNAME}) {
    if (name_in(rule, attribute) != from) continue;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(to.c_str());
    rule.attributes.set(attribute, {bytes, to.size() + 1});
  }
}

// Objects of an interface, what is left of groups without them, and the routes by what is gone.
void leave_out_nexthops(Identity& part, unsigned ifindex) {
  const std::vector<KernelObject> all = part.nexthops;
  for (const KernelObject& gone : all) {
    if (!is_on(gone, ifindex)) continue;
    std::vector<KernelObject> left;
    for (KernelObject& nexthop : part.nexthops) {
      const bool loses = is_group(nexthop) && has_member(nexthop, id_of(gone));
      if (id_of(nexthop) != id_of(gone) && (!loses || remove_member(nexthop, id_of(gone))))
        left.push_back(std::move(nexthop));
    }
    part.nexthops = std::move(left);
  }
  std::erase_if(part.routes, [&](const KernelObject& route) {
    const std::optional<std::uint32_t> id = nexthop_of(route);
    return id && has_nexthop(all, *id) && !has_nexthop(part.nexthops, *id);
  });
}

}  // namespace

const InterfaceName* Place::at(std::uint32_t tag) const {
  if (tag == 0) return &port;
  const auto found = std::ranges::find(vlans, tag, &Vlan::tag);
  return found == vlans.end() ? nullptr : &found->on;
}

bool Place::has(unsigned ifindex) const {
  return port.index == ifindex ||
         std::ranges::any_of(vlans, [&](const Vlan& vlan) { return vlan.on.index == ifindex; });
}

bool is_same(const Address& one, const Address& other) {
  return one.family == other.family && one.vlan == other.vlan && one.local == other.local &&
         one.peer == other.peer && one.prefix_length == other.prefix_length;
}

Place place_of(const Identity& identity) { return {identity.on, identity.vlans}; }

const InterfaceName& holder_of(const Identity& identity, const Address& address) {
  const auto vlan = std::ranges::find(identity.vlans, address.vlan, &Vlan::tag);
  return vlan == identity.vlans.end() ? identity.on : vlan->on;
}

std::set<ArpEntry> arp_entries(const Identity& identity) {
  std::set<ArpEntry> entries;
  for (const Address& address : identity.addresses) {
    if (address.family != AF_INET) continue;
    ArpEntry entry{.vlan = 0, .address = 0, .mac = identity.mac};
    std::memcpy(&entry.address, address.local.data(), sizeof entry.address);
    const auto vlan = std::ranges::find(identity.vlans, address.vlan, &Vlan::tag);
    if (vlan != identity.vlans.end()) {
      entry.vlan = static_cast<std::uint16_t>(id_of(*vlan));
      entry.mac = vlan->mac;
    }
    entries.insert(entry);
  }
  return entries;
}

void use_mac(Identity& identity, const MacAddress& mac) {
  for (Vlan& vlan : identity.vlans)
    if (vlan.mac == identity.mac) vlan.mac = mac;
  identity.mac = mac;
}

Identity part_for(const Identity& identity, const Place& to) {
  Identity part = identity;
  std::erase_if(part.vlans, [&](const Vlan& vlan) { return to.at(vlan.tag) == nullptr; });
  std::erase_if(part.addresses,
                [&](const Address& address) { return to.at(address.vlan) == nullptr; });
  for (const Vlan& vlan : identity.vlans) {
    if (to.at(vlan.tag) != nullptr) continue;
    leave_out_nexthops(part, vlan.on.index);
    std::erase_if(part.routes,
                  [&](const KernelObject& route) { return leaves_by(route, vlan.on.index); });
    std::erase_if(part.rules,
                  [&](const KernelObject& rule) { return rule_names(rule, vlan.on.name); });
    std::erase_if(part.neighbours, [&](const KernelObject& neighbour) {
      return interface_of(neighbour) == vlan.on.index;
    });
  }
  return part;
}

Identity retarget(const Identity& identity, const Place& to) {
  Identity moved = part_for(identity, to);
  const std::vector<Renaming> names = renamings(place_of(identity), to);
  moved.on = to.port;
  moved.vlans = vlans_at(identity, to);
  for (const auto& [tag, from, into] : names) {
    for (Address& address : moved.addresses)
      if (address.vlan == tag) address.label = retarget_label(address.label, from.name, into.name);
    for (KernelObject& nexthop : moved.nexthops) retarget_nexthop(nexthop, from.index, into.index);
    for (KernelObject& route : moved.routes) retarget_route(route, from.index, into.index);
    for (KernelObject& rule : moved.rules) retarget_rule(rule, from.name, into.name);
  }
  moved.neighbours = retarget_neighbours(std::move(moved.neighbours), place_of(identity), to);
  return moved;
}

std::vector<KernelObject> retarget_neighbours(std::vector<KernelObject> neighbours,
                                              const Place& from, const Place& to) {
  std::vector<KernelObject> moved;
  const std::vector<Renaming> names = renamings(from, to);
  for (KernelObject& neighbour : neighbours) {
    auto header = read_as<ndmsg>(neighbour.header);
    const auto name = std::ranges::find_if(names, [&](const Renaming& one) {
      return one.from.index == static_cast<unsigned>(header.ndm_ifindex);
    });
    if (name == names.end()) continue;
    header.ndm_ifindex = static_cast<int>(name->to.index);
    neighbour.header = bytes_of(header);
    moved.push_back(std::move(neighbour));
  }
  return moved;
}

unsigned interface_of(const KernelObject& neighbour) {
  return static_cast<unsigned>(read_as<ndmsg>(neighbour.header).ndm_ifindex);
}

bool rule_names(const KernelObject& rule, const std::string& interface) {
  return name_in(rule, FRA_IIFNAME) == interface || name_in(rule, FRA_OIFNAME) == interface;
}

std::string describe(const Address& address) {
  return fmt::format("{}/{}", address_text(address.family, address.local), address.prefix_length);
}

std::string describe_part(const Part& part) {
  if (const auto* address = std::get_if<Address>(&part)) return describe(*address);
  return describe_route(std::get<KernelObject>(part));
}

}  // namespace hanet::net
