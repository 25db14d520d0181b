// SPDX-License-Identifier: Apache-2.0
//
// See starvation.h.
#include "bench/starvation.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <latch>
#include <memory>

#include "core/priority.h"

namespace hanet::bench {
namespace {

constexpr int kLoopPriority = 80;

cpu_set_t usable_cpus() {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  ::sched_getaffinity(0, sizeof(usable), &usable);
  return usable;
}

bool stay_on(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(cpu), &one);
  return ::sched_setaffinity(0, sizeof(one), &one) == 0;
}

}  // namespace

// The loops wait for each other: one that runs would let no other one begin on its CPU.
Starvation::Starvation(Nanoseconds longest) {
  const cpu_set_t usable = usable_cpus();
  const auto count = static_cast<std::ptrdiff_t>(CPU_COUNT(&usable));
  const auto ready = std::make_shared<std::latch>(count + 1);
  const auto in_place = std::make_shared<std::atomic<std::ptrdiff_t>>(0);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(static_cast<unsigned>(cpu), &usable)) continue;
    loops_.emplace_back([=](const std::stop_token& stop) {
      if (stay_on(cpu) && become_real_time(kLoopPriority)) ++*in_place;
      ready->arrive_and_wait();
      const MonotonicTime end = monotonic_now() + longest;
      while (!stop.stop_requested() && monotonic_now() < end) {
      }
    });
  }
  ready->arrive_and_wait();
  held_ = *in_place == count;
}

}  // namespace hanet::bench
