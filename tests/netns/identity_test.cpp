// SPDX-License-Identifier: Apache-2.0
//
// A host with a rich identity keeps all of it.
//
// Real hosts carry dozens of addresses, policy routing, pinned neighbours and routes with metrics
// that somebody chose with care. The kernel drops part of that silently when an address goes or an
// interface comes down, so "the address moved" is not enough: the whole is compared field by field
// before and after, in both directions, and routes of other interfaces that lean on a moved address
// must survive as well (F2, F3, F4).
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

constexpr int kVirtualAddresses = 36;

std::vector<std::string> wealth() {
  std::vector<std::string> commands;
  for (int i = 0; i < kVirtualAddresses; ++i)
    commands.push_back(
        fmt::format("addr add 192.0.2.{0}/24 brd 192.0.2.255 dev p0 label p0:v{0}", 110 + i));
  const std::vector<std::string> more{
      // Another subnet with a primary of its own, and addresses with what they can have.
      "addr add 203.0.113.1/28 brd 203.0.113.15 dev p0",
      "addr add 203.0.113.2/28 dev p0",
      "addr add 169.254.7.7/32 scope link dev p0",
      "addr add 192.0.2.150/24 dev p0 metric 77",
      "addr add 10.9.0.1 peer 10.9.0.2/32 dev p0",
      "addr add 192.0.2.151/24 dev p0 valid_lft 7200 preferred_lft 3600",
      "-6 addr add 2001:db8:7::1/64 dev p0 nodad valid_lft 7200 preferred_lft 3600",
      "-6 addr add 2001:db8:8::1/64 dev p0 nodad noprefixroute",
      "-6 addr add 2001:db8:9::1/128 dev p0 nodad",
      // Routes: tables, metrics, sources, settings, nexthops.
      "route add 10.1.0.0/16 via 192.0.2.10 dev p0 metric 50",
      "route add 10.1.0.0/16 via 192.0.2.11 dev p0 metric 60",
      "route add 10.2.0.0/16 dev p0 src 192.0.2.110 scope link",
      "route add 10.3.0.0/16 via 172.16.9.9 dev p0 onlink",
      "route add 10.4.0.0/16 via 192.0.2.10 dev p0 mtu 1300 advmss 1200",
      "route add 10.5.0.0/16 nexthop via 192.0.2.10 dev p0 weight 1 nexthop via 192.0.2.11 dev p0 "
      "weight 3",
      "route add default via 192.0.2.10 dev p0 table 100",
      "route add 10.6.0.0/16 dev p0 table 100",
      "-6 route add 2001:db8:a::/48 via 2001:db8::10 dev p0 metric 50",
      "-6 route add 2001:db8:b::/48 dev p0 mtu 1300",
      "-6 route add 2001:db8:c::/48 nexthop via 2001:db8::10 dev p0 nexthop via 2001:db8::11 dev "
      "p0",
      "-6 route add default via 2001:db8::10 dev p0 table 100",
      // Bound to no interface: must be left alone.
      "route add blackhole 10.99.0.0/16",
      "-6 route add blackhole 2001:db8:99::/48",
      // Rules by both names, for both families.
      "rule add iif p0 table 100 priority 1000",
      "rule add oif p0 table 100 priority 1001",
      "rule add from 192.0.2.110 table 100 priority 1002",
      "-6 rule add iif p0 table 100 priority 1003",
      "-6 rule add oif p0 table 100 priority 1004",
      // Permanent neighbours and proxies.
      "neigh add 192.0.2.20 lladdr 02:00:00:00:00:20 dev p0 nud permanent",
      "-6 neigh add 2001:db8::20 lladdr 02:00:00:00:00:20 dev p0 nud permanent",
      "neigh add proxy 192.0.2.99 dev p0",
      "-6 neigh add proxy 2001:db8::99 dev p0",
  };
  commands.insert(commands.end(), more.begin(), more.end());
  return commands;
}

class RichIdentity : public LabTest, public testing::WithParamInterface<const char*> {
 protected:
  void prepare() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    for (const std::string& command : wealth()) ASSERT_DONE(lab().ip("host", command));
  }
  /// Another interface, with a route that prefers an address which will move.
  void add_bystander() {
    ASSERT_DONE(lab().ip("host", "link add other type veth peer name far"));
    ASSERT_DONE(lab().ip("host", "link set other up"));
    ASSERT_DONE(lab().ip("host", "link set far up"));
    ASSERT_DONE(lab().ip("host", "addr add 172.16.0.1/24 dev other"));
    ASSERT_DONE(lab().ip("host", "route add 10.7.0.0/16 dev other src 192.0.2.110"));
    ASSERT_DONE(lab().ip("host", "-6 route add 2001:db8:d::/48 dev other src 2001:db8::1"));
  }
  bool has(const std::string& port, const std::string& address) {
    const SeenIdentity found = identity_on(host_netns(), port);
    return std::ranges::any_of(found.addresses,
                               [&](const SeenAddress& one) { return one.text == address; });
  }
  std::string routes_of_others() {
    const Result<std::string> found = bench::run_checked(
        lab().in("host", {"sh", "-c",
                          "ip route show dev other; ip -6 route show dev other; ip route show type "
                          "blackhole; ip -6 route show type blackhole; ip rule show from "
                          "192.0.2.110"}),
        std::chrono::seconds(5));
    return found ? *found : found.error().message;
  }
};

TEST_P(RichIdentity, F2_F4_AddressesRoutesRulesAndNeighboursAllMoveAndComeBack) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  ASSERT_NO_FATAL_FAILURE(add_bystander());
  // A cold path that failed may be tried again soon, so that this test can switch back.
  const bool cold = GetParam() == std::string("cold");
  ASSERT_NO_FATAL_FAILURE(
      start({.mode = GetParam(), .group_keys = cold ? "cold_retry_ms = 1000\n" : ""}));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string others = routes_of_others();
  ASSERT_GE(before.addresses.size(), kVirtualAddresses + 10U);
  ASSERT_GE(before.routes.size(), 14U);
  ASSERT_EQ(before.rules.size(), 4U);
  ASSERT_EQ(before.neighbours.size(), 4U);

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(is_bare("p0", before));
  EXPECT_EQ(routes_of_others(), others) << "routes of other interfaces were lost";
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete") << host().switchovers().dump(2);

  ASSERT_DONE(lab().heal());
  if (GetParam() == std::string("hot")) {
    ASSERT_TRUE(all_ready());
  }
  EXPECT_TRUE(await("the switch back is allowed", [&] {
    return host().ctl({"switch", "mether0", "--to", "p0"}).exit_code == 0;
  }));
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(is_bare("p1", before));
  EXPECT_EQ(routes_of_others(), others);
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_P(RichIdentity, F3_WhatWasAddedWhileRunningMovesAndWhatWasRemovedDoesNot) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = GetParam(), .group_keys = {}}));
  const auto captured = [&](std::size_t addresses, std::size_t routes) {
    return await("hanetd has captured the change", [&] {
      const json identity = host().group().at("identity");
      return identity.at("addresses").size() == addresses && identity.at("routes") == routes;
    });
  };
  const json was = host().group().at("identity");
  const std::size_t addresses = was.at("addresses").size();
  const std::size_t routes = was.at("routes").get<std::size_t>();
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.120/24 brd + dev p0 label p0:new"));
  ASSERT_DONE(lab().ip("host", "addr add 2001:db8::120/64 dev p0 nodad"));
  ASSERT_DONE(lab().ip("host", "route add 10.20.0.0/16 via 192.0.2.10 dev p0"));
  EXPECT_TRUE(captured(addresses + 2, routes + 1));
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p0"));
  ASSERT_DONE(lab().ip("host", "route del 10.20.0.0/16"));
  EXPECT_TRUE(captured(addresses + 1, routes));
  // The kernel tells of a route that took another one's place, not of the one that lost it.
  ASSERT_DONE(lab().ip("host", "link add other type veth peer name far"));
  ASSERT_DONE(lab().ip("host", "link set other up"));
  ASSERT_DONE(lab().ip("host", "link set far up"));
  ASSERT_DONE(lab().ip("host", "route add 10.21.0.0/16 via 192.0.2.10 dev p0"));
  EXPECT_TRUE(captured(addresses + 1, routes + 1));
  ASSERT_DONE(lab().ip("host", "route replace 10.21.0.0/16 dev other"));
  EXPECT_TRUE(captured(addresses + 1, routes));

  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(has("p1", "192.0.2.120/24"));
  EXPECT_TRUE(has("p1", "2001:db8::120/64"));
  EXPECT_FALSE(has("p1", "192.0.2.101/24"));
}

TEST_P(RichIdentity, F3_AChangeAtTheVeryMomentOfTheFaultMovesToo) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = GetParam(), .group_keys = {}}));
  // What happens to a frozen hanetd happens at one moment.
  host().freeze();
  ASSERT_TRUE(await("hanetd is frozen", [&] { return host().frozen(); }));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.121/24 brd + dev p0"));
  ASSERT_DONE(lab().fault("blackhole"));
  host().thaw();
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(has("p1", "192.0.2.121/24"));
  EXPECT_FALSE(has("p0", "192.0.2.121/24"));
}

// The lab switches duplicate address detection off; most hosts have it on.
TEST_P(RichIdentity, F4_WithDuplicateAddressDetectionOnNoMovedAddressWaitsForIt) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const auto shell = [&](const std::string& command) {
    const Result<std::string> done =
        bench::run_checked(lab().in("host", {"sh", "-c", command}), std::chrono::seconds(5));
    return done ? *done : done.error().message;
  };
  ASSERT_EQ(shell("for i in all p0 p1; do echo 1 >/proc/sys/net/ipv6/conf/$i/accept_dad; "
                  "echo 60 >/proc/sys/net/ipv6/conf/$i/dad_transmits; done"),
            "");
  ASSERT_NO_FATAL_FAILURE(start({.mode = GetParam(), .family = 6, .group_keys = {}}));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(shell("ip -6 addr show dev p1 tentative; ip -6 addr show dev p1 dadfailed"), "");
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  // The witness: an address that somebody else adds there does wait.
  ASSERT_DONE(lab().ip("host", "addr add 2001:db8::99/64 dev p1"));
  EXPECT_NE(shell("ip -6 addr show dev p1 tentative"), "");
}

INSTANTIATE_TEST_SUITE_P(InMode, RichIdentity, testing::Values("hot", "cold"),
                         [](const auto& cell) {
                           return std::string(cell.param == std::string("hot") ? "Hot" : "Cold");
                         });

}  // namespace
}  // namespace hanet::test
