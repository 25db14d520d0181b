// SPDX-License-Identifier: Apache-2.0
//
// Parameters that change while everything runs.
//
// Tuning a monitor must not interrupt the monitoring: no reload, no lost count, no verdict. What a
// person gets wrong is refused with the range; what a program writes past hanetctl straight into
// the pinned map is clamped in the kernel and reported (D4).
#include "netns/lab_test.h"

namespace hanet::test {
namespace {

class LiveParameters : public LabTest {
 protected:
  void SetUp() override {
    LabTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  }
  bench::Output set(const std::string& key, const std::string& value) {
    return host().ctl({"set", "mether0", key, value});
  }
  void expect_refused(const std::string& key, const std::string& value, const std::string& why) {
    const json before = host().group();
    const bench::Output output = set(key, value);
    EXPECT_EQ(output.exit_code, 1);
    EXPECT_EQ(output.error, "hanetctl: " + why + "\n");
    for (const char* each : {"interval_us", "multiplier", "up_count", "link_poll_us", "enabled"})
      EXPECT_EQ(host().group().at(each), before.at(each)) << "a refusal changed " << each;
  }
};

TEST_F(LiveParameters, D4_AnIntervalTakesEffectWithoutLosingState) {
  const json before = host().session("p0");
  const unsigned interval = before.at("interval_us").get<unsigned>() * 2;
  const bench::Output done = set("interval_us", std::to_string(interval));
  ASSERT_EQ(done.exit_code, 0) << done.error;
  for (const std::string port : {"p0", "p1"})
    EXPECT_TRUE(await("the interval is in force on " + port,
                      [&] { return host().session(port).at("interval_us") == interval; }));
  EXPECT_TRUE(await("heartbeats go on", [&] {
    return host().session("p0").at("received").get<std::uint64_t>() >
           before.at("received").get<std::uint64_t>() + 50;
  }));
  const json after = host().session("p0");
  EXPECT_EQ(after.at("id"), before.at("id")) << "the session began anew";
  EXPECT_EQ(after.at("up_verdicts"), before.at("up_verdicts"));
  EXPECT_EQ(after.at("down_verdicts"), 0);
  EXPECT_TRUE(host().switchovers().empty());
}

TEST_F(LiveParameters, D4_AMuchShorterIntervalIsInForceAtOnceAndSoIsItsDetectionTime) {
  ASSERT_EQ(set("interval_us", "10000000").exit_code, 0);
  for (const std::string port : {"p0", "p1"})
    ASSERT_TRUE(await("the long interval is in force on " + port,
                      [&] { return host().session(port).at("interval_us") == 10'000'000; }));
  // The request that was due leaves at once: the next one is 10 seconds away.
  ASSERT_EQ(set("interval_us", "20000").exit_code, 0);
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(await(
      "the shorter one is in force, and nothing waits for the longer one",
      [&] { return host().active() == "p1"; }, std::chrono::seconds(5)));
  EXPECT_EQ(host().session("p0").at("interval_us"), 20'000);
}

TEST_F(LiveParameters, D4_ADetectionTimeThatIsWrittenIntoTheMapIsClampedAndReported) {
  auto params = host().pinned<hanet_params>("params", 0);
  params.interval_us = 10'000'000;
  params.multiplier = 50;
  ASSERT_TRUE(host().write_pinned("params", 0, params));
  EXPECT_TRUE(await("the clamped values are in force", [&] {
    const json session = host().session("p0");
    return session.at("multiplier") == 50 && session.at("interval_us") == 1'200'000;
  }));
  EXPECT_EQ(host().session("p0").at("clamped"), true);
  EXPECT_TRUE(host().ctl({"status"}).out.contains("1200000 us x 50 (CLAMPED"));
  EXPECT_TRUE(await("a warning", [&] {
    return host().log().contains("a live parameter is out of range and was clamped");
  }));
  EXPECT_EQ(host().session("p0").at("down_verdicts"), 0);
}

TEST_F(LiveParameters, D4_WhatIsOutOfRangeIsRefusedWithTheRange) {
  expect_refused("interval_us", "5", "key 'interval_us': found 5, allowed: 100 to 10000000");
  expect_refused("multiplier", "0", "key 'multiplier': found 0, allowed: 1 to 50");
  expect_refused("multiplier", "three", "key 'multiplier': found three, allowed: 1 to 50");
  expect_refused("up_count", "1001", "key 'up_count': found 1001, allowed: 1 to 1000");
  expect_refused("link_poll_us", "-1", "key 'link_poll_us': found -1, allowed: 50 to 1000000");
  expect_refused("enabled", "maybe", "key 'enabled': found maybe, allowed: false, true");
  expect_refused(
      "metric", "1",
      "key 'metric': no such live parameter; allowed: interval_us, multiplier, "
      "up_count, link_poll_us, threshold_percent, enabled, on_daemon_loss, daemon_loss_ms");
  expect_refused("multiplyer", "4",
                 "key 'multiplyer': no such live parameter; allowed: interval_us, multiplier, "
                 "up_count, link_poll_us, threshold_percent, enabled, on_daemon_loss, "
                 "daemon_loss_ms; did you mean 'multiplier'?");
}

TEST_F(LiveParameters, D4_ADetectionTimeThatWatchesNothingIsRefused) {
  ASSERT_EQ(set("multiplier", "50").exit_code, 0);
  const bench::Output output = set("interval_us", "2000000");
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_TRUE(output.error.contains("2000000 us x 50 is a detection time above 60 s"))
      << output.error;
}

TEST_F(LiveParameters, D4_AValueWrittenIntoTheMapIsClampedInTheKernelAndReported) {
  auto params = host().pinned<hanet_params>("params", 0);
  params.multiplier = 1000;
  params.up_count = 0;
  params.link_poll_us = 1;
  ASSERT_TRUE(host().write_pinned("params", 0, params));
  EXPECT_TRUE(await("the clamped values are in force", [&] {
    const json session = host().session("p0");
    return session.at("multiplier") == 50 && session.at("up_count") == 1;
  }));
  EXPECT_TRUE(await("the clamped link poll is in force",
                    [&] { return host().path("p0").at("port").at("link_poll_us") == 50; }));
  EXPECT_GT(host().group().at("clamped"), 0);
  EXPECT_TRUE(await("a warning", [&] {
    return host().log().contains("a live parameter is out of range and was clamped");
  }));
  EXPECT_EQ(host().session("p0").at("down_verdicts"), 0);
}

TEST_F(LiveParameters, D4_WhileDisabledAFailureIsSeenAndNothingMoves) {
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_EQ(set("enabled", "false").exit_code, 0);
  EXPECT_EQ(host().group().at("state"), "disabled");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("p0 is down", [&] { return host().path("p0").at("health") == "down"; }));
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_EQ(steer_of("p0").mode, static_cast<std::uint32_t>(HANET_STEER_NONE))
      << "the kernel bridged although switching is disabled";

  ASSERT_EQ(set("enabled", "true").exit_code, 0);
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

}  // namespace
}  // namespace hanet::test
