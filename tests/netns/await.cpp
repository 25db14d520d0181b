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

// Most looks start a program, and a machine that does nothing but look has no time for what is
// looked for: the longer something takes, the longer are the pauses.
constexpr Nanoseconds kShortest = std::chrono::milliseconds(2);
constexpr Nanoseconds kLongest = std::chrono::milliseconds(20);

}  // namespace

testing::AssertionResult await(const std::string& what, const std::function<bool()>& done,
                               std::chrono::milliseconds limit) {
  const MonotonicTime begun = monotonic_now();
  bool last_look = false;
  while (!done()) {
    if (last_look)
      return testing::AssertionFailure()
             << what << " did not happen within " << limit.count() << " ms";
    const Nanoseconds waited = monotonic_now() - begun;
    last_look = waited > limit;
    std::this_thread::sleep_for(std::clamp(waited / 16, kShortest, kLongest));
  }
  return testing::AssertionSuccess();
}

}  // namespace hanet::test
