// SPDX-License-Identifier: Apache-2.0
//
// See stall_watch.h.
#include "bench/stall_watch.h"

#include <sched.h>

#include "bench/starvation.h"
#include "core/priority.h"

namespace hanet::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kLate = 200us;  // an idle CPU is 10 to 60 us late
constexpr std::size_t kMost = 100'000;

void stay_on(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(cpu), &one);
  ::sched_setaffinity(0, sizeof(one), &one);
}

}  // namespace

StallWatch::StallWatch(std::chrono::microseconds every) : every_(every) {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  ::sched_getaffinity(0, sizeof(usable), &usable);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<unsigned>(cpu), &usable))
      threads_.emplace_back([this, cpu](const std::stop_token& stop) { watch(stop, cpu); });
}

void StallWatch::watch(const std::stop_token& stop, int cpu) {
  stay_on(cpu);
  [[maybe_unused]] const bool real_time = become_real_time(kMeasuringPriority);
  std::vector<double> late;
  late.reserve(kMost);
  MonotonicTime last = monotonic_now();
  while (!stop.stop_requested()) {
    std::this_thread::sleep_until(last + every_);
    const MonotonicTime now = monotonic_now();
    note(cpu, last, now, late);
    last = now;
  }
  const std::scoped_lock lock(mutex_);
  lateness_us_[cpu] = std::move(late);
}

void StallWatch::note(int cpu, MonotonicTime last, MonotonicTime now, std::vector<double>& late) {
  const Nanoseconds by = now - last - every_;
  if (late.size() < kMost) late.push_back(static_cast<double>(by.count()) / 1e3);
  if (by <= kLate) return;
  const std::scoped_lock lock(mutex_);
  if (stalls_.size() < kMost) stalls_.push_back({.cpu = cpu, .from = last, .to = now});
}

std::vector<double> StallWatch::end() {
  threads_.clear();
  std::vector<double> all;
  for (const auto& [cpu, late] : lateness_us_) all.insert(all.end(), late.begin(), late.end());
  return all;
}

std::vector<Stall> StallWatch::stalls() const {
  const std::scoped_lock lock(mutex_);
  return stalls_;
}

}  // namespace hanet::bench
