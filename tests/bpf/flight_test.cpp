// SPDX-License-Identifier: Apache-2.0
//
// The last moments before a down verdict are kept as they were, whatever is sent later (O4).
#include <cstring>

#include "hanet/abi.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

class FlightRecorder : public Scene {
 protected:
  /// `answered` requests with their replies, then three that nobody answers, and the verdict.
  void fail_after(int answered) {
    set_params(0, 1000, 3, 1);
    watch(Beat::EchoIpv4);
    for (int i = 0; i < answered; ++i)
      ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4)).verdict, kXdpDrop);
    for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
    ASSERT_TRUE(await([&] { return load(session().down_verdicts) == 1; }));
    ASSERT_TRUE(await([&] { return load(p->flights[0].verdict_ns) == session().verdict_ns; }));
  }
};

TEST_F(FlightRecorder, O4_TheNewestRequestsAndTheirRepliesAreKept) {
  ASSERT_NO_FATAL_FAILURE(fail_after(20));
  const hanet_flight kept = p->flights[0];
  EXPECT_EQ(kept.last_reply_ns, session().last_reply_ns);
  for (std::uint64_t at = 0; at < HANET_FLIGHT_REQUESTS; ++at) {
    const std::uint64_t sequence = 23 - at;
    EXPECT_EQ(kept.requests[at].sequence, sequence);
    EXPECT_EQ(kept.requests[at].sent_ns, session().window[sequence % HANET_WINDOW].sent_ns);
    EXPECT_EQ(kept.requests[at].replied_ns != 0, sequence <= 20) << sequence;
  }
}

TEST_F(FlightRecorder, O4_WhatIsSentLaterChangesNothingOfIt) {
  ASSERT_NO_FATAL_FAILURE(fail_after(20));
  const hanet_flight kept = p->flights[0];
  for (std::uint32_t i = 0; i < 2 * HANET_WINDOW; ++i) send(Beat::EchoIpv4);
  ASSERT_GT(session().window[23 % HANET_WINDOW].sequence, 23U) << "the witness";
  EXPECT_EQ(std::memcmp(&p->flights[0], &kept, sizeof(kept)), 0);
}

TEST_F(FlightRecorder, O4_BeforeTheFirstRequestThereIsNone) {
  ASSERT_NO_FATAL_FAILURE(fail_after(1));
  for (std::uint64_t at = 4; at < HANET_FLIGHT_REQUESTS; ++at)
    EXPECT_EQ(p->flights[0].requests[at].sequence, 0U) << at;
  EXPECT_EQ(p->flights[0].requests[3].sequence, 1U);
}

TEST_F(FlightRecorder, O4_M3_AVerdictThatWaitedForACpuSaysForWhich) {
  constexpr std::uint32_t kStill = kWatchedCpus - 1;
  if (!p->has_bpf_timer()) GTEST_SKIP() << "skipped: without bpf_timer no CPU is watched";
  p->receiver_owes(kStill, 1);
  ASSERT_NO_FATAL_FAILURE(fail_after(20));
  p->receiver_owes(kStill, 0);
  const hanet_flight kept = p->flights[0];
  EXPECT_EQ(kept.deferred_since_ns, session().deferred_since_ns);
  EXPECT_NE(kept.deferred_since_ns, 0U);
  EXPECT_EQ(kept.stalled_cpu, session().stalled_cpu);
  EXPECT_EQ(kept.timer_cpu, kStill) << "it owed a sign of life since long ago";
  EXPECT_GT(kept.timer_late_ns, session().verdict_ns / 2);
}

}  // namespace
}  // namespace hanet::bpf_test
