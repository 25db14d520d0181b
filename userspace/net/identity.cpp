// SPDX-License-Identifier: Apache-2.0
//
// See identity.h: rewriting what names the interface, and comparing.
#include "net/identity.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

namespace hanet::net {
namespace {

template <typename T>
T read_as(const std::vector<std::uint8_t>& bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof(value), bytes.size()));
  return value;
}

template <typename T>
std::vector<std::uint8_t> bytes_of(const T& value) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
  return {from, from + sizeof(value)};
}

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

// RTA_MULTIPATH is a row of struct rtnexthop, each followed by its own attributes.
void retarget_nexthops(std::vector<std::uint8_t>& bytes, int from, int to) {
  for (std::size_t at = 0; at + sizeof(rtnexthop) <= bytes.size();) {
    rtnexthop hop{};
    std::memcpy(&hop, bytes.data() + at, sizeof(hop));
    if (hop.rtnh_ifindex == from) hop.rtnh_ifindex = to;
    std::memcpy(bytes.data() + at, &hop, sizeof(hop));
    if (hop.rtnh_len < sizeof(hop)) return;
    at += (hop.rtnh_len + 3U) & ~3U;
  }
}

void retarget_route(KernelObject& route, unsigned from, unsigned to) {
  if (auto oif = route.attributes.find(RTA_OIF);
      oif != route.attributes.end() && read_as<std::uint32_t>(oif->second) == from)
    oif->second = bytes_of(static_cast<std::uint32_t>(to));
  if (auto hops = route.attributes.find(RTA_MULTIPATH); hops != route.attributes.end())
    retarget_nexthops(hops->second, static_cast<int>(from), static_cast<int>(to));
}

void retarget_rule(KernelObject& rule, const std::string& from, const std::string& to) {
  for (const std::uint16_t attribute : {FRA_IIFNAME, FRA_OIFNAME}) {
    auto name = rule.attributes.find(attribute);
    if (name == rule.attributes.end()) continue;
    if (std::strcmp(reinterpret_cast<const char*>(name->second.data()), from.c_str()) != 0)
      continue;
    name->second.assign(to.begin(), to.end());
    name->second.push_back(0);
  }
}

std::string address_text(int family, const std::vector<std::uint8_t>& bytes) {
  char text[INET6_ADDRSTRLEN] = "?";
  std::array<std::uint8_t, 16> whole{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), whole.size()), whole.begin());
  ::inet_ntop(family, whole.data(), text, sizeof(text));
  return text;
}

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

bool same_object(KernelObject found, KernelObject expected) {
  found.attributes.erase(RTA_EXPIRES);
  expected.attributes.erase(RTA_EXPIRES);
  return found == expected;
}

void list_missing(const std::vector<KernelObject>& found, const std::vector<KernelObject>& expected,
                  std::string_view what, bool routes, std::vector<std::string>& missing) {
  for (const KernelObject& object : expected) {
    const bool there = std::any_of(found.begin(), found.end(), [&](const KernelObject& candidate) {
      return routes ? same_object(candidate, object) : candidate == object;
    });
    if (!there) missing.push_back(routes ? describe_route(object) : fmt::format("a {}", what));
  }
}

}  // namespace

Identity retarget(const Identity& identity, const InterfaceName& to) {
  Identity moved = identity;
  moved.on = to;
  for (Address& address : moved.addresses)
    address.label = retarget_label(address.label, identity.on.name, to.name);
  for (KernelObject& route : moved.routes) retarget_route(route, identity.on.index, to.index);
  for (KernelObject& rule : moved.rules) retarget_rule(rule, identity.on.name, to.name);
  for (KernelObject& neighbour : moved.neighbours)
    neighbour = retarget_neighbour(std::move(neighbour), to);
  return moved;
}

KernelObject retarget_neighbour(KernelObject neighbour, const InterfaceName& to) {
  auto header = read_as<ndmsg>(neighbour.header);
  header.ndm_ifindex = static_cast<int>(to.index);
  neighbour.header = bytes_of(header);
  return neighbour;
}

std::vector<std::string> missing_from(const Identity& found, const Identity& expected,
                                      bool ignore_mac) {
  std::vector<std::string> missing;
  if (!ignore_mac && found.mac != expected.mac)
    missing.push_back(
        fmt::format("MAC address {} (it is {})", to_text(expected.mac), to_text(found.mac)));
  for (const Address& address : expected.addresses)
    if (std::none_of(found.addresses.begin(), found.addresses.end(),
                     [&](const Address& candidate) { return same_address(candidate, address); }))
      missing.push_back(fmt::format("address {}", describe(address)));
  list_missing(found.routes, expected.routes, "route", true, missing);
  list_missing(found.rules, expected.rules, "policy rule", false, missing);
  list_missing(found.neighbours, expected.neighbours, "permanent neighbour", false, missing);
  return missing;
}

std::string describe(const Address& address) {
  return fmt::format("{}/{}", address_text(address.family, address.local), address.prefix_length);
}

std::string describe_route(const KernelObject& route) {
  const auto header = read_as<rtmsg>(route.header);
  const auto destination = route.attributes.find(RTA_DST);
  const auto gateway = route.attributes.find(RTA_GATEWAY);
  std::string text = "route ";
  text += destination == route.attributes.end()
              ? "default"
              : fmt::format("{}/{}", address_text(header.rtm_family, destination->second),
                            header.rtm_dst_len);
  if (gateway != route.attributes.end())
    text += " via " + address_text(header.rtm_family, gateway->second);
  if (const auto table = route.attributes.find(RTA_TABLE); table != route.attributes.end())
    text += fmt::format(" table {}", read_as<std::uint32_t>(table->second));
  return text;
}

}  // namespace hanet::net
