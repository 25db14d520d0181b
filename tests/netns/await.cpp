// SPDX-License-Identifier: Apache-2.0
//
// See await.h. The condition is looked at once more after the deadline, so that a machine that
// stood still between two looks does not fail a test whose condition is long true.
#include "netns/await.h"

#include <thread>

#include "core/clock.h"

namespace hanet::test {

testing::AssertionResult await(const std::string& what, const std::function<bool()>& done,
                               std::chrono::milliseconds limit) {
  const MonotonicTime deadline = monotonic_now() + limit;
  bool last_look = false;
  while (!done()) {
    if (last_look)
      return testing::AssertionFailure()
             << what << " did not happen within " << limit.count() << " ms";
    last_look = monotonic_now() > deadline;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return testing::AssertionSuccess();
}

}  // namespace hanet::test
