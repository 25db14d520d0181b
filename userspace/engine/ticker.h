// SPDX-License-Identifier: Apache-2.0
//
// The ticker: a real-time thread that comes by where the kernel has no timer for us.
//
// Kernels with PREEMPT_RT refuse programs that use bpf_timer. What is armed and what is decided
// stays in the kernel there (bpf/timer.bpf.h); only the coming by is left to this thread, which
// runs tc_control and sleeps for as long as that asks for. So a verdict is late when the thread is,
// and while hanetd stands still there is none: a request's reply that came meanwhile is counted
// before, so no verdict is false because of it.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "core/result.h"

namespace hanet::engine {

class Ticker {
 public:
  /// Starts the thread with SCHED_FIFO priority kTickerPriority; without the right to it, it runs
  /// as it may and says so once. `control_program`: the descriptor of tc_control, loaded without
  /// bpf_timer; it must stay open as long as the Ticker lives.
  [[nodiscard]] static Result<std::unique_ptr<Ticker>> start(int control_program);
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;
  /// Stops within 10 ms.
  ~Ticker();

 private:
  explicit Ticker(int control_program) : control_program_(control_program) {}
  void run();

  const int control_program_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace hanet::engine
