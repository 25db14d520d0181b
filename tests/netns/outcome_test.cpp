// SPDX-License-Identifier: Apache-2.0
//
// How a switchover ends when it does not go by the book.
//
// A standby may refuse what it is given, and a network may want every port to keep its own MAC
// address. Whatever happens, the identity is on exactly one interface afterwards and the record
// says why (F12).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

#include "netns/lab_test.h"
#include "netns/observer.h"
#include "netns/sniffer.h"

namespace hanet::test {
namespace {

class Outcome : public LabTest {
 protected:
  /// An identity of IPv6 addresses finds no place on p1.
  void build_for_a_standby_without_ipv6() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    ASSERT_DONE(lab().ip("host", "-4 addr flush dev p0"));
    ASSERT_NO_FATAL_FAILURE(start({.family = 6, .group_keys = {}}));
    ASSERT_TRUE(all_ready());
    before = identity_on(host_netns(), "p0");
    ASSERT_FALSE(before.addresses.empty());
    const Result<std::string> forbidden = bench::run_checked(
        lab().in("host", {"sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/p1/disable_ipv6"}),
        std::chrono::seconds(5));
    ASSERT_TRUE(forbidden) << forbidden.error().message;
  }
  json first_switchover() { return host().switchovers().at(0); }

  SeenIdentity before;
};

TEST_F(Outcome, F12_AStandbyThatTakesNoAddressGivesTheIdentityBack) {
  ASSERT_NO_FATAL_FAILURE(build_for_a_standby_without_ipv6());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("a switchover was tried", [&] { return !host().switchovers().empty(); }));
  const json record = first_switchover();
  EXPECT_EQ(record.at("outcome"), "rolled back");
  EXPECT_NE(record.at("reason").get<std::string>().find("2001:db8::1/64"), std::string::npos)
      << "the reason names what is missing: " << record.at("reason");
  EXPECT_EQ(host().active(), "p0");
  // It is tried again a second later, and again: a slow machine may look in the middle of that.
  EXPECT_TRUE(await("it is whole between two attempts",
                    [&] { return carries("p0", before) && is_bare("p1", before); }))
      << carries("p0", before).message() << is_bare("p1", before).message();
  EXPECT_TRUE(await("the alarm is raised",
                    [&] { return host().log().find("NO WORKING PATH") != std::string::npos; }));

  EXPECT_EQ(host().log().find("was given to"), std::string::npos) << "hanet accuses nobody of it";

  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(echo().reaches("2001:db8::1")) << "it works again where it was";
}

// While it moves, the old port's frames leave by the new one.
TEST_F(Outcome, F12_F5_AnIdentityThatWasGivenBackIsAnnouncedWhereItIs) {
  ASSERT_NO_FATAL_FAILURE(build_for_a_standby_without_ipv6());
  const Sniffer cable(lab().netns("mid"), "host-p0");
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 1);
  EXPECT_EQ(first_switchover().at("outcome"), "rolled back");
  EXPECT_TRUE(await("the announcements", [&] {
    return cable.count([&](const SeenFrame& frame) {
      return frame.is_announcement() && frame.announced() == "2001:db8::1" &&
             frame.announced_mac() == before.mac;
    }) > 0;
  }));
}

TEST_F(Outcome, F12_AnObserverNeverSeesTheIdentityOnTwoInterfacesThatAreUp) {
  for (const char* mode : {"hot", "cold"}) {
    SCOPED_TRACE(mode);
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = mode, .group_keys = {}}));
    Observer observer(host_netns());
    ASSERT_DONE(lab().fault("carrier"));
    ASSERT_TRUE(all_on("p1"));
    ASSERT_DONE(lab().heal());
    EXPECT_TRUE(await("the switch back is allowed", [&] {
      return host().ctl({"switch", "mether0", "--to", "p0"}).exit_code == 0;
    }));
    EXPECT_THAT(observer.violations(), testing::IsEmpty());
    TearDown();
  }
}

// Which of the two paths has its verdict first is chance, so there are several rounds. When the
// target is back, the first path that recovers is used.
TEST_F(Outcome, M6_F11_ATargetThatDiesMovesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  for (int round = 0; round < 5; ++round) {
    const std::size_t before_it_died = host().switchovers().size();
    ASSERT_DONE(lab().ip("client", "link set c0 down"));
    for (const char* port : {"p0", "p1"})
      ASSERT_TRUE(await(fmt::format("{} is down", port),
                        [&] { return host().path(port).at("health") == "down"; }));
    EXPECT_EQ(host().switchovers().size(), before_it_died) << host().log();
    ASSERT_DONE(lab().ip("client", "link set c0 up"));
    ASSERT_TRUE(all_ready());
  }
}

TEST_F(Outcome, F2_AMacAddressThatSomebodySetsMeanwhileMovesToo) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "link set p0 address 02:bb:00:00:00:07"));
  ASSERT_TRUE(await("the snapshot follows", [&] {
    return host().group().at("identity").dump().contains("02:bb:00:00:00:07");
  }));
  before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Outcome, F2_WithMoveMacOffEveryPortKeepsItsOwnAddress) {
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Switch, {.group_keys = "move_mac = false\nannounce_count = 3\n"}));
  before = identity_on(host_netns(), "p0");
  const net::MacAddress standby_mac = identity_on(host_netns(), "p1").mac;
  ASSERT_NE(before.mac, standby_mac);

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  SeenIdentity there = before;
  there.mac = standby_mac;
  EXPECT_TRUE(carries("p1", there));
  EXPECT_EQ(identity_on(host_netns(), "p0").mac, before.mac);
  EXPECT_TRUE(echo().reaches_every_address()) << "the client was told the new MAC address";
  EXPECT_EQ(first_switchover().at("outcome"), "complete") << first_switchover().dump(2);

  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0);
  EXPECT_TRUE(carries("p0", before));
  EXPECT_EQ(identity_on(host_netns(), "p1").mac, standby_mac);
  EXPECT_TRUE(echo().reaches_every_address());
}

// Both nodes' times are of one clock.
TEST_F(Outcome, F8_NeitherEndMovesItsIdentityBeforeTheOtherHasItsVerdict) {
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Crossover, {.interval_us = 10000, .multiplier = 3, .group_keys = {}}));
  ASSERT_DONE(lab().fault("carrier"));  // one end after the other
  ASSERT_TRUE(all_on("p1"));
  double last_verdict = 0;
  double first_move = 0;
  for (const auto& daemon : daemons()) {
    ASSERT_EQ(daemon->switchovers().size(), 1U);
    const json record = daemon->switchovers().at(0);
    EXPECT_EQ(record.at("steered_in_kernel"), true) << record.dump(2);
    const double verdict = record.at("verdict_ns").get<double>() / 1000;
    const double move = verdict + record.at("bridged_us").get<double>();
    last_verdict = std::max(last_verdict, verdict);
    if (first_move == 0 || move < first_move) first_move = move;
  }
  EXPECT_LT(last_verdict, first_move);
  EXPECT_TRUE(echo().reaches_every_address());
}

}  // namespace
}  // namespace hanet::test
