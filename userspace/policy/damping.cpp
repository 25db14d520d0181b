// SPDX-License-Identifier: Apache-2.0
//
// See damping.h.
#include "policy/damping.h"

#include <algorithm>
#include <cmath>

namespace hanet::policy {

double Damping::penalty(MonotonicTime now, Nanoseconds half_life) const {
  if (penalty_ <= 0 || now <= at_) return penalty_;
  const std::chrono::duration<double> passed = now - at_;
  const std::chrono::duration<double> half = half_life;
  return penalty_ * std::exp2(-passed / half);
}

void Damping::failed(MonotonicTime now, Nanoseconds half_life) {
  const bool was_suppressed = suppressed(now, half_life);
  penalty_ = std::min(penalty(now, half_life) + kPenaltyPerFailure, kPenaltyCeiling);
  at_ = now;
  suppressed_ = was_suppressed || penalty_ > kSuppressAbove;
}

bool Damping::suppressed(MonotonicTime now, Nanoseconds half_life) const {
  return suppressed_ && now < reuse_at(half_life);
}

MonotonicTime Damping::reuse_at(Nanoseconds half_life) const {
  if (!suppressed_ || penalty_ <= kReuseBelow) return at_;
  const std::chrono::duration<double> half = half_life;
  return at_ + std::chrono::duration_cast<Nanoseconds>(half * std::log2(penalty_ / kReuseBelow));
}

}  // namespace hanet::policy
