// SPDX-License-Identifier: Apache-2.0
//
// Which MAC addresses a bridge knows, and behind which of its ports; and which a card takes in
// besides its own (bridge(8), fdb).
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "net/netlink.h"
#include "net/types.h"

namespace hanet::net {

struct KnownMac {
  MacAddress mac{};
  std::uint32_t vlan = 0;  ///< id; 0: the bridge does not tell VLANs apart
};

/// Unicast addresses that the bridge reaches otherwise than by `port`, its own among them; at most
/// 4096.
[[nodiscard]] Result<std::vector<KnownMac>> known_beside(NetlinkSocket& socket, unsigned bridge,
                                                         unsigned port);

/// The card takes in frames to one more unicast address, until it is told otherwise: a socket's
/// wish ends with its process (packet(7)). No error where it does already.
[[nodiscard]] NetlinkMessage receive_also(unsigned ifindex, const MacAddress& mac);
[[nodiscard]] NetlinkMessage receive_no_more(unsigned ifindex, const MacAddress& mac);

}  // namespace hanet::net
