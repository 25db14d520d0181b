// SPDX-License-Identifier: Apache-2.0
//
// See inventory.h: what of a link must agree. A switchover can not change it on the other port,
// because the cable and the switch behind it have to agree as well.
#include <fmt/format.h>
#include <net/if.h>

#include <array>

#include "group/inventory.h"

namespace hanet::group {
namespace {

std::string mtu_of(const net::LinkInfo& link) { return fmt::format("an MTU of {}", link.mtu); }
std::string set_mtu(const net::LinkInfo& has, const std::string& to) {
  return fmt::format("ip link set {} mtu {}", to, has.mtu);
}

std::string group_of(const net::LinkInfo& link) { return fmt::format("link group {}", link.group); }
std::string set_group(const net::LinkInfo& has, const std::string& to) {
  return fmt::format("ip link set {} group {}", to, has.group);
}

std::string arp_of(const net::LinkInfo& link) { return link.answers_arp ? "ARP on" : "ARP off"; }
std::string set_arp(const net::LinkInfo& has, const std::string& to) {
  return fmt::format("ip link set {} arp {}", to, has.answers_arp ? "on" : "off");
}

std::string name_of_vrf(const net::LinkInfo& link) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(link.master, name.data()) == nullptr
             ? fmt::format("number {}", link.master)
             : std::string(name.data());
}
std::string vrf_of(const net::LinkInfo& link) {
  return link.master_kind == "vrf" ? fmt::format("the VRF {}", name_of_vrf(link)) : "no VRF";
}
std::string set_vrf(const net::LinkInfo& has, const std::string& to) {
  return has.master_kind == "vrf" ? fmt::format("ip link set {} master {}", to, name_of_vrf(has))
                                  : fmt::format("ip link set {} nomaster", to);
}

constexpr std::array<LinkTrait, 4> kTraits{{
    {.name = "MTU",
     .value = mtu_of,
     .why = "after a switchover packets that are larger than the smaller one are lost",
     .command = set_mtu,
     .is_loss = false},
    {.name = "link group",
     .value = group_of,
     .why = "rules by group (nft iifgroup) treat them differently",
     .command = set_group,
     .is_loss = false},
    {.name = "ARP on or off",
     .value = arp_of,
     .why = "without ARP nobody finds the host",
     .command = set_arp,
     .is_loss = false},
    {.name = "VRF",
     .value = vrf_of,
     .why = "routes of the identity would be lost at a switchover",
     .command = set_vrf,
     .is_loss = true},
}};

}  // namespace

std::span<const LinkTrait> link_traits() { return kTraits; }

}  // namespace hanet::group
