// SPDX-License-Identifier: Apache-2.0
//
// Notifications of rtnetlink: whatever stands in a message, reading it touches nothing beyond it
// (F3, F4). The bytes are in a block of their own, so that the address sanitizer sees one byte too
// many.
//
// The first byte chooses the type of the message; the rest is what stands behind its header. The
// header of the family is always whole: only the kernel, or who may do anything, sends messages.
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>
#include <memory>

#include "net/capture.h"
#include "net/link.h"

namespace {

using namespace hanet::net;

constexpr std::array<std::uint16_t, 10> kTypes{RTM_NEWLINK,  RTM_DELLINK,  RTM_NEWADDR, RTM_DELADDR,
                                               RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWRULE, RTM_DELRULE,
                                               RTM_NEWNEIGH, RTM_DELNEIGH};

/// eth0 (1) with 192.0.2.1/24, VLAN 5 (2), and a route to 10.1.0.0/16.
const Identity& identity() {
  static const Identity own = [] {
    Identity made;
    made.on = {.name = "eth0", .index = 1};
    made.vlans.push_back({.tag = 0x81000005, .on = {.name = "eth0.5", .index = 2}});
    Address address;
    address.family = AF_INET;
    address.prefix_length = 24;
    address.local = address.peer = {192, 0, 2, 1};
    made.addresses.push_back(address);
    rtmsg header{};
    header.rtm_family = AF_INET;
    header.rtm_dst_len = 16;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_STATIC;
    KernelObject route;
    route.header.resize(sizeof(header));
    std::memcpy(route.header.data(), &header, sizeof(header));
    route.attributes.set(RTA_DST, std::vector<std::uint8_t>{10, 1, 0, 0});
    route.attributes.set(RTA_OIF, std::vector<std::uint8_t>{1, 0, 0, 0});
    made.routes.push_back(route);
    return made;
  }();
  return own;
}

std::size_t family_header_of(std::uint16_t type) {
  if (type == RTM_NEWLINK || type == RTM_DELLINK) return sizeof(ifinfomsg);
  if (type == RTM_NEWADDR || type == RTM_DELADDR) return sizeof(ifaddrmsg);
  return sizeof(rtmsg);  // that of a rule and of a neighbour is as long
}

void read_all(const nlmsghdr& message) {
  static_cast<void>(concerns(message, identity(), RouteSlots(identity().routes)));
  static_cast<void>(part_in(message, identity(), RouteIndex(identity().routes)));
  static_cast<void>(address_in(message, identity()));
  if (message.nlmsg_type == RTM_NEWROUTE)
    static_cast<void>(replaced_by(message, identity(), RouteSlots(identity().routes)));
  if (message.nlmsg_type == RTM_NEWNEIGH) static_cast<void>(neighbour_of(message));
  if (message.nlmsg_type == RTM_NEWLINK || message.nlmsg_type == RTM_DELLINK)
    static_cast<void>(vlan_on(link_of(message), 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint16_t type = kTypes[data[0] % kTypes.size()];
  if (size - 1 < family_header_of(type)) return 0;
  const std::size_t bytes = sizeof(nlmsghdr) + size - 1;
  const auto block = std::make_unique<std::uint8_t[]>(bytes);
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(bytes);
  header.nlmsg_type = type;
  std::memcpy(block.get(), &header, sizeof(header));
  std::memcpy(block.get() + sizeof(header), data + 1, size - 1);
  read_all(*reinterpret_cast<const nlmsghdr*>(block.get()));
  return 0;
}
