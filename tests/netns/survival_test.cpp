// SPDX-License-Identifier: Apache-2.0
//
// The engine outlives hanetd (D7): killed, it leaves programs, maps and timers that find a silent
// fault, bridge it, and return to the path when that works again. Who starts next takes them over.
#include "netns/survival.h"

#include <signal.h>

#include <string>

#include "core/clock.h"
#include "net/frames.h"
#include "netns/cable.h"
#include "netns/sniffer.h"
#include "netns/speaker.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// The path that failed is back when the other one fails, and so on.
TEST_F(Survival, D7_AKilledHanetdsKernelSideBridgesAndReturnsAgainAndAgain) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  const Cable standby(lab().netns("mid"), "host-p1"), primary(lab().netns("mid"), "host-p0");
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    primary.cut();
    ASSERT_NO_FATAL_FAILURE(expect_bridged());
    primary.mend();
    standby.cut();
    ASSERT_TRUE(await("the kernel returns", [&] { return mode_of("p0") == HANET_STEER_NONE; }));
    EXPECT_EQ(mode_of("p1"), HANET_STEER_IDLE);
    EXPECT_TRUE(echo().reaches_every_address());
    ASSERT_TRUE(await("p1 has failed", [&] { return state_of("p1") == HANET_SESSION_DOWN; }));
    standby.mend();
    ASSERT_TRUE(await("p1 is back", [&] { return state_of("p1") == HANET_SESSION_UP; }));
  }
  EXPECT_TRUE(is_killed());
}

TEST_F(Survival, D7_M4_ACarrierIsWatchedWithoutHanetd) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  if (!sees_carriers)
    GTEST_SKIP() << "skipped: hanetd polls the carriers here (no bpf_timer, no fentry)";
  for (int round = 0; round < 2; ++round) {
    ASSERT_DONE(lab().fault("carrier"));
    ASSERT_NO_FATAL_FAILURE(expect_bridged());
    EXPECT_EQ(port_of("p0").carrier, HANET_CARRIER_DOWN);
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(await("the kernel returns", [&] { return mode_of("p0") == HANET_STEER_NONE; }));
    EXPECT_TRUE(echo().reaches_every_address());
  }
}

// Both fail, and the standby is the first to be there again: at the verdict it was not proved.
TEST_F(Survival, D7_M6_AStandbyThatIsBackFirstIsBridgedToWithoutHanetd) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  const Cable standby(lab().netns("mid"), "host-p1"), primary(lab().netns("mid"), "host-p0");
  standby.cut();
  ASSERT_TRUE(await("p1 has failed", [&] { return state_of("p1") == HANET_SESSION_DOWN; }));
  primary.cut();
  ASSERT_TRUE(await("p0 has failed", [&] { return state_of("p0") == HANET_SESSION_DOWN; }));
  EXPECT_EQ(mode_of("p0"), HANET_STEER_NONE) << "there is nothing to bridge to";
  standby.mend();
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
}

// A host that says nothing by itself is not found by a switch that knows it elsewhere.
TEST_F(Survival, D7_ThePacerShowsSwitchesWhereTheIdentityIs) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  const net::MacAddress mac = before.mac;
  const auto is_shown = [&](const SeenFrame& frame) {
    return frame.source == mac && frame.type == 0x8035 && frame.destination == net::kBroadcast;
  };
  const Sniffer old_cable(lab().netns("mid"), "host-p0");
  const Sniffer new_cable(lab().netns("mid"), "host-p1");
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(await("the standby's switch is told", [&] { return new_cable.count(is_shown) > 0; }));
  EXPECT_EQ(old_cable.count(is_shown), 0U);
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(await("the primary's switch is told", [&] { return old_cable.count(is_shown) > 0; }));
}

TEST_F(Survival, D7_O3_WithoutHanetdTheStatusSaysWhatTheKernelStillDoes) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  auto status = host().ctl({"status"});
  EXPECT_EQ(status.exit_code, 4);
  EXPECT_THAT(status.out, HasSubstr("not protected: hanetd does not run"));
  EXPECT_THAT(status.out, HasSubstr("the kernel side goes on"));
  EXPECT_THAT(status.out, HasSubstr("p0: carries\n"));
  EXPECT_THAT(status.out, HasSubstr("p1: waits\n"));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  status = host().ctl({"status"});
  EXPECT_THAT(status.out, HasSubstr("p0: failed, bridged\n"));
  EXPECT_THAT(status.out, HasSubstr("p1: carries what is bridged\n"));
  ASSERT_DONE(lab().ip("host", "link del hanet-pace0"));
  EXPECT_TRUE(await("nobody sends", [&] {
    return host().ctl({"status"}).out.find("does not send") != std::string::npos;
  }));
}

/// hanetd is away for longer than the least that may be asked for.
class DaemonLoss : public Survival {
 protected:
  void begin(const std::string& what) {
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
    ASSERT_EQ(host().ctl({"set", "mether0", "on_daemon_loss", what}).exit_code, 0);
    ASSERT_EQ(host().ctl({"set", "mether0", "daemon_loss_ms", "5000"}).exit_code, 0);
    before = identity_on(host_netns(), "p0");
  }
  /// By the stamp that the kernel side reads.
  testing::AssertionResult is_away() {
    return await("hanetd's time is over", [&] {
      const auto accounts = host().pinned<hanet_engine>("engine", 0);
      return monotonic_now() > from_kernel_ns(accounts.attended_ns) + std::chrono::seconds(5);
    });
  }
  /// What is sent to everybody reaches the waiting port as well; who of the two takes it in?
  std::uint64_t fenced_after_a_broadcast() {
    const std::uint64_t was = steer_of("p1").fenced;
    const Sniffer cable(host_netns(), "p1");
    const Speaker talk(lab().netns("client"), "c0", link_of(lab().netns("client"), "c0").mac,
                       net::kBroadcast, 0x88b5);
    EXPECT_TRUE(await("broadcasts arrive", [&] {
      return cable.count([](const SeenFrame& frame) { return frame.type == 0x88b5; }) > 20;
    })) << "the witness";
    return steer_of("p1").fenced - was;
  }
};

TEST_F(DaemonLoss, D7_WithDetectAVerdictIsCountedAndNothingIsBridged) {
  ASSERT_NO_FATAL_FAILURE(begin("detect"));
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  host().kill();
  ASSERT_TRUE(is_away());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("the verdict", [&] { return state_of("p0") == HANET_SESSION_DOWN; }));
  EXPECT_EQ(mode_of("p0"), HANET_STEER_NONE);
  EXPECT_GT(fenced_after_a_broadcast(), 0U) << "the standby waits on";
  EXPECT_THAT(host().ctl({"status"}).out, HasSubstr("bridges nothing"));
}

// Also where no timer runs without hanetd.
TEST_F(DaemonLoss, D7_D6_WithReleaseAPortThatWaitsPassesEverything) {
  ASSERT_NO_FATAL_FAILURE(begin("release"));
  EXPECT_GT(fenced_after_a_broadcast(), 0U) << "the witness: with hanetd";
  host().kill();
  EXPECT_GT(fenced_after_a_broadcast(), 0U) << "the witness: not at once";
  ASSERT_TRUE(is_away());
  EXPECT_EQ(fenced_after_a_broadcast(), 0U);
  EXPECT_THAT(host().ctl({"status"}).out, HasSubstr("p1: released, passes everything\n"));
}

TEST_F(DaemonLoss, D7_WithReleaseABridgeEndsAndTheNextHanetdTakesOver) {
  ASSERT_NO_FATAL_FAILURE(begin("release"));
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  host().kill();
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  ASSERT_TRUE(is_away());
  const std::uint64_t was = steer_of("p0").redirected_out;
  const Sniffer cable(lab().netns("mid"), "host-p0");
  EXPECT_TRUE(await("the identity's frames leave by their own port", [&] {
    shown({"bash", "-c", "echo >/dev/udp/192.0.2.10/9"});
    return cable.count([&](const SeenFrame& frame) { return frame.source == before.mac; }) > 0;
  }));
  EXPECT_EQ(steer_of("p0").redirected_out, was);
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return !host().ask({"status"}).is_null(); }));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
}

TEST_F(DaemonLoss, D7_AFrozenHanetdThatGoesOnHasEverythingBackAndSaysSo) {
  ASSERT_NO_FATAL_FAILURE(begin("release"));
  ASSERT_EQ(::kill(host().pid(), SIGSTOP), 0);
  ASSERT_TRUE(is_away());
  EXPECT_EQ(fenced_after_a_broadcast(), 0U);
  ASSERT_EQ(::kill(host().pid(), SIGCONT), 0);
  EXPECT_TRUE(await("it says so", [&] {
    return host().log().contains("hanetd: hanetd stood still for") &&
           host().log().contains("mether0: it was released meanwhile");
  }));
  EXPECT_GT(fenced_after_a_broadcast(), 0U);
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_TRUE(carries("p0", before));
}

// What it asks of the kernel side first is done, however long it was away.
TEST_F(DaemonLoss, D7_F1_AFrozenHanetdThatFindsAFailureWhenItGoesOnMovesTheIdentity) {
  ASSERT_NO_FATAL_FAILURE(begin("detect"));
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  ASSERT_EQ(::kill(host().pid(), SIGSTOP), 0);
  ASSERT_TRUE(is_away());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("the verdict", [&] { return state_of("p0") == HANET_SESSION_DOWN; }));
  ASSERT_EQ(mode_of("p0"), HANET_STEER_NONE) << "the witness: nobody has bridged";
  ASSERT_EQ(::kill(host().pid(), SIGCONT), 0);
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(host().switchovers().at(0).at("steered_in_kernel"), true);
  EXPECT_FALSE(host().switchovers().at(0).at("heartbeats").empty()) << "kept for so long (O4)";
}

TEST_F(Survival, D7_WhoStartsAfterAKillWhileTheKernelBridgesMovesTheIdentity) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return !host().ask({"status"}).is_null(); }));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(is_bare("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
  ASSERT_TRUE(await("the other one's programs are gone", [&] {
    return programs_at("p0", engine::Direction::Ingress) == 1 &&
           programs_at("p1", engine::Direction::Egress) == 1;
  }));
  expect_one_program_at_each_hook();
}

TEST_F(Survival, D7_D8_AfterAnyKillThereIsOneProgramAtEachHook) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  if (IsSkipped()) return;
  expect_one_program_at_each_hook();
  for (int kill = 0; kill < 3; ++kill) {
    host().start();
    ASSERT_TRUE(all_ready());
    EXPECT_TRUE(await("only the new ones are there", [&] {
      return programs_at("p0", engine::Direction::Ingress) == 1 &&
             programs_at("p1", engine::Direction::Ingress) == 1;
    }));
    expect_one_program_at_each_hook();
    EXPECT_TRUE(host().switchovers().empty());
    host().kill();
  }
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().stop(), 0);
  expect_nothing_left();
}

TEST_F(Survival, D7_DetachTakesOffWhatAKilledHanetdLeft) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  before = identity_on(host_netns(), "p0");
  EXPECT_THAT(host().ctl({"detach"}).error, HasSubstr("hanetd runs"));
  expect_one_program_at_each_hook();
  host().kill();
  expect_one_program_at_each_hook();
  const auto done = host().ctl({"detach"});
  EXPECT_EQ(done.exit_code, 0) << done.error;
  EXPECT_THAT(done.out, HasSubstr("every identity stays"));
  expect_nothing_left();
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().ctl({"detach"}).exit_code, 0) << "there is nothing left to do";
}

}  // namespace
}  // namespace hanet::test
