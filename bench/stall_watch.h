// SPDX-License-Identifier: Apache-2.0
//
// Which CPU stood still, and when: the other side of a false verdict.
//
// On a virtual machine the hypervisor takes CPUs away for milliseconds, and no test of a network
// can tell that from a network that stopped. So the bench keeps an observer of its own on every
// CPU, independent of hanet: a real-time thread that wakes up all the time and notes when it did
// not.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "core/clock.h"

namespace hanet::bench {

/// A CPU ran nothing from `from` to `to`.
struct Stall {
  int cpu = 0;
  MonotonicTime from;
  MonotonicTime to;
};

class StallWatch {
 public:
  /// Starts one thread per CPU that this process may use, which wakes up that often. Without
  /// CAP_SYS_NICE what it sees includes the work of other programs.
  explicit StallWatch(std::chrono::microseconds every = std::chrono::microseconds(200));
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;
  ~StallWatch() = default;

  /// What was seen so far, at most 100,000 stalls; in order of time per CPU.
  [[nodiscard]] std::vector<Stall> stalls() const;
  /// Ends the watch. By how many microseconds each timer was late, at most the first 100,000 of
  /// each CPU: what this machine was worth meanwhile.
  [[nodiscard]] std::vector<double> end();

 private:
  void watch(const std::stop_token& stop, int cpu);
  void note(int cpu, MonotonicTime last, MonotonicTime now, std::vector<double>& late);

  std::chrono::microseconds every_;
  mutable std::mutex mutex_;
  std::vector<Stall> stalls_;
  std::map<int, std::vector<double>> lateness_us_;  // by CPU
  std::vector<std::jthread> threads_;               // last: they end before what they write to
};

}  // namespace hanet::bench
