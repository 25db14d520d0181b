// SPDX-License-Identifier: Apache-2.0
//
// See ticker.h. The loop allocates nothing, takes no lock, and writes a log only when the kernel
// stops to take the program.
#include "engine/ticker.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "core/clock.h"
#include "core/log.h"
#include "core/priority.h"
#include "core/thread.h"
#include "engine/control_program.h"

namespace hanet::engine {
namespace {

constexpr Nanoseconds kAfterAFailure = std::chrono::milliseconds(10);

}  // namespace

Result<std::unique_ptr<Ticker>> Ticker::start(int control_program) {
  std::unique_ptr<Ticker> ticker(new Ticker(control_program));
  Result<std::thread> thread =
      start_thread("that keeps deadlines", [self = ticker.get()] { self->run(); });
  if (!thread) return pass_on(thread);
  ticker->thread_ = std::move(*thread);
  return ticker;
}

Ticker::~Ticker() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Ticker::run() {
  if (!become_punctual("hanet-ticker", kTickerPriority))
    log::warning(
        "deadlines are kept without real-time priority (CAP_SYS_NICE is needed): verdicts may be "
        "late");
  bool told = false;
  while (!stopping_.load(std::memory_order_relaxed)) {
    const ControlAnswer answer = run_control(control_program_, HANET_CONTROL_TICK, 0);
    if (answer.error != 0 && !told)
      log::error("run tc_control: {}: no deadline is kept until that ends",
                 std::strerror(answer.error));
    told = answer.error != 0;
    sleep_until(monotonic_now() + (told ? kAfterAFailure : Nanoseconds(answer.value)));
  }
}

}  // namespace hanet::engine
