// SPDX-License-Identifier: Apache-2.0
//
// A session's pace against networks that limit, lose or die (M10).
//
// Each network is played request by request with the kernel side's counters, in its own time.
#include "policy/pacing.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

/// What a switch lets pass: a bucket that fills steadily.
struct Bucket {
  double per_second = 0, burst = 5, tokens = burst;
  MonotonicTime filled{};
  bool passes(MonotonicTime now) {
    tokens =
        std::min(burst, tokens + per_second * std::chrono::duration<double>(now - filled).count());
    filled = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  }
};

/// One session, as the kernel side counts.
struct Session {
  AnswersSeen seen{.interval = 10ms, .configured = 10ms, .multiplier = 3};
  Pacing pacing;
  MonotonicTime next{}, looks_at{}, looked_at{};
  std::uint64_t unanswered = 0, row = 0;
  unsigned verdicts = 0;
  Nanoseconds slowest{};

  void ask(bool answered, MonotonicTime now) {
    ++seen.sent;
    next = now + seen.interval;
    if (!answered) {
      ++unanswered;
      row = 0;
      if (!seen.down && unanswered >= seen.multiplier) {
        seen.down = true;
        seen.down_at = now;
        ++verdicts;
      }
      return;
    }
    ++seen.replies;
    seen.lost += unanswered;
    seen.gaps += unanswered > 0 ? 1 : 0;
    row = unanswered > 0 ? 1 : row + 1;
    unanswered = 0;
    if (row >= 3) seen.down = false;
    seen.last_reply = now;
  }
  void look(MonotonicTime now) {
    if (now < std::min(looks_at, next_look(pacing, seen, looked_at))) return;
    looked_at = now;
    pacing = paced(pacing, seen, now);
    seen.interval = std::max(seen.configured, pacing.pace);
    slowest = std::max(slowest, pacing.pace);
    looks_at = next_look(pacing, seen, now);
  }
};

constexpr MonotonicTime kStart{100s};

/// Plays them together. `answers(session, now)`: is the request answered.
void play(std::vector<Session>& sessions, Nanoseconds time,
          const std::function<bool(std::size_t, MonotonicTime)>& answers,
          MonotonicTime from = kStart) {
  for (MonotonicTime now = from; now < from + time; now += 1ms)
    for (std::size_t at = 0; at < sessions.size(); ++at) {
      if (now >= sessions[at].next) sessions[at].ask(answers(at, now), now);
      sessions[at].look(now);
    }
}

TEST(Pacing, M10_UnderEveryLimitASessionEndsUpAskingLessThanIsAnswered) {
  for (const double limit : {5, 15, 30, 60})
    for (const double burst : {5, 20, 50, 70, 90, 100, 110, 150})
      for (const std::size_t shared : {1, 2}) {
        SCOPED_TRACE(std::to_string(limit) + "/s, burst " + std::to_string(burst) + ", " +
                     std::to_string(shared) + " session(s)");
        std::vector<Session> sessions(shared);
        Bucket bucket{.per_second = limit, .burst = burst};
        const auto answers = [&](std::size_t, MonotonicTime now) { return bucket.passes(now); };
        play(sessions, 20s, answers);
        double asked = 0;
        std::uint64_t lost = 0;
        for (const Session& session : sessions) {
          EXPECT_EQ(session.pacing.state, PaceState::Policed);
          EXPECT_FALSE(session.seen.down);
          asked += 1 / std::chrono::duration<double>(session.seen.interval).count();
          lost += session.seen.lost + session.unanswered;
        }
        EXPECT_LE(asked, 0.85 * limit) << "the rest is the host's";
        play(sessions, 10s, answers, kStart + 20s);
        for (const Session& session : sessions) lost -= session.seen.lost + session.unanswered;
        EXPECT_EQ(lost, 0U) << "it asks more than is answered";
      }
}

TEST(Pacing, M10_APathUnderALimitNeverCountsAsFailedForLong) {
  std::vector<Session> sessions(1);
  Bucket bucket{.per_second = 5};
  MonotonicTime verdict{};
  play(sessions, 20s, [&](std::size_t, MonotonicTime now) {
    const Session& session = sessions[0];
    if (!session.seen.down)
      verdict = now;
    else
      EXPECT_LT(now, std::max(verdict + kPartialAnswer, session.pacing.partial_until) + 50ms);
    return bucket.passes(now);
  });
  EXPECT_GT(sessions[0].verdicts, 0U) << "the witness: the limit was felt";
}

TEST(Pacing, M10_APathThatDiedAndCameBackIsAskedAsBefore) {
  std::vector<Session> sessions(1);
  play(sessions, 20s,
       [](std::size_t, MonotonicTime now) { return now < kStart + 5500ms || now >= kStart + 6s; });
  EXPECT_EQ(sessions[0].verdicts, 1U);
  EXPECT_EQ(sessions[0].pacing.state, PaceState::Ordinary);
  EXPECT_EQ(sessions[0].slowest, 0ns);
}

TEST(Pacing, M10_APathThatReturnsAfterItsVerdictIsDownUntilItIsUp) {
  std::vector<Session> sessions(1);
  play(sessions, 8s, [](std::size_t, MonotonicTime now) {
    return now < kStart + 5500ms || now >= kStart + 6500ms;
  });
  EXPECT_FALSE(sessions[0].seen.down);
  EXPECT_EQ(sessions[0].pacing.partial_until, MonotonicTime{});
}

TEST(Pacing, M10_APartThatWasAnsweredSaysNothingOfTheNextVerdict) {
  AnswersSeen seen{.down = true, .interval = 10ms, .configured = 10ms};
  Pacing pacing = paced({}, seen, kStart);
  seen.down_at = kStart + 10ms;
  seen.last_reply = kStart + 60ms;
  pacing = paced(pacing, seen, kStart + 60ms);
  EXPECT_TRUE(is_partial(pacing, seen.down_at));
  EXPECT_FALSE(is_partial(pacing, kStart + 90ms));
}

TEST(Pacing, M10_AnAnswerBehindALostCarrierIsOfAPathThatReturns) {
  AnswersSeen seen{.down = true, .interval = 10ms, .configured = 10ms};
  seen.down_at = kStart;
  Pacing pacing = paced({}, seen, kStart);
  seen.asks = false;
  pacing = paced(pacing, seen, kStart + 5ms);
  seen.asks = true;
  seen.last_reply = kStart + 50ms;
  EXPECT_EQ(paced(pacing, seen, kStart + 50ms).partial_until, MonotonicTime{});
}

TEST(Pacing, M10_APathThatFailsAgainAndAgainIsNoLimit) {
  for (const Nanoseconds interval : {Nanoseconds(10ms), Nanoseconds(1ms)})
    for (const Nanoseconds fault : {100ms, 300ms}) {
      std::vector<Session> sessions(1);
      sessions[0].seen.interval = sessions[0].seen.configured = interval;
      play(sessions, 60s, [&](std::size_t, MonotonicTime now) {
        return (now - kStart) % Nanoseconds(700ms) >= fault;
      });
      EXPECT_GT(sessions[0].verdicts, 50U);
      EXPECT_EQ(sessions[0].pacing.state, PaceState::Ordinary);
      EXPECT_EQ(sessions[0].slowest, 0ns);
    }
}

TEST(Pacing, M10_SilenceIsNoPartOfTheAnswers) {
  std::vector<Session> sessions(1);
  play(sessions, 20s, [](std::size_t, MonotonicTime now) { return now < kStart + 5500ms; });
  EXPECT_TRUE(sessions[0].seen.down);
  EXPECT_EQ(sessions[0].pacing.partial_until, MonotonicTime{});
  EXPECT_EQ(sessions[0].pacing.state, PaceState::Ordinary);
}

TEST(Pacing, M10_LossThatStaysHoweverFewAreAskedIsNoLimit) {
  std::vector<Session> sessions(1);
  std::mt19937 random(1);
  play(sessions, 60s, [&](std::size_t, MonotonicTime) { return random() % 100 >= 40; });
  EXPECT_EQ(sessions[0].pacing.state, PaceState::Lossy);
  EXPECT_EQ(sessions[0].pacing.pace, 0ns) << "it is judged at its own pace again";
  EXPECT_EQ(sessions[0].pacing.partial_until, MonotonicTime{});
}

TEST(Pacing, M10_ALimitThatIsLiftedIsFoundByTryingAndOneThatStaysCostsFewTrials) {
  for (const bool lifted : {true, false}) {
    std::vector<Session> sessions(1);
    Bucket bucket{.per_second = 15};
    play(sessions, 5s, [&](std::size_t, MonotonicTime now) { return bucket.passes(now); });
    ASSERT_EQ(sessions[0].pacing.state, PaceState::Policed);
    const std::uint64_t lost = sessions[0].seen.lost;
    play(
        sessions, 10min,
        [&](std::size_t, MonotonicTime now) { return lifted || bucket.passes(now); }, kStart + 5s);
    EXPECT_EQ(sessions[0].pacing.state, lifted ? PaceState::Ordinary : PaceState::Policed);
    EXPECT_EQ(sessions[0].seen.interval == 10ms, lifted);
    if (!lifted) {
      EXPECT_GT(sessions[0].seen.lost, lost) << "it tried";
      EXPECT_LT(sessions[0].seen.lost, lost + 500) << "of 60,000 that it would have asked";
    }
  }
}

TEST(Pacing, M10_WhoeverConfiguresTheSlowerPaceHasAnsweredTheAlarm) {
  std::vector<Session> sessions(1);
  Bucket bucket{.per_second = 15};
  const auto answers = [&](std::size_t, MonotonicTime now) { return bucket.passes(now); };
  play(sessions, 5s, answers);
  ASSERT_EQ(sessions[0].pacing.state, PaceState::Policed);
  sessions[0].seen.configured = 200ms;
  play(sessions, 15s, answers, kStart + 5s);
  EXPECT_EQ(sessions[0].pacing.state, PaceState::Ordinary);
}

TEST(Pacing, M10_APathIsProvedAtItsPaceAfterHalfAMinuteWithoutALoss) {
  std::vector<Session> sessions(1);
  play(sessions, 31s, [](std::size_t, MonotonicTime) { return true; });
  EXPECT_FALSE(is_proved_at_pace(sessions[0].pacing, kStart + 29s));
  EXPECT_TRUE(is_proved_at_pace(sessions[0].pacing, kStart + 31s));
}

TEST(Pacing, M10_OnAPathThatWasProvedAVerdictIsAVerdict) {
  for (const unsigned loss : {60, 75, 90}) {
    SCOPED_TRACE(loss);
    std::vector<Session> sessions(1);
    std::mt19937 random(loss);
    MonotonicTime verdict{};
    play(sessions, 45s, [&](std::size_t, MonotonicTime now) {
      const bool was_lossy = now >= kStart + 40s;
      if (sessions[0].seen.down && verdict == MonotonicTime{}) verdict = sessions[0].seen.down_at;
      if (verdict != MonotonicTime{} && sessions[0].seen.down_at == verdict) {
        EXPECT_FALSE(is_partial(sessions[0].pacing, verdict) && now < verdict + 200ms);
      }
      return !was_lossy || random() % 100 >= loss;
    });
    EXPECT_NE(verdict, MonotonicTime{}) << "the witness";
    EXPECT_GT(sessions[0].seen.last_reply, verdict) << "and so is an answer behind it";
  }
}

TEST(Pacing, M10_ALimitBesideSomeLossIsStillALimitAfterAnHour) {
  std::vector<Session> sessions(1);
  Bucket bucket{.per_second = 15};
  std::mt19937 random(2);
  // Twice a minute something takes the limit up for a second, as the host's own ARP does.
  play(sessions, 1h, [&](std::size_t, MonotonicTime now) {
    return bucket.passes(now) && ((now - kStart) % Nanoseconds(100s) > 3s || random() % 2 == 0);
  });
  EXPECT_NE(sessions[0].pacing.state, PaceState::Lossy);
  EXPECT_NE(sessions[0].pacing.state, PaceState::Ordinary);
}

TEST(Pacing, M10_ALimitOnALinkThatLosesIsALimit) {
  for (const unsigned loss : {2, 5, 10, 15})
    for (const double limit : {5, 15, 30}) {
      SCOPED_TRACE(std::to_string(limit) + "/s, " + std::to_string(loss) + " % lost");
      std::vector<Session> sessions(1);
      Bucket bucket{.per_second = limit};
      std::mt19937 random(loss);
      const auto answers = [&](std::size_t, MonotonicTime now) {
        return bucket.passes(now) && random() % 100 >= loss;
      };
      unsigned lossy = 0;
      for (int minute = 0; minute < 60; ++minute) {
        play(sessions, 1min, answers, kStart + minute * 1min);
        lossy += sessions[0].pacing.state == PaceState::Lossy ? 1 : 0;
      }
      EXPECT_EQ(lossy, 0U);
      EXPECT_LT(sessions[0].seen.sent, 60 * 60 * limit) << "of what the limit lets pass";
    }
}

TEST(Pacing, M10_WhatWasTakenForLossIsLookedAtAgain) {
  std::vector<Session> sessions(1);
  std::mt19937 random(1);
  play(sessions, 60s, [&](std::size_t, MonotonicTime) { return random() % 100 >= 40; });
  ASSERT_EQ(sessions[0].pacing.state, PaceState::Lossy);
  EXPECT_TRUE(is_proved_at_pace(sessions[0].pacing, kStart + 60s)) << "it is judged as any other";
  Bucket bucket{.per_second = 15};
  play(
      sessions, 200s, [&](std::size_t, MonotonicTime now) { return bucket.passes(now); },
      kStart + 60s);
  EXPECT_EQ(sessions[0].pacing.state, PaceState::Policed);
  EXPECT_GT(sessions[0].seen.interval, 100ms);
}

TEST(Pacing, M10_AConfiguredPaceThatIsStillTooFastIsSlowedDownFromThere) {
  std::vector<Session> sessions(1);
  Bucket bucket{.per_second = 3};
  const auto answers = [&](std::size_t, MonotonicTime now) { return bucket.passes(now); };
  play(sessions, 20s, answers);
  ASSERT_EQ(sessions[0].pacing.state, PaceState::Policed);
  ASSERT_GT(sessions[0].seen.interval, 500ms);
  sessions[0].seen.configured = 2s;
  play(sessions, 60s, answers, kStart + 20s);
  EXPECT_EQ(sessions[0].pacing.state, PaceState::Ordinary) << "that is slow enough";
  sessions[0].seen.configured = 10ms;
  play(sessions, 60s, answers, kStart + 80s);
  EXPECT_EQ(sessions[0].pacing.state, PaceState::Policed);
  EXPECT_GT(sessions[0].seen.interval, 500ms);
  EXPECT_EQ(sessions[0].pacing.pace_before_trial, 0ns) << "nothing of before is told";
}

TEST(Pacing, M10_NothingIsTriedWhereLosingItWouldBeAFailover) {
  for (const bool may_try : {true, false}) {
    std::vector<Session> sessions(1);
    sessions[0].seen.may_try = may_try;
    Bucket bucket{.per_second = 15};
    play(sessions, 5s, [&](std::size_t, MonotonicTime now) { return bucket.passes(now); });
    ASSERT_EQ(sessions[0].pacing.state, PaceState::Policed);
    const unsigned verdicts = sessions[0].verdicts;
    play(
        sessions, 10min, [&](std::size_t, MonotonicTime now) { return bucket.passes(now); },
        kStart + 5s);
    EXPECT_EQ(sessions[0].verdicts > verdicts, may_try);
  }
}

TEST(Pacing, M10_LossByChanceIsNoLimitWhereAnotherPathLosesNothing) {
  for (const unsigned loss : {25, 40, 50, 60, 70, 75})
    for (unsigned seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(std::to_string(loss) + " %, seed " + std::to_string(seed));
      std::vector<Session> sessions(1);
      sessions[0].seen.another_is_clean = true;
      std::mt19937 random(seed);
      play(sessions, 4s, [&](std::size_t, MonotonicTime now) {
        return now < kStart + 1s || random() % 100 >= loss;
      });
      EXPECT_EQ(sessions[0].pacing.state, PaceState::Lossy);
      EXPECT_EQ(sessions[0].seen.interval, 10ms) << "it is judged at its own pace";
    }
}

TEST(Pacing, M10_ALimitOfOnePathAloneIsALimit) {
  for (const double limit : {5, 15, 30, 60})
    for (const double burst : {5, 20, 100}) {
      SCOPED_TRACE(std::to_string(limit) + "/s, burst " + std::to_string(burst));
      std::vector<Session> sessions(1);
      sessions[0].seen.another_is_clean = true;
      Bucket bucket{.per_second = limit, .burst = burst};
      play(sessions, 20s, [&](std::size_t, MonotonicTime now) { return bucket.passes(now); });
      EXPECT_EQ(sessions[0].pacing.state, PaceState::Policed);
    }
}

TEST(Pacing, M10_ANewVerdictIsDoubtedByWhatThePathIsWorthNow) {
  std::vector<Session> sessions(1);
  play(sessions, 40s, [](std::size_t, MonotonicTime now) { return now < kStart + 35s; });
  AnswersSeen seen = sessions[0].seen;
  ASSERT_TRUE(seen.down);
  EXPECT_EQ(doubted_until(sessions[0].pacing, seen), MonotonicTime{}) << "it was proved";
  Pacing young = sessions[0].pacing;
  young.calm_since = kStart + 49s;
  seen.down_at = kStart + 50s;
  EXPECT_EQ(doubted_until(young, seen), seen.down_at + kPartialAnswer) << "not looked at yet";
}

TEST(Pacing, M10_AsManyAnswersAsQuestionsAreNoLimitWhateverWasLostBefore) {
  for (const std::uint64_t answered : {100U, 80U}) {
    AnswersSeen seen{.interval = 10ms, .configured = 10ms, .multiplier = 3};
    Pacing pacing;
    bool slowed = false;
    for (MonotonicTime now = kStart; now < kStart + 20s; now += 1s) {
      pacing = paced(pacing, seen, now);
      slowed = slowed || pacing.pace != Nanoseconds::zero();
      seen.sent += 100;
      seen.replies += answered;
      seen.lost += 20;
      seen.gaps += 20;
      seen.last_reply = now;
    }
    EXPECT_EQ(slowed, answered != 100U) << answered;
  }
}

TEST(Pacing, M10_APathIsCleanThatLosesNoTwoAtATimeAtTheConfiguredPace) {
  std::vector<Session> sessions(3);
  Bucket bucket{.per_second = 15};
  std::uint64_t asked = 0;
  play(sessions, 10s, [&](std::size_t at, MonotonicTime now) {
    if (at == 0) return true;
    return at == 1 ? ++asked % 100 != 0 : bucket.passes(now);
  });
  EXPECT_FALSE(is_clean(Pacing{}, kStart + 10s)) << "nothing is known of it";
  EXPECT_TRUE(is_clean(sessions[0].pacing, kStart + 10s));
  EXPECT_TRUE(is_clean(sessions[1].pacing, kStart + 10s)) << "any network loses one";
  EXPECT_FALSE(is_clean(sessions[2].pacing, kStart + 10s)) << "it is asked less";
  play(
      sessions, 1s, [](std::size_t, MonotonicTime now) { return (now - kStart) % 200ms > 50ms; },
      kStart + 10s);
  EXPECT_FALSE(is_clean(sessions[0].pacing, kStart + 11s));
}

TEST(Pacing, M10_APathThatIsDeadIsLookedAtSeldom) {
  AnswersSeen seen{.down = true, .interval = 10ms, .configured = 10ms};
  seen.down_at = kStart + 1ms;
  Pacing pacing = paced({}, seen, kStart);
  pacing = paced(pacing, seen, kStart + 1ms);
  EXPECT_EQ(next_look(pacing, seen, kStart + 10ms), kStart + 20ms) << "an answer would count";
  EXPECT_EQ(next_look(pacing, seen, kStart + 1h), kStart + 1h + kPartialWindow);
}

}  // namespace
}  // namespace hanet::policy
