// SPDX-License-Identifier: Apache-2.0
//
// What is bound to an interface and to no identity: it stays behind at a switchover, and the most
// that hanet can do is to say so before (group/inventory.h).
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::net {

/// One such thing, in words that compare with those of another interface.
struct Bound {
  std::string text;
  std::string key{};  ///< what is the same where it is set up alike; empty: the text
  bool operator==(const Bound& other) const { return compared() == other.compared(); }
  [[nodiscard]] const std::string& compared() const { return key.empty() ? text : key; }
};
using BoundThings = Result<std::vector<Bound>>;

/// Queueing disciplines and classes that somebody set up.
[[nodiscard]] BoundThings queueing_on(NetlinkSocket& socket, const InterfaceName& interface);
/// Filters of such disciplines, and of clsact.
[[nodiscard]] BoundThings filters_on(NetlinkSocket& socket, const InterfaceName& interface);
/// Multicast groups that somebody joined; not those that every interface is in.
[[nodiscard]] BoundThings multicast_on(const InterfaceName& interface);
[[nodiscard]] BoundThings alternative_names_of(NetlinkSocket& socket,
                                               const InterfaceName& interface);
/// The second half of the addresses that IPv6 makes (ip-token(8)).
[[nodiscard]] BoundThings token_of(NetlinkSocket& socket, const InterfaceName& interface);
/// Promiscuous or all-multicast mode, as a person sets it.
[[nodiscard]] BoundThings modes_of(NetlinkSocket& socket, const InterfaceName& interface);
/// The number of the XDP program; empty: none.
[[nodiscard]] Result<std::vector<std::uint32_t>> xdp_on(NetlinkSocket& socket,
                                                        const InterfaceName& interface);
/// Sockets that are bound to the device, as `ss` tells them.
[[nodiscard]] BoundThings sockets_on(const InterfaceName& interface);

}  // namespace hanet::net
