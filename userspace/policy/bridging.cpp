// SPDX-License-Identifier: Apache-2.0
//
// See bridging.h.
#include "policy/bridging.h"

#include <algorithm>

#include "policy/pacing.h"

namespace hanet::policy {

bool bridge_serves(const BridgeFacts& facts, Cause cause) {
  const bool is_left = cause == Cause::CarrierLost && facts.left_without_carrier;
  return is_failure(cause) && facts.bridges && facts.from_present && facts.keeps_mac && !is_left;
}

Nanoseconds wait_before_move(const BridgeFacts& facts, const Switchover& switchover,
                             Nanoseconds delay) {
  if (!is_failure(switchover.cause)) return {};
  // Both ends of a pair have their verdicts before either enables its standby.
  if (delay > Nanoseconds::zero() && switchover.from != switchover.to) return delay;
  if (!bridge_serves(facts, switchover.cause)) return {};
  const bool may_answer = facts.may_be_policed && switchover.cause == Cause::HeartbeatLost;
  return std::max(std::min(2 * facts.detection_time, kLongestBridge),
                  may_answer ? kBridgedAnswer : Nanoseconds::zero());
}

}  // namespace hanet::policy
