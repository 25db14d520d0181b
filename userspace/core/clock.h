// SPDX-License-Identifier: Apache-2.0
//
// The only place that reads time.
//
// Decisions are pure functions of (state, event, now), so nothing else may look at a clock. All
// times are CLOCK_MONOTONIC, because bpf_ktime_get_ns() is: a stamp taken in the kernel and one
// taken here can be subtracted.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

namespace hanet {

using Nanoseconds = std::chrono::nanoseconds;
/// A point on CLOCK_MONOTONIC, as a duration since boot.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Nanoseconds>;

/// Now. Thread-safe, a vDSO call.
[[nodiscard]] inline MonotonicTime monotonic_now() {
  timespec ts{};
  ::clock_gettime(CLOCK_MONOTONIC, &ts);
  return MonotonicTime(std::chrono::seconds(ts.tv_sec) + Nanoseconds(ts.tv_nsec));
}

/// Sleeps until `when`, as exactly as the thread's timer slack allows; a signal wakes it early.
inline void sleep_until(MonotonicTime when) {
  const auto since_boot = when.time_since_epoch();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
  const timespec at{.tv_sec = whole.count(), .tv_nsec = (since_boot - whole).count()};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

/// A kernel stamp (bpf_ktime_get_ns) as a time point.
[[nodiscard]] inline MonotonicTime from_kernel_ns(std::uint64_t ns) {
  return MonotonicTime(Nanoseconds(static_cast<std::int64_t>(ns)));
}

/// The wall clock, for people only: never used in a decision.
[[nodiscard]] inline std::chrono::system_clock::time_point wall_now() {
  return std::chrono::system_clock::now();
}

}  // namespace hanet
