// SPDX-License-Identifier: Apache-2.0
//
// See card.h.
#include "policy/card.h"

#include <algorithm>

namespace hanet::policy {
namespace {

bool is_itself(const CardAwaited& port, const CardSeen& seen) {
  return seen.name == port.name || (seen.is_card && seen.mac == port.mac);
}

bool is_in_slot_of(const CardAwaited& port, const CardSeen& seen) {
  return seen.is_card && !seen.bus_path.empty() && seen.bus_path == port.bus_path &&
         seen.number > port.number;
}

}  // namespace

std::optional<std::size_t> port_of_card(std::span<const CardAwaited> ports, const CardSeen& seen) {
  for (const auto fits : {is_itself, is_in_slot_of}) {
    const auto found = std::ranges::find_if(
        ports, [&](const CardAwaited& port) { return port.is_awaited && fits(port, seen); });
    if (found != ports.end()) return static_cast<std::size_t>(found - ports.begin());
  }
  return std::nullopt;
}

}  // namespace hanet::policy
