// SPDX-License-Identifier: Apache-2.0
//
// What a wait of the tests does on a machine that stands still.
#include "netns/await.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "core/clock.h"

namespace hanet::test {
namespace {

using namespace std::chrono_literals;

/// Stops this process for a second: none of its timers fires meanwhile.
class StandStill {
 public:
  StandStill() : child_(::fork()) {
    if (child_ != 0) return;
    ::kill(::getppid(), SIGSTOP);
    std::this_thread::sleep_for(1s);
    ::kill(::getppid(), SIGCONT);
    ::_exit(0);
  }
  StandStill(const StandStill&) = delete;
  StandStill& operator=(const StandStill&) = delete;
  ~StandStill() { ::waitpid(child_, nullptr, 0); }

 private:
  pid_t child_;
};

TEST(Await, ATimeInWhichNoTimerFiresIsAddedToTheDeadline) {
  const MonotonicTime begun = monotonic_now();
  const StandStill second;
  EXPECT_TRUE(await("it", [&] { return monotonic_now() - begun > 1200ms; }, 600ms));
}

TEST(Await, WhatDoesNotComeOnAMachineThatRunsIsAFailure) {
  const testing::AssertionResult never = await("it", [] { return false; }, 100ms);
  EXPECT_FALSE(never);
  EXPECT_EQ(std::string(never.message()).find("it did not happen within 100 ms"), 0U)
      << never.message();
}

}  // namespace
}  // namespace hanet::test
