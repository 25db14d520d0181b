// SPDX-License-Identifier: Apache-2.0
//
// What the policy is told of a port: the state table of policy/port.h, line by line, and random
// histories that keep its promises.
#include "policy/port.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kNow{1h};

PortSeen seen_up() {
  PortSeen seen;
  seen.kernel_carrier = true;
  seen.session = SessionState::Up;
  seen.was_up = true;
  seen.last_reply = kNow;
  return seen;
}

PortTrial proved() { return {.link = LinkTrial::Proved}; }

PortState told(const PortSeen& seen, const PortTrial& trial, MonotonicTime now = kNow) {
  return judge(seen, trial, now).state;
}

TEST(PortJudgement, M3_ASettledPortIsToldAsItIsSeen) {
  PortSeen seen = seen_up();
  seen.weight = 1000;
  seen.peer = PeerClaim::Here;
  for (const SessionState session :
       {SessionState::Unknown, SessionState::Up, SessionState::Down, SessionState::Paused}) {
    seen.session = session;
    EXPECT_EQ(
        told(seen, proved()),
        (PortState{.carrier = true, .session = session, .weight = 1000, .peer = PeerClaim::Here}));
  }
}

TEST(PortJudgement, D8_APortWhoseRequestsLeaveUnseenIsNotUp) {
  PortSeen seen = seen_up();
  seen.blind = true;
  EXPECT_EQ(told(seen, proved()).session, SessionState::Unknown);
  seen.session = SessionState::Down;
  EXPECT_EQ(told(seen, proved()).session, SessionState::Down) << "what was found is still true";
}

TEST(PortJudgement, M10_SilenceThatMayBeALimitIsNoFailureYet) {
  PortSeen seen = seen_up();
  seen.session = SessionState::Down;
  seen.partial_until = kNow + 1s;
  const Judgement early = judge(seen, proved(), kNow);
  EXPECT_EQ(early.state.session, SessionState::Unknown);
  EXPECT_EQ(early.again_at, seen.partial_until);
  EXPECT_EQ(told(seen, proved(), kNow + 1s).session, SessionState::Down);
  seen.kernel_carrier = false;
  EXPECT_EQ(told(seen, proved()).carrier, false) << "a lost carrier is no limit";
}

TEST(PortJudgement, M4_ALostCarrierOfASettledPortCountsAtOnce) {
  PortSeen seen = seen_up();
  seen.kernel_carrier = false;
  EXPECT_EQ(told(seen, proved()).carrier, false);
}

TEST(PortJudgement, M4_TheKernelSidesCarrierCountsBeforeWhatRtnetlinkSays) {
  PortSeen seen = seen_up();
  seen.kernel_carrier = false;
  seen.rtnetlink_carrier = true;
  EXPECT_EQ(told(seen, proved()).carrier, false);
  seen.kernel_carrier = std::nullopt;
  EXPECT_EQ(told(seen, proved()).carrier, true);
}

TEST(PortJudgement, M4_ALinkThatNegotiatesIsNoLostLink) {
  PortSeen seen = seen_up();
  seen.kernel_carrier = false;
  seen.session = SessionState::Down;
  const PortTrial trial = negotiating({}, kNow);
  const Judgement early = judge(seen, trial, kNow + kSettleTime - 1ms);
  EXPECT_EQ(early.state.carrier, std::nullopt);
  EXPECT_EQ(early.state.session, SessionState::Unknown);
  EXPECT_EQ(early.trial.link, LinkTrial::Negotiating);
  EXPECT_EQ(early.again_at, kNow + kSettleTime);
  const Judgement late = judge(seen, trial, kNow + kSettleTime);
  EXPECT_EQ(late.state.carrier, false);
  EXPECT_EQ(late.state.session, SessionState::Down);
  EXPECT_EQ(late.trial.link, LinkTrial::Overdue);
}

TEST(PortJudgement, M4_ALinkIsProvedByItsFirstCarrierAlsoWhenItIsOverdue) {
  for (const LinkTrial before : {LinkTrial::Negotiating, LinkTrial::Overdue}) {
    const PortTrial trial{.link = before, .negotiates_until = kNow + 1s};
    EXPECT_EQ(judge(seen_up(), trial, kNow).trial.link, LinkTrial::Proved);
  }
  EXPECT_EQ(told(seen_up(), {.link = LinkTrial::Overdue}).session, SessionState::Up);
}

TEST(PortJudgement, M4_RequestsThatLeftWhileTheLinkNegotiatedProveNothing) {
  PortSeen seen = seen_up();
  seen.session = SessionState::Down;
  const PortTrial trial = negotiating({}, kNow);
  const Judgement judgement = judge(seen, trial, kNow);
  EXPECT_TRUE(judgement.restart_session);
  EXPECT_EQ(judgement.state.session, SessionState::Unknown);
  EXPECT_FALSE(judge(seen, judgement.trial, kNow).restart_session) << "once";
  seen.watched = false;
  EXPECT_FALSE(judge(seen, trial, kNow).restart_session) << "nobody watches it";
}

TEST(PortJudgement, M1_SilenceSaysNothingBeforeTheFirstAnswersAreDue) {
  PortSeen seen = seen_up();
  seen.session = SessionState::Down;
  seen.was_up = false;
  PortTrial trial = proved();
  trial.first_answers_until = kNow + 2s;
  const Judgement early = judge(seen, trial, kNow);
  EXPECT_EQ(early.state.session, SessionState::Unknown);
  EXPECT_EQ(early.again_at, kNow + 2s);
  EXPECT_EQ(told(seen, trial, kNow + 2s).session, SessionState::Down);
  seen.was_up = true;
  EXPECT_EQ(told(seen, trial).session, SessionState::Down) << "it has answered before";
}

TEST(PortJudgement, T3_ARehashingTrunkGivesItsPortsTime) {
  PortSeen seen = seen_up();
  seen.session = SessionState::Down;
  seen.rehash_ends = kNow + 50ms;
  EXPECT_EQ(told(seen, proved()).session, SessionState::Unknown);
  EXPECT_EQ(judge(seen, proved(), kNow).again_at, kNow + 50ms);
  EXPECT_EQ(told(seen, proved(), kNow + 50ms).session, SessionState::Down);
}

TEST(PortJudgement, M6_AReplyFromBeforeTheActivePathFellSilentProvesNoStandby) {
  PortSeen seen = seen_up();
  seen.active_silent_since = kNow;
  EXPECT_TRUE(awaits_proof(seen)) << "at the same moment is not after it";
  EXPECT_EQ(told(seen, proved()).session, SessionState::Unknown);
  seen.last_reply = kNow + 1ns;
  EXPECT_EQ(told(seen, proved()).session, SessionState::Up);
  seen.last_reply = kNow;
  seen.admin_up = false;
  EXPECT_FALSE(awaits_proof(seen)) << "it can not answer, and is judged by that";
  seen.admin_up = true;
  seen.present = false;
  EXPECT_FALSE(awaits_proof(seen));
  seen.present = true;
  seen.session = SessionState::Down;
  EXPECT_EQ(told(seen, proved()).session, SessionState::Down);
}

TEST(PortJudgement, M9_AStandbyThatComesUpWithTheTargetCountsAfterTheActivePathsPrecedence) {
  PortSeen seen = seen_up();
  seen.active_silent_since = kNow - 1s;
  seen.precedence_ends = kNow + 3ms;
  EXPECT_EQ(told(seen, proved()).session, SessionState::Unknown);
  EXPECT_EQ(judge(seen, proved(), kNow).again_at, kNow + 3ms) << "nothing else may wake hanetd";
  EXPECT_EQ(told(seen, proved(), kNow + 3ms).session, SessionState::Up) << "the first to recover";
  seen.session = SessionState::Down;
  EXPECT_EQ(told(seen, proved()).session, SessionState::Down)
      << "what is down has nothing to wait for";
}

TEST(PortJudgement, F7_APausedSessionIsStartedWhenItsTimeHasCome) {
  PortSeen seen = seen_up();
  seen.session = SessionState::Paused;
  PortTrial trial = proved();
  trial.judged_from = kNow + 1s;
  const Judgement early = judge(seen, trial, kNow);
  EXPECT_FALSE(early.restart_session);
  EXPECT_EQ(early.again_at, kNow + 1s);
  const Judgement due = judge(seen, trial, kNow + 1s);
  EXPECT_TRUE(due.restart_session);
  EXPECT_EQ(due.trial.judged_from, std::nullopt);
  seen.present = false;
  EXPECT_FALSE(judge(seen, trial, kNow + 1s).restart_session);
  seen.present = true;
  seen.watched = false;
  EXPECT_FALSE(judge(seen, trial, kNow + 1s).restart_session);
}

TEST(PortJudgement, O4_APortThatWasGivenTimeIsRememberedUntilItWorks) {
  PortSeen seen = seen_up();
  seen.kernel_carrier = false;
  PortTrial trial = negotiating({}, kNow);
  trial = judge(seen, trial, kNow).trial;
  EXPECT_TRUE(trial.held_back);
  trial = judge(seen, trial, kNow + kSettleTime).trial;
  EXPECT_TRUE(trial.held_back) << "told now, and it was given time before";
  trial = judge(seen_up(), trial, kNow + kSettleTime).trial;
  EXPECT_FALSE(trial.held_back);
  EXPECT_FALSE(judge(seen, proved(), kNow).trial.held_back) << "told at once";
}

TEST(PortJudgement, F10_WhatIsGoneOrTakenOutIsToldSo) {
  PortSeen seen = seen_up();
  seen.present = false;
  seen.taken_out = true;
  seen.admin_up = false;
  const PortState state = told(seen, proved());
  EXPECT_FALSE(state.present);
  EXPECT_TRUE(state.taken_out);
  EXPECT_FALSE(state.admin_up);
}

/// Plays one port through what can happen to it.
class PortHistory {
 public:
  explicit PortHistory(std::uint64_t seed) : random_(seed) {}

  void step() {
    now_ += std::chrono::milliseconds(pick(800));
    change();
    const PortTrial before = trial_;
    const Judgement judgement = judge(seen_, trial_, now_);
    trial_ = judgement.trial;
    check_link(before, judgement);
    check_session(judgement.state, before);
    check_silence_has_time(judgement.state, before);
    check_again(judgement);
    const Judgement again = judge(seen_, trial_, now_);
    EXPECT_EQ(again.trial, trial_) << what() << ": judging twice changes nothing";
    EXPECT_FALSE(again.restart_session && judgement.restart_session) << what();
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  bool one_in(std::size_t n) { return pick(n) == 0; }

  void change() {
    seen_.present = !one_in(10);
    seen_.admin_up = !one_in(8);
    seen_.watched = !one_in(5);
    seen_.kernel_carrier = one_in(6) ? std::nullopt : std::optional(!one_in(4));
    seen_.rtnetlink_carrier = !one_in(4);
    seen_.session = static_cast<SessionState>(pick(4));
    seen_.was_up = seen_.was_up || seen_.session == SessionState::Up;
    seen_.last_reply = now_ - std::chrono::milliseconds(pick(50));
    seen_.active_silent_since.reset();
    if (one_in(3)) seen_.active_silent_since = now_ - std::chrono::milliseconds(pick(50));
    seen_.rehash_ends = one_in(6) ? now_ + 10ms : MonotonicTime{};
    seen_.precedence_ends = one_in(6) ? now_ + 3ms : MonotonicTime{};
    if (one_in(12)) trial_ = negotiating(trial_, now_);
    if (one_in(20)) trial_.first_answers_until = now_ + kFirstAnswers;
    if (one_in(20)) trial_.judged_from = now_ + std::chrono::milliseconds(pick(3000));
  }

  void check_link(const PortTrial& before, const Judgement& judgement) {
    const bool carrier = seen_.kernel_carrier.value_or(seen_.rtnetlink_carrier);
    if (carrier) {
      EXPECT_EQ(trial_.link, LinkTrial::Proved) << what();
      EXPECT_EQ(judgement.state.carrier, true) << what();
      return;
    }
    EXPECT_FALSE(before.link != LinkTrial::Proved && trial_.link == LinkTrial::Proved)
        << what() << ": proved by nothing";
    const bool has_time = before.link == LinkTrial::Negotiating && now_ < before.negotiates_until;
    if (has_time) {
      EXPECT_EQ(judgement.state.carrier, std::nullopt) << what();
    } else {
      EXPECT_EQ(judgement.state.carrier, false) << what();
    }
  }

  // A state is told as it is or as Unknown, never as a better or a worse one.
  void check_session(const PortState& told, const PortTrial& before) {
    EXPECT_TRUE(told.session == seen_.session || told.session == SessionState::Unknown) << what();
    const bool grace = now_ < before.first_answers_until || now_ < seen_.rehash_ends ||
                       before.link != LinkTrial::Proved || seen_.active_silent_since ||
                       now_ < seen_.precedence_ends;
    EXPECT_TRUE(told.session == seen_.session || grace) << what() << ": no reason to hold it back";
    if (trial_.held_back) {
      EXPECT_TRUE(seen_.session == SessionState::Down ||
                  !seen_.kernel_carrier.value_or(seen_.rtnetlink_carrier))
          << what();
    }
  }

  /// What must be held back, not only what may be.
  void check_silence_has_time(const PortState& told, const PortTrial& before) {
    const bool carrier = seen_.kernel_carrier.value_or(seen_.rtnetlink_carrier);
    const bool negotiates =
        before.link == LinkTrial::Negotiating && !carrier && now_ < before.negotiates_until;
    const bool answers_due = seen_.was_up || now_ >= before.first_answers_until;
    const bool unproved = seen_.session == SessionState::Up && seen_.active_silent_since &&
                          seen_.admin_up && seen_.present &&
                          seen_.last_reply <= *seen_.active_silent_since;
    const bool has_time =
        negotiates || unproved ||
        (seen_.session == SessionState::Up && now_ < seen_.precedence_ends) ||
        (seen_.session == SessionState::Down && (!answers_due || now_ < seen_.rehash_ends));
    if (has_time) {
      EXPECT_EQ(told.session, SessionState::Unknown) << what() << ": told too early";
    }
  }

  /// Until it asks to be looked at again, nothing changes by time alone.
  void check_again(const Judgement& judgement) {
    const MonotonicTime last = judgement.again_at ? *judgement.again_at - 1ns : now_ + 1h;
    EXPECT_GE(last, now_) << what();
    const Judgement later = judge(seen_, judgement.trial, last);
    EXPECT_EQ(later.state, judge(seen_, judgement.trial, now_).state)
        << what() << ": asks too late";
    EXPECT_EQ(later.trial, judgement.trial) << what() << ": asks too late";
  }

  [[nodiscard]] std::string what() const {
    return fmt::format("link {}, session {}, at {} ms", static_cast<int>(trial_.link),
                       to_text(seen_.session), now_.time_since_epoch().count() / 1'000'000);
  }

  std::mt19937_64 random_;
  PortSeen seen_;
  PortTrial trial_;
  MonotonicTime now_{1h};
};

TEST(PortHistories, M3_M4_KeepEveryPromiseAfterEveryEvent) {
  constexpr int kHistories = 1000;
  constexpr int kSteps = 200;
  for (int seed = 0; seed < kHistories && !HasFailure(); ++seed) {
    PortHistory history(static_cast<std::uint64_t>(seed));
    for (int step = 0; step < kSteps && !HasFailure(); ++step) {
      SCOPED_TRACE(fmt::format("seed {}, step {}", seed, step));
      history.step();
    }
  }
}

}  // namespace
}  // namespace hanet::policy
