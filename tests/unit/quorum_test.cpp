// SPDX-License-Identifier: Apache-2.0
//
// What the sessions of a port say together (M9): engine/quorum.h.
#include "engine/quorum.h"

#include <gtest/gtest.h>

#include <vector>

namespace hanet::engine {
namespace {

/// A session that took its state at `since`, and answered last at `reply`.
hanet_session session(hanet_session_state state, std::uint64_t since, std::uint64_t reply) {
  hanet_session one{};
  one.state = state;
  one.state_since_ns = one.verdict_ns = since;
  one.last_reply_ns = reply;
  one.up_verdicts = reply != 0 ? 1 : 0;
  return one;
}

PortVerdict verdict(std::uint32_t quorum, const std::vector<hanet_session>& sessions) {
  hanet_port port{};
  port.targets = static_cast<std::uint32_t>(sessions.size());
  port.quorum = quorum;
  return verdict_of(port, sessions);
}

const hanet_session kUp = session(HANET_SESSION_UP, 10, 100);
const hanet_session kUpLater = session(HANET_SESSION_UP, 20, 90);
const hanet_session kDown = session(HANET_SESSION_DOWN, 30, 25);
const hanet_session kDownLater = session(HANET_SESSION_DOWN, 40, 35);
const hanet_session kBegun = session(HANET_SESSION_UNKNOWN, 5, 0);
const hanet_session kPaused = session(HANET_SESSION_PAUSED, 5, 50);

TEST(Quorum, M9_OneTargetIsThePort) {
  for (const hanet_session& one : {kUp, kDown, kBegun, kPaused}) {
    const PortVerdict port = verdict(1, {one});
    EXPECT_EQ(port.state, one.state);
    EXPECT_EQ(port.decider, 0U);
    EXPECT_EQ(port.last_reply_ns, one.last_reply_ns);
    EXPECT_EQ(port.was_up, one.up_verdicts != 0);
  }
}

TEST(Quorum, M9_APortWithoutSessionsIsUnknown) {
  EXPECT_EQ(verdict(1, {}).state, HANET_SESSION_UNKNOWN);
  EXPECT_EQ(verdict(0, {kUp}).state, HANET_SESSION_UNKNOWN) << "nobody configured it yet";
  EXPECT_EQ(verdict(2, {kUp}).state, HANET_SESSION_UNKNOWN) << "one was added so far";
}

TEST(Quorum, M9_ItIsUpWithAQuorumAndDownWhenNoneCanBe) {
  EXPECT_EQ(verdict(1, {kDown, kUp, kDown}).state, HANET_SESSION_UP);
  EXPECT_EQ(verdict(2, {kDown, kUp, kUp}).state, HANET_SESSION_UP);
  EXPECT_EQ(verdict(2, {kDown, kUp, kDown}).state, HANET_SESSION_DOWN);
  EXPECT_EQ(verdict(3, {kUp, kUp, kDown}).state, HANET_SESSION_DOWN);
  EXPECT_EQ(verdict(1, {kDown, kBegun, kDown}).state, HANET_SESSION_UNKNOWN) << "it may come up";
  EXPECT_EQ(verdict(2, {kUp, kBegun, kDown}).state, HANET_SESSION_UNKNOWN);
  EXPECT_EQ(verdict(2, {kUp, kUp, kPaused}).state, HANET_SESSION_PAUSED)
      << "hanetd is about to pause the others";
}

TEST(Quorum, M9_WhoseChangeTookTheQuorumAwayIsWhoseVerdictItIs) {
  EXPECT_EQ(verdict(1, {kDownLater, kDown}).decider, 0U) << "the last that was needed";
  EXPECT_EQ(verdict(2, {kDownLater, kDown}).decider, 1U) << "the first was enough";
  EXPECT_EQ(verdict(2, {kDown, kUp, kDownLater}).decider, 2U);
}

TEST(Quorum, M9_WhoseChangeMadeTheQuorumIsSinceWhenItIsUp) {
  EXPECT_EQ(verdict(1, {kUpLater, kUp}).decider, 1U);
  EXPECT_EQ(verdict(2, {kUpLater, kUp}).decider, 0U);
}

TEST(Quorum, M6_M9_AQuorumHasAnsweredUntilThen) {
  EXPECT_EQ(verdict(1, {kUp, kUpLater}).last_reply_ns, 100U);
  EXPECT_EQ(verdict(2, {kUp, kUpLater}).last_reply_ns, 90U);
  EXPECT_EQ(verdict(2, {kUp, kBegun}).last_reply_ns, 0U);
  EXPECT_FALSE(verdict(2, {kUp, kBegun}).was_up);
  EXPECT_TRUE(verdict(1, {kUp, kBegun}).was_up);
}

}  // namespace
}  // namespace hanet::engine
