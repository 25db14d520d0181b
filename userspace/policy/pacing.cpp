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
  pacing.window = {.began = now,
                   .sent = seen.sent,
                   .replies = seen.replies,
                   .lost = seen.lost,
                   .gaps = seen.gaps};
}

Nanoseconds window_of(const Pacing& pacing, const AnswersSeen& seen) {
  const bool doubt = pacing.partial_windows > 0 || seen.down || pacing.state == PaceState::Trying;
  return std::max(doubt ? kPartialWindow : kCalmWindow,
                  static_cast<std::int64_t>(kMinAsked) * seen.interval);
}

void forget_windows(Pacing& pacing) {
  pacing.partial_windows = 0;
  pacing.partial_gaps = 0;
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

// An answer soon after the verdict: more will follow, or the path fails in that time. One that
// comes later is of a path that returns, and so is one behind a lost carrier.
void note_replies(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  const MonotonicTime before = std::exchange(pacing.last_reply, seen.last_reply);
  if (seen.last_reply == before || !seen.down || pacing.state == PaceState::Lossy) return;
  if (seen.down_at <= pacing.asks_since || seen.last_reply <= seen.down_at) return;
  const MonotonicTime waited =
      is_partial(pacing, seen.down_at) ? pacing.partial_until : seen.down_at;
  if (seen.last_reply > std::max(seen.down_at + kPartialAnswer, waited)) return;
  const Nanoseconds gap = seen.last_reply - std::max(before, seen.down_at);
  const Nanoseconds pace = std::max(pacing.pace, seen.interval);
  wait_for_more(pacing, seen, now + std::max({kPartialAnswer, 3 * gap, seen.multiplier * pace}));
}

void slow_down(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  const Nanoseconds time = now - pacing.window.began;
  const std::uint64_t answered = std::max<std::uint64_t>(seen.replies - pacing.window.replies, 1);
  if (pacing.state == PaceState::Ordinary) {
    pacing.asked_per_second = per_second(seen.sent - pacing.window.sent, time);
    pacing.answered_per_second = per_second(answered, time);
  }
  if (pacing.state == PaceState::Trying) {
    pacing.pace = pacing.pace_before_trial;
    pacing.retry_pause = std::min(2 * pacing.retry_pause, kLongestRetry);
  } else if (++pacing.slowdowns > kMaxSlowdowns) {
    pacing.state = PaceState::Lossy;
    pacing.pace = {};
    pacing.partial_until = {};
    pacing.retry_at = now + pacing.retry_pause;
    return;
  } else {
    const Nanoseconds share = kShare * time / static_cast<std::int64_t>(answered);
    pacing.pace =
        std::min(std::max(2 * seen.interval, share), std::max(kSlowestPace, seen.interval));
  }
  pacing.state = PaceState::Policed;
  pacing.retry_at = now + pacing.retry_pause;
  if (seen.down) wait_for_more(pacing, seen, now + (seen.multiplier + 1) * pacing.pace);
}

bool is_window_partial(const Pacing& pacing, const AnswersSeen& seen) {
  const std::uint64_t asked = seen.sent - pacing.window.sent, lost = seen.lost - pacing.window.lost,
                      replies = seen.replies - pacing.window.replies,
                      gaps = seen.gaps - pacing.window.gaps;
  return replies > 0 && lost > 1 && lost * 100 >= asked * kPartialPercent &&
         replies <= gaps * kAnswersBetweenGaps;
}

void close_window(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  if (is_window_partial(pacing, seen)) {
    pacing.calm_since = now;
    ++pacing.partial_windows;
    pacing.partial_gaps += seen.gaps - pacing.window.gaps;
    const bool is_known = pacing.state == PaceState::Trying;
    if (pacing.partial_gaps >= kMinGaps && (pacing.partial_windows >= 2 || is_known)) {
      if (pacing.state != PaceState::Lossy) slow_down(pacing, seen, now);
      forget_windows(pacing);
    }
  } else {
    forget_windows(pacing);
  }
  open_window(pacing, seen, now);
}

// Nothing was partial for as long as it is tried, or a person asks for no more than that.
void pass_time(Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  const bool is_calm = now >= pacing.retry_at && now >= pacing.calm_since + pacing.retry_pause;
  if (pacing.state == PaceState::Policed && (is_calm || seen.configured >= pacing.pace)) {
    pacing.state = PaceState::Trying;
    pacing.pace_before_trial = pacing.pace;
    pacing.pace = {};
    pacing.calm_since = now;
  } else if ((pacing.state == PaceState::Trying || pacing.state == PaceState::Lossy) &&
             now >= pacing.calm_since + kTrialTime) {
    pacing.state = PaceState::Ordinary;
    pacing.slowdowns = 0;
  } else if (pacing.state == PaceState::Ordinary && now >= pacing.calm_since + kLongestRetry) {
    pacing.retry_pause = kFirstRetry;
  }
}

}  // namespace

Pacing paced(Pacing pacing, const AnswersSeen& seen, MonotonicTime now) {
  if (!seen.asks || pacing.window.began == MonotonicTime{}) {
    pacing.last_reply = seen.last_reply;
    pacing.asks_since = now;
    restart(pacing, seen, now);
    return pacing;
  }
  note_replies(pacing, seen, now);
  // Silence says nothing of a share until an answer ends it.
  const bool is_silent = seen.down && seen.replies == pacing.window.replies;
  if (!is_silent && now >= pacing.window.began + window_of(pacing, seen))
    close_window(pacing, seen, now);
  pass_time(pacing, seen, now);
  return pacing;
}

MonotonicTime next_look(const Pacing& pacing, const AnswersSeen& seen, MonotonicTime now) {
  const Nanoseconds window = window_of(pacing, seen);
  // Where each answer counts: no oftener than answers come, and not so seldom that many come at
  // once.
  const Nanoseconds answer = std::clamp<Nanoseconds>(seen.interval, std::chrono::milliseconds(5),
                                                     std::chrono::milliseconds(50));
  return seen.asks && seen.down ? now + answer : std::max(now, pacing.window.began + window);
}

bool is_partial(const Pacing& pacing, MonotonicTime verdict) {
  return pacing.partial_until != MonotonicTime{} && pacing.partial_of == verdict;
}

bool is_proved_at_pace(const Pacing& pacing, MonotonicTime now) {
  return pacing.state == PaceState::Ordinary && pacing.pace == Nanoseconds::zero() &&
         pacing.calm_since != MonotonicTime{} && now >= pacing.calm_since + kProved;
}

}  // namespace hanet::policy
