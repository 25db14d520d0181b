// SPDX-License-Identifier: Apache-2.0
//
// An identity as rtnetlink messages: how it is put on an interface, and how it is taken off.
#pragma once

#include <vector>

#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::net {

/// rtm_protocol of routes that hanet makes for itself; a number that rtnetlink.h leaves to users.
inline constexpr std::uint8_t kRouteProtocol = 104;

/// Adds one address. IPv6 addresses skip duplicate address detection (IFA_F_NODAD): the identity
/// was checked where it comes from, and the wait would cost a second (RFC 4862 section 5.4).
[[nodiscard]] NetlinkMessage add_address(const Address& address, unsigned ifindex);
[[nodiscard]] NetlinkMessage remove_address(const Address& address, unsigned ifindex);

/// The kernel's own route to the neighbours of an IPv6 address.
[[nodiscard]] NetlinkMessage remove_prefix_route(const Address& address, unsigned ifindex);

[[nodiscard]] NetlinkMessage add_route(const KernelObject& route);
[[nodiscard]] NetlinkMessage remove_route(const KernelObject& route);
/// A route that delivers an IPv6 address locally, beside the kernel's own (which has metric 0 and
/// is preferred as soon as it is there). Marked with kRouteProtocol.
[[nodiscard]] NetlinkMessage add_local_delivery(const Address& address, unsigned ifindex);
[[nodiscard]] NetlinkMessage remove_local_delivery(const Address& address, unsigned ifindex);
/// Gives a nexthop object or group, also in place of the one with its number: routes that use it
/// follow.
[[nodiscard]] NetlinkMessage give_nexthop(const KernelObject& nexthop);
[[nodiscard]] NetlinkMessage add_rule(const KernelObject& rule);
[[nodiscard]] NetlinkMessage remove_rule(const KernelObject& rule);
[[nodiscard]] NetlinkMessage add_neighbour(const KernelObject& neighbour);
[[nodiscard]] NetlinkMessage remove_neighbour(const KernelObject& neighbour);

/// True where the kernel does not drop the route by itself when the interface's addresses go.
[[nodiscard]] bool must_be_removed(const KernelObject& route, bool has_ipv4_addresses);

}  // namespace hanet::net
