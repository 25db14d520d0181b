// SPDX-License-Identifier: Apache-2.0
//
// What the sender sends when (engine/beat.h): evenly, without a burst, and searches seldom (M1, M3,
// D4).
#include <gtest/gtest.h>

#include "engine/beat.h"

namespace hanet::engine {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr FramesThere kEcho{.heartbeat = true, .search = true, .refresh = true};
constexpr FramesThere kSilence{.heartbeat = false, .search = true, .refresh = false};
constexpr MonotonicTime kStart{seconds(100) + microseconds(300)};

SessionView known(Nanoseconds interval) { return {.peer_known = true, .interval = interval}; }

struct Sent {
  int heartbeats = 0;
  int searches = 0;
  int refreshes = 0;
  int looks = 0;
};

/// Asks whenever the decision wants to be asked, from `from` until `until`, as the thread does.
Sent play(Beat& beat, const FramesThere& there, const SessionView& session, MonotonicTime from,
          MonotonicTime until) {
  Sent sent;
  for (MonotonicTime now = from; now < until;) {
    const Due due = due_now(beat, there, session, now);
    sent.heartbeats += due.heartbeat;
    sent.searches += due.search;
    sent.refreshes += due.refresh;
    sent.looks += due.look;
    EXPECT_GT(due.next, now) << "it would spin";
    if (due.next <= now) break;
    now = due.next;
  }
  return sent;
}

TEST(Sender, M1_SendsOneRequestInAnIntervalAtMultiplesOfIt) {
  Beat beat;
  const Due first = due_now(beat, kEcho, known(milliseconds(2)), kStart);
  EXPECT_FALSE(first.heartbeat);
  EXPECT_EQ(first.next, MonotonicTime(seconds(100) + milliseconds(2)));
  EXPECT_EQ(
      play(beat, kEcho, known(milliseconds(2)), first.next, first.next + seconds(1)).heartbeats,
      500);
}

// Nobody's answer to a search counts where only signed ones do.
TEST(Sender, S3_ASearchTakesNoSignedHeartbeatsPlace) {
  Beat beat;
  SessionView session = known(milliseconds(2));
  session.unanswered = 5;
  session.is_signed = true;
  constexpr FramesThere kSigned{.heartbeat = true, .search = true, .refresh = false};
  const MonotonicTime from = due_now(beat, kSigned, session, kStart).next;
  const Sent sent = play(beat, kSigned, session, from, from + seconds(3));
  EXPECT_EQ(sent.heartbeats, 1500);
  EXPECT_EQ(sent.searches, 0);
  EXPECT_EQ(sent.looks, 3) << "it is searched for beside them, once a second";
  session.peer_known = false;
  EXPECT_EQ(play(beat, kSigned, session, from + seconds(3), from + seconds(6)).searches, 3)
      << "until it is found there is nothing else to send";
}

TEST(Sender, M3_SendsNoBurstAfterItWasHeldUp) {
  Beat beat;
  const SessionView session = known(milliseconds(2));
  const MonotonicTime due = due_now(beat, kEcho, session, kStart).next;
  const MonotonicTime late = due + milliseconds(31);
  const Due held_up = due_now(beat, kEcho, session, late);
  EXPECT_TRUE(held_up.heartbeat);
  EXPECT_EQ(held_up.late, milliseconds(31));
  EXPECT_EQ(held_up.next, late + milliseconds(2)) << "the next one has its whole interval";
  EXPECT_FALSE(due_now(beat, kEcho, session, late + microseconds(1999)).heartbeat);
  EXPECT_EQ(play(beat, kEcho, session, late + milliseconds(2), late + milliseconds(12)).heartbeats,
            5);
}

TEST(Sender, M3_ALittleLateItKeepsItsRhythm) {
  Beat beat;
  const SessionView session = known(milliseconds(2));
  const MonotonicTime due = due_now(beat, kEcho, session, kStart).next;
  EXPECT_EQ(due_now(beat, kEcho, session, due + microseconds(500)).next, due + milliseconds(2));
}

TEST(Sender, D4_AShorterIntervalDoesNotWaitForTheOldBeat) {
  Beat beat;
  EXPECT_GT(due_now(beat, kEcho, known(seconds(10)), kStart).next, kStart + seconds(1));
  const Due shorter = due_now(beat, kEcho, known(milliseconds(1)), kStart + milliseconds(3));
  EXPECT_EQ(shorter.next, kStart + milliseconds(4));
  EXPECT_TRUE(due_now(beat, kEcho, known(milliseconds(1)), shorter.next).heartbeat);
}

TEST(Sender, M1_SearchesOnceASecondWhoeverItIsThatIsMissing) {
  SessionView unknown = known(milliseconds(2));
  unknown.peer_known = false;
  SessionView unanswered = known(milliseconds(2));
  unanswered.unanswered = 2;
  SessionView down = known(milliseconds(2));
  down.down = true;
  const auto searches = [](const FramesThere& there, const SessionView& session) {
    Beat beat;
    return play(beat, there, session, kStart, kStart + milliseconds(4500)).searches;
  };
  EXPECT_EQ(searches(kEcho, unknown), 5);
  EXPECT_EQ(searches(kEcho, unanswered), 5);
  EXPECT_EQ(searches(kSilence, unknown), 5);
  EXPECT_EQ(searches(kSilence, down), 5);
  EXPECT_EQ(searches(kEcho, known(milliseconds(2))), 0) << "nobody is missing";
  EXPECT_EQ(searches(kSilence, known(milliseconds(2))), 0);
  EXPECT_EQ(searches({}, unknown), 0) << "there is nothing to search with";
}

TEST(Sender, M1_SendsNoHeartbeatToAnAddressThatItDoesNotKnow) {
  Beat beat;
  SessionView unknown = known(milliseconds(2));
  unknown.peer_known = false;
  EXPECT_EQ(play(beat, kEcho, unknown, kStart, kStart + seconds(2)).heartbeats, 0);
  Beat other;
  SessionView unanswered = known(milliseconds(2));
  unanswered.unanswered = 2;
  const Sent sent = play(other, kEcho, unanswered, kStart, kStart + seconds(1));
  EXPECT_EQ(sent.searches, 1);
  EXPECT_EQ(sent.heartbeats, 499) << "one beat of 500 was the search";
}

TEST(Sender, M1_RefreshesTheAddressOnceASecondWhereTheHeartbeatDoesNot) {
  Beat beat;
  EXPECT_EQ(
      play(beat, kEcho, known(milliseconds(2)), kStart, kStart + milliseconds(2500)).refreshes, 3);
  Beat arp;
  EXPECT_EQ(play(arp, {.heartbeat = true, .search = true}, known(milliseconds(2)), kStart,
                 kStart + seconds(3))
                .refreshes,
            0);
}

TEST(Sender, M11_EverybodyIsAskedSeldomWhileTheTargetAnswersAndOftenWhileThereIsARival) {
  const auto looks = [](const FramesThere& there, const SessionView& session) {
    Beat beat;
    const Sent sent = play(beat, there, session, kStart, kStart + milliseconds(25'500));
    EXPECT_EQ(sent.searches, 0);
    EXPECT_GT(sent.heartbeats, 500) << "no look takes the place of a heartbeat";
    return sent.looks;
  };
  SessionView session = known(milliseconds(50));
  EXPECT_EQ(looks(kEcho, session), 3);
  EXPECT_EQ(looks({.heartbeat = true}, session), 0) << "the MAC address was written down";
  session.rival = true;
  EXPECT_EQ(looks(kEcho, session), 26);
}

TEST(Sender, M11_WhileAnAnswerIsMissingNobodyLooksForARival) {
  SessionView session = known(milliseconds(50));
  session.rival = true;
  session.unanswered = 1;
  Beat beat;
  EXPECT_EQ(play(beat, kEcho, session, kStart, kStart + seconds(5)).looks, 0);
}

TEST(Sender, F7_APausedSessionSendsNothingAndBeginsAnew) {
  Beat beat;
  SessionView paused = known(milliseconds(2));
  static_cast<void>(play(beat, kEcho, paused, kStart, kStart + seconds(1)));
  paused.paused = true;
  const Sent sent = play(beat, kEcho, paused, kStart + seconds(1), kStart + seconds(3));
  EXPECT_EQ(sent.heartbeats + sent.searches + sent.refreshes, 0);
  EXPECT_FALSE(due_now(beat, kEcho, known(milliseconds(2)), kStart + seconds(3)).heartbeat);
}

}  // namespace
}  // namespace hanet::engine
