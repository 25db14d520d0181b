// SPDX-License-Identifier: Apache-2.0
//
// VLANs move with their port, and the network learns it on every one of them (F5, F2).
//
// Routers and database hosts have one cable and many networks on it. Whatever is on a VLAN of the
// failed port has to be on the VLAN with the same tag of the standby afterwards, field by field,
// and reachable from the far end through the same VLAN. A VLAN that has no twin can not move: that
// is told while nothing has failed, and what is on it stays where it is instead of getting lost.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "netns/lab_test.h"
#include "netns/recorder.h"
#include "netns/sniffer.h"

namespace hanet::test {
namespace {

const std::vector<Conversation> kThroughVlans{
    {"host", "10.5.0.1", "client", "10.5.0.10"},
    {"host", "10.5.0.101", "client", "10.5.0.10"},
    {"host", "2001:db8:5::1", "client", "2001:db8:5::10"},
    {"host", "10.7.0.1", "client", "10.7.0.10"},
    {"host", "192.0.2.1", "client", "192.0.2.10"},
};

// What belongs to VLANs 5 and 7, and a VLAN without an address.
const std::vector<std::string> kWealth{
    "addr add 10.5.0.1/24 brd + dev p0.5",
    "addr add 10.5.0.101/24 brd + dev p0.5 label p0.5:v",
    "-6 addr add 2001:db8:5::1/64 dev p0.5 nodad",
    "addr add 10.7.0.1/24 dev p0.7",
    "route add 10.55.0.0/16 via 10.5.0.10 dev p0.5",
    "route add 10.56.0.0/16 nexthop via 10.5.0.10 dev p0.5 nexthop via 10.7.0.10 dev p0.7",
    "route add 10.57.0.0/16 via 192.0.2.10 dev p0 src 10.5.0.101",
    "-6 route add 2001:db8:55::/48 via 2001:db8:5::10 dev p0.5",
    "route add default via 10.7.0.10 dev p0.7 table 100",
    "route add 10.58.0.0/16 dev p0.9",
    "rule add iif p0.7 table 100 priority 1000",
    "neigh add 10.5.0.77 lladdr 02:77:00:00:00:01 dev p0.5 nud permanent",
};

// A card that has just been enabled, with its VLANs, may answer late.
const std::string kPatient = "delay_ms = 1000\n";

class Vlans : public LabTest {
 protected:
  /// A VLAN on a port of a node, up. False: this kernel has none.
  bool add_vlan(const std::string& node, const std::string& port, int id) {
    return lab()
               .ip(node, fmt::format("link add link {0} name {0}.{1} type vlan id {1}", port, id))
               .has_value() &&
           lab().ip(node, fmt::format("link set {}.{} up", port, id)).has_value();
  }
  void build_with_vlans() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    if (!add_vlan("host", "p0", 5)) GTEST_SKIP() << "skipped: kernel has no VLAN driver";
    for (const auto& [port, id] : {std::pair{"p0", 7}, {"p0", 9}, {"p1", 7}, {"p1", 9}, {"p1", 5}})
      ASSERT_TRUE(add_vlan("host", port, id));
    for (const int id : {5, 7}) ASSERT_TRUE(add_vlan("client", "c0", id));
    for (const std::string& command : kWealth) ASSERT_DONE(lab().ip("host", command));
    for (const char* address : {"10.5.0.10/24 dev c0.5", "10.7.0.10/24 dev c0.7"})
      ASSERT_DONE(lab().ip("client", std::string("addr add ") + address));
    ASSERT_DONE(lab().ip("client", "-6 addr add 2001:db8:5::10/64 dev c0.5 nodad"));
  }
  void bring_up_with_vlans(const Settings& settings = {}) {
    ASSERT_NO_FATAL_FAILURE(build_with_vlans());
    if (IsSkipped()) return;
    ASSERT_NO_FATAL_FAILURE(start(settings));
    ASSERT_TRUE(all_ready());
    through_ = std::make_unique<Echo>(lab(), kThroughVlans);
    ASSERT_TRUE(through_->reaches_every_address());
  }
  testing::AssertionResult told(const std::string& text) {
    return await("the log says '" + text + "'", [&] { return host().log().contains(text); });
  }
  void TearDown() override {
    through_.reset();
    LabTest::TearDown();
  }

  std::unique_ptr<Echo> through_;
};

struct Way {
  const char* name;
  const char* fault;
  const char* mode;
};

class VlansMove : public Vlans, public testing::WithParamInterface<Way> {};

TEST_P(VlansMove, F2_F3_F4_F5_WithAllThatIsOnThemAndBackAgain) {
  const Way way = GetParam();
  const std::string mode = way.mode;
  std::string keys = mode == "warm" ? kWarmDummy : "";
  if (mode != "hot") keys = kPatient + keys;
  ASSERT_NO_FATAL_FAILURE(bring_up_with_vlans({.mode = mode, .group_keys = keys}));
  if (IsSkipped()) return;
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_EQ(before.vlans.size(), 3U);
  const json shown = host().group().at("identity").at("vlans");
  ASSERT_EQ(shown.size(), 3U);
  EXPECT_EQ(shown.at(0).at("interface"), "p0.5");
  EXPECT_EQ(shown.at(0).at("id"), 5);
  EXPECT_EQ(shown.at(0).at("protocol"), "8100");
  EXPECT_EQ(shown.at(0).at("addresses").at(0), "10.5.0.1/24");
  ASSERT_DONE(lab().fault(way.fault));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(through_->reaches_every_address());
  EXPECT_TRUE(carries("p1", before));
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete");
  if (mode == "warm") {
    EXPECT_TRUE(wears_dummy("p0"));
  } else {
    EXPECT_TRUE(is_bare("p0", before));
  }

  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0);
  EXPECT_TRUE(through_->reaches_every_address());
  EXPECT_TRUE(carries("p0", before));
}

INSTANTIATE_TEST_SUITE_P(By, VlansMove,
                         testing::Values(Way{"BlackholeHot", "blackhole", "hot"},
                                         Way{"CarrierHot", "carrier", "hot"},
                                         Way{"CarrierCold", "carrier", "cold"},
                                         Way{"BlackholeWarm", "blackhole", "warm"}),
                         [](const auto& cell) { return std::string(cell.param.name); });

constexpr std::size_t kCount = 4;
constexpr std::uint64_t kSilenceBeats = 300;  // several gaps, told by hanetd's own heartbeats

class VlanAnnouncements : public Vlans, public testing::WithParamInterface<const char*> {
 protected:
  [[nodiscard]] bool is_hot() const { return GetParam() == std::string("hot"); }
  void move_to(const std::string& port) {
    if (port == "p1") {
      ASSERT_DONE(lab().fault("blackhole"));
    } else {
      ASSERT_DONE(lab().heal());
      ASSERT_TRUE(all_ready());
      ASSERT_EQ(host().ctl({"switch", "mether0", "--to", port}).exit_code, 0);
    }
    ASSERT_TRUE(all_on(port));
  }
  static std::size_t announced(const Sniffer& wire) {
    return wire.count([](const SeenFrame& frame) { return frame.is_announcement(); });
  }
  static std::size_t announced(const Sniffer& wire, const std::string& address,
                               const net::MacAddress& mac) {
    return wire.count([&](const SeenFrame& frame) {
      return frame.is_announcement() && frame.announced() == address &&
             frame.announced_mac() == mac;
    });
  }
  /// As often as configured. A card that has just been enabled may lose the first ones, and a move
  /// that needs a second attempt announces again (failover/execute.cpp): Linux 6.1 does, on the way
  /// back, because a VLAN whose MAC address was set once does not follow its port any more.
  [[nodiscard]] testing::Matcher<std::size_t> often_enough(std::size_t addresses) const {
    if (is_hot()) return testing::Eq(kCount * addresses);
    return testing::AllOf(testing::Ge(addresses), testing::Le((kCount + 1) * addresses));
  }
};

TEST_P(VlanAnnouncements, F5_EveryAddressIsAnnouncedOnItsOwnVlanAsOftenAsConfiguredBothWays) {
  const std::string keys = fmt::format("announce_count = {}\nannounce_gap_ms = 30\n", kCount);
  ASSERT_NO_FATAL_FAILURE(
      bring_up_with_vlans({.mode = GetParam(), .group_keys = is_hot() ? keys : kPatient + keys}));
  if (IsSkipped()) return;
  const net::MacAddress mac = identity_on(host_netns(), "p0").mac;
  for (const std::string port : {"p1", "p0"}) {
    SCOPED_TRACE("on the way to " + port);
    const Sniffer five(lab().netns("client"), "c0.5");
    const Sniffer seven(lab().netns("client"), "c0.7");
    ASSERT_NO_FATAL_FAILURE(move_to(port));
    // VLAN 5 has three addresses and the link-local one that the kernel made, VLAN 7 one and that.
    EXPECT_TRUE(await("all announcements", [&] {
      return often_enough(4).Matches(announced(five)) && often_enough(2).Matches(announced(seven));
    }));
    ASSERT_TRUE(await(
        "further heartbeats", [&, seen = host().session(port).at("received").get<std::uint64_t>()] {
          return host().session(port).at("received").get<std::uint64_t>() >= seen + kSilenceBeats;
        }));
    for (const char* address : {"10.5.0.1", "10.5.0.101", "2001:db8:5::1"})
      EXPECT_THAT(announced(five, address, mac), often_enough(1)) << address;
    EXPECT_THAT(announced(seven, "10.7.0.1", mac), often_enough(1));
    EXPECT_THAT(announced(five), often_enough(4)) << "something else was announced";
    EXPECT_THAT(announced(seven), often_enough(2)) << "something else was announced";
  }
}

INSTANTIATE_TEST_SUITE_P(InMode, VlanAnnouncements, testing::Values("hot", "cold"),
                         [](const auto& cell) {
                           return std::string(cell.param == std::string("hot") ? "Hot" : "Cold");
                         });

TEST_F(Vlans, F5_O3_OneThatTheOtherPortHasNotIsAnAlarmUntilItHas) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!add_vlan("host", "p0", 5)) GTEST_SKIP() << "skipped: kernel has no VLAN driver";
  EXPECT_TRUE(
      told("p0 has the vlan 'p0.5' and p1 has none with its tag, so hanet would leave "
           "it behind at a switchover; make one: ip link add link p1 name p1.5 type vlan "
           "id 5"));
  EXPECT_EQ(
      host().group().at("left_behind"),
      json::array({{{"port", "p0"}, {"name", "p0.5"}, {"kind", "vlan"}, {"is_master", false}}}));
  ASSERT_TRUE(add_vlan("host", "p1", 5));
  EXPECT_TRUE(told("the vlan 'p0.5' moves with the identity now"));
  EXPECT_EQ(host().group().at("left_behind"), json::array());
  EXPECT_EQ(sysctl(host_netns(), "ipv4/conf/p1.5/arp_ignore"), "1") << "it does not wait";

  ASSERT_DONE(lab().ip("host", "addr add 10.5.0.1/24 dev p0.5"));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
}

TEST_F(Vlans, F13_AnotherMtuOfATwinIsAnAlarmUntilItAgrees) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_vlans());
  if (IsSkipped()) return;
  EXPECT_TRUE(host().group().at("findings").empty()) << "the witness: nothing differs yet";
  ASSERT_DONE(lab().ip("host", "link set p1.5 mtu 1400"));
  const std::string text = "p0.5 has an MTU of 1500 and p1.5 has an MTU of 1400";
  EXPECT_TRUE(await("it is an alarm", [&] {
    return host().group().at("findings").dump().contains(text);
  })) << host().log();
  ASSERT_DONE(lab().ip("host", "link set p1.5 mtu 1500"));
  EXPECT_TRUE(await("the alarm ends", [&] { return host().group().at("findings").empty(); }));
}

TEST_F(Vlans, F5_WhatIsOnAVlanWithoutATwinStaysWhereItIs) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_vlans());
  if (IsSkipped()) return;
  ASSERT_DONE(lab().ip("host", "link del p1.7"));
  EXPECT_TRUE(told("p0 has the vlan 'p0.7' and p1 has none with its tag"));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  const SeenIdentity left = identity_on(host_netns(), "p0");
  const SeenIdentity moved = identity_on(host_netns(), "p1");
  const auto count = [](const SeenIdentity& identity, int id) {
    return std::ranges::count(identity.addresses, static_cast<unsigned>(id), &SeenAddress::vlan);
  };
  EXPECT_EQ(count(left, 7), count(before, 7));
  EXPECT_EQ(count(moved, 5), count(before, 5));
  EXPECT_EQ(count(left, 5), 0);
  for (const SeenAddress& address : moved.addresses)
    EXPECT_NE(address.text, "10.7.0.1/24") << "it has no place there";
  EXPECT_TRUE(through_->reaches("10.5.0.1"));
}

TEST_F(Vlans, F5_NoOtherPortsVlanSaysThatAnAddressIsAtItsMacAddress) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_vlans());
  if (IsSkipped()) return;
  const net::MacAddress mac = identity_on(host_netns(), "p0").mac;
  const Ask ask{.vlan = ".5", .source = "10.5.0.1", .target = "10.5.0.10"};
  expect_muted("p1", ask, mac);
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_TRUE(all_on("p1"));
  expect_muted("p0", ask, mac);
}

// The kernel leaves a VLAN's address alone once somebody has set it, even to the same.
TEST_F(Vlans, F2_OneWhoseMacAddressSomebodyHasSetGetsTheIdentitysAllTheSame) {
  ASSERT_NO_FATAL_FAILURE(build_with_vlans());
  if (IsSkipped()) return;
  for (const char* port : {"p0", "p1"})
    ASSERT_DONE(lab().ip("host", fmt::format("link set {}.5 address {}", port,
                                             net::to_text(link_of(host_netns(), port).mac))));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(link_of(host_netns(), "p1.5").mac, before.mac);
  EXPECT_NE(link_of(host_netns(), "p0.5").mac, before.mac);
  EXPECT_TRUE(carries("p1", before));
}

TEST_F(Vlans, F3_WhatWasOnTheVlansOfACardThatIsGoneMovesAsItWasLastSeen) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_vlans());
  if (IsSkipped()) return;
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().ip("host", "link del p0"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(through_->reaches_every_address());
  // It took its VLANs along, which is nothing to tell of.
  ASSERT_TRUE(told("path p0 is down"));
  ASSERT_TRUE(
      await("VLANs are reviewed", [&] { return host().group().at("left_behind").empty(); }));
  for (const char* nonsense : {"has none with its tag", "moves with the identity now"})
    EXPECT_FALSE(host().log().contains(nonsense)) << host().log();
}

TEST_F(Vlans, F6_D7_OneWhoseMacAddressSomebodyHasSetWaitsLikeItsPort) {
  ASSERT_NO_FATAL_FAILURE(build_with_vlans());
  if (IsSkipped()) return;
  const std::string own = net::to_text(link_of(host_netns(), "p1").mac);
  ASSERT_DONE(lab().ip("host", "link set p1.5 address " + own));
  ASSERT_NO_FATAL_FAILURE(start({.mode = "warm", .group_keys = kWarmDummy}));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(net::to_text(link_of(host_netns(), "p1.5").mac), "02:dd:00:00:00:01");
  EXPECT_EQ(host().stop(), 0);
  EXPECT_EQ(net::to_text(link_of(host_netns(), "p1.5").mac), own);
  host().start();
  ASSERT_TRUE(all_ready());
  host().kill();
  host().start();
  EXPECT_TRUE(all_ready()) << "not refused for the address that it gave";
}

TEST_F(Vlans, F3_ARestartAfterAFailoverChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_vlans());
  if (IsSkipped()) return;
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_DONE(lab().heal());
  host().kill();
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(is_bare("p0", before));
  EXPECT_TRUE(through_->reaches_every_address());
}

// The VLANs of the two ports were made in another order, and nothing may depend on it.
TEST_F(Vlans, F3_F12_WhatAnotherProgramDoesToAVlanIsPutRightAndNothingElseIsTouched) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_vlans());
  if (IsSkipped()) return;
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(carries("p1", before));
  Recorder recorder(host_netns());
  ASSERT_DONE(lab().ip("host", "addr del 10.7.0.1/24 dev p1.7"));
  EXPECT_TRUE(told("10.7.0.1/24 was removed from p1.7 by "));
  EXPECT_TRUE(await("it is back", [&] { return bool{carries("p1", before)}; }));
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p1"));
  EXPECT_TRUE(told("192.0.2.101/24 was removed from p1 by "));
  EXPECT_TRUE(await("it is back", [&] { return bool{carries("p1", before)}; }));
  ASSERT_DONE(lab().ip("host", "addr add 10.5.0.1/24 dev p0.5"));
  EXPECT_TRUE(told("10.5.0.1/24 was given to p0.5 by "));
  EXPECT_TRUE(await("p0 is bare", [&] { return bool{is_bare("p0", before)}; }));
  EXPECT_TRUE(carries("p1", before));
  const std::vector<std::string> removals = recorder.lines([](const nlmsghdr& message) {
    return message.nlmsg_type == RTM_DELADDR ? std::string("an address") : std::string();
  });
  EXPECT_EQ(removals.size(), 3U) << "of p1.7, p1 and p0.5";
}

TEST_F(Vlans, O1_AnOrderlyEndPutsTheSettingsOfAWaitingVlanBack) {
  ASSERT_NO_FATAL_FAILURE(build_with_vlans());
  if (IsSkipped()) return;
  const std::string before = sysctl(host_netns(), "ipv4/conf/p1.5/arp_ignore");
  const std::size_t link_local = identity_on(host_netns(), "p1").addresses.size();
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  EXPECT_NE(sysctl(host_netns(), "ipv4/conf/p1.5/arp_ignore"), before);
  EXPECT_TRUE(identity_on(host_netns(), "p1").addresses.empty());
  host().stop();
  EXPECT_EQ(sysctl(host_netns(), "ipv4/conf/p1.5/arp_ignore"), before);
  EXPECT_EQ(identity_on(host_netns(), "p1").addresses.size(), link_local);
}

}  // namespace
}  // namespace hanet::test
