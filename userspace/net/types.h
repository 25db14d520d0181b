// SPDX-License-Identifier: Apache-2.0
//
// The small value types that every layer speaks: a MAC address, nothing clever.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hanet::net {

using MacAddress = std::array<std::uint8_t, 6>;

/// "02:68:6e:00:00:01".
[[nodiscard]] std::string to_text(const MacAddress& mac);
/// "192.0.2.1", "2001:db8::1"; what is missing of the bytes is zero.
[[nodiscard]] std::string address_text(int family, std::span<const std::uint8_t> bytes);

/// An IPv4 address, and the MAC address that ARP finds it at.
struct ArpEntry {
  std::uint16_t vlan = 0;     ///< id, 1 .. 4094; 0: untagged
  std::uint32_t address = 0;  ///< network order
  MacAddress mac{};
  auto operator<=>(const ArpEntry&) const = default;
};

/// An address that no manufacturer assigned, unicast, 46 random bits. Used for probes: replies are
/// addressed to it, so it is a part of a session's cookie.
[[nodiscard]] MacAddress random_local_mac();
/// "02:00:00:00:00:01" as a card's address: unicast and not all zero; nothing else is one.
[[nodiscard]] std::optional<MacAddress> parse_mac(std::string_view text);

/// The EUI-64 link-local address that belongs to a MAC address (RFC 4291 appendix A).
[[nodiscard]] std::array<std::uint8_t, 16> link_local_of(const MacAddress& mac);

}  // namespace hanet::net
