// SPDX-License-Identifier: Apache-2.0
//
// A start that fails in the middle of taking over (D7): what a killed hanetd left works on for
// every group as before that start, also for those that were taken over already, and the next start
// finds it so.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "core/fd.h"
#include "netns/sniffer.h"
#include "netns/taking_over.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;

/// Two groups. The ports of the second one have numbers for which the kernel side has a map of its
/// own: where that takes nothing more, this group can not begin, and it is the last one to begin.
class StartThatFails : public TakingOver {
 protected:
  void begin_two_and_kill(const std::string& standby = "p1") {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    int number = HANET_LOW_IFINDEX;
    for (const char* port : {"q0", "q1"}) {
      ASSERT_DONE(lab().ip(
          "host", fmt::format("link add {0} index {1} type veth peer {0}x", port, ++number)));
      ASSERT_DONE(lab().ip("host", fmt::format("link set {}x up", port)));
      ASSERT_DONE(lab().ip("host", fmt::format("link set {} up", port)));
    }
    ASSERT_DONE(lab().ip("host", "addr add 198.51.100.1/24 dev q0"));
    // Who puts the standby back to what it was before hanetd came sets it down.
    ASSERT_DONE(lab().ip("host", fmt::format("link set {} down", standby)));
    const Result<std::string> config = lab().config("host", {.interval_us = 10'000});
    ASSERT_TRUE(config) << config.error().message;
    start_with(*config + second_group());
    ASSERT_TRUE(await("mether0 is protected", [&] { return is_protected(); })) << host().log();
    if (!kernel_keeps_deadlines())
      GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
    before = identity_on(host_netns(), "p0");
    ASSERT_TRUE(echo().reaches_every_address());
    host().kill();
  }
  bool is_protected() { return host().ctl({"status", "mether0"}).exit_code == 0; }
  /// The kernel refuses every change of it by user space (BPF_MAP_FREEZE).
  void freeze_when_it_is_there(const std::string& map) {
    const std::string pin = (host().pins() / map).string();
    for (int look = 0; look < 50'000; ++look) {
      const Fd fd(bpf_obj_get(pin.c_str()));
      if (fd.valid()) {
        ASSERT_EQ(bpf_map_freeze(fd.get()), 0);
        return;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    FAIL() << "there is no " << pin;
  }
  void start_and_fail_with_the_second_group() {
    host().start();
    ASSERT_NO_FATAL_FAILURE(freeze_when_it_is_there("port_of_ifindex_new"));
  }
  std::size_t requests_in_a_while(const std::string& peer) {
    const Sniffer wire(host_netns(), peer);
    const auto asks = [](const SeenFrame& frame) { return frame.type == 0x0806; };
    EXPECT_TRUE(
        await("requests leave by the port of " + peer, [&] { return wire.count(asks) > 1; }));
    return wire.count(asks);
  }
  /// By eyes that ask no hanetd, as there is none.
  void expect_every_group_watched() {
    for (const char* peer : {"q0x", "q1x"}) EXPECT_GT(requests_in_a_while(peer), 1U);
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_TRUE(await("bridged", [&] { return bool{echo().reaches_every_address()}; }));
    ASSERT_NO_FATAL_FAILURE(expect_bridged());
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(await("the kernel returns", [&] { return mode_of("p0") == HANET_STEER_NONE; }));
    EXPECT_TRUE(echo().reaches_every_address());
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_NO_FATAL_FAILURE(expect_bridged());
    expect_one_program_at_each_hook();
  }
};

TEST_F(StartThatFails, D7_BehindTheFirstGroupLeavesEveryGroupWatchedAndTheNextOneTakesOver) {
  ASSERT_NO_FATAL_FAILURE(begin_two_and_kill());
  if (IsSkipped()) return;
  const std::uint64_t old_pin = pin_of_sessions();
  ASSERT_NO_FATAL_FAILURE(start_and_fail_with_the_second_group());
  ASSERT_TRUE(await("hanetd has ended", [&] { return is_killed(); }));
  EXPECT_THAT(host().log(), HasSubstr("register port q0: Operation not permitted"))
      << "the witness: mether0 had begun by then";
  EXPECT_EQ(pin_of_sessions(), old_pin);
  ASSERT_NO_FATAL_FAILURE(expect_every_group_watched());
  expect_bridged_across_a_takeover();
  EXPECT_TRUE(await("only the new programs are there", [&] { return has_one_at_each_hook(); }));
}

// Every group is taken over by then.
TEST_F(StartThatFails, D7_AtTheNamesOfItsPinsLeavesWhatIsBridgedBridged) {
  ASSERT_NO_FATAL_FAILURE(begin_two_and_kill());
  if (IsSkipped()) return;
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  const std::filesystem::path in_the_way = host().pins() / "events";
  ASSERT_TRUE(std::filesystem::remove(in_the_way) && std::filesystem::create_directory(in_the_way));
  host().start();
  ASSERT_TRUE(await("hanetd has ended", [&] { return is_killed(); }));
  EXPECT_THAT(host().log(), HasSubstr(in_the_way.string()));
  ASSERT_NO_FATAL_FAILURE(expect_bridged());
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(await("the kernel returns", [&] { return mode_of("p0") == HANET_STEER_NONE; }));
  ASSERT_NO_FATAL_FAILURE(expect_every_group_watched());
  std::filesystem::remove(in_the_way);
  expect_bridged_across_a_takeover();
}

/// As the service starts: what can not begin is late.
class LateAfterAKill : public StartThatFails {
 protected:
  [[nodiscard]] Arguments hanetd_options() const override { return {"--wait"}; }
};

TEST_F(LateAfterAKill, O1_D7_AGroupThatCanNotBeginIsWatchedByWhatWasThereBefore) {
  ASSERT_NO_FATAL_FAILURE(begin_two_and_kill());
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(start_and_fail_with_the_second_group());
  const auto shows = [&](const std::string& text) {
    return host().ctl({"status"}).out.contains(text);
  };
  ASSERT_TRUE(await("it is late", [&] {
    return shows("mether1: unable to begin: register port q0: Operation not permitted");
  })) << host().log();
  EXPECT_TRUE(shows("what the hanetd before left goes on in the kernel"));
  for (const char* peer : {"q0x", "q1x"}) EXPECT_GT(requests_in_a_while(peer), 1U);
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
}

// What the killed one had prepared it for was still at work until then.
TEST_F(LateAfterAKill, F17_AStandbyOfAGroupThatNeverBeganIsPutBackWhenHanetdStops) {
  ASSERT_NO_FATAL_FAILURE(begin_two_and_kill("q1"));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(start_and_fail_with_the_second_group());
  ASSERT_TRUE(await("it is late", [&] {
    return host().ctl({"status"}).out.contains("mether1: unable to begin");
  })) << host().log();
  EXPECT_TRUE(link_of(host_netns(), "q1").admin_up) << "the killed one goes on with it";
  EXPECT_EQ(host().stop(), 0);
  EXPECT_FALSE(link_of(host_netns(), "q1").admin_up);
}

}  // namespace
}  // namespace hanet::test
