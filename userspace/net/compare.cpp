// SPDX-License-Identifier: Apache-2.0
//
// See identity.h: comparing identities, and putting together what belongs together.
//
// Both go by keys, sorted by their hashes: a router has hundreds of thousands of routes, and nobody
// can wait for the square of that while a second fault happens (spec F18). Over hash tables, whose
// nodes took four times as long to be made as what they were made for.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <ranges>
#include <span>
#include <utility>

#include "net/bytes.h"
#include "net/identity.h"
#include "net/route.h"

namespace hanet::net {
namespace {

// Lifetimes run down while an identity moves; everything else is compared as it is. The kernel
// counts whole seconds and a snapshot is up to a second old, so they may also be two longer.
bool same_address(Address found, const Address& expected) {
  const auto ran_down = [](std::uint64_t now, std::uint64_t before) {
    constexpr std::uint64_t kForever = UINT32_MAX;
    if (now == kForever || before == kForever) return now == before;
    return now <= before + 2 && before < now + 60;
  };
  if (!ran_down(found.valid_seconds, expected.valid_seconds) ||
      !ran_down(found.preferred_seconds, expected.preferred_seconds))
    return false;
  found.valid_seconds = expected.valid_seconds;
  found.preferred_seconds = expected.preferred_seconds;
  return found == expected;
}

// What the kernel takes for one: an address of an interface, a route, a nexthop object, a rule, a
// neighbour. Identities are compared by these, so comparing takes a time that grows with their size
// and not with its square.
using Key = std::string;

void append(Key& key, std::span<const std::uint8_t> bytes) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  key.append(reinterpret_cast<const char*>(&length), sizeof(length));
  key.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Key key_of(const Address& address) {
  Key key = fmt::format("{}/{}/{}/", address.vlan, address.family, address.prefix_length);
  append(key, address.local);
  return key;
}

Key object_key(const KernelObject& object) {
  Key key;
  const Attributes::Value attributes = object.attributes.bytes();
  key.reserve(object.header.size() + attributes.size());
  key.append(reinterpret_cast<const char*>(object.header.data()), object.header.size());
  key.append(reinterpret_cast<const char*>(attributes.data()), attributes.size());
  return key;
}

// What is left of its lifetime does not count.
Key route_key(const KernelObject& route) {
  if (!route.attributes.contains(RTA_EXPIRES)) return object_key(route);
  KernelObject lasting = route;
  lasting.attributes.erase(RTA_EXPIRES);
  return object_key(lasting);
}

Key address_key(const Address& address) { return key_of(address); }
// Its number is its name, whatever it leads to.
Key nexthop_key(const KernelObject& nexthop) { return std::to_string(id_of(nexthop)); }

using Positions = std::vector<std::pair<std::size_t, std::uint32_t>>;

template <typename T, typename KeyOf>
Positions by_hash(std::span<const T> all, const KeyOf& key) {
  Positions positions;
  positions.reserve(all.size());
  for (const T& one : all)
    positions.emplace_back(std::hash<Key>()(key(one)),
                           static_cast<std::uint32_t>(positions.size()));
  std::ranges::sort(positions);
  return positions;
}

auto with_hash(const Positions& positions, std::size_t hash) {
  return std::ranges::equal_range(positions, hash, {}, &Positions::value_type::first);
}

/// Finds one of very many by its key.
template <typename T, typename KeyOf>
class Table {
 public:
  Table(std::span<const T> all, const KeyOf& key)
      : all_(all), key_(key), positions_(by_hash(all, key)) {}
  /// The first one with the key of `one`; null: none.
  [[nodiscard]] const T* find(const T& one) const {
    if (all_.empty()) return nullptr;
    const Key wanted = key_(one);
    for (const auto& [hash, at] : with_hash(positions_, std::hash<Key>()(wanted)))
      if (key_(all_[at]) == wanted) return &all_[at];
    return nullptr;
  }

 private:
  std::span<const T> all_;
  const KeyOf& key_;
  Positions positions_;
};

template <typename T>
std::vector<T> only(std::span<const Part> parts) {
  std::vector<T> some;
  for (const Part& part : parts)
    if (const T* one = std::get_if<T>(&part)) some.push_back(*one);
  return some;
}

// The kernel tells routes in one order, so mostly they are the same, one by one, and only behind
// the first difference they are looked for.

/// Those of `held` in their order, as they are there now, without what was withdrawn; then what
/// else is there.
template <typename T, typename KeyOf>
std::vector<T> merged(const std::vector<T>& held, const std::vector<T>& there,
                      std::span<const Part> withdrawn, const KeyOf& key) {
  const auto [own, others] = std::ranges::mismatch(held, there);
  std::vector<T> whole(there.begin(), others);
  const Table now{std::span(others, there.end()), key};
  const std::vector<T> gone = only<T>(withdrawn);
  const Table gone_ones{std::span(gone), key};
  for (const T& one : std::span(own, held.end())) {
    if (const T* found = now.find(one))
      whole.push_back(*found);
    else if (gone_ones.find(one) == nullptr)
      whole.push_back(one);
  }
  const Table before{std::span(own, held.end()), key};
  std::copy_if(others, there.end(), std::back_inserter(whole),
               [&](const T& one) { return before.find(one) == nullptr; });
  return whole;
}

template <typename T, typename KeyOf>
std::vector<T> without_those(const std::vector<T>& all, const std::vector<T>& there,
                             const KeyOf& key) {
  const auto [own, others] = std::ranges::mismatch(all, there);
  std::vector<T> rest;
  if (own == all.end()) return rest;
  const Table keys{std::span(others, there.end()), key};
  std::copy_if(own, all.end(), std::back_inserter(rest),
               [&](const T& one) { return keys.find(one) == nullptr; });
  return rest;
}

std::vector<Address> addresses_lacking(const std::vector<Address>& found,
                                       const std::vector<Address>& expected) {
  const Table there{std::span(found), address_key};
  std::vector<Address> lacking;
  for (const Address& one : expected) {
    const Address* same = there.find(one);
    if (same == nullptr || !same_address(*same, one)) lacking.push_back(one);
  }
  return lacking;
}

}  // namespace

std::string key_of(const Part& part) {
  if (const auto* address = std::get_if<Address>(&part)) return "address " + key_of(*address);
  return "route " + route_key(std::get<KernelObject>(part));
}

RouteIndex::RouteIndex(std::span<const KernelObject> routes) : all_(by_hash(routes, object_key)) {}

const KernelObject* RouteIndex::find(std::span<const KernelObject> routes,
                                     const KernelObject& wanted) const {
  for (const auto& [hash, at] : with_hash(all_, std::hash<Key>()(object_key(wanted))))
    if (routes[at] == wanted) return &routes[at];
  return nullptr;
}

namespace {

// What two routes have in common of which one may replace the other.
Key slot_key(const KernelObject& route) {
  const auto header = read_as<rtmsg>(route.header);
  Key key{static_cast<char>(header.rtm_family), static_cast<char>(header.rtm_dst_len)};
  for (const std::uint16_t type : {RTA_DST, RTA_TABLE, RTA_PRIORITY})
    append(key, route.attributes.find(type).value_or(Attributes::Value{}));
  return key;
}

}  // namespace

RouteSlots::RouteSlots(std::span<const KernelObject> routes) : all_(by_hash(routes, slot_key)) {}

std::vector<const KernelObject*> RouteSlots::replaceable_by(
    const KernelObject& route, std::span<const KernelObject> routes) const {
  std::vector<const KernelObject*> found;
  for (const auto& [hash, at] : with_hash(all_, std::hash<Key>()(slot_key(route))))
    if (may_replace(route, routes[at])) found.push_back(&routes[at]);
  return found;
}

namespace {

/// The same identity where the other one is: a VLAN may have gone, or come back with another
/// number.
class AsThere {
 public:
  AsThere(const Identity& held, const Identity& there) : held_(held) {
    if (held.on != there.on || held.vlans != there.vlans) moved_ = retarget(held, place_of(there));
  }
  const Identity& operator*() const { return moved_ ? *moved_ : held_; }
  const Identity* operator->() const { return &**this; }

 private:
  const Identity& held_;
  std::optional<Identity> moved_;
};

}  // namespace

Identity made_whole(const Identity& held, const Identity& there, std::span<const Part> withdrawn) {
  const AsThere before(held, there);
  Identity whole{.on = there.on,
                 .vlans = there.vlans,
                 .mac = there.mac,
                 .addresses = merged(before->addresses, there.addresses, withdrawn, address_key),
                 .nexthops = merged(before->nexthops, there.nexthops, withdrawn, nexthop_key),
                 .routes = merged(before->routes, there.routes, withdrawn, route_key),
                 .rules = there.rules,
                 .neighbours = there.neighbours};
  std::ranges::stable_sort(whole.addresses, {}, &Address::vlan);
  std::ranges::stable_partition(whole.nexthops, std::not_fn(is_group));
  std::ranges::stable_partition(whole.routes, std::not_fn(through_gateway));
  return whole;
}

Identity united(const Identity& held, const Identity& there) {
  const AsThere before(held, there);
  Identity whole = made_whole(*before, there, {});
  whole.rules = merged(before->rules, there.rules, {}, object_key);
  whole.neighbours = merged(before->neighbours, there.neighbours, {}, object_key);
  return whole;
}

void take_away(Identity& identity, std::span<const Part> parts) {
  const std::vector<Address> addresses = only<Address>(parts);
  const std::vector<KernelObject> routes = only<KernelObject>(parts);
  const Table taken_addresses{std::span(addresses), address_key};
  const Table taken_routes{std::span(routes), route_key};
  std::erase_if(identity.addresses,
                [&](const Address& one) { return taken_addresses.find(one) != nullptr; });
  std::erase_if(identity.routes,
                [&](const KernelObject& one) { return taken_routes.find(one) != nullptr; });
}

Identity with(const Identity& found, const Identity& missing, const Identity& order) {
  Identity whole = united(missing, found);
  const std::vector<Address> gone = without_those(order.addresses, whole.addresses, address_key);
  const std::vector<Part> parts(gone.begin(), gone.end());
  whole.addresses = merged(order.addresses, whole.addresses, parts, address_key);
  return whole;
}

Identity lacking(const Identity& found, const Identity& expected) {
  Identity lack;
  lack.on = expected.on;
  lack.vlans = expected.vlans;
  lack.mac = expected.mac;
  lack.addresses = addresses_lacking(found.addresses, expected.addresses);
  lack.nexthops = without_those(expected.nexthops, found.nexthops, object_key);
  lack.routes = without_those(expected.routes, found.routes, route_key);
  lack.rules = without_those(expected.rules, found.rules, object_key);
  lack.neighbours = without_those(expected.neighbours, found.neighbours, object_key);
  return lack;
}

std::vector<std::string> describe_all(const Identity& identity) {
  std::vector<std::string> lines;
  for (const Address& address : identity.addresses)
    lines.push_back(fmt::format("address {}", describe(address)));
  for (const KernelObject& nexthop : identity.nexthops) lines.push_back(describe_nexthop(nexthop));
  for (const KernelObject& route : identity.routes) lines.push_back(describe_route(route));
  lines.insert(lines.end(), identity.rules.size(), "a policy rule");
  lines.insert(lines.end(), identity.neighbours.size(), "a permanent neighbour");
  return lines;
}

std::vector<std::string> wrong_macs(const Identity& found, const Identity& expected) {
  std::vector<std::string> missing;
  if (found.mac != expected.mac)
    missing.push_back(
        fmt::format("MAC address {} (it is {})", to_text(expected.mac), to_text(found.mac)));
  for (const Vlan& vlan : expected.vlans) {
    const auto there = std::ranges::find(found.vlans, vlan.tag, &Vlan::tag);
    if (there == found.vlans.end())
      missing.push_back(fmt::format("the VLAN {}", vlan.on.name));
    else if (there->mac != vlan.mac)
      missing.push_back(fmt::format("MAC address {} of {} (it is {})", to_text(vlan.mac),
                                    vlan.on.name, to_text(there->mac)));
  }
  return missing;
}

std::vector<std::string> missing_from(const Identity& found, const Identity& expected,
                                      bool ignore_mac) {
  std::vector<std::string> missing;
  if (!ignore_mac) missing = wrong_macs(found, expected);
  std::ranges::move(describe_all(lacking(found, expected)), std::back_inserter(missing));
  return missing;
}

}  // namespace hanet::net
