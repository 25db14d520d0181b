// SPDX-License-Identifier: Apache-2.0
//
// What moves moves whole, and "complete" is what an outside observer finds (spec F13, F14).
//
// Each test is a situation that people had on redundant hosts: a part of the identity that only
// some programs use, and a fault that makes the kernel drop it. The kind of the fault is a
// parameter, because the kernel treats a port without carrier otherwise than one that is silent.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "netns/manager.h"

namespace hanet::test {
namespace {

enum class Leave : std::uint8_t { CarrierLost, Blackhole, ByHand };

class WholeIdentity : public ManagerTest, public testing::WithParamInterface<Leave> {
 protected:
  /// Makes the group leave `from` in the way of the parameter.
  void leave(const std::string& from, const std::string& to) {
    const std::string path = from == "p0" ? "primary" : "standby";
    if (GetParam() == Leave::ByHand) {
      ASSERT_EQ(host().ctl({"switch", "mether0", "--to", to}).exit_code, 0) << host().log();
    } else {
      ASSERT_DONE(lab().fault(GetParam() == Leave::CarrierLost ? "carrier" : "blackhole", path));
    }
    ASSERT_TRUE(all_on(to));
  }
  /// There and back; each time all of it is there, and hanetd says so.
  void expect_whole_there_and_back() {
    const SeenIdentity before = identity_on(host_netns(), "p0");
    ASSERT_NO_FATAL_FAILURE(leave("p0", "p1"));
    EXPECT_TRUE(carries("p1", before));
    EXPECT_TRUE(is_bare("p0", before));
    EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete") << host().log();
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(all_ready());
    ASSERT_NO_FATAL_FAILURE(leave("p1", "p0"));
    EXPECT_TRUE(carries("p0", before));
    EXPECT_TRUE(is_bare("p1", before));
    EXPECT_EQ(host().switchovers().at(1).at("outcome"), "complete") << host().log();
    EXPECT_TRUE(echo().reaches_every_address());
  }
};

INSTANTIATE_TEST_SUITE_P(On, WholeIdentity,
                         testing::Values(Leave::CarrierLost, Leave::Blackhole, Leave::ByHand),
                         [](const auto& cell) -> std::string {
                           switch (cell.param) {
                             case Leave::CarrierLost:
                               return "CarrierLost";
                             case Leave::Blackhole:
                               return "Blackhole";
                             case Leave::ByHand:
                               return "ByHand";
                           }
                           return "?";
                         });

// As routing daemons install their routes.
const Arguments kNexthops{"nexthop add id 10 via 192.0.2.10 dev p0",
                          "nexthop add id 11 via 192.0.2.11 dev p0",
                          "nexthop add id 12 via 2001:db8::10 dev p0",
                          "nexthop add id 13 dev p0",
                          "nexthop add id 20 group 10,3/11",
                          "nexthop add id 21 group 12",
                          "nexthop add id 22 group 10/11 type resilient buckets 32 idle_timer 60",
                          "route add 198.51.100.0/24 nhid 20 proto 196 metric 20",
                          "route add 198.51.101.0/24 nhid 10",
                          "route add 198.51.102.0/24 nhid 22",
                          "route add 198.51.103.0/24 nhid 10 table 100",
                          "-6 route add 2001:db8:100::/64 nhid 12",
                          "-6 route add 2001:db8:101::/64 nhid 21"};

TEST_P(WholeIdentity, F13_NexthopObjectsAndGroupsMoveWithTheirNumbersAndRoutes) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::size_t routes = host().group().at("identity").at("routes");
  for (const std::string& command : kNexthops) ASSERT_DONE(lab().ip("host", command));
  ASSERT_TRUE(await("hanetd knows them", [&] {
    const json identity = host().group().at("identity");
    return identity.at("nexthops") == 7 && identity.at("routes") == routes + 6;
  }));
  const SeenIdentity seen = identity_on(host_netns(), "p0");
  ASSERT_EQ(seen.nexthops.size(), 7U) << json(seen.nexthops).dump(2);
  ASSERT_NO_FATAL_FAILURE(expect_whole_there_and_back());
}

// A kernel that shows of such routes only the number.
TEST_P(WholeIdentity, F13_RoutesThatNameOnlyTheirNexthopObjectMove) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  inside(host_netns(), [] { std::ofstream("/proc/sys/net/ipv4/nexthop_compat_mode") << "0"; });
  ASSERT_EQ(sysctl(host_netns(), "ipv4/nexthop_compat_mode"), "0");
  for (const std::string& command : kNexthops) ASSERT_DONE(lab().ip("host", command));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(expect_whole_there_and_back());
}

// As systemd-networkd and dhcpcd do, at once or a little later.
class FlushedAtOnce : public ManagerTest, public testing::WithParamInterface<int> {};

TEST_P(FlushedAtOnce, F15_WhatAManagerTakesOffADeadPortMovesAllTheSame) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.interval_us = 10'000, .group_keys = {}}));
  ASSERT_DONE(lab().ip("host", "route add 10.1.0.0/16 via 192.0.2.10 dev p0 metric 50"));
  ASSERT_DONE(lab().ip("host", "rule add oif p0 table 100 priority 1001"));
  ASSERT_DONE(lab().ip("host", "neigh add 192.0.2.20 lladdr 02:00:00:00:00:20 dev p0"));
  ASSERT_TRUE(await("hanetd knows it", [&] {
    const json identity = host().group().at("identity");
    return identity.at("rules") == 1 && identity.at("neighbours") == 1;
  }));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string manager = fmt::format(
      "until ip link show dev p0 | grep -q NO-CARRIER; do :; done; sleep {}; "
      "ip -4 route flush dev p0; ip -4 addr flush dev p0; ip -6 addr flush dev p0 scope global; "
      "ip -6 route flush dev p0; ip rule del oif p0 priority 1001; ip neigh flush dev p0 nud "
      "permanent",
      GetParam() / 1000.0);
  Result<bench::Child> flush = bench::Child::start(
      lab().in("host", {"timeout", "15", "bash", "-c", manager}), lab().directory() / "manager");
  ASSERT_TRUE(flush);
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(await("the manager is done", [&] { return !flush->running(); }));
  ASSERT_EQ(flush->exit_code(), 0);
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete") << host().log();
  EXPECT_TRUE(echo().reaches_every_address());
}

INSTANTIATE_TEST_SUITE_P(After, FlushedAtOnce, testing::Values(0, 5, 20, 200),
                         [](const auto& cell) { return fmt::format("{}ms", cell.param); });

// What others add is nobody's loss, and with restore off their way is the right one.
TEST_F(FlushedAtOnce, F15_WithRestoreOffWhatIsTakenOffADeadPortIsGone) {
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Switch, {.interval_us = 10'000, .group_keys = "restore = false\n"}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("carrier", "standby"));
  ASSERT_TRUE(await("p1 is down", [&] { return host().path("p1").at("health") == "down"; }));
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(await("p0 is down", [&] { return host().path("p0").at("health") == "down"; }));
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p0"));
  ASSERT_DONE(lab().heal("standby"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_FALSE(carries("p1", before));
  for (const SeenAddress& address : identity_on(host_netns(), "p1").addresses)
    EXPECT_NE(address.text, "192.0.2.101/24");
}

TEST_F(FlushedAtOnce, F15_WhatIsTakenOffADeadPortForLongMovesWhenAPathWorks) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("carrier", "standby"));
  ASSERT_TRUE(await("p1 is down", [&] { return host().path("p1").at("health") == "down"; }));
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(await("p0 is down", [&] { return host().path("p0").at("health") == "down"; }));
  ASSERT_DONE(lab().ip("host", "-4 addr flush dev p0"));
  ASSERT_DONE(lab().ip("host", "-4 addr add 192.0.2.77/24 dev p0"));
  EXPECT_TRUE(await("it is said", [&] { return log_has("192.0.2.1/24"); })) << host().log();
  EXPECT_TRUE(log_has("restore = false lets it go"));
  ASSERT_DONE(lab().heal("standby"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
  const SeenIdentity after = identity_on(host_netns(), "p1");
  EXPECT_EQ(after.addresses.size(), before.addresses.size() + 1) << "and what was added";
}

// The host's own routing leaves a port without carrier at once where it is told to.
class SecondUplink : public ManagerTest, public testing::WithParamInterface<const char*> {};

TEST_P(SecondUplink, F4_NothingLeavesByAnotherUplinkWhileTheKernelWouldBridge) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  for (const char* command :
       {"link add other type veth peer name far", "link set other up", "link set far up",
        "addr add 172.16.0.1/24 dev other", "route replace default via 192.0.2.10 dev p0",
        "route add default via 172.16.0.9 dev other metric 1000",
        "neigh add 172.16.0.9 lladdr 02:00:00:00:00:99 dev other nud permanent"})
    ASSERT_DONE(lab().ip("host", command));
  inside(host_netns(), [] {
    std::ofstream(fmt::format("/proc/sys/net/{}/conf/p0/ignore_routes_with_linkdown", GetParam()))
        << "1";
  });
  ASSERT_NO_FATAL_FAILURE(start({.group_keys = {}}));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(all_on("p1"));
  const json record = host().switchovers().at(0);
  EXPECT_EQ(record.at("cause"), "carrier lost");
  EXPECT_EQ(record.at("steered_in_kernel"), true) << "the witness: it could have waited";
  EXPECT_EQ(record.at("bridge_wait_us"), 0.0);
}

INSTANTIATE_TEST_SUITE_P(By, SecondUplink, testing::Values("ipv4", "ipv6"),
                         [](const auto& cell) { return std::string(cell.param); });

class WithoutIpv6 : public ManagerTest {
 protected:
  void disable_ipv6(const std::string& port, bool disabled) {
    inside(host_netns(), [&] {
      std::ofstream(fmt::format("/proc/sys/net/ipv6/conf/{}/disable_ipv6", port)) << disabled;
    });
    ASSERT_EQ(sysctl(host_netns(), fmt::format("ipv6/conf/{}/disable_ipv6", port)),
              disabled ? "1" : "0");
  }
  static std::vector<SeenAddress> ipv6_of(const SeenIdentity& seen) {
    std::vector<SeenAddress> all = seen.addresses;
    std::erase_if(all, [](const SeenAddress& one) { return one.family != AF_INET6; });
    return all;
  }
};

TEST_F(WithoutIpv6, F13_AStandbyThatTakesNoIpv6IsNotReadyUntilItDoes) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(disable_ipv6("p1", true));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(await("it runs", [&] { return !host().ask({"status"}).is_null(); }));
  EXPECT_TRUE(await("it is said before the fault",
                    [&] { return host().group().at("state") == "standby not ready"; }));
  EXPECT_TRUE(log_has("p1 takes no IPv6 address")) << host().log();
  ASSERT_NO_FATAL_FAILURE(disable_ipv6("p1", false));
  EXPECT_TRUE(await("it is ready", [&] { return host().group().at("state") == "protected"; }));
  EXPECT_TRUE(log_has("no longer so: p1 takes no IPv6 address"));
  ASSERT_NO_FATAL_FAILURE(disable_ipv6("p1", true));
  EXPECT_TRUE(await("it is seen while hanetd runs",
                    [&] { return host().group().at("state") == "standby not ready"; }));
}

TEST_F(WithoutIpv6, F14_WhatTheStandbyDidNotTakeIsKeptAndComesBackWithTheNextSwitch) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(disable_ipv6("p1", true));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_FALSE(ipv6_of(before).empty());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(ipv6_of(identity_on(host_netns(), "p1")).empty()) << "the witness";
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "incomplete");
  EXPECT_TRUE(await("it is an alarm", [&] { return host().group().at("state") == "incomplete"; }));
  EXPECT_TRUE(log_has("missing: address 2001:db8::1/64"));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 dev p1"));  // hanetd reads it anew
  ASSERT_TRUE(await("it is read",
                    [&] { return host().group().at("identity").dump().contains("192.0.2.77"); }));
  EXPECT_EQ(host().group().at("state"), "incomplete") << "it lasts as long as it is so";
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(await("p0 works", [&] { return host().path("p0").at("health") == "up"; }));
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0) << host().log();
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.77/24 dev p0"));
  EXPECT_TRUE(carries("p0", before));
  EXPECT_EQ(host().switchovers().at(1).at("outcome"), "complete");
  EXPECT_TRUE(await("nothing is missing", [&] { return log_has("p0 has all of the identity"); }));
  EXPECT_NE(host().group().at("state"), "incomplete");
}

TEST_F(WithoutIpv6, F14_WhatTheStandbyDidNotTakeIsPutThereAsSoonAsItCanBe) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(disable_ipv6("p1", true));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(await("it is an alarm", [&] { return host().group().at("state") == "incomplete"; }));
  ASSERT_NO_FATAL_FAILURE(disable_ipv6("p1", false));
  EXPECT_TRUE(await("all of it is there", [&] { return bool{carries("p1", before)}; }));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(await("nothing is missing", [&] { return log_has("p1 has all of the identity"); }));
  EXPECT_TRUE(echo().reaches_every_address());
}

using RefusedSetting = ManagerTest;

// The kernel takes no MTU for IPv6 that is larger than the port's own.
TEST_F(RefusedSetting, F14_IsIncompleteUntilItIsTaken) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "link set p1 mtu 1400"));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_EQ(sysctl(host_netns(), "ipv6/conf/p1/mtu"), "1400") << "the witness";
  ASSERT_TRUE(await("it is on record", [&] { return host().switchovers().size() == 1; }));
  const json record = host().switchovers().at(0);
  EXPECT_EQ(record.at("outcome"), "incomplete");
  EXPECT_TRUE(record.dump().contains("ipv6/conf/mtu of p1 is 1400 and was 1500")) << record;
  EXPECT_TRUE(await("it is an alarm", [&] { return host().group().at("state") == "incomplete"; }));
  EXPECT_NE(host().ctl({"status"}).exit_code, 0);
  ASSERT_DONE(lab().ip("host", "link set p1 mtu 1500"));
  EXPECT_TRUE(await("it is taken", [&] { return log_has("p1 has all of the identity"); }));
  EXPECT_EQ(sysctl(host_netns(), "ipv6/conf/p1/mtu"), "1500");
  EXPECT_NE(host().group().at("state"), "incomplete");
}

TEST_F(WithoutIpv6, F14_ARollBackEndsNoBridgeThatWorks) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "-4 addr flush dev p0"));
  ASSERT_NO_FATAL_FAILURE(start({.family = 6, .group_keys = {}}));
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(disable_ipv6("p1", true));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string address = ipv6_of(before).front().local;
  Echo client(lab(), {{"host", address, "client", "2001:db8::10"}});
  ASSERT_TRUE(client.reaches(address));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("it was tried", [&] { return host().switchovers().size() >= 2; }));
  EXPECT_TRUE(client.reaches(address));
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "rolled back");
  EXPECT_EQ(host().active(), "p0");
  EXPECT_EQ(steer_of("p0").mode, HANET_STEER_BRIDGE_OUT);
}

class MustAgree : public ManagerTest {
 protected:
  /// `ip COMMAND` makes a difference, which is an alarm with this text until `back` undoes it.
  void expect_alarm(const std::string& command, const std::string& text, const std::string& back) {
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
    EXPECT_TRUE(host().group().at("findings").empty()) << "the witness: nothing differs yet";
    ASSERT_DONE(lab().ip("host", command));
    EXPECT_TRUE(await("it is an alarm", [&] { return log_has(text); })) << host().log();
    EXPECT_TRUE(host().group().at("findings").dump().contains(text));
    ASSERT_DONE(lab().ip("host", back));
    EXPECT_TRUE(await("the alarm ends", [&] { return host().group().at("findings").empty(); }));
  }
};

TEST_F(MustAgree, F13_AnotherMtuOfTheStandbyIsAnAlarm) {
  ASSERT_NO_FATAL_FAILURE(expect_alarm("link set p0 mtu 9000",
                                       "p0 has an MTU of 9000 and p1 has an MTU of 1500",
                                       "link set p1 mtu 9000"));
}

TEST_F(MustAgree, F13_AnotherLinkGroupOfTheStandbyIsAnAlarm) {
  ASSERT_NO_FATAL_FAILURE(expect_alarm("link set p0 group 10",
                                       "p0 has link group 10 and p1 has link group 0",
                                       "link set p0 group 0"));
}

class Strangers : public ManagerTest {};

TEST_F(Strangers, F16_OnAStandbyTheyAreAnAlarmAndNeverAPartOfTheIdentity) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 dev p1"));
  ASSERT_DONE(lab().ip("host", "route add default via 192.0.2.10 dev p1 metric 101 proto dhcp"));
  EXPECT_TRUE(await("it is an alarm", [&] {
    return host().group().at("findings").dump().contains("192.0.2.77/24, route default via");
  })) << host().group().at("findings").dump();
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete");
  EXPECT_EQ(identity_on(host_netns(), "p1").addresses.front().local, before.addresses.front().local)
      << "what the host sends comes from the identity's address";
  // Whoever put it there takes it away again: nothing else goes along.
  ASSERT_DONE(lab().ip("host", "route del default via 192.0.2.10 dev p1 metric 101"));
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.77/24 dev p1"));
  EXPECT_TRUE(carries("p1", before));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 dev p1"));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(await("p0 works", [&] { return host().path("p0").at("health") == "up"; }));
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0) << host().log();
  EXPECT_TRUE(echo().reaches_every_address());
  const nlohmann::json way = ip_json(host_netns(), {"route", "get", "192.0.2.10"});
  EXPECT_EQ(way.at(0).at("dev"), "p0") << "the subnet is reached by the identity's port: " << way;
}

TEST_F(Strangers, F16_TheyStayWhereTheyAreWhenTheIdentityMovesOn) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 dev p1"));
  ASSERT_TRUE(await("it is an alarm", [&] { return !host().group().at("findings").empty(); }));
  const int routes = host().group().at("identity").at("routes");
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0) << host().log();
  // hanetd reads the interface anew, and sees it.
  ASSERT_DONE(lab().ip("host", "route add 10.1.0.0/16 via 192.0.2.10 dev p1"));
  ASSERT_TRUE(await("it is read", [&] {
    return host().group().at("identity").at("routes") == routes + 1;
  })) << host().group().at("identity");
  EXPECT_FALSE(host().group().at("identity").dump().contains("192.0.2.77"));
  // A repair reads it as well.
  ASSERT_DONE(lab().ip("host", "route del 10.1.0.0/16 via 192.0.2.10 dev p1"));
  ASSERT_TRUE(await("it is put back", [&] {
    const std::vector<nlohmann::json> there = identity_on(host_netns(), "p1").routes;
    return std::ranges::any_of(
        there, [](const nlohmann::json& route) { return route.at("dst") == "10.1.0.0/16"; });
  })) << host().log();
  EXPECT_FALSE(host().group().at("identity").dump().contains("192.0.2.77"));
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0) << host().log();
  bool stays = false;
  for (const SeenAddress& address : identity_on(host_netns(), "p1").addresses)
    stays |= address.text == "192.0.2.77/24";
  EXPECT_TRUE(stays) << "what somebody else configured is not hanet's to take";
  for (const SeenAddress& address : identity_on(host_netns(), "p0").addresses)
    EXPECT_NE(address.text, "192.0.2.77/24");
}

TEST_F(WithoutIpv6, F13_AnAddressThatAnotherHostHasStaysBehindAndIsAnAlarm) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  inside(host_netns(), [] {
    std::ofstream("/proc/sys/net/ipv6/conf/p0/accept_dad") << "1";
    std::ofstream("/proc/sys/net/ipv6/conf/p0/dad_transmits") << "1";
  });
  ASSERT_DONE(lab().ip("client", "-6 addr add 2001:db8::5/64 dev c0 nodad"));
  ASSERT_DONE(lab().ip("host", "-6 addr add 2001:db8::5/64 dev p0"));
  EXPECT_TRUE(await("it is an alarm", [&] {
    return log_has("2001:db8::5/64 on p0 is the address of another host");
  })) << host().log();
  EXPECT_TRUE(await("it is read anew",
                    [&] { return !host().group().at("identity").dump().contains("2001:db8::5"); }));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete");
  for (const SeenAddress& address : identity_on(host_netns(), "p1").addresses)
    EXPECT_NE(address.text, "2001:db8::5/64") << "it came alive";
}

}  // namespace
}  // namespace hanet::test
