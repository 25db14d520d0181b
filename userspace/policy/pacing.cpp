// SPDX-License-Identifier: Apache-2.0
//
// See pacing.h.
#include "policy/pacing.h"

#include <algorithm>
#include <utility>

namespace hanet::policy {
namespace {

constexpr std::uint64_t kSecond = std::chrono::nanoseconds(std::chrono::seconds(1)).count();

std::uint64_t per_second(std::uint64_t count, Nanoseconds time) {
  return count * kSecond / static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 1));
}

void open_window(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  pacing.windows.open = {.began = now,
                         .sent = seen.sent,
                         .replies = seen.replies,
                         .lost = seen.lost,
                         .gaps = seen.gaps};
}

Nanoseconds window_of(const Pacing& pacing, const AnswersSeen& seen) {
  const bool doubt =
      pacing.windows.partial_count > 0 || seen.down || pacing.state == PaceState::Trying;
  return std::max(doubt ? kPartialWindow : kCalmWindow,
                  static_cast<std::int64_t>(kMinAsked) * seen.interval);
}

void forget_windows(Pacing& pacing) {
  pacing.windows.partial_count = 0;
  pacing.windows.partial = pacing.windows.later = {};
}

void restart(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  forget_windows(pacing);
  pacing.calm_since = now;
  open_window(pacing, seen, now);
}

void wait_for_more(Pacing& pacing, const AnswersSeen& seen, MonotonicTime until) {
  pacing.partial_until = until;
  pacing.partial_of = seen.down_at;
}

void note_verdict(Pacing& pacing, const AnswersSeen& seen) {
  if (!seen.down || seen.down_at == pacing.verdict.at) return;
  pacing.verdict.at = seen.down_at;
  pacing.verdict.counts = is_proved_at_pace(pacing, seen.down_at);
}

// An answer soon after the verdict: more will follow, or the path fails in that time. One that
// comes later is of a path that returns, and so is one behind a lost carrier.
void note_replies(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  const MonotonicTime before = std::exchange(pacing.last.reply, seen.last_reply);
  if (seen.last_reply == before || !seen.down) return;
  if (seen.down_at <= pacing.asks_since || seen.last_reply <= seen.down_at) return;
  if (seen.last_reply > doubted_until(pacing, seen)) return;
  const Nanoseconds gap = seen.last_reply - std::max(before, seen.down_at);
  const Nanoseconds pace = std::max(pacing.pace, seen.interval);
  wait_for_more(pacing, seen, now + std::max({kPartialAnswer, 3 * gap, seen.multiplier * pace}));
}

std::uint64_t lost_percent(const Pacing& pacing) {
  return pacing.windows.partial.lost * 100 /
         std::max<std::uint64_t>(pacing.windows.partial.sent, 1);
}

// Asked as configured, a limit loses far more than at the pace before, and a cable as much.
bool loses_as_before(const Pacing& pacing) {
  return pacing.lost_when_slow && lost_percent(pacing) <= *pacing.lost_when_slow + kLossMargin;
}

void give_up_pacing(Pacing& pacing, MonotonicTime now) {
  pacing.lost_when_slow.reset();
  pacing.state = PaceState::Lossy;
  // In a trial it is asked as configured already.
  if (pacing.pace != Nanoseconds::zero()) pacing.pace_before_trial = std::exchange(pacing.pace, {});
  pacing.partial_until = {};
  pacing.retry.at = now + pacing.retry.pause;
  pacing.retry.pause = std::min(2 * pacing.retry.pause, kLongestRetry);
}

void ask_as_configured(Pacing& pacing, PaceState state, MonotonicTime now) {
  pacing.pace_before_trial = state == PaceState::Trying ? pacing.pace : Nanoseconds::zero();
  pacing.state = state;
  pacing.pace = {};
  pacing.calm_since = now;
}

// Not in the first window, in which a limit has let a burst pass.
bool is_irregular(const Pacing::Window& later) {
  if (later.sent < kManyAsked) return false;
  const std::uint64_t fewer = std::max<std::uint64_t>(std::min(later.replies, later.lost), 1);
  const std::uint64_t runs = later.gaps * std::uint64_t{100} / fewer;
  return kLeastIrregular <= runs && runs <= kMostIrregular;
}

void slow_down(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  const Nanoseconds time = now - pacing.windows.open.began;
  const std::uint64_t answered =
      std::max<std::uint64_t>(seen.replies - pacing.windows.open.replies, 1);
  if (pacing.state == PaceState::Ordinary) {
    pacing.asked_per_second = per_second(seen.sent - pacing.windows.open.sent, time);
    pacing.answered_per_second = per_second(answered, time);
  }
  if (seen.another_is_clean && is_irregular(pacing.windows.later))
    return give_up_pacing(pacing, now);
  if (pacing.state == PaceState::Trying) {
    if (loses_as_before(pacing)) return give_up_pacing(pacing, now);
    pacing.lost_when_slow.reset();
    pacing.slowdowns = 0;
    pacing.pace = std::exchange(pacing.pace_before_trial, {});
    pacing.retry.pause = std::min(2 * pacing.retry.pause, kLongestRetry);
  } else if (++pacing.slowdowns > kMaxSlowdowns && seen.may_try) {
    pacing.lost_when_slow = lost_percent(pacing);
    return ask_as_configured(pacing, PaceState::Trying, now);
  } else {
    const Nanoseconds share = kShare * time / static_cast<std::int64_t>(answered);
    pacing.pace =
        std::min(std::max(2 * seen.interval, share), std::max(kSlowestPace, seen.interval));
  }
  pacing.state = PaceState::Policed;
  pacing.retry.at = now + pacing.retry.pause;
  if (seen.down) wait_for_more(pacing, seen, now + (seen.multiplier + 1) * pacing.pace);
}

bool is_window_partial(const Pacing& pacing, const AnswersSeen& seen) {
  const std::uint64_t asked = seen.sent - pacing.windows.open.sent,
                      lost = seen.lost - pacing.windows.open.lost,
                      replies = seen.replies - pacing.windows.open.replies,
                      gaps = seen.gaps - pacing.windows.open.gaps;
  // As many as were asked: what is lost was asked before, by a machine that stood still.
  return replies > 0 && replies < asked && lost >= (pacing.state == PaceState::Policed ? 1 : 2) &&
         lost * 100 >= asked * kPartialPercent && replies <= gaps * kAnswersBetweenGaps;
}

// A limit that is tried again is known. Loss has to be told from what the bucket still lets pass.
unsigned windows_wanted(const Pacing& pacing, const AnswersSeen& seen) {
  if (pacing.state == PaceState::Trying) return pacing.lost_when_slow ? 4 : 1;
  return pacing.state == PaceState::Ordinary && seen.another_is_clean ? 4 : 2;
}

void add(Pacing::Window& sum, const Pacing::Window& open, const AnswersSeen& seen) {
  sum.sent += seen.sent - open.sent;
  sum.lost += seen.lost - open.lost;
  sum.replies += seen.replies - open.replies;
  sum.gaps += seen.gaps - open.gaps;
}

void close_window(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  if (is_window_partial(pacing, seen)) {
    pacing.calm_since = now;
    if (pacing.windows.partial_count++ > 0) add(pacing.windows.later, pacing.windows.open, seen);
    add(pacing.windows.partial, pacing.windows.open, seen);
    if (pacing.windows.partial.gaps >= kMinGaps &&
        pacing.windows.partial_count >= windows_wanted(pacing, seen)) {
      if (pacing.state != PaceState::Lossy) slow_down(pacing, seen, now);
      forget_windows(pacing);
    }
  } else {
    forget_windows(pacing);
  }
  open_window(pacing, seen, now);
}

// What was answered for so long, and what a person asks for.
void pass_policed_time(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  if (now >= pacing.calm_since + kFirstRetry) pacing.slowdowns = 0;
  if (seen.configured >= pacing.pace)
    ask_as_configured(pacing, PaceState::Ordinary, now);
  else if (seen.may_try && now >= std::max(pacing.retry.at, pacing.calm_since + pacing.retry.pause))
    ask_as_configured(pacing, PaceState::Trying, now);
}

void pass_time(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  if (pacing.state == PaceState::Policed) return pass_policed_time(pacing, seen, now);
  const Nanoseconds calm = now - pacing.calm_since;
  if (pacing.state == PaceState::Ordinary) {
    if (calm >= kFirstRetry) pacing.slowdowns = 0;
    if (calm >= kLongestRetry) pacing.retry.pause = kFirstRetry;
  } else if (calm >= kTrialTime) {
    pacing.state = PaceState::Ordinary;
    pacing.slowdowns = 0;
    pacing.lost_when_slow.reset();
    pacing.pace_before_trial = {};
  } else if (pacing.state == PaceState::Lossy && now >= pacing.retry.at) {
    pacing.state = PaceState::Policed;
    pacing.pace = std::exchange(pacing.pace_before_trial, {});
    pacing.slowdowns = 0;
    pacing.retry.at = now + pacing.retry.pause;
    pacing.calm_since = now;
  }
}

}  // namespace

Pacing paced(Pacing pacing, const AnswersSeen& seen, MonotonicTime now) {
  const std::uint64_t lost = seen.lost - std::exchange(pacing.last.lost, seen.lost);
  if (!seen.asks || seen.down || lost > 1) pacing.clean_since = now;
  if (!seen.asks || pacing.windows.open.began == MonotonicTime{}) {
    pacing.clean_since = now;
    pacing.last.reply = seen.last_reply;
    pacing.asks_since = now;
    restart(pacing, seen, now);
    return pacing;
  }
  note_verdict(pacing, seen);
  note_replies(pacing, seen, now);
  // Silence says nothing of a share until an answer ends it.
  const bool is_silent = seen.down && seen.replies == pacing.windows.open.replies;
  if (!is_silent && now >= pacing.windows.open.began + window_of(pacing, seen))
    close_window(pacing, seen, now);
  pass_time(pacing, seen, now);
  return pacing;
}

MonotonicTime next_look(const Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  const Nanoseconds window = window_of(pacing, seen);
  if (!seen.asks || !seen.down) return std::max(now, pacing.windows.open.began + window);
  // Where each answer counts: no oftener than answers come, and not so seldom that many come at
  // once.
  const Nanoseconds answer = std::clamp<Nanoseconds>(seen.interval, std::chrono::milliseconds(5),
                                                     std::chrono::milliseconds(50));
  return now + (now <= doubted_until(pacing, seen) ? answer : kPartialWindow);
}

bool is_partial(const Pacing& pacing, MonotonicTime verdict) {
  return pacing.partial_until != MonotonicTime{} && pacing.partial_of == verdict;
}

MonotonicTime doubted_until(const Pacing& pacing, const AnswersSeen& seen) {
  const bool is_noted = seen.down_at == pacing.verdict.at;
  if (is_noted ? pacing.verdict.counts : is_proved_at_pace(pacing, seen.down_at)) return {};
  const MonotonicTime waited =
      is_partial(pacing, seen.down_at) ? pacing.partial_until : seen.down_at;
  return std::max(seen.down_at + kPartialAnswer, waited);
}

bool is_clean(const Pacing& pacing, MonotonicTime now) {
  return pacing.state == PaceState::Ordinary && pacing.clean_since != MonotonicTime{} &&
         now >= pacing.clean_since + kClean;
}

bool is_proved_at_pace(const Pacing& pacing, MonotonicTime now) {
  if (pacing.state == PaceState::Lossy) return true;
  return pacing.state == PaceState::Ordinary && pacing.pace == Nanoseconds::zero() &&
         pacing.calm_since != MonotonicTime{} && now >= pacing.calm_since + kProved;
}

}  // namespace hanet::policy
