// SPDX-License-Identifier: Apache-2.0
//
// See repair.h.
#include "policy/repair.h"

#include <utility>

namespace hanet::policy {

Repairs::Answer Repairs::ask(MonotonicTime now) {
  if (now > since_ + kTruce) {
    since_ = now;
    asked_ = 0;
    pause_ = kBurst;
  }
  ++asked_;
  if (asked_ <= kRepairs) return Answer::Granted;
  return asked_ == kRepairs + 1 ? Answer::JustRefused : Answer::Refused;
}

Nanoseconds Repairs::take_pause() { return std::exchange(pause_, pause_ * kPauseGrowth); }

}  // namespace hanet::policy
