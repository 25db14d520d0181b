// SPDX-License-Identifier: Apache-2.0
//
// While the kernel bridges: before the identity moves, while it moves, and when it need not move.
//
// The kernel bridges for 100 ms here. Faults and repairs are single netlink messages, so all of a
// test's own work takes a few of them. A test that comes too late although the machine ran has
// failed (stall_witness.h).
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>

#include "core/clock.h"
#include "hanet/abi.h"
#include "netns/cable.h"
#include "netns/lab_test.h"
#include "netns/sniffer.h"
#include "netns/speaker.h"
#include "stall_witness.h"

namespace hanet::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kBridged = 100ms;  // policy/bridging.h, kLongestBridge
constexpr auto kExcuse = 30ms;    // what the tests below have left over, several times

class Bridging : public LabTest {
 protected:
  [[nodiscard]] std::uint32_t mode_of_p0() { return host().pinned<hanet_steer>("steer", 0).mode; }
  [[nodiscard]] std::uint32_t mode_of_p1() { return host().pinned<hanet_steer>("steer", 1).mode; }
  json first_switchover() { return host().switchovers().at(0); }
  [[nodiscard]] bool log_has(const std::string& text) { return host().log().contains(text); }

  /// A path that is cut without a word, on a host whose identity will not move for 100 ms.
  void begin_bridging() {
    ASSERT_NO_FATAL_FAILURE(
        bring_up(Topology::Switch, {.interval_us = 5000, .multiplier = 10, .group_keys = {}}));
    before = identity_on(host_netns(), "p0");
    cable = std::make_unique<Cable>(lab().netns("mid"), "host-p0");
    witness.forget();
    cable->cut();
    ASSERT_TRUE(
        await("the kernel bridges", [&] { return mode_of_p0() == HANET_STEER_BRIDGE_OUT; }));
    begun = std::chrono::steady_clock::now();
  }
  /// Further addresses on p0: they take a while to move.
  void give_addresses(int count) {
    const std::filesystem::path file = lab().directory() / "addresses";
    std::ofstream batch(file);
    for (int i = 0; i < count; ++i)
      batch << fmt::format("addr add 198.18.{}.{}/32 dev p0\n", i / 250, 1 + i % 250);
    batch.close();
    const Result<std::string> done =
        bench::run_checked({"ip", "-n", host_netns(), "-batch", file.string()}, 20s);
    ASSERT_TRUE(done) << done.error().message;
  }
  [[nodiscard]] bool in_time() const {
    return std::chrono::steady_clock::now() - begun < kBridged / 2;
  }

  /// The kernel side takes hanetd for one that runs, for however long it is frozen.
  bool looks_attended() {
    auto accounts = host().pinned<hanet_engine>("engine", 0);
    accounts.attended_ns = static_cast<std::uint64_t>(
        (monotonic_now() + std::chrono::hours(1)).time_since_epoch().count());
    return host().write_pinned("engine", 0, accounts);
  }

  SeenIdentity before;
  std::unique_ptr<Cable> cable;
  StallWitness witness;
  std::chrono::steady_clock::time_point begun;
};

TEST_F(Bridging, F1_LastsTwoDetectionTimesOrAHundredMillisecondsAtLeast) {
  ASSERT_NO_FATAL_FAILURE(begin_bridging());
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(first_switchover().at("steered_in_kernel"), true);
  EXPECT_GE(first_switchover().at("bridged_us"), 100'000) << first_switchover().dump(2);
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

// The bridge hangs on the failed interface: without it there is nothing to wait for. The kernel
// tells of the end of an interface long before it answers the one who asked for it, so a late
// answer only excuses a bridge that lasted to its end.
TEST_F(Bridging, F1_EndsWithTheInterfaceThatItHangsOn) {
  ASSERT_NO_FATAL_FAILURE(begin_bridging());
  remove_interface(host_netns(), "p0");
  const bool removed_in_time = in_time();
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  const bool outlasted = first_switchover().at("bridged_us") >= 95'000;
  if (outlasted && !removed_in_time)
    EXCUSE_OR_FAIL(witness, kExcuse, "the interface was removed too late");
  EXPECT_FALSE(outlasted) << "it waited for a bridge that was gone: " << first_switchover().dump(2);
}

TEST_F(Bridging, F12_AHostThatIsStoppedMeanwhileIsLeftWhereItWorks) {
  ASSERT_NO_FATAL_FAILURE(begin_bridging());
  EXPECT_EQ(host().stop(), 0);
  EXPECT_TRUE(carries("p1", before)) << "the bridge has ended with hanetd";
  EXPECT_TRUE(echo().reaches_every_address());
}

// A flap shorter than the bridging costs nothing but the bridge.
TEST_F(Bridging, F12_IsReleasedWhenThePathReturnsAndTheIdentityStays) {
  ASSERT_NO_FATAL_FAILURE(begin_bridging());
  cable->mend();
  if (!in_time()) EXCUSE_OR_FAIL(witness, kExcuse, "the cable was mended too late");
  ASSERT_TRUE(
      await("the bridge has ended", [&] { return mode_of_p0() != HANET_STEER_BRIDGE_OUT; }));
  if (!host().switchovers().empty())
    EXCUSE_OR_FAIL(witness, kExcuse, "the identity moved although its path had returned");
  EXPECT_TRUE(log_has("is given up")) << host().log();
  EXPECT_EQ(mode_of_p0(), HANET_STEER_NONE);
  EXPECT_TRUE(await("p1 waits again", [&] { return mode_of_p1() == HANET_STEER_IDLE; }));
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(is_bare("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  // It is armed again.
  ASSERT_TRUE(all_ready());
  cable->cut();
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(first_switchover().at("steered_in_kernel"), true);
}

// hanetd stands still for all of it: what it finds afterwards is a path that works, and a bridge.
TEST_F(Bridging, F12_D7_IsReleasedWhenThePathReturnedWhileHanetdStoodStill) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!kernel_sees_carriers())
    GTEST_SKIP() << "skipped: hanetd polls the carriers here (no bpf_timer, no fentry)";
  before = identity_on(host_netns(), "p0");
  host().freeze();
  ASSERT_TRUE(await("hanetd is frozen", [&] { return host().frozen(); }));
  ASSERT_TRUE(looks_attended());
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(await("the kernel bridges", [&] { return mode_of_p0() == HANET_STEER_BRIDGE_OUT; }));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(await("the kernel sees the carrier",
                    [&] { return port_of("p0").carrier == HANET_CARRIER_UP; }));
  EXPECT_EQ(mode_of_p0(), HANET_STEER_BRIDGE_OUT) << "the witness: nobody else has released it";
  host().thaw();
  ASSERT_TRUE(all_ready());
  ASSERT_TRUE(
      await("the bridge has ended", [&] { return mode_of_p0() != HANET_STEER_BRIDGE_OUT; }));
  const std::string active = host().active();
  EXPECT_TRUE(carries(active, before));
  EXPECT_TRUE(is_bare(active == "p0" ? "p1" : "p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

// What the host sends while its addresses move leaves by the new port. So many addresses take their
// time; somebody who sends by the old port all the while is heard at the other end of the new one.
// He is a thread that may stand still for just that time, so there is more than one chance.
TEST_F(Bridging, F1_WhatIsSentDuringAPlannedSwitchLeavesByTheNewPort) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  constexpr int kAddresses = 1000, kChances = 10;
  ASSERT_NO_FATAL_FAILURE(give_addresses(kAddresses));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  before = identity_on(host_netns(), "p0");
  ASSERT_GE(before.addresses.size(), std::size_t{kAddresses});
  const Sniffer old_cable(lab().netns("mid"), "host-p0");
  const Sniffer new_cable(lab().netns("mid"), "host-p1");
  const net::MacAddress somebody{0x02, 0xee, 0, 0, 0, 1};
  const auto is_his = [&](const SeenFrame& frame) { return frame.source == somebody; };
  const Speaker speaker(host_netns(), "p0", somebody);
  for (int chance = 0; chance < kChances && new_cable.count(is_his) == 0; ++chance) {
    if (chance > 0) {
      ASSERT_TRUE(all_ready());
      ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0);
      ASSERT_TRUE(all_on("p0"));
    }
    const std::size_t heard = old_cable.count(is_his);
    ASSERT_TRUE(
        await("he is heard by the old port", [&] { return old_cable.count(is_his) > heard + 10; }));
    EXPECT_EQ(new_cable.count(is_his), 0U) << "by this one only";
    ASSERT_TRUE(all_ready());
    ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
    ASSERT_TRUE(all_on("p1"));
  }
  EXPECT_GT(new_cable.count(is_his), 0U) << "nothing left by it while the identity moved";
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

}  // namespace
}  // namespace hanet::test
