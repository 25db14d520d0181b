// SPDX-License-Identifier: Apache-2.0
//
// Back to the primary by itself, on real packets; and the delay after a switchover (F7, F9).
#include "core/clock.h"
#include "netns/lab_test.h"
#include "stall_witness.h"

namespace hanet::test {
namespace {

// So long may a machine stand still that has to be in time for a delay of 4 s.
constexpr std::chrono::milliseconds kExcuse{1000};

class Failback : public LabTest {};

TEST_F(Failback, F9_TheIdentityReturnsWhenThePrimaryHasWorkedForTheHoldDownTime) {
  ASSERT_NO_FATAL_FAILURE(bring_up(
      Topology::Switch, {.group_keys = "failback = {policy = \"always\", hold_down_ms = 700}\n"}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(await("the group says when it returns", [&] {
    return host().group().at("failback").at("in_s").is_number() || host().active() == "p0";
  }));
  ASSERT_TRUE(all_on("p0"));
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(is_bare("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  const json record = host().switchovers().at(1);
  EXPECT_EQ(record.at("cause"), "failback");
  EXPECT_EQ(record.at("outcome"), "complete");
}

TEST_F(Failback, F9_APrimaryThatFlapsIsShownAndNotReturnedTo) {
  ASSERT_NO_FATAL_FAILURE(bring_up(
      Topology::Switch, {.group_keys = "failback = {policy = \"always\", hold_down_ms = 100, "
                                       "damping_half_life_ms = 60000}\n"}));
  for (int flap = 0; flap < 3; ++flap) {
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_TRUE(await("p0 is down", [&] { return host().path("p0").at("health") == "down"; }));
    ASSERT_TRUE(all_on("p1"));
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(await("p0 works", [&] { return host().path("p0").at("health") == "up"; }));
  }
  ASSERT_TRUE(
      await("p0 is suppressed", [&] { return host().path("p0").at("suppressed") == true; }));
  EXPECT_GT(host().path("p0").at("penalty"), 2000);
  // The witness: hold-downs have passed several times over when the status says "in a minute".
  EXPECT_GT(host().group().at("failback").at("in_s"), 30);
  EXPECT_EQ(host().active(), "p1");
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Failback, F7_ForTheDelayTheNewPathIsNotJudgedByItsHeartbeats) {
  const StallWitness witness;
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.group_keys = "delay_ms = 4000\n"}));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(host().session("p1").at("state"), "paused");
  ASSERT_DONE(lab().heal("primary"));
  ASSERT_TRUE(await("p0 works", [&] { return host().path("p0").at("health") == "up"; }));
  ASSERT_DONE(lab().fault("blackhole", "standby"));
  if (host().session("p1").at("state") != "paused")
    EXCUSE_OR_FAIL(witness, kExcuse, "the delay of 4 s was over");
  ASSERT_TRUE(all_on("p0")) << "the delay ends";
  const json records = host().switchovers();
  ASSERT_EQ(records.size(), 2U);
}

TEST_F(Failback, F7_WhereConfiguredAColdStandbyIsNotEnabledBeforeTheDelay) {
  const StallWitness witness;
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Switch,
               {.mode = "cold", .group_keys = "delay_ms = 4000\ndelay_enabling = true\n"}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  // A failure that ends within the delay moves nothing.
  const MonotonicTime cut = monotonic_now();
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("a switchover that waits or is done", [&] {
    return host().group().at("switching_to") == "p1" || host().active() == "p1";
  }));
  const bool still_down = !link_of(host_netns(), "p1").admin_up;
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(await("the switchover is given up or done",
                    [&] { return host().group().at("switching_to").is_null(); }));
  if (monotonic_now() - cut > std::chrono::seconds(4))
    EXCUSE_OR_FAIL(witness, kExcuse, "the delay of 4 s was over");
  EXPECT_TRUE(still_down);
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_TRUE(carries("p0", before));

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1")) << "one that lasts does";
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Failback, F7_ASwitchThereAndBackWithinTheDelayLeavesNoPathUnwatched) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.group_keys = "delay_ms = 300\n"}));
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_DONE(lab().fault("carrier", "standby"));  // its carrier is judged all the same
  ASSERT_TRUE(all_on("p0"));
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(all_ready()) << "both are judged again";
}

}  // namespace
}  // namespace hanet::test
