// SPDX-License-Identifier: Apache-2.0
//
// Whether a card that appears is one that is missing, or another one in its slot (spec F10).
//
// What is known by its name or its MAC address is the card itself, and no other port's replacement.
// Else a card in the slot of a missing one takes its role. The interface of a card that was there
// all the time has a lower number: several can be in one slot.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace hanet::policy {

/// An interface that appeared or changed, and is no port.
struct CardSeen {
  std::string name;
  unsigned number = 0;   ///< of the interface
  std::string mac;       ///< its own, if the driver tells
  std::string bus_path;  ///< of the device; empty: none
  bool is_card = true;   ///< not a device on top of others, which borrows their MAC address
};

/// A port of the group, as it was last seen.
struct CardAwaited {
  bool is_awaited = true;  ///< it vanished; false: it is there, or a person took it out
  std::string name;
  unsigned number = 0;
  std::string mac;
  std::string bus_path;
};

/// The port that the card is, or replaces; empty: none.
[[nodiscard]] std::optional<std::size_t> port_of_card(std::span<const CardAwaited> ports,
                                                      const CardSeen& seen);

}  // namespace hanet::policy
