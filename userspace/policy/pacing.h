// SPDX-License-Identifier: Apache-2.0
//
// How often a session may ask, where a network answers only a part of its requests (spec M10).
//
// Access switches, fabrics and routers limit ARP and echoes by a rate. Asked more often than that,
// a path that works looks like one that loses its heartbeats, and the host's own ARP starves beside
// hanet's. What tells the two apart is steadiness: a policed path goes on answering a part. So a
// share that is partial in two windows in a row is policing, and is answered by asking a third as
// often as was answered: two paths may be under one limit, and the last third is the host's.
//
//   Ordinary --partial, two windows--> Policed --partial again--> Policed, slower
//      ^  ^                             | ^  |
//      |  +-- configured is slow enough + |  | nothing partial for the retry pause,
//      |                                  |  v or kMaxSlowdowns have not helped
//      +-- kTrialTime without a loss -- Trying --partial--> Policed as before, twice the pause
//                                           \--loses no more than when it was asked less--> Lossy
//
// A loss that stays whatever is asked is no policing: a Lossy path is asked as configured and
// judged as any other, until the pause is over and it is Policed again. A pace that was answered
// for a minute was slow enough: slowdowns are counted anew.
//
// The first time that a limit bites nobody can know it: silence begins as it does when a cable is
// cut. A path that has not been proved at its pace is therefore waited for after a verdict, as long
// as the kernel bridges or nothing else works anyway. On one that was proved, a verdict is a
// verdict: what is answered behind it is a path that fails in part. Where another path loses
// nothing at the same pace there is hardly a limit (is_clean): then it is waited for once and no
// longer, and loss that is irregular is Lossy at once. A limit lets every nth one pass, or all of
// some and then none.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/clock.h"

namespace hanet::policy {

/// After a verdict on an unproved path: the slowest limit that switches have by default lets one
/// request pass in 200 ms (five in a second), and two paths may share it.
inline constexpr Nanoseconds kPartialAnswer = std::chrono::milliseconds(600);
/// The same while the kernel bridges by a path that answers: it has no part in the limit.
inline constexpr Nanoseconds kBridgedAnswer = std::chrono::milliseconds(250);
/// A share is judged over so long, and over at least kMinAsked requests.
inline constexpr Nanoseconds kCalmWindow = std::chrono::seconds(1);
inline constexpr Nanoseconds kPartialWindow = std::chrono::milliseconds(250);
inline constexpr std::uint64_t kMinAsked = 8;
/// Less is the loss that any network has.
inline constexpr std::uint64_t kPartialPercent = 10;
/// Of what is answered, hanet asks one in so many.
inline constexpr std::int64_t kShare = 3;
/// A path that fails and returns has a gap or two; under a limit they are many, and soon follow
/// each other: after so many answers at most.
inline constexpr std::uint32_t kMinGaps = 3;
inline constexpr std::uint64_t kAnswersBetweenGaps = 16;
inline constexpr unsigned kMaxSlowdowns = 3;
/// In percent of what is asked: two shares that are nearer to each other are the same, counted over
/// some twenty requests.
inline constexpr std::uint64_t kLossMargin = 20;
/// A session asks at least so often, whatever is answered.
inline constexpr Nanoseconds kSlowestPace = std::chrono::seconds(2);
/// Runs of losses, in percent of what is answered or lost, whichever is less: a hundred where a
/// limit lets every nth one pass, few where it lets many pass at once, and in between where each
/// one is lost by chance. Counted over kManyAsked requests at least.
inline constexpr std::uint64_t kLeastIrregular = 30, kMostIrregular = 88, kManyAsked = 40;
/// So long without two losses at a time, and a path is clean: the buckets of two ports that the
/// host uses differently run out within less of each other.
inline constexpr Nanoseconds kClean = std::chrono::seconds(3);
/// So long without a partial share, and a path is proved at its pace.
inline constexpr Nanoseconds kProved = std::chrono::seconds(30);
/// The configured pace is tried again after this, then after twice as long.
inline constexpr Nanoseconds kFirstRetry = std::chrono::minutes(1),
                             kLongestRetry = std::chrono::hours(1);
inline constexpr Nanoseconds kTrialTime = std::chrono::seconds(10);

enum class PaceState { Ordinary, Policed, Trying, Lossy };

/// What the maps say of a session at one moment; the counters only grow.
struct AnswersSeen {
  std::uint64_t sent = 0;
  std::uint64_t replies = 0;
  std::uint64_t lost = 0;  ///< unanswered, and one that was sent later is answered
  std::uint32_t gaps = 0;  ///< how often one or more in a row were lost
  bool asks = true;        ///< requests leave, and their answers count
  bool down = false;
  MonotonicTime down_at{};  ///< its verdict
  MonotonicTime last_reply{};
  Nanoseconds interval{};    ///< in force
  Nanoseconds configured{};  ///< what a person asked for
  std::uint32_t multiplier = 3;
  bool another_is_clean = false;  ///< another path of the group (is_clean)
  bool may_try = true;  ///< losing heartbeats in a trial of the configured pace is no failover
};

/// One session's pace. All times are of the caller's clock; zero: never.
struct Pacing {
  PaceState state = PaceState::Ordinary;
  Nanoseconds pace{};  ///< zero: as configured
  /// What was seen when it was found, in requests a second.
  std::uint64_t asked_per_second = 0, answered_per_second = 0;
  MonotonicTime calm_since{};  ///< nothing was partial since then
  /// Of the verdict `partial_of`: a part is answered all the same, so it is no failed path.
  MonotonicTime partial_until{};
  MonotonicTime partial_of{};

  MonotonicTime clean_since{};  ///< no two were lost between two looks

  /// Its bookkeeping.
  struct {
    MonotonicTime at{};
    bool counts = false;  ///< the path was proved: no answer behind it is waited for
  } verdict{};            ///< the newest
  struct Window {
    MonotonicTime began{};
    std::uint64_t sent = 0, replies = 0, lost = 0;
    std::uint32_t gaps = 0;
  };
  struct {
    Window open{};
    unsigned partial_count = 0;  ///< partial ones in a row before it
    Window partial{}, later{};   ///< the sums of these, and without the first of them
  } windows{};
  unsigned slowdowns = 0;
  /// In percent: slowing down has not helped, so it is tried what asking more often costs.
  std::optional<std::uint64_t> lost_when_slow{};
  MonotonicTime asks_since{};
  struct {
    MonotonicTime reply{};
    std::uint64_t lost = 0;
  } last{};  ///< at the last look
  struct {
    MonotonicTime at{};
    Nanoseconds pause = kFirstRetry;
  } retry{};
  Nanoseconds pace_before_trial{};
};

/// Looks at a session. Call it at `next_look()` at the latest.
[[nodiscard]] Pacing paced(Pacing pacing, const AnswersSeen& seen, MonotonicTime now);
[[nodiscard]] MonotonicTime next_look(const Pacing& pacing, const AnswersSeen& seen,
                                      MonotonicTime now);

/// Until then an answer may say of the newest verdict that it is none; in the past: it counts.
[[nodiscard]] MonotonicTime doubted_until(const Pacing& pacing, const AnswersSeen& seen);

/// Whether `partial_until` is about this verdict.
[[nodiscard]] bool is_partial(const Pacing& pacing, MonotonicTime verdict);

/// Whether silence can only mean a failed path: the network has let this pace pass for long enough,
/// or it is no limit that makes it lose.
[[nodiscard]] bool is_proved_at_pace(const Pacing& pacing, MonotonicTime now);

/// Whether it is asked as configured and loses nothing.
[[nodiscard]] bool is_clean(const Pacing& pacing, MonotonicTime now);

}  // namespace hanet::policy
