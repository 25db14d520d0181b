// SPDX-License-Identifier: Apache-2.0
//
// The settings of an interface under /proc/sys/net: all that the kernel has, by what they are
// called.
//
// They belong to an interface and not to an identity, and decide what becomes of it: whether the
// host forwards there, answers for others, takes routers' advertisements. So they move along. The
// list is what the kernel offers: a setting that a later kernel adds moves as well.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::net {

/// "ipv4/conf/forwarding" and its value. The interface's name is left out.
using Settings = std::map<std::string, std::string>;

/// Every setting that moves with an identity; empty if there is no such interface. Left out is what
/// can not be written, what another one of the list says more exactly, and disable_ipv6, which must
/// agree (group/readiness.h). Takes about half a millisecond.
[[nodiscard]] Settings read_settings(const std::string& interface);
/// One of them; empty: the interface, or this kernel, has it not, or it is not set (stable_secret).
[[nodiscard]] std::string read_setting(const std::string& interface, const std::string& setting);

/// Has it a value, or could it have one?
[[nodiscard]] bool has_setting(const std::string& interface, const std::string& setting);

/// Sets them. Returns those that are not so afterwards.
[[nodiscard]] std::vector<std::string> write_settings(NetlinkSocket& socket,
                                                      const InterfaceName& interface,
                                                      const Settings& settings);

/// What an interface that waits is told: to make no address, to take none from routers, and to
/// answer ARP for its own only (Documentation/networking/ip-sysctl.rst).
[[nodiscard]] const Settings& waiting_settings();

/// Does the host's routing leave the port when it has no carrier (ignore_routes_with_linkdown)?
[[nodiscard]] bool ignores_routes_without_carrier(const std::string& port);

/// Is IPv6 off for the interface (disable_ipv6)? Not on a host that has none at all.
[[nodiscard]] bool refuses_ipv6(const std::string& port);

/// Does the host forward IPv6 on the interface? Its neighbour advertisements say so (RFC 4861
/// section 4.4, R flag).
[[nodiscard]] bool is_router(const std::string& interface);

}  // namespace hanet::net
