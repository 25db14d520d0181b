// SPDX-License-Identifier: Apache-2.0
//
// See speed.h.
#include "policy/speed.h"

#include <algorithm>

namespace hanet::policy {

std::optional<std::uint32_t> seen_speed(const SpeedFacts& facts) {
  return facts.carrier && facts.told ? facts.told : facts.last;
}

std::uint32_t weight_by_speed(const SpeedFacts& facts) {
  std::optional<std::uint32_t> speed = seen_speed(facts);
  if (!speed) speed = facts.possible;
  // Without a link and without modes to negotiate: a driver of a virtual card, whose word is all.
  if (!speed) speed = facts.told;
  return std::max(speed.value_or(1), 1U);
}

}  // namespace hanet::policy
