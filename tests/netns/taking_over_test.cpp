// SPDX-License-Identifier: Apache-2.0
//
// Who starts after a kill, or for an upgrade, takes the kernel side over (D7, O7): nothing is
// unwatched until then, nothing that was known is lost, and one kernel side is left.
#include "netns/taking_over.h"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "netns/sniffer.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(TakingOver, D7_UntilTheNextHanetdTakesOverASilentCutIsFoundAndBridged) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  ASSERT_TRUE(freeze_before_it_takes_over());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("the kernel bridges", [&] { return mode_of("p0") == HANET_STEER_BRIDGE_OUT; }));
  EXPECT_TRUE(echo().reaches_every_address())
      << steer_of("p0").redirected_out << " sent by p1, " << steer_of("p0").redirected_in
      << " taken in there; " << shown({"ip", "-s", "link"}) << shown({"ip", "neigh"});
  EXPECT_TRUE(host().frozen() && carries("p0", before)) << "the witness: nothing has moved";
  const std::uint64_t verdict_ns =
      host().pinned<hanet_session>("sessions", port_of("p0").session).verdict_ns;
  host().thaw();
  ASSERT_TRUE(await("hanetd answers", [&] { return !host().ask({"status"}).is_null(); }));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_EQ(host().pinned<hanet_session>("sessions", port_of("p0").session).verdict_ns, verdict_ns)
      << "the verdict that was there, and not a second one";
  EXPECT_THAT(host().log(), HasSubstr("hanetd: took over from a hanetd that was seen"));
  EXPECT_THAT(host().log(), HasSubstr("p0 was found down"));
  EXPECT_FALSE(host().switchovers().at(0).at("heartbeats").empty()) << "of before the start (O4)";
  EXPECT_TRUE(await("only the new programs are there", [&] { return has_one_at_each_hook(); }));
  expect_one_program_at_each_hook();
}

TEST_F(TakingOver, D7_AStartThatFailsLeavesTheOldKernelSideWatching) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  const std::uint64_t old_pin = pin_of_sessions();
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 dev p1"));
  host().start();
  ASSERT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
  EXPECT_THAT(host().log(), HasSubstr("standby p1 has the address 192.0.2.77/24"));
  EXPECT_EQ(pin_of_sessions(), old_pin);
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.77/24 dev p1"));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  expect_one_program_at_each_hook();
}

TEST_F(TakingOver, D7_WhatTheKernelSideKnewOfAPathThatWorksGoesOn) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  const auto session = [&](const std::string& port) {
    return host().pinned<hanet_session>("sessions", port_of(port).session);
  };
  const hanet_session old_primary = session("p0"), old_standby = session("p1");
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return !host().ask({"status"}).is_null(); }));
  ASSERT_NE(session("p0").id, old_primary.id) << "the witness: they are new ones";
  EXPECT_EQ(session("p0").state_since_ns, old_primary.state_since_ns);
  EXPECT_EQ(session("p1").state_since_ns, old_standby.state_since_ns);
  EXPECT_FALSE(host().log().contains("path-unknown"));
  EXPECT_TRUE(host().ready()) << "it needs no proof";
}

TEST_F(TakingOver, D7_WhatAnotherVersionLeftIsNotTakenForOurs) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  auto accounts = host().pinned<hanet_engine>("engine", 0);
  ASSERT_EQ(std::exchange(accounts.abi, 0xffff), HANET_ABI);
  ASSERT_TRUE(host().write_pinned("engine", 0, accounts));
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_THAT(host().log(), HasSubstr("a killed hanetd of another version"));
  EXPECT_THAT(host().log(), Not(HasSubstr("took over")));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
}

TEST_F(TakingOver, D7_O7_AHanetdThatIsToLeaveForAnotherTakesNothingOff) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  before = identity_on(host_netns(), "p0");
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  ASSERT_EQ(::kill(host().pid(), SIGUSR2), 0);
  ASSERT_TRUE(await("it has ended", [&] { return is_killed(); }));
  EXPECT_THAT(host().log(), HasSubstr("leaving: the kernel side goes on"));
  expect_one_program_at_each_hook();
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return !host().ask({"status"}).is_null(); }));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().stop(), 0);
  expect_nothing_left();
}

// Where something was sent by the other path just before, a switch may believe that the identity is
// there, and a host that says nothing by itself is not found until it does.
TEST_F(TakingOver, D7_F5_WhoTakesOverBehindABridgeAnnouncesTheIdentity) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  const Sniffer wire(lab().netns("client"), "c0");
  const auto announcements = [&] {
    return wire.count([&](const SeenFrame& frame) {
      return frame.is_announcement() && frame.source == before.mac;
    });
  };
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(await("not bridged", [&] { return mode_of("p0") == HANET_STEER_NONE; }));
  EXPECT_EQ(announcements(), 0U) << "the witness: nobody else does";
  host().start();
  EXPECT_TRUE(await("it is announced", [&] { return announcements() > 0; }));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(host().switchovers().empty());
}

// Both programs are at each hook at that moment, and one of them steers.
TEST_F(TakingOver, D7_WhatTheKernelSideBridgesGoesOnWithoutALostPacket) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill({.interval_us = 10'000}));
  if (IsSkipped()) return;
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  expect_bridged_across_a_takeover();
}

// What watches and bridges is the second one's kernel side by then, although the first one's
// programs are there as well.
TEST_F(TakingOver, D7_AKillBetweenTakingOverAndTheEndOfTheOldProgramsLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill({.interval_us = 10'000}));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(kill_while_both_are_there());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  expect_bridged_across_a_takeover();
  EXPECT_TRUE(await("only the new programs are there", [&] { return has_one_at_each_hook(); }));
  expect_one_program_at_each_hook();
}

/// Kills at random moments: while all is well, between a cut and its verdict, in the middle of a
/// move, and of a start.
class RandomKills : public TakingOver {
 protected:
  void sleep_up_to(std::chrono::milliseconds limit) {
    std::uniform_int_distribution<std::int64_t> microseconds(0, limit.count() * 1000);
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds(random_)));
  }
  bool chance() { return std::bernoulli_distribution(0.5)(random_); }
  /// What an uninterrupted run would have led to, and nothing besides.
  void expect_outcome(bool cut, const std::string& from, const std::string& to) {
    ASSERT_TRUE(await("hanetd answers", [&] { return !host().ask({"status"}).is_null(); }));
    ASSERT_TRUE(all_on(cut ? to : from));
    EXPECT_TRUE(carries(cut ? to : from, before));
    EXPECT_TRUE(is_bare(cut ? from : to, before));
    EXPECT_TRUE(echo().reaches_every_address());
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(all_ready());
    EXPECT_TRUE(await("there is one kernel side", [&] { return is_alone(); }));
  }
  /// One program at each hook, one pair of the pacer, and no name of an instance before.
  bool is_alone() {
    if (!has_one_at_each_hook()) return false;
    for (const auto& pin : std::filesystem::directory_iterator(host().pins()))
      if (pin.path().filename().string().ends_with("_left")) return false;
    const std::string links = shown({"ip", "-br", "link", "show"});
    std::size_t pacers = 0;
    for (std::size_t at = links.find("hanet-pace"); at != std::string::npos;
         at = links.find("hanet-pace", at + 1))
      ++pacers;
    return pacers == 4;  // each end of a pair is shown with the name of the other one
  }

 private:
  std::mt19937 random_{20261130};
};

TEST_F(RandomKills, D7_F12_TheNextStartEndsWhereARunWithoutAKillWouldHave) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  before = identity_on(host_netns(), "p0");
  // More than CI has time for: HANET_TEST_KILLS=200.
  const char* const asked = std::getenv("HANET_TEST_KILLS");
  const int rounds = asked == nullptr ? 6 : std::atoi(asked);
  for (int round = 0; round < rounds; ++round) {
    const std::string from = host().active(), to = from == "p0" ? "p1" : "p0";
    const bool cut = chance(), twice = chance();
    SCOPED_TRACE(fmt::format("{}: from {}, {}, killed {}", round, from, cut ? "cut" : "not cut",
                             twice ? "twice" : "once"));
    if (cut) ASSERT_DONE(lab().fault("blackhole", from == "p0" ? "primary" : "standby"));
    sleep_up_to(std::chrono::milliseconds(30));
    host().kill();
    if (twice) {
      host().start();
      sleep_up_to(std::chrono::milliseconds(500));
      host().kill();
    }
    host().start();
    ASSERT_NO_FATAL_FAILURE(expect_outcome(cut, from, to));
  }
}

}  // namespace
}  // namespace hanet::test
