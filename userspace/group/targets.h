// SPDX-License-Identifier: Apache-2.0
//
// Does what the heartbeats of a group ask make sense on this host?
//
// The configuration alone can not tell: whether an address is this host's own, a whole network's,
// or that of a neighbour, depends on the addresses that are here. What can not be answered, or is
// answered while the path is dead, is refused at the start and by `check`, before anything is
// touched. Where the identity has no address of the target's family yet, nothing is known and
// nothing is refused.
#pragma once

#include <span>
#include <string>

#include "config/config.h"
#include "core/result.h"
#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::group {

/// Why `port` can not ask what it is to ask: "the target 192.0.2.255 is ..."; empty if it can.
/// `found`: what is on the ports of the group; the MAC addresses of missing ones are zero.
[[nodiscard]] std::string why_not_asked(const config::GroupConfig& group,
                                        const config::PortConfig& port,
                                        const net::Identity& identity,
                                        std::span<const net::Identity> found);

/// All of a group's ports, and with all the addresses that are on this host.
[[nodiscard]] Status check_targets(net::NetlinkSocket& socket, const config::GroupConfig& group,
                                   const net::Identity& identity,
                                   std::span<const net::Identity> found);

}  // namespace hanet::group
