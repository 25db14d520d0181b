// SPDX-License-Identifier: Apache-2.0
//
// The identity: what moves at a switchover (spec F2, F4), as values.
//
// Addresses are taken apart, because their labels change with the interface's name. Routes, rules
// and neighbours are kept as the kernel gave them, header and attributes, so that nothing is lost
// that this version of hanet does not know; only what names the interface is rewritten. Two
// identities compare field by field, which is how a switchover is verified.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/types.h"

namespace hanet::net {

/// Where an identity is: the interface's name and number.
struct InterfaceName {
  std::string name;
  unsigned index = 0;
  bool operator==(const InterfaceName&) const = default;
};

/// One IPv4 or IPv6 address (struct ifaddrmsg and its IFA_* attributes).
struct Address {
  int family = 0;
  std::uint8_t prefix_length = 0;
  std::uint8_t scope = 0;
  std::uint32_t flags = 0;                ///< IFA_F_*, without those that the kernel computes
  std::vector<std::uint8_t> local;        ///< 4 or 16 bytes: the host's own address
  std::vector<std::uint8_t> peer;         ///< IFA_ADDRESS; equals local except on point-to-point
  std::vector<std::uint8_t> broadcast;    ///< empty: none
  std::string label;                      ///< IPv4 only
  std::uint32_t preferred_seconds = 0;    ///< 0xffffffff: for ever
  std::uint32_t valid_seconds = 0;        ///< 0xffffffff: for ever
  std::optional<std::uint32_t> priority;  ///< metric of the connected route
  std::uint8_t protocol = 0;              ///< IFA_PROTO, Linux 5.18
  bool operator==(const Address&) const = default;
};

/// A route, rule or neighbour: the family header's bytes and the attributes by number.
struct KernelObject {
  std::vector<std::uint8_t> header;
  std::map<std::uint16_t, std::vector<std::uint8_t>> attributes;
  bool operator==(const KernelObject&) const = default;
};

struct Identity {
  InterfaceName on;
  MacAddress mac{};
  std::vector<Address> addresses;        ///< in the kernel's order: primaries before secondaries
  std::vector<KernelObject> routes;      ///< directly reachable ones first, as they must be added
  std::vector<KernelObject> rules;       ///< policy rules that name the interface
  std::vector<KernelObject> neighbours;  ///< permanent entries and proxies
  [[nodiscard]] bool empty() const { return addresses.empty() && routes.empty(); }
  bool operator==(const Identity&) const = default;
};

/// The same identity as it has to look on another interface: labels, interface numbers and names.
[[nodiscard]] Identity retarget(const Identity& identity, const InterfaceName& to);

/// A neighbour as it has to look on another interface.
[[nodiscard]] KernelObject retarget_neighbour(KernelObject neighbour, const InterfaceName& to);

/// What `found` lacks of `expected`, one line for each, for people; empty when it is all there.
/// Remaining lifetimes may have run down; the MAC address is compared unless `ignore_mac`.
[[nodiscard]] std::vector<std::string> missing_from(const Identity& found, const Identity& expected,
                                                    bool ignore_mac);

[[nodiscard]] std::string describe(const Address& address);
[[nodiscard]] std::string describe_route(const KernelObject& route);

}  // namespace hanet::net
