// SPDX-License-Identifier: Apache-2.0
//
// What a heartbeat can not sensibly ask on this host (O2): group/targets.h, by the identity that
// the samples have: 192.0.2.1/24, .2/24 and 2001:db8::1/64 on eth0, an on-link route to
// 198.51.100.0/24.
#include "group/targets.h"

#include <gtest/gtest.h>

#include "identity_samples.h"

namespace hanet::group {
namespace {

config::IpAddress address(std::string_view text) { return *config::IpAddress::parse(text); }

/// A group whose only port asks `target`.
config::GroupConfig asking(std::string_view target, std::string_view source = {}) {
  config::GroupConfig group;
  group.name = "mether0";
  group.target = address(target);
  config::PortConfig port{.interface = "eth0", .target = {}, .source = {}};
  if (!source.empty()) port.source = address(source);
  group.paths.push_back({.ports = {port}});
  return group;
}

std::string refusal(const config::GroupConfig& group,
                    const net::Identity& identity = net::samples::identity()) {
  return why_not_asked(group, group.paths[0].port(), identity, {});
}

TEST(Targets, O2_ANeighbourCanBeAsked) {
  for (const char* target : {"192.0.2.10", "198.51.100.7", "2001:db8::10", "fe80::1"})
    EXPECT_EQ(refusal(asking(target)), "") << target;
}

TEST(Targets, O2_AWholeNetworkIsNoTarget) {
  EXPECT_EQ(refusal(asking("192.0.2.255")),
            "the target 192.0.2.255 is the broadcast address of 192.0.2.0/24: name one host");
  EXPECT_EQ(
      refusal(asking("192.0.2.0")),
      "the target 192.0.2.0 is the address of the network 192.0.2.0/24 itself: name one host");
  EXPECT_EQ(refusal(asking("2001:db8::ffff:ffff:ffff:ffff")), "") << "IPv6 has no broadcast";
  net::Identity identity = net::samples::identity();
  for (net::Address& each : identity.addresses) each.broadcast.clear();
  EXPECT_NE(refusal(asking("192.0.2.255"), identity), "")
      << "as `ip addr add` without brd leaves it";
  identity.addresses[0].broadcast = {192, 0, 2, 127};
  EXPECT_NE(refusal(asking("192.0.2.127"), identity), "") << "as somebody configured it";
}

TEST(Targets, O2_BothAddressesOfAPointToPointNetworkAreHosts) {
  net::Identity identity = net::samples::identity();
  identity.addresses = {net::samples::ipv4(2)};
  identity.addresses[0].prefix_length = 31;
  identity.addresses[0].broadcast.clear();
  EXPECT_EQ(refusal(asking("192.0.2.3"), identity), "");
}

TEST(Targets, O2_OnlyNeighboursCanBeAsked) {
  const std::string why = refusal(asking("203.0.113.9"));
  EXPECT_TRUE(
      why.starts_with("the target 203.0.113.9 is not on the link: eth0 has no address of "
                      "its network and no route to it without a gateway"))
      << why;
  EXPECT_NE(refusal(asking("2001:db8:9::1")), "");
  net::Identity identity = net::samples::identity();
  identity.routes.push_back(net::samples::route(2));
  EXPECT_EQ(refusal(asking("203.0.113.9"), identity), "") << "all the world is on this link";
  identity.routes.back() = net::samples::route(7);
  EXPECT_NE(refusal(asking("203.0.113.9"), identity), "") << "on another link";
}

TEST(Targets, M1_BehindAGatewayItIsTheGatewayThatHasToBeANeighbour) {
  const auto by = [](const std::string& gateway) {
    config::GroupConfig group = asking("203.0.113.9", "192.0.2.251");
    for (config::PathConfig& path : group.paths)
      path.ports.front().gateway = config::IpAddress::parse(gateway);
    return refusal(group);
  };
  EXPECT_EQ(by("192.0.2.1"), "");
  EXPECT_TRUE(by("203.0.113.1").starts_with("the gateway 203.0.113.1 is not on the link"))
      << by("203.0.113.1");
  config::GroupConfig whole = asking("192.0.2.255", "192.0.2.251");
  whole.paths[0].ports.front().gateway = address("192.0.2.1");
  EXPECT_TRUE(refusal(whole).starts_with("the target 192.0.2.255 is the broadcast address"));
  EXPECT_TRUE(by("192.0.2.255").starts_with("the gateway 192.0.2.255 is the broadcast address"))
      << by("192.0.2.255");
}

TEST(Targets, O2_WhereNoAddressIsYetNothingIsKnownAndNothingRefused) {
  net::Identity identity = net::samples::identity();
  std::erase_if(identity.addresses, [](const auto& each) { return each.family == AF_INET; });
  identity.addresses.push_back(net::samples::on_vlan(net::samples::ipv4(9), net::samples::kFive));
  EXPECT_EQ(refusal(asking("203.0.113.9"), identity), "") << "a VLAN's addresses say nothing";
}

TEST(Targets, M1_ASourceIsOfTheTargetsNetwork) {
  EXPECT_EQ(refusal(asking("192.0.2.10", "192.0.2.251")), "");
  EXPECT_EQ(refusal(asking("192.0.2.10", "203.0.113.251")),
            "the source 203.0.113.251 is not of the target's network 192.0.2.0/24: its answers "
            "would go elsewhere; choose a free address of that network");
}

TEST(Targets, M5_OwnFramesAreNoSignOfLife) {
  config::GroupConfig group = asking("192.0.2.10");
  group.heartbeat = config::HeartbeatKind::Silence;
  const net::Identity identity = net::samples::identity();
  net::Identity standby = identity;
  standby.mac = {2, 0, 0, 0, 0, 9};
  const std::vector<net::Identity> found{identity, standby};
  const auto why = [&](const net::MacAddress& peer) {
    group.peer_mac = peer;
    return why_not_asked(group, group.paths[0].port(), identity, found);
  };
  EXPECT_EQ(why({2, 0, 0, 0, 0, 77}), "");
  EXPECT_TRUE(
      why(identity.mac).starts_with("the peer's MAC address 02:00:00:00:00:01 is this host's own"));
  EXPECT_NE(why(standby.mac), "");
}

}  // namespace
}  // namespace hanet::group
