// SPDX-License-Identifier: Apache-2.0
//
// Holds every processor: what is left of detection where no process gets one (spec M12).
//
// A loop on each CPU under SCHED_FIFO, above every thread of hanetd. What measures meanwhile, and
// who cuts, is above the loops (kMeasuringPriority). No program can be started while they run, so
// what has to be known is known before.
//
// Threading: one owner. The loops end with the object, and by themselves after `longest`, in case
// the owner gets no processor either.
#pragma once

#include <thread>
#include <vector>

#include "core/clock.h"

namespace hanet::bench {

/// Of who measures while the processors are held; that of StallWatch as well.
inline constexpr int kMeasuringPriority = 90;

class Starvation {
 public:
  /// Where a CPU can not be held (no CAP_SYS_NICE), held() is false.
  explicit Starvation(Nanoseconds longest);
  Starvation(const Starvation&) = delete;
  Starvation& operator=(const Starvation&) = delete;
  ~Starvation() = default;

  [[nodiscard]] bool held() const { return held_; }

 private:
  bool held_ = false;
  std::vector<std::jthread> loops_;
};

}  // namespace hanet::bench
