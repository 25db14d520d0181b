// SPDX-License-Identifier: Apache-2.0
//
// Other managers of the network take something from the port that carries the identity: what hanet
// moved stays moved, unless it is told otherwise (F3). What they give to the port that waits is in
// waiting_port_test.cpp, and what happens while a repair waits in repair_wait_test.cpp.
#include "netns/manager.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <thread>

#include "net/encode.h"
#include "netns/recorder.h"
#include "netns/rtnetlink.h"

namespace hanet::test {
namespace {

class OtherManager : public ManagerTest {};

TEST_F(OtherManager, F3_AnAddressThatIsFlushedFromTheStandbyIsRestoredWithItsRoutes) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(carries("p1", before));
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.1/24 dev p1"));
  EXPECT_TRUE(await("it is back", [&] { return bool{carries("p1", before)}; }));
  EXPECT_TRUE(log_has(" was removed from p1 by ")) << host().log();
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(OtherManager, F3_WithRestoreOffTheChangeIsFollowed) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.group_keys = "restore = false\n"}));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  const std::size_t addresses = host().group().at("identity").at("addresses").size();
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p1"));
  EXPECT_TRUE(await("the snapshot follows", [&] {
    return host().group().at("identity").at("addresses").size() == addresses - 1;
  }));
  for (const SeenAddress& address : identity_on(host_netns(), "p1").addresses)
    EXPECT_NE(address.text, "192.0.2.101/24");
  EXPECT_FALSE(log_has("puts it back"));
  // And it stays away at the next switchover.
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0);
  EXPECT_EQ(host().group().at("identity").at("addresses").size(), addresses - 1);
  EXPECT_TRUE(echo().reaches("192.0.2.1"));
}

// Only after a switchover does another program work on an outdated picture.
TEST_F(OtherManager, F3_OnThePrimaryTheChangeIsFollowed) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p0"));
  EXPECT_TRUE(await("the snapshot follows", [&] {
    return !host().group().at("identity").dump().contains("192.0.2.101/24");
  }));
  for (const SeenAddress& address : identity_on(host_netns(), "p0").addresses)
    EXPECT_NE(address.text, "192.0.2.101/24");
  EXPECT_FALSE(log_has("puts it back"));
}

TEST_F(OtherManager, F3_AProgramThatInsistsWinsAndTheAlarmIsRaised) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  // What is not back yet cannot be removed, so a refusal is part of the quarrel.
  EXPECT_TRUE(await("the alarm is raised", [&] {
    [[maybe_unused]] const Status ignored = lab().ip("host", "addr del 192.0.2.101/24 dev p1");
    return log_has("again and again");
  }));
  EXPECT_TRUE(await("the snapshot follows", [&] {
    [[maybe_unused]] const Status ignored = lab().ip("host", "addr del 192.0.2.101/24 dev p1");
    const json addresses = host().group().at("identity").at("addresses");
    return std::ranges::find(addresses, json("192.0.2.101/24")) == addresses.end();
  }));
}

TEST_F(OtherManager, F3_WhatANetworkManagerFlushesFromTheStandbyIsAllBack) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  for (int i = 110; i < 130; ++i)
    ASSERT_DONE(
        lab().ip("host", fmt::format("addr add 192.0.2.{0}/24 brd + dev p0 label p0:v{0}", i)));
  ASSERT_DONE(
      lab().ip("host", "route add 10.1.0.0/16 via 192.0.2.10 dev p0 proto static metric 50"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(carries("p1", before));
  // As a manager does that finds an interface which it does not know: all of it, family by family.
  ASSERT_DONE(lab().ip("host", "-4 route flush dev p1"));
  ASSERT_DONE(lab().ip("host", "-4 addr flush dev p1"));
  ASSERT_DONE(lab().ip("host", "-6 addr flush dev p1 scope global"));
  ASSERT_TRUE(await("hanet notices", [&] { return log_has(" was removed from p1 by "); }));
  EXPECT_TRUE(await("all of it is back", [&] { return bool{carries("p1", before)}; }));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

// The kernel's own route to the neighbours goes along, and without it no gateway is valid.
TEST_F(OtherManager, F3_RoutesThatAreFlushedFromTheStandbyAreBackWithThoseOfTheKernel) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  const std::string routes = routes_of("-4", "p1") + routes_of("-6", "p1");
  ASSERT_TRUE(routes.contains("192.0.2.0/24") && routes.contains("2001:db8::/64")) << routes;
  long noticed = 0;
  for (const char* family : {"-4", "-6"}) {
    ASSERT_DONE(lab().ip("host", std::string(family) + " route flush dev p1"));
    ++noticed;
    ASSERT_TRUE(await("hanet notices", [&] { return repairs() == noticed; }));
    EXPECT_TRUE(await("all of it is back",
                      [&] {
                        return routes_of("-4", "p1") + routes_of("-6", "p1") == routes &&
                               carries("p1", before);
                      }))
        << routes_of("-4", "p1") + routes_of("-6", "p1") << "instead of\n"
        << routes;
  }
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_FALSE(log_has("could not be put back")) << host().log();
}

TEST_F(OtherManager, F3_AFlushThatGoesOnWhileItFindsSomethingIsOutwaited) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  const auto is_there = [&] {
    return std::ranges::any_of(identity_on(host_netns(), "p1").addresses, [](const auto& address) {
      return address.text == "192.0.2.101/24";
    });
  };
  int rounds = 0;
  for (; rounds < 10 && is_there(); ++rounds) {
    ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p1"));
    std::this_thread::sleep_for(std::chrono::milliseconds(40));  // longer than the first pause
  }
  EXPECT_THAT(rounds, testing::AllOf(testing::Ge(2), testing::Le(4)));
  EXPECT_TRUE(await("it is back", [&] { return bool{carries("p1", before)}; }));
  EXPECT_FALSE(log_has("again and again")) << host().log();
}

// NetworkManager forbids the kernel its route, because it wants another metric, and adds it itself,
// as one of the kernel's.
TEST_F(OtherManager, F4_RoutesToNeighboursThatAManagerAddsInPlaceOfTheKernelMoveAndComeBack) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  for (const char* command :
       {"addr flush dev p0 scope global", "addr add 192.0.2.1/24 brd + dev p0 noprefixroute",
        "route add 192.0.2.0/24 dev p0 proto kernel scope link src 192.0.2.1 metric 100",
        "route add default via 192.0.2.10 dev p0 proto static metric 100",
        "-6 addr add 2001:db8::1/64 dev p0 nodad noprefixroute",
        "-6 route add 2001:db8::/64 dev p0 proto kernel metric 100 pref medium",
        "-6 route add default via 2001:db8::10 dev p0 proto static metric 100"})
    ASSERT_DONE(lab().ip("host", command));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const std::string before = routes_of("-4", "p0") + routes_of("-6", "p0");
  ASSERT_TRUE(before.contains("192.0.2.0/24 proto kernel scope link src 192.0.2.1 metric 100"));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete") << host().switchovers().dump(2);
  EXPECT_TRUE(await("all routes are there",
                    [&] { return routes_of("-4", "p1") + routes_of("-6", "p1") == before; }))
      << routes_of("-4", "p1") << routes_of("-6", "p1") << "instead of\n"
      << before;
  EXPECT_EQ(routes_of("-4", "p0") + routes_of("-6", "p0"), "") << "nothing stays behind";
  EXPECT_TRUE(echo().reaches("192.0.2.1") && echo().reaches("2001:db8::1"));
  // What is flushed is noticed and put back, with these.
  ASSERT_DONE(lab().ip("host", "-4 route flush dev p1"));
  ASSERT_TRUE(await("hanet notices", [&] { return log_has(" was removed from p1 by "); }));
  EXPECT_TRUE(await("all routes are back", [&] {
    return routes_of("-4", "p1") + routes_of("-6", "p1") == before;
  })) << routes_of("-4", "p1");
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0);
  EXPECT_TRUE(await("all routes came back", [&] {
    return routes_of("-4", "p0") + routes_of("-6", "p0") == before;
  })) << routes_of("-4", "p0");
}

// A storage network has no gateway: all of its routes are the kernel's own.
TEST_F(OtherManager, F3_RoutesThatOnlyTheKernelMadeAreBackWhenTheyWereFlushed) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "-4 route del default"));
  ASSERT_DONE(lab().ip("host", "-6 route del default"));
  ASSERT_DONE(lab().ip("host", "addr add 203.0.113.1/28 dev p0 metric 77"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  const std::string routes = routes_of("-4", "p1");
  ASSERT_TRUE(routes.contains("192.0.2.0/24") && routes.contains("metric 77")) << routes;
  ASSERT_DONE(lab().ip("host", "-4 route flush dev p1"));
  EXPECT_TRUE(await("hanet notices", [&] { return log_has(" was removed from p1 by "); }));
  EXPECT_TRUE(await("all of it is back", [&] { return routes_of("-4", "p1") == routes; }))
      << routes_of("-4", "p1") << "instead of\n"
      << routes;
  EXPECT_TRUE(echo().reaches("192.0.2.1"));
}

TEST_F(OtherManager, O3_F3_WhatTheKernelRefusesToHavePutBackIsAnAlarm) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "addr add 203.0.113.5/32 dev lo"));
  ASSERT_DONE(lab().ip("host", "route add 10.8.0.0/16 via 192.0.2.10 dev p0 src 203.0.113.5"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  const SeenIdentity without = [&] {
    SeenIdentity identity = identity_on(host_netns(), "p1");
    std::erase_if(identity.routes,
                  [](const json& route) { return route.at("dst") == "10.8.0.0/16"; });
    return identity;
  }();
  // Its source goes at the same time, also on a slow machine, so it can not come back.
  host().freeze();
  ASSERT_TRUE(await("hanetd stands still", [&] { return host().frozen(); }));
  ASSERT_DONE(change({"route del 10.8.0.0/16 dev p1", "addr del 203.0.113.5/32 dev lo"}));
  host().thaw();
  EXPECT_TRUE(await("it is said", [&] {
    return log_has(
        "this could not be put back on p1, and hanet lets it go; add it again if the host needs "
        "it: route 10.8.0.0/16 via 192.0.2.10");
  })) << host().log();
  EXPECT_TRUE(log_has(" (the kernel: Invalid prefsrc address)")) << host().log();
  EXPECT_TRUE(carries("p1", without));
  EXPECT_TRUE(echo().reaches_every_address());
}

// The kernel drops the route without a message (net/ipv4/fib_semantics.c, fib_sync_down_addr).
TEST_F(OtherManager, F3_F4_ARouteThatWentSilentlyWithAnAddressIsRestoredWithIt) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "link add other type veth peer name far"));
  ASSERT_DONE(lab().ip("host", "link set other up"));
  ASSERT_DONE(lab().ip("host", "link set far up"));
  ASSERT_DONE(lab().ip("host", "route add 10.7.0.0/16 dev other src 192.0.2.101"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const auto route = [&] {
    const Result<std::string> found = bench::run_checked(
        lab().in("host", {"ip", "route", "show", "10.7.0.0/16"}), std::chrono::seconds(5));
    return found ? *found : found.error().message;
  };
  const std::string was = route();
  ASSERT_NE(was, "");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(route(), was) << "moving the address must not cost it either";
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p1"));
  EXPECT_TRUE(await("the address is back", [&] { return bool{carries("p1", before)}; }));
  EXPECT_TRUE(await("and so is the route", [&] { return route() == was; })) << route();
}

class PromotedSecondaries : public OtherManager, public testing::WithParamInterface<int> {};

// Without promotion the kernel removes every secondary address with its primary.
TEST_P(PromotedSecondaries, F3_TheWholeSubnetIsBackWhenItsPrimaryWasDeletedByHand) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  for (const char* scope : {"all", "p0", "p1"})
    ASSERT_TRUE(
        bench::run_checked(lab().in("host", {"sh", "-c",
                                             fmt::format("echo {} >/proc/sys/net/ipv4/conf/{}/"
                                                         "promote_secondaries",
                                                         GetParam(), scope)}),
                           std::chrono::seconds(5)));
  for (int i = 110; i < 140; ++i)
    ASSERT_DONE(
        lab().ip("host", fmt::format("addr add 192.0.2.{0}/24 brd + dev p0 label p0:v{0}", i)));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before)) << "the switchover itself removes the primary, too";
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.1/24 dev p1"));
  ASSERT_TRUE(await("hanet notices", [&] { return log_has(" was removed from p1 by "); }));
  EXPECT_TRUE(await("all are back in their order", [&] { return bool{carries("p1", before)}; }));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_EQ(identity_on(host_netns(), "p1").addresses.front().local, "192.0.2.1")
      << "and the primary is the primary";
  EXPECT_TRUE(echo().reaches_every_address());
}

INSTANTIATE_TEST_SUITE_P(Kernel, PromotedSecondaries, testing::Values(0, 1), [](const auto& cell) {
  return std::string(cell.param == 0 ? "DropsThem" : "PromotesThem");
});

class DownAndUp : public OtherManager, public testing::WithParamInterface<const char*> {};

// Going down takes IPv6 addresses and all routes along, and coming up brings nothing back.
TEST_P(DownAndUp, F3_F4_ByHandTheActiveInterfaceHasItsIdentityBack) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string active = GetParam(), idle = active == "p0" ? "p1" : "p0";
  if (active == "p1") {
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_TRUE(all_on("p1"));
  } else {
    ASSERT_DONE(lab().fault("blackhole", "standby"));
  }
  ASSERT_TRUE(
      await("there is no other path", [&] { return host().path(idle).at("health") == "down"; }));
  const auto down_and_up = [&](bool seen) {
    ASSERT_DONE(lab().ip("host", "link set " + active + " down"));
    if (seen) {
      ASSERT_TRUE(await("it is seen down", [&] {
        return host().path(active).at("reason") == "administratively down";
      }));
      EXPECT_FALSE(log_has(" was removed from ")) << "going down is no intrusion";
    }
    ASSERT_DONE(lab().ip("host", "link set " + active + " up"));
    EXPECT_TRUE(await("it is all back", [&] { return bool{carries(active, before)}; }));
    EXPECT_TRUE(carries(active, before));
    EXPECT_TRUE(await("the path works", [&] { return host().path(active).at("health") == "up"; }));
    EXPECT_TRUE(echo().reaches_every_address());
  };
  for (const bool seen : {true, false}) {
    SCOPED_TRACE(seen ? "hanetd sees it down" : "down and up at once");
    ASSERT_NO_FATAL_FAILURE(down_and_up(seen));
  }
}

INSTANTIATE_TEST_SUITE_P(Of, DownAndUp, testing::Values("p0", "p1"),
                         [](const auto& cell) { return std::string(cell.param); });

// 104 is hanet's own; what it moves keeps the number of whoever made it.
TEST_F(OtherManager, F4_MovedRoutesKeepTheirProtocolAndItsOwnCarryOneThatNobodyElseHas) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const std::vector<int> protocols{3, 4, 16, 12, 186, 77};
  for (std::size_t at = 0; at < protocols.size(); ++at) {
    ASSERT_DONE(
        lab().ip("host", fmt::format("route add 10.{}.0.0/16 via 192.0.2.10 dev p0 proto {}",
                                     50 + at, protocols[at])));
    ASSERT_DONE(lab().ip("host", fmt::format("route add 2001:db8:{}::/48 via 2001:db8::10 dev p0 "
                                             "proto {}",
                                             50 + at, protocols[at])));
  }
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  Recorder recorder(host_netns());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before)) << "protocols are compared, too";
  const auto numbers = [&](std::uint16_t kind) {
    return recorder.lines([kind](const nlmsghdr& message) -> std::string {
      if (message.nlmsg_type != kind) return "";
      return std::to_string(
          static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message))->rtm_protocol);
    });
  };
  const std::string own = std::to_string(net::kRouteProtocol);
  EXPECT_TRUE(await("its temporary routes are gone", [&] {
    return std::ranges::count(numbers(RTM_DELROUTE), own) > 0 &&
           std::ranges::count(numbers(RTM_DELROUTE), own) ==
               std::ranges::count(numbers(RTM_NEWROUTE), own);
  }));
  for (const std::string& number : numbers(RTM_NEWROUTE)) {
    const int protocol = std::stoi(number);
    EXPECT_TRUE(protocol == RTPROT_KERNEL || protocol == net::kRouteProtocol ||
                std::ranges::count(protocols, protocol) == 1)
        << "a route of protocol " << number << " appeared";
  }
  const Result<std::string> named =
      bench::run_checked({"sh", "-c",
                          "cat /etc/iproute2/rt_protos /etc/iproute2/rt_protos.d/* 2>/dev/null | "
                          "grep -E '^(0x68|104)[[:space:]]' || true"},
                         std::chrono::seconds(5));
  ASSERT_TRUE(named);
  EXPECT_EQ(*named, "") << "somebody else has this number";
}

}  // namespace
}  // namespace hanet::test
