// SPDX-License-Identifier: Apache-2.0
//
// The settings of an interface that hanet changes: what the kernel would do by itself on it.
//
// An interface that waits must make no address (address generation, router advertisements) and
// answer ARP for no address that is elsewhere. Such settings belong to an interface and not to an
// identity, so they are remembered, put back, and moved along with an identity.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/result.h"
#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::net {

struct InterfaceSettings {
  std::uint8_t address_generation = 0;  ///< IN6_ADDR_GEN_MODE_*
  std::string accept_ra;                ///< net.ipv6.conf.PORT.accept_ra; empty: no IPv6
  std::string arp_ignore;               ///< net.ipv4.conf.PORT.arp_ignore; empty: no IPv4
  bool admin_up = false;
};
/// By the tags of VLANs; 0 is the port's own.
using PlaceSettings = std::map<std::uint32_t, InterfaceSettings>;

/// A port, and the VLANs on it.
struct PortSettings {
  PlaceSettings settings;
  MacAddress mac{};  ///< the port's own: the driver's, if it tells
};

/// What a port and its VLANs are set to. ENODEV if the port is gone.
[[nodiscard]] Result<PortSettings> read_settings(NetlinkSocket& socket, const Place& place);

/// Does the host's routing leave the port when it has no carrier (ignore_routes_with_linkdown)?
[[nodiscard]] bool ignores_routes_without_carrier(const std::string& port);

/// Is IPv6 off for the interface (disable_ipv6)? Not on a host that has none at all.
[[nodiscard]] bool refuses_ipv6(const std::string& port);

/// Tells an interface to make no address, to take none from routers and to answer for its own only.
void quieten(NetlinkSocket& socket, const InterfaceName& interface);

/// Puts settings back. Best effort: an interface without such a setting has nothing to put back.
void restore_settings(NetlinkSocket& socket, const Place& place, const PlaceSettings& before);

/// Lets settings follow an identity. `first`: of the interfaces that had the identity first; their
/// address generation counts. Best effort, after a switchover.
void move_settings(NetlinkSocket& socket, const Place& from, const Place& to,
                   const PlaceSettings& first);

}  // namespace hanet::net
