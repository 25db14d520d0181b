// SPDX-License-Identifier: Apache-2.0
//
// On kernels that refuse bpf_timer hanetd's own thread comes by in its place (M3).
//
// hanetd is told to do without it, so that what users of PREEMPT_RT have is tested on every kernel.
// tests/vm runs the main suites on such a kernel besides.
#include <gmock/gmock.h>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

using testing::StartsWith;

class WithoutBpfTimer : public LabTest {
 protected:
  [[nodiscard]] Arguments hanetd_options() const override { return {"--no-bpf-timer"}; }
};

TEST_F(WithoutBpfTimer, O3_M3_TheStatusSaysWhoKeepsTheDeadlines) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const json daemon = host().ask({"status"}).at("daemon");
  EXPECT_THAT(daemon.at("deadlines").get<std::string>(), StartsWith("hanetd"));
  EXPECT_TRUE(host().ctl({"status"}).out.contains("deadlines by hanetd, "));
  EXPECT_TRUE(host().log().contains("deadlines kept by hanetd, as asked for (--no-bpf-timer)"))
      << host().log();
}

TEST_F(WithoutBpfTimer, M3_ASilentPathGetsItsVerdict) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_TRUE(echo().reaches_every_address());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  const json record = host().switchovers().at(0);
  EXPECT_EQ(record.at("cause"), "heartbeat lost");
  EXPECT_EQ(record.at("steered_in_kernel"), true) << "the verdict itself is the kernel's";
  EXPECT_GE(record.at("unanswered"), 3);
}

TEST_F(WithoutBpfTimer, M4_ALostCarrierIsAVerdict) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  EXPECT_EQ(host().path("p0").at("port").at("carrier_down_events"), 1);
}

// Nothing comes by while hanetd stands still, and requests are unanswered for long when it wakes.
TEST_F(WithoutBpfTimer, M3_AHanetdThatStoodStillGivesNoFalseVerdict) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const auto sent = [&](const char* port) {
    return host().session(port).at("sent").get<std::uint64_t>();
  };
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t before = sent("p0");
    host().freeze();
    ASSERT_TRUE(await("hanetd stands still", [&] { return host().frozen(); }));
    ASSERT_TRUE(echo().reaches("192.0.2.1"));
    host().thaw();
    ASSERT_TRUE(await("it sends again", [&] { return sent("p0") > before + 10; }));
  }
  for (const char* port : {"p0", "p1"}) EXPECT_EQ(host().session(port).at("down_verdicts"), 0);
  EXPECT_TRUE(host().switchovers().empty());
}

}  // namespace
}  // namespace hanet::test
