// SPDX-License-Identifier: Apache-2.0
//
// What of a killed instance's sessions the next one believes, and what it tells of the time between
// (spec D7).
#include "engine/left_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/taken_over.h"

namespace hanet::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kNow = 1'000'000'000'000;
constexpr std::uint64_t kDetection = 3 * 200'000;

hanet_session ended(hanet_session_state state) {
  hanet_session session{};
  session.kind = HANET_HEARTBEAT_NEIGHBOUR;
  session.family = 2;
  session.target[0] = 192;
  session.state = state;
  session.interval_us = 200;
  session.multiplier = 3;
  session.last_sent_ns = kNow;
  session.last_reply_ns = kNow;
  return session;
}

TEST(LeftEngine, D7_AStateIsBelievedWhileItIsOfThisMoment) {
  const hanet_session ours = ended(HANET_SESSION_PAUSED);
  for (const hanet_session_state state : {HANET_SESSION_UP, HANET_SESSION_DOWN}) {
    const hanet_session known = ended(state);
    EXPECT_TRUE(is_known(known, ours, from_kernel_ns(kNow + kDetection))) << state;
    EXPECT_FALSE(is_known(known, ours, from_kernel_ns(kNow + 2 * kDetection))) << state;
  }
  for (const hanet_session_state state : {HANET_SESSION_UNKNOWN, HANET_SESSION_PAUSED})
    EXPECT_FALSE(is_known(ended(state), ours, from_kernel_ns(kNow))) << state;
}

// One that works is known by its replies, one that failed by its requests.
TEST(LeftEngine, D7_AStateThatNobodyAskedForLatelyIsNotBelieved) {
  const hanet_session ours = ended(HANET_SESSION_PAUSED);
  hanet_session up = ended(HANET_SESSION_UP);
  up.last_reply_ns = 0;
  EXPECT_FALSE(is_known(up, ours, from_kernel_ns(kNow)));
  hanet_session down = ended(HANET_SESSION_DOWN);
  down.last_reply_ns = 0;
  EXPECT_TRUE(is_known(down, ours, from_kernel_ns(kNow)));
  down.last_sent_ns = kNow - 2 * kDetection;
  EXPECT_FALSE(is_known(down, ours, from_kernel_ns(kNow)));
}

TEST(LeftEngine, D7_AnotherTargetOrKindOfHeartbeatIsAnotherSession) {
  const hanet_session known = ended(HANET_SESSION_UP);
  hanet_session ours = known;
  ours.target[15] = 1;
  EXPECT_FALSE(is_known(known, ours, from_kernel_ns(kNow)));
  ours = known;
  ours.kind = HANET_HEARTBEAT_ECHO;
  EXPECT_FALSE(is_known(known, ours, from_kernel_ns(kNow)));
  ours = known;
  ours.family = 10;
  EXPECT_FALSE(is_known(known, ours, from_kernel_ns(kNow)));
  ours = known;
  ours.source[3] = 1;
  EXPECT_FALSE(is_known(known, ours, from_kernel_ns(kNow)));
}

// A target may be nothing but a MAC address.
TEST(LeftEngine, D7_S2_AnotherConfiguredMacAddressIsAnotherTarget) {
  const hanet_session known = ended(HANET_SESSION_DOWN);
  hanet_session ours = known;
  ours.target_mac[5] = 7;
  EXPECT_TRUE(is_known(known, ours, from_kernel_ns(kNow))) << "nobody said where it has to be";
  ours.target_mac_known = HANET_MAC_CONFIGURED;
  EXPECT_FALSE(is_known(known, ours, from_kernel_ns(kNow)));
}

// It is another one with each start.
TEST(LeftEngine, D7_ALinkLocalSourceIsNotCompared) {
  hanet_session known = ended(HANET_SESSION_UP);
  known.family = 10;
  known.source[0] = 0xfe;
  known.source[1] = 0x80;
  hanet_session ours = known;
  ours.source[15] = 9;
  EXPECT_TRUE(is_known(known, ours, from_kernel_ns(kNow)));
}

// Its deadline is armed by the first frame that counts, and none counts for one that is up.
TEST(LeftEngine, D7_M5_APathThatOnlyListensBeginsAnew) {
  hanet_session known = ended(HANET_SESSION_UP);
  known.kind = HANET_HEARTBEAT_SILENCE;
  EXPECT_FALSE(is_known(known, known, from_kernel_ns(kNow)));
}

TEST(LeftEngine, D7_S2_WhatTheConfigurationSaysOfTheTargetIsNotInherited) {
  hanet_session known = ended(HANET_SESSION_UP);
  known.target_mac[5] = 7;
  known.target_mac_known = HANET_MAC_CONFIGURED;
  hanet_session ours = ended(HANET_SESSION_PAUSED);
  inherit(ours, known);
  EXPECT_EQ(ours.target_mac[5], 7);
  EXPECT_EQ(ours.target_mac_known, HANET_MAC_LEARNED) << "nobody configured it here";
  ours = ended(HANET_SESSION_PAUSED);
  ours.target_mac_known = HANET_MAC_CONFIGURED;
  inherit(ours, known);
  EXPECT_EQ(ours.target_mac[5], 0);
  EXPECT_EQ(ours.target_mac_known, HANET_MAC_CONFIGURED);
}

TEST(LeftEngine, D7_TheTimesOfAVerdictGoOn) {
  hanet_session known = ended(HANET_SESSION_DOWN);
  known.first_lost_ns = 1;
  known.deadline_ns = 2;
  known.verdict_ns = 3;
  known.up_verdicts = 9;
  hanet_session ours = ended(HANET_SESSION_PAUSED);
  inherit(ours, known);
  EXPECT_EQ(ours.first_lost_ns, 1U);
  EXPECT_EQ(ours.deadline_ns, 2U);
  EXPECT_EQ(ours.verdict_ns, 3U);
  EXPECT_EQ(ours.down_verdicts, 1U);
  EXPECT_EQ(ours.up_verdicts, 1U) << "it was up, so there is no first answer to wait for";
}

TEST(TakenOver, D7_O4_AVerdictOfTheTimeBetweenIsToldWithWhatBecameOfIt) {
  std::vector<LeftEngine::Known> known(4);
  known[0] = {.port = "p0", .session = ended(HANET_SESSION_DOWN), .flight = {}};
  known[0].session.verdict_ns = kNow - 5'000'000'000;
  known[1] = {.port = "p1", .session = ended(HANET_SESSION_UP), .flight = {}};
  known[1].session.verdict_ns = kNow - 7'000'000'000;
  known[2] = {.port = "p2", .session = ended(HANET_SESSION_UP), .flight = {}};
  known[2].session.verdict_ns = kNow - 20'000'000'000;
  for (LeftEngine::Known& one : known) one.session.down_verdicts = 1;
  known[3] = {.port = "p3", .session = ended(HANET_SESSION_UP), .flight = {}};
  known[3].session.verdict_ns = kNow;
  const std::string text =
      daemon::taken_over_text(known, from_kernel_ns(kNow - 12'000'000'000), from_kernel_ns(kNow));
  EXPECT_THAT(text, HasSubstr("seen 12.0 s ago"));
  EXPECT_THAT(text, HasSubstr("p0 was found down 5.0 s ago and is still down"));
  EXPECT_THAT(text, HasSubstr("p1 was found down 7.0 s ago and works again"));
  EXPECT_THAT(text, Not(HasSubstr("p2"))) << "that was told by the one before";
  EXPECT_THAT(text, Not(HasSubstr("p3"))) << "it was only about to be made";
  EXPECT_THAT(text, HasSubstr("the kernel side went on asking"));
  EXPECT_THAT(text, Not(HasSubstr("carrier")));
  for (LeftEngine::Known& one : known) one.session.last_sent_ns = one.session.last_reply_ns = 1;
  EXPECT_THAT(
      daemon::taken_over_text(known, from_kernel_ns(kNow - 12'000'000'000), from_kernel_ns(kNow)),
      HasSubstr("nobody asked"));
}

TEST(TakenOver, D7_M4_ACarrierThatWentOrCameMeanwhileIsToldOnceForEachPort) {
  std::vector<LeftEngine::Known> known(4);
  known[0] = {.port = "p0", .session = {}, .flight = {}, .carrier = HANET_CARRIER_DOWN};
  known[0].carrier_changed_ns = kNow - 5'000'000'000;
  known[1] = known[0];  // its second session
  known[2] = {.port = "p1", .session = {}, .flight = {}, .carrier = HANET_CARRIER_UP};
  known[2].carrier_changed_ns = kNow - 7'000'000'000;
  known[3] = {.port = "p2", .session = {}, .flight = {}, .carrier = HANET_CARRIER_DOWN};
  known[3].carrier_changed_ns = kNow - 20'000'000'000;
  const std::string text =
      daemon::taken_over_text(known, from_kernel_ns(kNow - 12'000'000'000), from_kernel_ns(kNow));
  EXPECT_THAT(text, HasSubstr("p0 lost its carrier 5.0 s ago and has none; p1 had no carrier until "
                              "7.0 s ago"));
  EXPECT_EQ(text.find("p0"), text.rfind("p0"));
  EXPECT_THAT(text, Not(HasSubstr("p2"))) << "that was told by the one before";
}

}  // namespace
}  // namespace hanet::engine
