// SPDX-License-Identifier: Apache-2.0
//
// A pair of interfaces that lead only to each other, and the queueing disciplines that delay what
// is sent into one of them.
//
// The pair carries no traffic of the host: no address of any kind, no ARP, no neighbour discovery.
// Its alias says to a person what it is.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "net/netlink.h"
#include "net/types.h"

namespace hanet::net {

struct Pair {
  std::string near;  ///< names of at most 15 bytes
  std::string far;
};

/// Both ends come down; frames of `mtu` bytes fit.
[[nodiscard]] NetlinkMessage make_pair_of_links(const Pair& pair, unsigned mtu);
struct DeviceSettings {
  MacAddress mac{};
  unsigned mtu = 0;
};
/// An interface like any other, and an end that carries what it sends and nothing else. Both come
/// down.
[[nodiscard]] NetlinkMessage make_device(const Pair& pair, const DeviceSettings& settings);
/// `stem` with the least number behind it that no interface is called.
[[nodiscard]] std::string free_name(NetlinkSocket& socket, std::string_view stem);
/// What `ip link` shows of an interface as its alias; a new link can not be made with one
/// (rtnl_create_link takes none).
[[nodiscard]] NetlinkMessage set_link_text(unsigned ifindex, std::string_view text);
/// Empty where there is none.
[[nodiscard]] std::string link_text(NetlinkSocket& socket, unsigned ifindex);
/// The other end goes with it.
[[nodiscard]] NetlinkMessage remove_link(unsigned ifindex);
/// Frames leave at their departure time (tc-fq(8)).
[[nodiscard]] NetlinkMessage delay_by_fq(unsigned ifindex);
/// A frame waits a microsecond for each of its bytes (tc-tbf(8), 1 MB/s); `most` is what a frame
/// may have, and what is saved up while nothing is sent.
[[nodiscard]] NetlinkMessage delay_by_tbf(unsigned ifindex, unsigned most);
/// Keeps IPv6 off an interface of this network namespace that is down. No error where there is no
/// IPv6.
void forbid_ipv6(const std::string& interface);
/// The other way round, whatever state it is in.
void allow_ipv6(const std::string& interface);

}  // namespace hanet::net
