// SPDX-License-Identifier: Apache-2.0
//
// See identity.h: comparing identities, and putting together what belongs together.
//
// Both go by keys in hash tables: a router has hundreds of thousands of routes, and nobody can wait
// for the square of that while a second fault happens (spec F18).
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <ranges>
#include <unordered_map>
#include <unordered_set>

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

Key key_of(const KernelObject& object, std::optional<std::uint16_t> without = std::nullopt) {
  Key key;
  append(key, object.header);
  for (const auto& [attribute, value] : object.attributes) {
    if (attribute == without) continue;
    key.append(reinterpret_cast<const char*>(&attribute), sizeof(attribute));
    append(key, value);
  }
  return key;
}

// What is left of its lifetime does not count.
Key route_key(const KernelObject& route) { return key_of(route, RTA_EXPIRES); }
Key object_key(const KernelObject& object) { return key_of(object); }
Key address_key(const Address& address) { return key_of(address); }
// Its number is its name, whatever it leads to.
Key nexthop_key(const KernelObject& nexthop) { return std::to_string(id_of(nexthop)); }

template <typename T, typename KeyOf>
std::unordered_set<Key> keys_of(const std::vector<T>& all, const KeyOf& key) {
  std::unordered_set<Key> keys;
  keys.reserve(all.size());
  for (const T& one : all) keys.insert(key(one));
  return keys;
}

template <typename T, typename KeyOf>
std::unordered_set<Key> keys_among(std::span<const Part> parts, const KeyOf& key) {
  std::unordered_set<Key> keys;
  for (const Part& part : parts)
    if (const T* one = std::get_if<T>(&part)) keys.insert(key(*one));
  return keys;
}

/// Those of `held` in their order, as they are there now, without what was withdrawn; then what
/// else is there.
template <typename T, typename KeyOf>
std::vector<T> merged(const std::vector<T>& held, const std::vector<T>& there,
                      std::span<const Part> withdrawn, const KeyOf& key) {
  std::unordered_map<Key, const T*> now;
  for (const T& one : there) now.emplace(key(one), &one);
  const std::unordered_set<Key> gone = keys_among<T>(withdrawn, key);
  std::vector<T> whole;
  for (const T& one : held) {
    const auto found = now.find(key(one));
    if (found != now.end())
      whole.push_back(*found->second);
    else if (!gone.contains(key(one)))
      whole.push_back(one);
  }
  const std::unordered_set<Key> before = keys_of(held, key);
  std::ranges::copy_if(there, std::back_inserter(whole),
                       [&](const T& one) { return !before.contains(key(one)); });
  return whole;
}

template <typename T, typename KeyOf>
std::vector<T> without_those(const std::vector<T>& all, const std::vector<T>& there,
                             const KeyOf& key) {
  const std::unordered_set<Key> keys = keys_of(there, key);
  std::vector<T> rest;
  std::ranges::copy_if(all, std::back_inserter(rest),
                       [&](const T& one) { return !keys.contains(key(one)); });
  return rest;
}

std::vector<Address> addresses_lacking(const std::vector<Address>& found,
                                       const std::vector<Address>& expected) {
  std::unordered_map<Key, const Address*> there;
  for (const Address& one : found) there.emplace(key_of(one), &one);
  std::vector<Address> lacking;
  for (const Address& one : expected) {
    const auto same = there.find(key_of(one));
    if (same == there.end() || !same_address(*same->second, one)) lacking.push_back(one);
  }
  return lacking;
}

void list_missing_macs(const Identity& found, const Identity& expected,
                       std::vector<std::string>& missing) {
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
}

}  // namespace

Identity made_whole(const Identity& held, const Identity& there, std::span<const Part> withdrawn) {
  Identity whole = there;
  // A VLAN may have gone, or come back with another number.
  const Identity before = retarget(held, place_of(there));
  whole.addresses = merged(before.addresses, there.addresses, withdrawn, address_key);
  std::ranges::stable_sort(whole.addresses, {}, &Address::vlan);
  whole.nexthops = merged(before.nexthops, there.nexthops, withdrawn, nexthop_key);
  std::ranges::stable_partition(whole.nexthops, std::not_fn(is_group));
  whole.routes = merged(before.routes, there.routes, withdrawn, route_key);
  std::ranges::stable_partition(whole.routes, std::not_fn(through_gateway));
  return whole;
}

Identity united(const Identity& held, const Identity& there) {
  Identity whole = made_whole(held, there, {});
  const Identity before = retarget(held, place_of(there));
  whole.rules = merged(before.rules, there.rules, {}, object_key);
  whole.neighbours = merged(before.neighbours, there.neighbours, {}, object_key);
  return whole;
}

void take_away(Identity& identity, std::span<const Part> parts) {
  const std::unordered_set<Key> addresses = keys_among<Address>(parts, address_key);
  const std::unordered_set<Key> routes = keys_among<KernelObject>(parts, route_key);
  std::erase_if(identity.addresses,
                [&](const Address& one) { return addresses.contains(key_of(one)); });
  std::erase_if(identity.routes,
                [&](const KernelObject& one) { return routes.contains(route_key(one)); });
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

std::vector<std::string> missing_from(const Identity& found, const Identity& expected,
                                      bool ignore_mac) {
  std::vector<std::string> missing;
  if (!ignore_mac) list_missing_macs(found, expected, missing);
  std::ranges::move(describe_all(lacking(found, expected)), std::back_inserter(missing));
  return missing;
}

}  // namespace hanet::net
