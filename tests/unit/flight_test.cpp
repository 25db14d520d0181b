// SPDX-License-Identifier: Apache-2.0
//
// The last moments before a verdict (O4), from what the kernel side has kept of them. That it keeps
// them is tested in tests/bpf.
#include "group/flight.h"

#include <gtest/gtest.h>

namespace hanet::group {
namespace {

constexpr std::uint64_t kInterval = 200'000, kVerdict = 1'000'000'000;

/// Three unanswered requests, and before them so many that were answered at once.
hanet_flight kept_with(std::uint64_t answered) {
  hanet_flight kept{};
  kept.verdict_ns = kVerdict;
  kept.timer_cpu = HANET_NONE;
  for (std::uint64_t at = 0; at < answered + 3; ++at) {
    hanet_request& request = kept.requests[at];
    request.sequence = 500 - at;
    request.sent_ns = kVerdict - (at + 1) * kInterval;
    request.replied_ns = at < 3 ? 0 : request.sent_ns + 7'000;
  }
  kept.last_reply_ns = kept.requests[3].replied_ns;
  return kept;
}

std::optional<failover::Flight> flight_of(const hanet_flight& kept) {
  return group::flight_of(kept, from_kernel_ns(kVerdict));
}

TEST(Flight, O4_TheLastRequestsAndTheirAnswersAreShownOldestFirst) {
  const auto flight = flight_of(kept_with(9));
  ASSERT_TRUE(flight);
  ASSERT_EQ(flight->heartbeats.size(), 12U);
  EXPECT_EQ(flight->heartbeats.front().sent, from_kernel_ns(kVerdict - 12 * kInterval));
  EXPECT_EQ(flight->heartbeats.back().sent, from_kernel_ns(kVerdict - kInterval));
  EXPECT_TRUE(flight->heartbeats.at(8).replied);
  EXPECT_FALSE(flight->heartbeats.at(9).replied);
  EXPECT_EQ(flight->last_reply, from_kernel_ns(kVerdict - 4 * kInterval + 7'000));
  EXPECT_FALSE(flight->deferred_since) << "no CPU stood still";
  EXPECT_FALSE(flight->timer_late) << "none is watched";
}

TEST(Flight, O4_WhatIsKeptOfAnotherVerdictIsNotShown) {
  hanet_flight kept = kept_with(9);
  kept.verdict_ns -= 1;
  EXPECT_FALSE(flight_of(kept));
  kept.verdict_ns = 0;
  EXPECT_FALSE(flight_of(kept)) << "it is being written";
}

TEST(Flight, O4_WhatCameAfterTheVerdictIsNotOfIt) {
  hanet_flight kept = kept_with(5);
  kept.requests[0].sent_ns = kVerdict + 1;
  kept.last_reply_ns = kVerdict + 1;
  const auto flight = flight_of(kept);
  ASSERT_TRUE(flight);
  EXPECT_EQ(flight->heartbeats.size(), 7U);
  EXPECT_FALSE(flight->last_reply);
}

TEST(Flight, O4_AVerdictThatWaitedNamesTheCpuThatStoodStill) {
  hanet_flight kept = kept_with(5);
  kept.deferred_since_ns = kVerdict - 90'000;
  kept.stalled_cpu = 1;
  const auto flight = flight_of(kept);
  ASSERT_TRUE(flight);
  EXPECT_EQ(flight->deferred_since, from_kernel_ns(kVerdict - 90'000));
  EXPECT_EQ(flight->stalled_cpu, 1U);
}

TEST(Flight, O4_HowLateThisMachinesTimersWereIsTold) {
  hanet_flight kept = kept_with(5);
  kept.timer_late_ns = 34'000;
  kept.timer_cpu = 1;
  const auto flight = flight_of(kept);
  ASSERT_TRUE(flight);
  EXPECT_EQ(flight->timer_late, Nanoseconds(34'000));
  EXPECT_EQ(flight->timer_cpu, 1U);
}

}  // namespace
}  // namespace hanet::group
