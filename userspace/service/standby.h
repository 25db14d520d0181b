// SPDX-License-Identifier: Apache-2.0
//
// Making a port fit to wait: up without an identity (hot), or down (cold).
//
// The kernel gives every interface that comes up a link-local address, and takes more from router
// advertisements. A standby must have none: its addresses would be on two paths. And by default the
// kernel answers ARP for any of the host's addresses on any port (arp_ignore 0), so a standby on
// the same switch would draw the host's traffic to itself. What is changed here is put back when
// hanetd stops, on ports that do not carry the identity.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "net/identity.h"
#include "net/netlink.h"
#include "service/config.h"

namespace hanet::service {

/// What hanet changes of an interface that waits.
struct InterfaceSettings {
  std::uint8_t address_generation = 0;  ///< IN6_ADDR_GEN_MODE_*
  std::string accept_ra;                ///< net.ipv6.conf.PORT.accept_ra
  std::string arp_ignore;               ///< net.ipv4.conf.PORT.arp_ignore
  bool admin_up = false;
};
/// By the tags of VLANs; 0 is the port's own.
using PlaceSettings = std::map<std::uint32_t, InterfaceSettings>;

/// What the port was like before, and the VLANs on it.
struct StandbyBefore {
  PlaceSettings settings;
  std::vector<net::Address> link_local;
  net::MacAddress mac{};  ///< the port's own
};

/// Remembers what a port and its VLANs are like, whatever its role.
[[nodiscard]] Result<StandbyBefore> remember_settings(net::NetlinkSocket& socket,
                                                      const net::Place& place);

/// Refuses a port that carries addresses of its own: they would be lost. Those that the kernel
/// makes by itself, link-local ones and a router's, are not in the way.
[[nodiscard]] Status check_standby(const net::Identity& found);

/// What a warm standby is called while it waits.
struct Dummy {
  net::MacAddress mac{};
  net::Address address;
};

/// Makes the port fit to wait, after checking it once more. Adds to `before` what it
/// removes; when it fails half-way, what it changed is put back (what came from a router comes back
/// with its next advertisement).
[[nodiscard]] Status prepare_standby(net::NetlinkSocket& socket, const net::Place& place,
                                     config::StandbyMode mode, StandbyBefore& before,
                                     const std::optional<Dummy>& dummy = {});

/// The same for a VLAN that comes onto a port that waits already.
[[nodiscard]] Status prepare_vlan(net::NetlinkSocket& socket, const net::Vlan& vlan,
                                  config::StandbyMode mode, StandbyBefore& before);

/// Puts the settings of any port back. Best effort; called when hanetd stops.
void restore_settings(net::NetlinkSocket& socket, const net::Place& place,
                      const PlaceSettings& before);
/// The same, and the state and link-local addresses of a port that still waits.
void restore_standby(net::NetlinkSocket& socket, const net::Place& place,
                     const StandbyBefore& before, const std::optional<Dummy>& dummy = {});

/// Lets these settings follow the identity. `first`: of the interfaces that carried it first, of
/// which the address generation counts. Best effort, after a switchover.
void move_settings(net::NetlinkSocket& socket, const net::Place& from, const net::Place& to,
                   const PlaceSettings& first);

}  // namespace hanet::service
