// SPDX-License-Identifier: Apache-2.0
//
// The last moments before a verdict (O4), read from a session as the kernel side leaves it.
#include "group/flight.h"

#include <gtest/gtest.h>

namespace hanet::group {
namespace {

constexpr std::uint64_t kBegin = 1'000'000'000, kInterval = 200'000;

/// Requests 1 to `sent` left an interval apart, and all up to `answered` were answered at once.
hanet_session session_with(std::uint64_t sent, std::uint64_t answered) {
  hanet_session session{};
  for (std::uint64_t sequence = 1; sequence <= sent; ++sequence) {
    hanet_request& request = session.window[sequence % HANET_WINDOW];
    request.sequence = sequence;
    request.sent_ns = kBegin + sequence * kInterval;
    request.replied_ns = sequence <= answered ? request.sent_ns + 7'000 : 0;
  }
  session.sent = sent;
  session.answered = answered;
  session.last_reply_ns = kBegin + answered * kInterval + 7'000;
  session.first_lost_ns = kBegin + (answered + 1) * kInterval;
  session.deadline_ns = session.first_lost_ns + 3 * kInterval;
  session.verdict_ns = session.deadline_ns + 40'000;
  return session;
}

TEST(Flight, O4_TheLastRequestsAndTheirAnswersAreKeptOldestFirst) {
  const hanet_session session = session_with(100, 97);
  const failover::Flight flight = flight_of(session);
  ASSERT_EQ(flight.heartbeats.size(), 12U);
  EXPECT_EQ(flight.heartbeats.front().sent, from_kernel_ns(kBegin + 89 * kInterval));
  EXPECT_EQ(flight.heartbeats.back().sent, from_kernel_ns(kBegin + 100 * kInterval));
  EXPECT_TRUE(flight.heartbeats.at(8).replied) << "request 97";
  EXPECT_FALSE(flight.heartbeats.at(9).replied) << "request 98";
  EXPECT_EQ(flight.last_reply, from_kernel_ns(kBegin + 97 * kInterval + 7'000));
  EXPECT_FALSE(flight.deferred_since) << "no CPU stood still";
}

TEST(Flight, O4_WhatCameAfterTheVerdictIsNotOfIt) {
  hanet_session session = session_with(100, 90);
  session.verdict_ns = kBegin + 95 * kInterval;
  session.last_reply_ns = session.verdict_ns + 1;
  const failover::Flight flight = flight_of(session);
  ASSERT_FALSE(flight.heartbeats.empty());
  EXPECT_EQ(flight.heartbeats.back().sent, from_kernel_ns(session.verdict_ns));
  EXPECT_FALSE(flight.last_reply);
}

TEST(Flight, O4_AVerdictThatWaitedNamesTheCpuThatStoodStill) {
  hanet_session session = session_with(10, 7);
  session.deferred_lost_ns = session.first_lost_ns;
  session.deferred_since_ns = session.deadline_ns + 10'000;
  session.stalled_cpu = 1;
  const failover::Flight flight = flight_of(session);
  EXPECT_EQ(flight.deferred_since, from_kernel_ns(session.deferred_since_ns));
  EXPECT_EQ(flight.stalled_cpu, 1U);
  session.deferred_lost_ns -= 1;
  EXPECT_FALSE(flight_of(session).deferred_since) << "that was another verdict";
}

TEST(Flight, O4_AWindowThatWasOverwrittenLeavesNothingToShow) {
  hanet_session session = session_with(10, 7);
  session.sent = 1'000;
  EXPECT_TRUE(flight_of(session).heartbeats.empty());
}

}  // namespace
}  // namespace hanet::group
