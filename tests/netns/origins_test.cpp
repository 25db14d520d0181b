// SPDX-License-Identifier: Apache-2.0
//
// What hanet leaves: every setting, route and address is as it was before the first start, but
// where the identity is (spec F17), whatever happened in between; and settings go where the
// identity goes (F13).
//
// A host is looked at with `ip -d -j` and /proc before hanetd has ever run, and after it has ended.
#include <fmt/format.h>

#include <fstream>
#include <random>

#include "netns/manager.h"

namespace hanet::test {
namespace {

class Origins : public ManagerTest {
 protected:
  void SetUp() override {
    ManagerTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  }
  void set(const std::string& file, const std::string& value) {
    inside(host_netns(), [&] { std::ofstream("/proc/sys/net/" + file) << value; });
    ASSERT_EQ(sysctl(host_netns(), file), value) << file;
  }
  SeenSettings settings_of(const std::string& port) { return settings_on(host_netns(), port); }
  void start_again() {
    host().start();
    ASSERT_TRUE(all_ready());
  }
  void switch_to(const std::string& port) {
    ASSERT_EQ(host().ctl({"switch", "mether0", "--to", port}).exit_code, 0) << host().log();
    ASSERT_EQ(host().active(), port);
  }
  /// Both ports, as they are while hanetd does not run.
  struct Host {
    SeenSettings p0, p1;
  };
  void expect_as_before(const Host& before, const std::string& identity_on) {
    const bool at_home = identity_on == "p0";
    EXPECT_EQ(differences(before.p0, settings_of(identity_on)), std::vector<std::string>{})
        << "the identity's on " << identity_on;
    // The port without the identity, as it was itself.
    EXPECT_EQ(differences(at_home ? before.p1 : before.p0, settings_of(at_home ? "p1" : "p0")),
              std::vector<std::string>{})
        << "of the other one";
  }
  Host look() { return {.p0 = settings_of("p0"), .p1 = settings_of("p1")}; }
  /// Another value of many settings of p0, and of some of p1.
  void make_them_differ() {
    for (const auto& [name, value] : SeenSettings{{"ipv4/conf/p0/forwarding", "1"},
                                                  {"ipv6/conf/p0/forwarding", "1"},
                                                  {"ipv6/conf/p0/accept_ra", "2"},
                                                  {"ipv4/conf/p0/proxy_arp", "1"},
                                                  {"ipv4/conf/p0/rp_filter", "2"},
                                                  {"ipv4/conf/p0/send_redirects", "0"},
                                                  {"ipv4/conf/p0/accept_local", "1"},
                                                  {"ipv4/conf/p0/route_localnet", "1"},
                                                  {"ipv4/conf/p0/arp_accept", "1"},
                                                  {"ipv4/conf/p0/arp_announce", "2"},
                                                  {"ipv4/conf/p0/promote_secondaries", "1"},
                                                  {"ipv4/neigh/p0/base_reachable_time_ms", "45000"},
                                                  {"ipv6/conf/p0/mtu", "1400"},
                                                  {"ipv6/conf/p0/hop_limit", "33"},
                                                  {"ipv6/conf/p0/proxy_ndp", "1"},
                                                  {"ipv6/conf/p0/use_tempaddr", "2"},
                                                  {"ipv4/conf/p1/log_martians", "1"},
                                                  {"ipv4/conf/p1/arp_ignore", "2"}})
      ASSERT_NO_FATAL_FAILURE(set(name, value));
  }
};

TEST_F(Origins, O1_ARestartAfterASwitchoverChangesNoSettingOfEitherPort) {
  ASSERT_NO_FATAL_FAILURE(make_them_differ());
  const Host before = look();
  start({});
  ASSERT_TRUE(all_ready());
  switch_to("p1");
  const Host running = look();
  ASSERT_NE(differences(before.p0, running.p0), std::vector<std::string>{}) << "nothing moved";
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(host().stop(), 0);
    start_again();
    EXPECT_EQ(differences(running.p1, settings_of("p1")), std::vector<std::string>{});
    EXPECT_EQ(differences(running.p0, settings_of("p0")), std::vector<std::string>{});
  }
  ASSERT_EQ(host().stop(), 0);
  expect_as_before(before, "p1");
}

TEST_F(Origins, F13_TheSettingsOfAPortMoveWithTheIdentityAndBack) {
  ASSERT_NO_FATAL_FAILURE(make_them_differ());
  const Host before = look();
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(await("all of them moved", [&] {
    return differences(before.p0, settings_of("p1")).empty();
  })) << fmt::format("{}", fmt::join(differences(before.p0, settings_of("p1")), "; "));
  EXPECT_EQ(sysctl(host_netns(), "ipv4/conf/p0/proxy_arp"), "0")
      << "who waits answers for nobody, as the other one did";
  // What a person changes meanwhile is the identity's.
  ASSERT_NO_FATAL_FAILURE(set("ipv4/conf/p1/rp_filter", "1"));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(switch_to("p0"));
  EXPECT_TRUE(await("they are back",
                    [&] { return sysctl(host_netns(), "ipv4/conf/p0/rp_filter") == "1"; }));
  EXPECT_EQ(host().stop(), 0);
  EXPECT_EQ(differences(before.p0, settings_of("p0")),
            (std::vector<std::string>{"ipv4/conf/rp_filter: 1 instead of 2"}));
  EXPECT_EQ(differences(before.p1, settings_of("p1")), std::vector<std::string>{});
}

TEST_F(Origins, F17_AfterStartSwitchStopInAnyOrderEachPortIsAsItWasBeforeTheFirstStart) {
  ASSERT_NO_FATAL_FAILURE(make_them_differ());
  const Host before = look();
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(switch_to("p1"));
  EXPECT_EQ(host().stop(), 0);
  expect_as_before(before, "p1");
  ASSERT_NO_FATAL_FAILURE(start_again());
  ASSERT_NO_FATAL_FAILURE(switch_to("p0"));
  EXPECT_EQ(host().stop(), 0);
  expect_as_before(before, "p0");
  ASSERT_NO_FATAL_FAILURE(start_again());
  host().kill();
  ASSERT_NO_FATAL_FAILURE(start_again());
  ASSERT_NO_FATAL_FAILURE(switch_to("p1"));
  EXPECT_EQ(host().stop(), 0);
  expect_as_before(before, "p1");
}

TEST_F(Origins, F17_TheLinkLocalAddressAndStateOfAStandbySurviveAKill) {
  ASSERT_DONE(lab().ip("host", "-6 addr add fe80::77/64 dev p1 nodad"));
  const SeenIdentity p1 = identity_on(host_netns(), "p1");
  ASSERT_FALSE(p1.addresses.empty()) << "the witness: a link-local address";
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_TRUE(identity_on(host_netns(), "p1").addresses.empty());
  host().kill();
  ASSERT_NO_FATAL_FAILURE(start_again());
  EXPECT_EQ(host().stop(), 0);
  EXPECT_EQ(identity_on(host_netns(), "p1").addresses.size(), p1.addresses.size());
}

TEST_F(Origins, F17_APortThatWasRenamedHasItsOwnSettingsBack) {
  ASSERT_NO_FATAL_FAILURE(make_them_differ());
  const Host before = look();
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().ip("host", "link set p1 name q1"));
  ASSERT_TRUE(await("hanetd knows the name", [&] { return host().log().contains("q1"); }));
  EXPECT_EQ(sysctl(host_netns(), "ipv6/conf/q1/accept_ra"), "0") << "the witness: it waits";
  EXPECT_EQ(host().stop(), 0);
  EXPECT_EQ(differences(before.p1, settings_of("q1")), std::vector<std::string>{});
}

// As a hanetd that is killed within a second of a move leaves them.
TEST_F(Origins, F17_HelperRoutesOfAnEarlierHanetdGoAtTheStart) {
  ASSERT_DONE(lab().ip("host", "-6 route add local 2001:db8::77 dev p0 table local proto 104"));
  ASSERT_DONE(lab().ip("host", "-6 route add local 2001:db8::79 dev p1 table local proto 104"));
  ASSERT_DONE(lab().ip("host", "-6 route add local 2001:db8::78 dev lo table local proto 104"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const Result<std::string> left = bench::run_checked(
      lab().in("host", {"ip", "-6", "route", "show", "table", "local", "proto", "104"}),
      std::chrono::seconds(5));
  ASSERT_TRUE(left);
  EXPECT_FALSE(left->contains("2001:db8::77")) << *left;
  EXPECT_FALSE(left->contains("2001:db8::79")) << *left;
  EXPECT_TRUE(left->contains("2001:db8::78")) << "what is on no port of a group is left alone";
}

class RandomOrders : public Origins, public testing::WithParamInterface<unsigned> {};

// The whole run of 200 orders: --gtest_repeat with HANET_TEST_SEED (tests/README.md).
TEST_P(RandomOrders, F17_AnyOrderOfStartsSwitchesStopsAndKillsLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(make_them_differ());
  const Host before = look();
  const SeenIdentity identity = identity_on(host_netns(), "p0");
  const char* given = std::getenv("HANET_TEST_SEED");
  std::mt19937 random(GetParam() + (given == nullptr ? 0 : 1000 * std::stoul(given)));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  std::string did = "start";
  for (int step = 0; step < 6; ++step) {
    SCOPED_TRACE(did);
    const auto chosen = random() % 3;
    if (chosen == 0) {
      const std::string to = host().active() == "p0" ? "p1" : "p0";
      did += ", switch to " + to;
      ASSERT_NO_FATAL_FAILURE(switch_to(to));
      continue;
    }
    const std::string active = host().active();
    if (chosen == 1) {
      did += ", stop";
      EXPECT_EQ(host().stop(), 0);
      expect_as_before(before, active);
    } else {
      did += ", kill";
      host().kill();
    }
    did += ", start";
    ASSERT_NO_FATAL_FAILURE(start_again());
    ASSERT_EQ(host().active(), active);
  }
  SCOPED_TRACE(did);
  const std::string active = host().active();
  EXPECT_EQ(host().stop(), 0);
  expect_as_before(before, active);
  EXPECT_TRUE(carries(active, identity));
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomOrders, testing::Range(0U, 4U));

}  // namespace
}  // namespace hanet::test
