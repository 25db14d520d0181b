// SPDX-License-Identifier: Apache-2.0
//
// How often hanet puts back what another program took, and after which pause.
//
// Two programs that disagree must not fill a disk: so many repairs, then hanet lets the other one
// have its way for a while. And `ip route flush` and its like look again after each round and go on
// while they find something, so each repair waits longer than the one before, until they have found
// nothing.
#pragma once

#include <chrono>

#include "core/clock.h"

namespace hanet::policy {

/// Changes come in bursts (an `ip addr flush`, a daemon that configures): act once, behind them.
inline constexpr Nanoseconds kBurst = std::chrono::milliseconds(20);
/// Repairs within one truce; the next one is refused. Enough for a manager that configures in
/// steps.
inline constexpr int kRepairs = 5;
/// How long a refusal lasts, counted from the first repair.
inline constexpr Nanoseconds kTruce = std::chrono::seconds(60);
/// Each pause is so many times the one before.
inline constexpr int kPauseGrowth = 3;

/// The repairs of one group. Pure: time is given.
class Repairs {
 public:
  enum class Answer { Granted, JustRefused, Refused };

  /// May something be repaired now? JustRefused: the first refusal of a truce, worth an alarm.
  [[nodiscard]] Answer ask(MonotonicTime now);
  /// How long the repair waits that was granted; the next one waits longer.
  [[nodiscard]] Nanoseconds take_pause();

 private:
  MonotonicTime since_{};  // the first repair of this truce
  int asked_ = 0;          // since then
  Nanoseconds pause_ = kBurst;
};

}  // namespace hanet::policy
