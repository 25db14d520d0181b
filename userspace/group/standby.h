// SPDX-License-Identifier: Apache-2.0
//
// Making a port fit to wait: up without an identity (hot), or down (cold).
//
// The kernel gives every interface that comes up a link-local address, and takes more from router
// advertisements. A standby must have none: its addresses would be on two paths. And by default the
// kernel answers ARP for any of the host's addresses on any port (arp_ignore 0), so a standby on
// the same switch would draw the host's traffic to itself. What is changed here is put back when
// hanetd stops, on ports that do not have the identity.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "config/config.h"
#include "core/result.h"
#include "group/settings_ledger.h"
#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::group {

/// What the port was like before, and the VLANs on it; of settings the ledger knows.
struct StandbyBefore {
  std::map<std::uint32_t, bool> admin_up;  ///< by the tags of VLANs; 0 is the port's own
  net::MacAddress mac{};                   ///< the port's own: the driver's, if it tells
  std::vector<net::Address> link_local;
};

/// Remembers what a port and its VLANs are like, whatever its role; what an earlier hanetd has kept
/// of them counts more. ENODEV if the port is gone.
[[nodiscard]] Result<StandbyBefore> remember_standby(net::NetlinkSocket& socket,
                                                     const SettingsLedger& ledger,
                                                     const net::Place& place);

/// Refuses a port that has addresses of its own: they would be lost. Those that the kernel
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
[[nodiscard]] Status prepare_standby(net::NetlinkSocket& socket, SettingsLedger& ledger,
                                     const net::Place& place, config::StandbyMode mode,
                                     StandbyBefore& before, const std::optional<Dummy>& dummy = {});

/// The same for a VLAN that comes onto a port that waits already.
[[nodiscard]] Status prepare_vlan(net::NetlinkSocket& socket, SettingsLedger& ledger,
                                  const net::Vlan& vlan, config::StandbyMode mode,
                                  StandbyBefore& before);

/// Puts back its settings, state and link-local addresses while it still waits. Best effort.
void restore_standby(net::NetlinkSocket& socket, SettingsLedger& ledger, const net::Place& place,
                     const StandbyBefore& before, const std::optional<Dummy>& dummy = {});

}  // namespace hanet::group
