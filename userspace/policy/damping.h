// SPDX-License-Identifier: Apache-2.0
//
// Flap damping: down acts at once, up waits (spec F9).
//
// A path that fails again and again is not worth returning to, however well it works at this
// moment. As RFC 2439 does for routes, every failure adds a penalty that decays exponentially;
// above one limit the path is suppressed, until the penalty has decayed below a lower one.
// Suppression only keeps hanet from returning by itself: a suppressed path that is the only one
// that works is used (spec F11).
#pragma once

#include "core/clock.h"

namespace hanet::policy {

// RFC 2439 section 4.2 names the parameters; the values are those that routers ship with.
inline constexpr double kPenaltyPerFailure = 1000;
inline constexpr double kSuppressAbove = 2000;
inline constexpr double kReuseBelow = 750;
/// Four half-lives above the reuse limit: the longest suppression.
inline constexpr double kPenaltyCeiling = kReuseBelow * 16;

/// The penalty of one path. Pure: time is given.
class Damping {
 public:
  /// A failure at `now`.
  void failed(MonotonicTime now, Nanoseconds half_life);
  /// The penalty, decayed until `now`.
  [[nodiscard]] double penalty(MonotonicTime now, Nanoseconds half_life) const;
  /// Whether the path is suppressed at `now`: it was above the upper limit and is not yet below the
  /// lower one.
  [[nodiscard]] bool suppressed(MonotonicTime now, Nanoseconds half_life) const;
  /// When a suppressed path may be returned to; `now` or earlier for one that is not suppressed.
  [[nodiscard]] MonotonicTime reuse_at(Nanoseconds half_life) const;
  bool operator==(const Damping&) const = default;

 private:
  double penalty_ = 0;  // at `at_`
  MonotonicTime at_{};
  bool suppressed_ = false;  // since `at_`, until it has decayed
};

}  // namespace hanet::policy
