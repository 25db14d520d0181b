// SPDX-License-Identifier: Apache-2.0
//
// An identity comes to a metanetwork device, and back to a port when hanet is taken off: the only
// two times that it moves (spec A3). Neither gets another MAC address.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "failover/execute.h"
#include "failover/plan.h"
#include "net/link.h"
#include "net/netlink.h"

namespace hanet::failover {

/// What `ip link` shows of both ends of a device (ip-link(8), alias), by which it is known again.
[[nodiscard]] std::string text_of_device(const std::string& name);
/// The devices that any hanetd has made in this namespace.
[[nodiscard]] Result<std::vector<net::LinkInfo>> made_devices(net::NetlinkSocket& socket);

/// `mac`: what `to` has, and keeps.
[[nodiscard]] Plan plan_with_own_mac(const net::Identity& identity, const net::Place& to,
                                     const net::MacAddress& mac,
                                     std::span<const net::KernelObject> known_neighbours = {});

/// What a port of a device was made to take in besides its own (group/metanet_device.h), for a
/// device with this MAC address: it takes it in no more.
[[nodiscard]] std::vector<net::NetlinkMessage> close_filters(unsigned port,
                                                             const net::MacAddress& mac);

/// Gives everything that is on the device to a port, announces it there, and removes the device.
/// The programs that carry its frames are gone. An error leaves the device where it is.
/// `before_removal`: what else has to leave the device; returns what was refused.
[[nodiscard]] Result<Execution> take_off_device(
    net::NetlinkSocket& socket, const net::InterfaceName& device, unsigned port,
    const std::function<std::vector<std::string>()>& before_removal = {});

}  // namespace hanet::failover
