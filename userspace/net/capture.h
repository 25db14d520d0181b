// SPDX-License-Identifier: Apache-2.0
//
// Reading the identity of an interface from the kernel (spec F3).
//
// Nothing is ever configured from a guess: what moves is what the kernel says is there now. The
// kernel's own products (connected and local routes, multicast addresses) are left out, because the
// kernel makes them again from the addresses. Not what only looks like them: a network manager that
// chooses metrics forbids the kernel its connected route (noprefixroute) and adds it itself, as the
// kernel's. Routes of other interfaces that prefer one of the
// identity's addresses as their source are included: the kernel drops them, without a word, when
// that address goes (net/ipv4/fib_semantics.c, fib_sync_down_addr).
#pragma once

#include <optional>
#include <vector>

#include "core/result.h"
#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::net {

/// Captures everything, with what is on the VLANs of the interface. Takes some hundred
/// microseconds; not for the path from verdict to switch.
[[nodiscard]] Result<Identity> capture(NetlinkSocket& socket, const InterfaceName& interface);

/// The MAC address, VLANs and addresses alone: quick, however many routes there are.
[[nodiscard]] Result<Identity> capture_addresses(NetlinkSocket& socket,
                                                 const InterfaceName& interface);

/// Is a notification about an address, a route or a rule of this identity, or may it be? One that
/// replaces a route to the same destination is, because that may have been the identity's.
/// `slots`: of its routes.
[[nodiscard]] bool concerns(const nlmsghdr& message, const Identity& identity,
                            const RouteSlots& slots);

/// The address of an identity that an RTM_NEWADDR or RTM_DELADDR is about; null: none.
[[nodiscard]] const Address* address_in(const nlmsghdr& message, const Identity& identity);

/// The part of an identity that an address or route notification is about; the kernel's own route
/// to the neighbours of one of its addresses is a part as well. Empty: none. `routes`: of its
/// routes.
[[nodiscard]] std::optional<Part> part_in(const nlmsghdr& message, const Identity& identity,
                                          const RouteIndex& routes);

/// A route of the identity that an RTM_NEWROUTE puts on another place, as it is there; so is one to
/// the neighbours of its addresses, and one straight to a gateway of its routes. Empty: it is about
/// none. `routes`: of its routes.
[[nodiscard]] std::optional<KernelObject> misplaced_route(const nlmsghdr& message,
                                                          const Place& there,
                                                          const Identity& identity,
                                                          const RouteIndex& routes);

/// What somebody has configured on another place of an identity's routes, as they are there,
/// without those that the kernel makes. The kernel looks for them, as for configured_on.
[[nodiscard]] Result<std::vector<KernelObject>> misplaced_routes(NetlinkSocket& socket,
                                                                 const Place& there,
                                                                 const Identity& identity,
                                                                 const RouteIndex& routes);

/// Those of its routes that an RTM_NEWROUTE has replaced, or may have; not the very same one.
[[nodiscard]] std::vector<Part> replaced_by(const nlmsghdr& message, const Identity& identity,
                                            const RouteSlots& slots);

/// The route that an RTM_NEWROUTE put in the place of another, as a capture of the identity would
/// keep it. Empty: no other was replaced, or it would not.
[[nodiscard]] std::optional<KernelObject> replacement_in(const nlmsghdr& message,
                                                         const Identity& identity);

/// Neighbours that are known now, to be carried over (see neighbour_of). Learned ones only.
[[nodiscard]] Result<std::vector<KernelObject>> capture_known_neighbours(NetlinkSocket& socket,
                                                                         const Place& place);

/// Reads RTM_NEWNEIGH as an entry to carry over to another interface: in state "stale", so that it
/// is used at once and verified in the background (RFC 4861 section 7.3.3). Empty when the message
/// says nothing usable.
[[nodiscard]] std::optional<KernelObject> neighbour_of(const nlmsghdr& message);

}  // namespace hanet::net
