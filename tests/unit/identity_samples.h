// SPDX-License-Identifier: Apache-2.0
//
// Identities for tests: addresses of both families, routes of every kind, rules, neighbours.
//
// The objects are made as the kernel dumps them: family header first, attributes by number.
#pragma once

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <vector>

#include "net/identity.h"

namespace hanet::net::samples {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
Bytes bytes_of(const T& value) {
  Bytes bytes(sizeof(value));
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

template <typename Header>
Header header_of(const KernelObject& object) {
  Header header{};
  std::memcpy(&header, object.header.data(), sizeof(header));
  return header;
}

/// Of an attribute that is there.
inline Bytes value_of(const KernelObject& object, std::uint16_t attribute) {
  const Attributes::Value value = object.attributes.find(attribute).value();
  return {value.begin(), value.end()};
}

inline Bytes text_of(const std::string& text) {
  Bytes bytes(text.begin(), text.end());
  bytes.push_back(0);
  return bytes;
}

inline Address ipv4(std::uint8_t last, std::string label = "eth0") {
  return {.family = AF_INET,
          .prefix_length = 24,
          .scope = 0,
          .flags = IFA_F_PERMANENT,
          .local = {192, 0, 2, last},
          .peer = {192, 0, 2, last},
          .broadcast = {192, 0, 2, 255},
          .label = std::move(label),
          .preferred_seconds = UINT32_MAX,
          .valid_seconds = UINT32_MAX,
          .priority = std::nullopt,
          .protocol = 0};
}

inline Address ipv6(std::uint8_t last) {
  Bytes local{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
  return {.family = AF_INET6,
          .prefix_length = 64,
          .scope = 0,
          .flags = IFA_F_PERMANENT,
          .local = local,
          .peer = local,
          .broadcast = {},
          .label = {},
          .preferred_seconds = UINT32_MAX,
          .valid_seconds = UINT32_MAX,
          .priority = std::nullopt,
          .protocol = 0};
}

inline KernelObject route(unsigned oif, Bytes destination = {}, Bytes gateway = {}) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = destination.empty() ? 0 : 24;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_type = RTN_UNICAST;
  KernelObject object{.header = bytes_of(header), .attributes = {{RTA_OIF, bytes_of(oif)}}};
  if (!destination.empty()) object.attributes.set(RTA_DST, destination);
  if (!gateway.empty()) object.attributes.set(RTA_GATEWAY, gateway);
  return object;
}

/// One next hop per interface number, each with a gateway attribute behind it.
inline KernelObject multipath_route(const std::vector<int>& interfaces) {
  KernelObject object = route(0);
  object.attributes.erase(RTA_OIF);
  Bytes hops;
  for (const int interface : interfaces) {
    rtnexthop hop{};
    hop.rtnh_len = sizeof(hop) + 8;
    hop.rtnh_ifindex = interface;
    const Bytes header = bytes_of(hop);
    hops.insert(hops.end(), header.begin(), header.end());
    hops.insert(hops.end(), {8, 0, RTA_GATEWAY, 0, 192, 0, 2, 254});
  }
  object.attributes.set(RTA_MULTIPATH, hops);
  return object;
}

inline KernelObject rule(std::uint16_t attribute, const std::string& interface) {
  fib_rule_hdr header{};
  header.family = AF_INET;
  header.table = 100;
  header.action = FR_ACT_TO_TBL;
  return {.header = bytes_of(header), .attributes = {{attribute, text_of(interface)}}};
}

inline KernelObject neighbour(int interface) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = interface;
  header.ndm_state = NUD_PERMANENT;
  return {.header = bytes_of(header),
          .attributes = {{NDA_DST, {192, 0, 2, 77}}, {NDA_LLADDR, {2, 0, 0, 0, 0, 77}}}};
}

/// Everything at once, on eth0 (number 2).
inline Identity identity() {
  Identity all;
  all.on = {.name = "eth0", .index = 2};
  all.mac = {2, 0, 0, 0, 0, 1};
  all.addresses = {ipv4(1), ipv4(2, "eth0:web"), ipv6(1)};
  all.routes = {route(2, {198, 51, 100, 0}), route(2, {}, {192, 0, 2, 254}),
                multipath_route({2, 9})};
  all.rules = {rule(FRA_IIFNAME, "eth0"), rule(FRA_OIFNAME, "eth0")};
  all.neighbours = {neighbour(2)};
  return all;
}

inline constexpr std::uint32_t kFive = 0x81000005;   ///< VLAN 5
inline constexpr std::uint32_t kSeven = 0x88a80007;  ///< provider VLAN 7 (IEEE 802.1ad)

inline Address on_vlan(Address address, std::uint32_t tag) {
  address.vlan = tag;
  return address;
}

/// The same with VLANs on top: eth0.5 (number 12) and eth0.7 (number 17).
inline Identity identity_with_vlans() {
  Identity all = identity();
  all.vlans = {{.tag = kFive, .on = {.name = "eth0.5", .index = 12}, .mac = all.mac},
               {.tag = kSeven, .on = {.name = "eth0.7", .index = 17}, .mac = all.mac}};
  all.addresses.push_back(on_vlan(ipv4(50, "eth0.5:web"), kFive));
  all.addresses.push_back(on_vlan(ipv6(50), kFive));
  all.addresses.push_back(on_vlan(ipv4(70, "eth0.7"), kSeven));
  all.routes.push_back(route(12, {10, 5, 0, 0}));
  all.routes.push_back(route(17, {10, 7, 0, 0}));
  all.routes.push_back(multipath_route({2, 12, 9}));
  all.rules.push_back(rule(FRA_IIFNAME, "eth0.7"));
  all.neighbours.push_back(neighbour(12));
  return all;
}

/// Another port with VLAN 5 (number 33) and, for some, VLAN 7 (number 31).
inline Place other_port(bool with_seven = true) {
  Place place(InterfaceName{.name = "eth1", .index = 3},
              {{.tag = kFive, .on = {.name = "eth1.5", .index = 33}, .mac = {2, 0, 0, 0, 0, 2}}});
  if (with_seven)
    place.vlans.push_back(
        {.tag = kSeven, .on = {.name = "eth1.7", .index = 31}, .mac = {2, 0, 0, 0, 0, 2}});
  return place;
}

}  // namespace hanet::net::samples
