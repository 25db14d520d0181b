// SPDX-License-Identifier: Apache-2.0
//
// What a person is told of a session (O3).
//
// The worst monitor is one that is silently off. So "up" is said only while requests leave or the
// peer is heard, and every other state has a word that says what is missing.
#include "report/status.h"

#include <gtest/gtest.h>

#include "report/maps.h"

namespace hanet::report {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
const MonotonicTime kNow{std::chrono::seconds(100)};

hanet_session session_of(hanet_heartbeat_kind kind, hanet_session_state state) {
  hanet_session session{};
  session.kind = static_cast<std::uint8_t>(kind);
  session.family = AF_INET;
  session.state = state;
  session.interval_us = 10'000;
  session.multiplier = 3;
  session.target_mac_known = HANET_MAC_LEARNED;
  return session;
}

std::string state_of(const hanet_session& session) {
  return session_json(session, kNow).at("state");
}

TEST(SessionStatus, O3_M3_ASessionThatSendsNothingAnyMoreIsBlindAndNotUp) {
  hanet_session session = session_of(HANET_HEARTBEAT_ECHO, HANET_SESSION_UP);
  session.last_sent_ns = 100 * kSecond - 10'000'000;
  EXPECT_EQ(state_of(session), "up");
  session.last_sent_ns = 99 * kSecond;
  EXPECT_EQ(state_of(session), "blind");
}

TEST(SessionStatus, O3_EachStateSaysWhatIsMissing) {
  EXPECT_EQ(state_of(session_of(HANET_HEARTBEAT_NEIGHBOUR, HANET_SESSION_PAUSED)), "paused");
  EXPECT_EQ(state_of(session_of(HANET_HEARTBEAT_NEIGHBOUR, HANET_SESSION_DOWN)), "down");
  hanet_session session = session_of(HANET_HEARTBEAT_NEIGHBOUR, HANET_SESSION_UNKNOWN);
  EXPECT_EQ(state_of(session), "starting");
  session.target_mac_known = HANET_MAC_UNKNOWN;
  EXPECT_EQ(state_of(session), "searching");
}

TEST(SessionStatus, O3_M5_ASilentSessionSaysWhetherAndWhenThePeerWasHeard) {
  hanet_session session = session_of(HANET_HEARTBEAT_SILENCE, HANET_SESSION_UNKNOWN);
  EXPECT_EQ(state_of(session), "unheard");
  EXPECT_TRUE(session_json(session, kNow).at("heard_us_ago").is_null());
  session.counted_ns = session.last_reply_ns = 100 * kSecond - 7'000;
  EXPECT_EQ(state_of(session), "starting");
  session.state = HANET_SESSION_UP;
  EXPECT_EQ(state_of(session), "up") << "it never sends, and is not blind";
  const Json shown = session_json(session, kNow);
  EXPECT_EQ(shown.at("kind"), "silence");
  EXPECT_DOUBLE_EQ(shown.at("heard_us_ago"), 7.0);
}

}  // namespace
}  // namespace hanet::report
