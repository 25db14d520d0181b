// SPDX-License-Identifier: Apache-2.0
//
// Which notifications are about a group's identity: a host with a full routing table hears
// thousands a second that are not (F3).
#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <vector>

#include "net/capture.h"
#include "net/encode.h"

namespace hanet::net {
namespace {

constexpr unsigned kOurs = 7;
constexpr unsigned kOther = 8;
const std::vector<std::uint8_t> kAddress{192, 0, 2, 1};
const std::vector<std::uint8_t> kDestination{10, 1, 0, 0};
const std::vector<std::uint8_t> kElsewhere{10, 2, 0, 0};

rtmsg route_header(std::uint8_t protocol = RTPROT_STATIC) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = 16;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = protocol;
  return header;
}

MessageBuilder route(const std::vector<std::uint8_t>& destination, unsigned out,
                     std::uint8_t protocol = RTPROT_STATIC, std::uint16_t flags = 0) {
  MessageBuilder message(RTM_NEWROUTE, flags);
  message.header(route_header(protocol)).attribute(RTA_DST, destination);
  message.attribute_u32(RTA_OIF, out);
  return message;
}

/// eth0 with 192.0.2.1 and a route to 10.1.0.0/16.
Identity identity() {
  Identity own;
  own.on = {.name = "eth0", .index = kOurs};
  Address address;
  address.family = AF_INET;
  address.prefix_length = 24;
  address.local = address.peer = kAddress;
  own.addresses.push_back(address);
  KernelObject to_destination;
  const rtmsg header = route_header();
  to_destination.header.resize(sizeof(header));
  std::memcpy(to_destination.header.data(), &header, sizeof(header));
  to_destination.attributes.set(RTA_DST, kDestination);
  own.routes.push_back(to_destination);
  return own;
}

bool is_concerned(NetlinkMessage message) {
  return concerns(*reinterpret_cast<const nlmsghdr*>(message.data()), identity(),
                  RouteSlots(identity().routes));
}

TEST(Concerns, F3_RoutesOfOtherInterfacesAreNotOurs) {
  EXPECT_FALSE(is_concerned(route(kElsewhere, kOther).take()));
  EXPECT_TRUE(is_concerned(route(kElsewhere, kOurs).take())) << "the witness";
}

TEST(Concerns, F3_ARouteThatMayHaveReplacedOursIs) {
  EXPECT_TRUE(is_concerned(route(kDestination, kOther, RTPROT_STATIC, NLM_F_REPLACE).take()));
  EXPECT_FALSE(is_concerned(route(kElsewhere, kOther, RTPROT_STATIC, NLM_F_REPLACE).take()));
  EXPECT_FALSE(is_concerned(route(kDestination, kOther).take())) << "it stands beside ours";
}

TEST(Concerns, F3_ARouteThatPrefersOurAddressIsOurs) {
  MessageBuilder message = route(kElsewhere, kOther);
  message.attribute(RTA_PREFSRC, kAddress);
  EXPECT_TRUE(is_concerned(message.take()));
}

TEST(Concerns, F3_WhatTheKernelAndHanetMakeThemselvesIsNot) {
  EXPECT_FALSE(is_concerned(route(kElsewhere, kOurs, RTPROT_KERNEL).take()));
  EXPECT_FALSE(is_concerned(route(kElsewhere, kOurs, kRouteProtocol).take()));
}

// As NetworkManager does: the kernel may not make the route of the address, so somebody else did.
TEST(Concerns, F3_ARouteInPlaceOfTheKernelsOwnIsConfiguration) {
  Identity own = identity();
  NetlinkMessage message = MessageBuilder(RTM_DELROUTE, 0)
                               .header([] {
                                 rtmsg header = route_header(RTPROT_KERNEL);
                                 header.rtm_dst_len = 24;
                                 header.rtm_type = RTN_UNICAST;
                                 return header;
                               }())
                               .attribute(RTA_DST, std::vector<std::uint8_t>{192, 0, 2, 0})
                               .attribute_u32(RTA_OIF, kOurs)
                               .take();
  const auto& told = *reinterpret_cast<const nlmsghdr*>(message.data());
  EXPECT_FALSE(concerns(told, own, RouteSlots(own.routes)));
  EXPECT_TRUE(part_in(told, own, RouteIndex(own.routes)))
      << "the kernel's own is a part, too: somebody may flush it";
  own.addresses[0].flags = IFA_F_NOPREFIXROUTE;
  EXPECT_TRUE(concerns(told, own, RouteSlots(own.routes)));
  EXPECT_FALSE(part_in(told, own, RouteIndex(own.routes))) << "it is not in the snapshot";
  own.addresses[0].local = own.addresses[0].peer = {192, 0, 3, 1};
  EXPECT_FALSE(concerns(told, own, RouteSlots(own.routes)));
}

TEST(Concerns, F3_RulesAreOursByTheNameOfTheInterface) {
  const auto rule = [](std::string_view name) {
    fib_rule_hdr header{};
    header.family = AF_INET;
    return MessageBuilder(RTM_NEWRULE, 0).header(header).attribute_text(FRA_IIFNAME, name).take();
  };
  EXPECT_TRUE(is_concerned(rule("eth0")));
  EXPECT_FALSE(is_concerned(rule("eth01")));
}

TEST(Concerns, F3_AddressesAreOursByTheNumberOfTheInterface) {
  const auto address = [](unsigned on) {
    ifaddrmsg header{};
    header.ifa_family = AF_INET;
    header.ifa_index = on;
    return MessageBuilder(RTM_DELADDR, 0).header(header).take();
  };
  EXPECT_TRUE(is_concerned(address(kOurs)));
  EXPECT_FALSE(is_concerned(address(kOther)));
}

}  // namespace
}  // namespace hanet::net
