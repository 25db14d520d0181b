// SPDX-License-Identifier: Apache-2.0
//
// Small looks at interfaces that need no whole capture.
#pragma once

#include <vector>

#include "core/result.h"
#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::net {

/// The numbers of all interfaces that have an address (`local` of net::Address).
[[nodiscard]] Result<std::vector<unsigned>> interfaces_with(NetlinkSocket& socket, int family,
                                                            const std::vector<std::uint8_t>& local);

/// The IPv6 addresses of a place that other hosts have (is_duplicate).
[[nodiscard]] Result<std::vector<Address>> duplicates_on(NetlinkSocket& socket, const Place& place);

/// Every address of an interface.
[[nodiscard]] Result<std::vector<Address>> addresses_on(NetlinkSocket& socket,
                                                        const InterfaceName& interface);

/// What somebody has configured on an interface: its addresses, without those that the kernel makes
/// by itself, and the routes that leave by it. The kernel looks for the routes: it takes a few
/// milliseconds where there are very many.
struct Configured {
  std::vector<Address> addresses;
  std::vector<KernelObject> routes;
  bool operator==(const Configured&) const = default;
};
[[nodiscard]] Result<Configured> configured_on(NetlinkSocket& socket,
                                               const InterfaceName& interface);

/// Removes the routes that only deliver IPv6 addresses for a moment (add_local_delivery), of a
/// hanetd that was killed in that moment: the host would answer for addresses that are elsewhere.
void remove_helper_routes(NetlinkSocket& socket, const Place& place);

/// Made by the kernel: link-local, or from a router's prefix.
[[nodiscard]] bool made_by_kernel(const Address& address);

}  // namespace hanet::net
