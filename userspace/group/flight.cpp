// SPDX-License-Identifier: Apache-2.0
//
// See flight.h.
#include "group/flight.h"

#include <atomic>
#include <ranges>

namespace hanet::group {

std::optional<failover::Flight> flight_of(const hanet_flight& kept, MonotonicTime verdict) {
  // A seqlock of one word: what is copied between two looks at it is of that verdict, or is not
  // used.
  const auto is_of_it = [&] {
    std::atomic_thread_fence(std::memory_order_acquire);
    const bool is_it = from_kernel_ns(engine::load(kept.verdict_ns)) == verdict;
    std::atomic_thread_fence(std::memory_order_acquire);
    return is_it;
  };
  if (!is_of_it()) return std::nullopt;
  const hanet_flight copy = kept;
  if (!is_of_it()) return std::nullopt;
  failover::Flight flight;
  flight.heartbeats.reserve(HANET_FLIGHT_REQUESTS);
  if (copy.last_reply_ns != 0 && from_kernel_ns(copy.last_reply_ns) <= verdict)
    flight.last_reply = from_kernel_ns(copy.last_reply_ns);
  if (copy.deferred_since_ns != 0) {
    flight.deferred_since = from_kernel_ns(copy.deferred_since_ns);
    flight.stalled_cpu = copy.stalled_cpu;
  }
  if (copy.timer_cpu != HANET_NONE) {
    flight.timer_late = Nanoseconds(copy.timer_late_ns);
    flight.timer_cpu = copy.timer_cpu;
  }
  for (const hanet_request& request : copy.requests | std::views::reverse) {
    if (request.sequence == 0 || from_kernel_ns(request.sent_ns) > verdict) continue;
    failover::SeenHeartbeat seen{.sent = from_kernel_ns(request.sent_ns), .replied = {}};
    if (request.replied_ns != 0) seen.replied = from_kernel_ns(request.replied_ns);
    flight.heartbeats.push_back(seen);
  }
  return flight;
}

}  // namespace hanet::group
