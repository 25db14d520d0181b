// SPDX-License-Identifier: Apache-2.0
//
// See await.h. The condition is looked at once more after the deadline, so that a machine that
// stood still between two looks does not fail a test whose condition is long true.
#include "netns/await.h"

#include <algorithm>
#include <thread>

#include "core/clock.h"

namespace hanet::test {
namespace {

using namespace std::chrono_literals;

// Most looks start a program, and a machine that does nothing but look has no time for what is
// looked for: the longer something takes, the longer are the pauses.
constexpr Nanoseconds kShortest = std::chrono::milliseconds(2);
constexpr Nanoseconds kLongest = std::chrono::milliseconds(20);
// So late a timer of a busy machine is.
constexpr Nanoseconds kUsual = std::chrono::milliseconds(10);

// A machine whose timers never come is no machine to test on.
constexpr int kMostExtended = 4;

}  // namespace

testing::AssertionResult await(const std::string& what, const std::function<bool()>& done,
                               std::chrono::milliseconds limit) {
  const MonotonicTime begun = monotonic_now();
  Nanoseconds late{};  // of the pauses: the witness, which knows nothing of hanet
  bool last_look = false;
  while (!done()) {
    if (last_look)
      return testing::AssertionFailure()
             << what << " did not happen within " << limit.count()
             << " ms, besides which this machine's own timers were late by " << late / 1ms << " ms";
    const MonotonicTime now = monotonic_now();
    const Nanoseconds waited = now - begun;
    last_look = waited > limit + std::min<Nanoseconds>(late, (kMostExtended - 1) * limit);
    const Nanoseconds pause = std::clamp(waited / 16, kShortest, kLongest);
    std::this_thread::sleep_for(pause);
    late += std::max<Nanoseconds>(monotonic_now() - now - pause - kUsual, {});
  }
  return testing::AssertionSuccess();
}

}  // namespace hanet::test
