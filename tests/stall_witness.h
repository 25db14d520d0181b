// SPDX-License-Identifier: Apache-2.0
//
// Did this machine stand still? Asked by a test that was too slow, and answered without hanet.
//
// A test that must do something within a time is either in time, or the machine was not there: the
// hypervisor took it away, or other programs had it. A thread beside the test wakes up every
// millisecond, as the test itself would, and adds up by how much it was late. Only what it has seen
// excuses a test; a test that is too slow on a machine that ran has failed.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace hanet::test {

class StallWitness {
 public:
  StallWitness() : thread_([this](const std::stop_token& stop) { watch(stop); }) {}

  /// How long it was kept from running since it was made, or since forget().
  [[nodiscard]] std::chrono::milliseconds stood_still() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::nanoseconds(late_ns_.load()));
  }
  void forget() { late_ns_ = 0; }

 private:
  void watch(const std::stop_token& stop) {
    using Clock = std::chrono::steady_clock;
    // A timer of a busy machine is up to a millisecond late; that keeps no test from its work.
    constexpr std::chrono::milliseconds kEvery{1}, kUsual{1};
    for (Clock::time_point last = Clock::now(); !stop.stop_requested();) {
      std::this_thread::sleep_until(last + kEvery);
      const Clock::time_point now = Clock::now();
      if (now - last > kEvery + kUsual) late_ns_ += (now - last - kEvery).count();
      last = now;
    }
  }

  std::atomic<std::int64_t> late_ns_ = 0;
  std::jthread thread_;  // last: it ends before what it writes to
};

/// For a test that was too late: skips it if the machine stood still for so long, else it fails.
#define EXCUSE_OR_FAIL(witness, needed, what)                                          \
  do {                                                                                 \
    const auto stood_still_ms = (witness).stood_still();                               \
    if (stood_still_ms >= (needed))                                                    \
      GTEST_SKIP() << "skipped: the machine stood still (" << stood_still_ms.count()   \
                   << " ms): " << (what);                                              \
    FAIL() << (what) << ", and the machine stood still for " << stood_still_ms.count() \
           << " ms only";                                                              \
  } while (false)

}  // namespace hanet::test
