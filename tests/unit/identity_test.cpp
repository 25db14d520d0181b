// SPDX-License-Identifier: Apache-2.0
//
// The identity on another interface, and what is missing of it (F2, F4, F12).
//
// retarget() must rewrite everything that names the interface and nothing that names another one;
// missing_from() is what a switchover is verified with, so each kind of loss has to show.
#include "net/identity.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/fib_rules.h>

#include <cstddef>
#include <set>

#include "identity_samples.h"
#include "net/route.h"

namespace hanet::net {
namespace {

using samples::bytes_of;
using samples::text_of;
using samples::value_of;

const InterfaceName kStandby{.name = "eth1", .index = 3};

rtnexthop hop_at(const KernelObject& route, std::size_t at) {
  rtnexthop hop{};
  std::memcpy(&hop, value_of(route, RTA_MULTIPATH).data() + at * (sizeof(hop) + 8), sizeof(hop));
  return hop;
}

std::string only_missing(const Identity& found, const Identity& expected) {
  const std::vector<std::string> missing = missing_from(found, expected, false);
  return missing.size() == 1 ? missing.front() : std::to_string(missing.size()) + " lines";
}

TEST(ArpEntries, F5_EveryIpv4AddressIsWhereItsInterfaceIs) {
  Identity identity = samples::identity();
  identity.mac = {2, 0, 0, 0, 0, 1};
  constexpr MacAddress kOwn{2, 0, 0, 0, 0, 7};
  identity.vlans = {{.tag = 0x81000005, .on = {"eth0.5", 5}, .mac = identity.mac},
                    {.tag = 0x88a80007, .on = {"eth0.7", 7}, .mac = kOwn}};
  identity.addresses = {samples::ipv4(1), samples::ipv6(1), samples::ipv4(5), samples::ipv4(7)};
  identity.addresses[2].vlan = 0x81000005;
  identity.addresses[3].vlan = 0x88a80007;
  const auto at = [](std::uint16_t vlan, std::uint8_t last, const MacAddress& mac) {
    return ArpEntry{.vlan = vlan, .address = htonl(0xc0000200U + last), .mac = mac};
  };
  EXPECT_EQ(arp_entries(identity),
            (std::set{at(0, 1, identity.mac), at(5, 5, identity.mac), at(7, 7, kOwn)}));
}

TEST(Retarget, F2_LabelsFollowTheInterface) {
  Identity identity = samples::identity();
  identity.addresses = {samples::ipv4(1, "eth0"), samples::ipv4(2, "eth0:web"),
                        samples::ipv4(3, "service"), samples::ipv4(4, "eth01")};
  const Identity moved = retarget(identity, kStandby);
  EXPECT_EQ(moved.addresses[0].label, "eth1");
  EXPECT_EQ(moved.addresses[1].label, "eth1:web");
  EXPECT_EQ(moved.addresses[2].label, "service") << "chosen freely, kept";
  EXPECT_EQ(moved.addresses[3].label, "eth01") << "another interface's name";
  EXPECT_EQ(moved.on, kStandby);
}

TEST(Retarget, F2_ALabelThatWouldBeTooLongStaysAsItIs) {
  Identity identity = samples::identity();
  identity.addresses = {samples::ipv4(1, "eth0:frontend")};
  const Identity moved = retarget(identity, InterfaceName{.name = "enp101s0f1", .index = 3});
  EXPECT_EQ(moved.addresses[0].label, "eth0:frontend") << "IFNAMSIZ is 16";
}

TEST(Retarget, F4_RoutesLeaveByTheNewInterface) {
  const Identity moved = retarget(samples::identity(), kStandby);
  EXPECT_EQ(value_of(moved.routes[0], RTA_OIF), bytes_of(std::uint32_t{3}));
  EXPECT_EQ(value_of(moved.routes[0], RTA_DST), (samples::Bytes{198, 51, 100, 0}));
  EXPECT_EQ(value_of(moved.routes[1], RTA_GATEWAY), (samples::Bytes{192, 0, 2, 254}));
}

TEST(Retarget, F4_OnlyOurNextHopsOfAMultipathRouteAreRewritten) {
  Identity identity = samples::identity();
  identity.routes = {samples::multipath_route({2, 9, 2})};
  const Identity moved = retarget(identity, kStandby);
  EXPECT_EQ(hop_at(moved.routes[0], 0).rtnh_ifindex, 3);
  EXPECT_EQ(hop_at(moved.routes[0], 1).rtnh_ifindex, 9) << "another interface's share";
  EXPECT_EQ(hop_at(moved.routes[0], 2).rtnh_ifindex, 3);
}

TEST(Retarget, F4_ABrokenNextHopIsNotReadBeyondItsEnd) {
  Identity identity = samples::identity();
  identity.routes = {samples::multipath_route({2, 2})};
  samples::Bytes hops = value_of(identity.routes[0], RTA_MULTIPATH);
  hops[0] = 0;  // a length of nothing would never end
  hops.resize(hops.size() - 9);
  identity.routes[0].attributes.set(RTA_MULTIPATH, hops);
  const Identity moved = retarget(identity, kStandby);
  EXPECT_EQ(hop_at(moved.routes[0], 0).rtnh_ifindex, 3);
}

TEST(Retarget, F4_RulesAndNeighboursNameTheNewInterface) {
  Identity identity = samples::identity();
  identity.rules.push_back(samples::rule(FRA_IIFNAME, "eth7"));
  const Identity moved = retarget(identity, kStandby);
  EXPECT_EQ(value_of(moved.rules[0], FRA_IIFNAME), text_of("eth1"));
  EXPECT_EQ(value_of(moved.rules[1], FRA_OIFNAME), text_of("eth1"));
  EXPECT_EQ(value_of(moved.rules[2], FRA_IIFNAME), text_of("eth7"));
  ndmsg header{};
  std::memcpy(&header, moved.neighbours[0].header.data(), sizeof(header));
  EXPECT_EQ(header.ndm_ifindex, 3);
}

TEST(Retarget, F9_ThereAndBackIsWhereItWas) {
  const Identity identity = samples::identity();
  const Identity back = retarget(retarget(identity, kStandby), identity.on);
  EXPECT_TRUE(missing_from(back, identity, false).empty());
  EXPECT_TRUE(missing_from(identity, back, false).empty());
}

TEST(Retarget, F5_WhatIsOnAVlanMovesToTheVlanWithTheSameTag) {
  const Identity moved = retarget(samples::identity_with_vlans(), samples::other_port());
  EXPECT_EQ(moved.addresses[3].label, "eth1.5:web");
  EXPECT_EQ(holder_of(moved, moved.addresses[0]).name, "eth1");
  EXPECT_EQ(holder_of(moved, moved.addresses[3]).index, 33U);
  EXPECT_EQ(holder_of(moved, moved.addresses[5]).name, "eth1.7");
  EXPECT_EQ(value_of(moved.routes[3], RTA_OIF), bytes_of(std::uint32_t{33}));
  EXPECT_EQ(value_of(moved.routes[4], RTA_OIF), bytes_of(std::uint32_t{31}));
  EXPECT_EQ(hop_at(moved.routes[5], 0).rtnh_ifindex, 3);
  EXPECT_EQ(hop_at(moved.routes[5], 1).rtnh_ifindex, 33);
  EXPECT_EQ(hop_at(moved.routes[5], 2).rtnh_ifindex, 9) << "another interface's share";
  EXPECT_EQ(value_of(moved.rules[2], FRA_IIFNAME), text_of("eth1.7"));
  EXPECT_EQ(interface_of(moved.neighbours[0]), 3U);
  EXPECT_EQ(interface_of(moved.neighbours[1]), 33U);
  EXPECT_EQ(moved.vlans[0].mac, moved.mac) << "it follows its port";
}

TEST(Retarget, F5_WhatIsOnAVlanThatTheOtherPortHasNotIsLeftOut) {
  const Identity identity = samples::identity_with_vlans();
  const Identity moved = retarget(identity, samples::other_port(false));
  EXPECT_EQ(moved.vlans.size(), 1U);
  EXPECT_EQ(moved.addresses.size(), identity.addresses.size() - 1);
  EXPECT_EQ(moved.routes.size(), identity.routes.size() - 1);
  EXPECT_EQ(moved.rules.size(), identity.rules.size() - 1);
  const Identity bare = retarget(identity, kStandby);
  EXPECT_TRUE(missing_from(bare, retarget(samples::identity(), kStandby), false).empty());
  EXPECT_EQ(bare.addresses.size(), samples::identity().addresses.size());
  EXPECT_EQ(bare.neighbours.size(), samples::identity().neighbours.size());
}

TEST(Retarget, F2_AVlanWithAMacAddressOfItsOwnKeepsThatOfItsTwin) {
  Identity identity = samples::identity_with_vlans();
  identity.vlans[0].mac = {2, 0, 0, 0, 0, 55};
  const Identity moved = retarget(identity, samples::other_port());
  EXPECT_EQ(moved.vlans[0].mac, (MacAddress{2, 0, 0, 0, 0, 2}));
  EXPECT_EQ(moved.vlans[1].mac, identity.mac);
}

TEST(MissingFrom, F5_AVlanAndItsMacAddressAreMissed) {
  const Identity expected = samples::identity_with_vlans();
  Identity found = expected;
  found.vlans[1].mac[5] = 9;
  EXPECT_EQ(only_missing(found, expected),
            "MAC address 02:00:00:00:00:01 of eth0.7 (it is 02:00:00:00:00:09)");
  found = expected;
  found.vlans.pop_back();
  EXPECT_EQ(only_missing(found, expected), "the VLAN eth0.7");
  found = expected;
  found.addresses[3].vlan = samples::kSeven;
  EXPECT_EQ(only_missing(found, expected), "address 192.0.2.50/24") << "on another VLAN";
}

TEST(MadeWhole, F3_WhatWasTakenIsBackInItsOrderAndWhatWasLetGoIsNot) {
  const Address first = samples::ipv4(1), second = samples::ipv4(2), added = samples::ipv4(50);
  const KernelObject taken = samples::route(7, {10, 1, 0, 0});
  const KernelObject withdrawn = samples::route(7, {10, 2, 0, 0});
  const KernelObject old_default = samples::route(7, {}, {192, 0, 2, 10});
  const KernelObject new_default = samples::route(7, {}, {192, 0, 2, 11});
  Identity held, there;
  held.on = there.on = {.name = "eth0", .index = 7};
  held.addresses = {first, second};
  held.routes = {taken, withdrawn, old_default};
  there.addresses = {second, added};
  there.routes = {new_default};
  const Identity whole = made_whole(held, there, std::vector<Part>{withdrawn, old_default, added});
  EXPECT_EQ(whole.addresses, (std::vector<Address>{first, second, added}));
  EXPECT_EQ(whole.routes, (std::vector<KernelObject>{taken, new_default}));
  EXPECT_EQ(made_whole(held, there, {}).routes.size(), 4U);
}

TEST(MadeWhole, F3_WhatWasTakenAwayFromAReadingIsNotInIt) {
  Identity there;
  there.addresses = {samples::ipv4(1), samples::ipv4(2)};
  const KernelObject stays = samples::route(7, {10, 1, 0, 0});
  const KernelObject withdrawn = samples::route(7, {10, 2, 0, 0});
  there.routes = {stays, withdrawn};
  take_away(there, std::vector<Part>{withdrawn, samples::ipv4(2)});
  EXPECT_EQ(there.addresses, std::vector<Address>{samples::ipv4(1)});
  EXPECT_EQ(there.routes, std::vector<KernelObject>{stays});
}

TEST(MadeWhole, F5_WhatWasOnAVlanThatIsGoneIsNotPutOnThePort) {
  Identity held, there;
  held.on = there.on = {.name = "eth0", .index = 7};
  held.vlans = {{.tag = 0x81000005, .on = {.name = "eth0.5", .index = 9}, .mac = {}}};
  Address on_vlan = samples::ipv4(9);
  on_vlan.vlan = 0x81000005;
  held.addresses = {samples::ipv4(1), on_vlan};
  held.routes = {samples::route(9, {10, 1, 0, 0})};
  EXPECT_EQ(made_whole(held, there, {}).addresses, std::vector<Address>{samples::ipv4(1)});
  EXPECT_TRUE(made_whole(held, there, {}).routes.empty());
  there.vlans = held.vlans;
  there.vlans[0].on.index = 11;
  EXPECT_EQ(made_whole(held, there, {}).addresses, held.addresses);
  EXPECT_TRUE(leaves_by(made_whole(held, there, {}).routes.at(0), 11)) << "it came back";
}

TEST(MadeWhole, F4_RoutesByAGatewayComeLastAndAddressesVlanByVlan) {
  Identity held, there;
  const KernelObject direct = samples::route(7, {10, 1, 0, 0});
  const KernelObject by_gateway = samples::route(7, {}, {192, 0, 2, 10});
  Address on_vlan = samples::ipv4(9);
  on_vlan.vlan = 0x81000005;
  held.vlans = there.vlans = {{.tag = 0x81000005, .on = {.name = "eth0.5", .index = 9}, .mac = {}}};
  held.routes = {by_gateway};
  there.routes = {direct};
  held.addresses = {on_vlan};
  there.addresses = {samples::ipv4(1)};
  const Identity whole = made_whole(held, there, {});
  EXPECT_EQ(whole.routes, (std::vector<KernelObject>{direct, by_gateway}));
  EXPECT_EQ(whole.addresses, (std::vector<Address>{samples::ipv4(1), on_vlan}));
}

TEST(MissingFrom, F12_NothingIsMissingFromTheSame) {
  EXPECT_TRUE(missing_from(samples::identity(), samples::identity(), false).empty());
}

TEST(MissingFrom, F12_EachLossHasALineOfItsOwn) {
  const Identity expected = samples::identity();
  Identity found = expected;
  found.mac[5] = 9;
  EXPECT_EQ(only_missing(found, expected),
            "MAC address 02:00:00:00:00:01 (it is 02:00:00:00:00:09)");
  EXPECT_TRUE(missing_from(found, expected, true).empty()) << "where the MAC stays";

  found = expected;
  found.addresses.erase(found.addresses.begin() + 1);
  EXPECT_EQ(only_missing(found, expected), "address 192.0.2.2/24");
  found = expected;
  found.addresses.pop_back();
  EXPECT_EQ(only_missing(found, expected), "address 2001:db8::1/64");
  found = expected;
  found.routes.erase(found.routes.begin() + 1);
  EXPECT_EQ(only_missing(found, expected), "route default via 192.0.2.254");
  found = expected;
  found.routes.erase(found.routes.begin());
  EXPECT_EQ(only_missing(found, expected), "route 198.51.100.0/24");
  found = expected;
  found.rules.pop_back();
  EXPECT_EQ(only_missing(found, expected), "a policy rule");
  found = expected;
  found.neighbours.clear();
  EXPECT_EQ(only_missing(found, expected), "a permanent neighbour");
}

TEST(MissingFrom, F2_AnAddressThatChangedIsMissing) {
  const Identity expected = samples::identity();
  for (const auto& change : std::vector<void (*)(Address&)>{
           [](Address& address) { address.prefix_length = 25; },
           [](Address& address) { address.label = "eth0:other"; },
           [](Address& address) { address.broadcast.clear(); },
           [](Address& address) { address.scope = 253; },
           [](Address& address) { address.peer = {192, 0, 2, 200}; },
           [](Address& address) { address.priority = 100; },
           [](Address& address) { address.protocol = 3; },
           [](Address& address) { address.flags |= IFA_F_NOPREFIXROUTE; }}) {
    Identity found = expected;
    change(found.addresses[0]);
    EXPECT_EQ(only_missing(found, expected), "address 192.0.2.1/24");
  }
}

// The header tells apart what the attributes do not: kind, protocol, scope, type of service.
TEST(MissingFrom, F4_ARouteARuleOrANeighbourWithAnotherHeaderIsMissing) {
  const Identity expected = samples::identity();
  for (const std::size_t at :
       {offsetof(rtmsg, rtm_tos), offsetof(rtmsg, rtm_protocol), offsetof(rtmsg, rtm_scope),
        offsetof(rtmsg, rtm_type), offsetof(rtmsg, rtm_flags)}) {
    Identity found = expected;
    found.routes[0].header.at(at) ^= 1;
    EXPECT_EQ(only_missing(found, expected), "route 198.51.100.0/24") << "byte " << at;
  }
  Identity found = expected;
  found.rules[0].header.at(offsetof(fib_rule_hdr, action)) = FR_ACT_BLACKHOLE;
  EXPECT_EQ(only_missing(found, expected), "a policy rule");
  found = expected;
  found.neighbours[0].header.at(offsetof(ndmsg, ndm_flags)) = NTF_PROXY;
  EXPECT_EQ(only_missing(found, expected), "a permanent neighbour");
}

TEST(MissingFrom, F4_ARouteWithAnotherMetricIsMissing) {
  Identity expected = samples::identity();
  expected.routes[0].attributes.set(RTA_PRIORITY, bytes_of(std::uint32_t{50}));
  Identity found = expected;
  found.routes[0].attributes.set(RTA_PRIORITY, bytes_of(std::uint32_t{51}));
  EXPECT_EQ(only_missing(found, expected), "route 198.51.100.0/24");
  found.routes[0].attributes.erase(RTA_PRIORITY);
  EXPECT_EQ(only_missing(found, expected), "route 198.51.100.0/24");
}

TEST(MissingFrom, F4_LifetimesMayHaveRunDownALittle) {
  Identity expected = samples::identity();
  expected.addresses[2].valid_seconds = 3600;
  expected.addresses[2].preferred_seconds = 1800;
  Identity found = expected;
  found.addresses[2].valid_seconds = 3598;
  found.addresses[2].preferred_seconds = 1798;
  EXPECT_TRUE(missing_from(found, expected, false).empty());
  found.addresses[2].valid_seconds = 3602;
  EXPECT_TRUE(missing_from(found, expected, false).empty()) << "a snapshot is a second old";
  found.addresses[2].valid_seconds = 3603;
  EXPECT_EQ(only_missing(found, expected), "address 2001:db8::1/64") << "it cannot grow further";
  found.addresses[2].valid_seconds = UINT32_MAX;
  EXPECT_EQ(only_missing(found, expected), "address 2001:db8::1/64") << "for ever is another life";
}

TEST(MissingFrom, F4_MoreThanExpectedIsNoLoss) {
  Identity found = samples::identity();
  found.addresses.push_back(samples::ipv4(99));
  found.routes.push_back(samples::route(2, {203, 0, 113, 0}));
  EXPECT_TRUE(missing_from(found, samples::identity(), false).empty());
}

TEST(Rules, F4_ANameThatNoNulEndsIsReadNoFurtherThanItsAttribute) {
  KernelObject rule;
  rule.attributes.set(FRA_IIFNAME, samples::Bytes{'e', 't', 'h'});
  EXPECT_TRUE(rule_names(rule, "eth"));
  EXPECT_FALSE(rule_names(rule, "eth0"));
  rule.attributes.set(FRA_IIFNAME, samples::Bytes{'e', 't', 'h', 0, '0', 0});
  EXPECT_TRUE(rule_names(rule, "eth"));
  rule.attributes.set(FRA_IIFNAME, samples::Bytes{});
  EXPECT_FALSE(rule_names(rule, "eth"));
}

}  // namespace
}  // namespace hanet::net
