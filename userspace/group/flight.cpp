// SPDX-License-Identifier: Apache-2.0
//
// See flight.h. The kernel side goes on writing meanwhile: a slot of the window that is no longer
// the request it was is left out.
#include "group/flight.h"

#include <algorithm>

namespace hanet::group {
namespace {

constexpr std::uint64_t kHeartbeats = 12;  // more than the most unanswered ones of usual settings

}  // namespace

failover::Flight flight_of(const hanet_session& session) {
  failover::Flight flight;
  const std::uint64_t verdict = engine::load(session.verdict_ns);
  const std::uint64_t first_lost = engine::load(session.first_lost_ns);
  if (const std::uint64_t last = engine::load(session.last_reply_ns); last != 0 && last <= verdict)
    flight.last_reply = from_kernel_ns(last);
  if (engine::load(session.deferred_lost_ns) == first_lost && first_lost != 0) {
    flight.deferred_since = from_kernel_ns(engine::load(session.deferred_since_ns));
    flight.stalled_cpu = engine::load(session.stalled_cpu);
  }
  const std::uint64_t sent = engine::load(session.sent);
  const std::uint64_t oldest = sent > HANET_WINDOW ? sent - HANET_WINDOW + 1 : 1;
  for (std::uint64_t sequence = sent; sequence >= oldest; --sequence) {
    const hanet_request& request = session.window[sequence % HANET_WINDOW];
    const std::uint64_t left = engine::load(request.sent_ns);
    if (engine::load(request.sequence) != sequence || left > verdict) continue;
    if (flight.heartbeats.size() == kHeartbeats) break;
    failover::SeenHeartbeat seen{.sent = from_kernel_ns(left), .replied = {}};
    if (const std::uint64_t replied = engine::load(request.replied_ns); replied != 0)
      seen.replied = from_kernel_ns(replied);
    flight.heartbeats.push_back(seen);
  }
  std::ranges::reverse(flight.heartbeats);
  return flight;
}

}  // namespace hanet::group
