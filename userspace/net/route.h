// SPDX-License-Identifier: Apache-2.0
//
// Routes and nexthop objects, as the kernel gives and takes them.
//
// A route names its interface itself, or by the number of a nexthop object or group (RTA_NH_ID).
// Such objects have numbers that others know them by, so they move with their numbers: the kernel
// replaces an object that routes use, and the routes follow (net/ipv4/nexthop.c, replace_nexthop).
// Without a carrier it removes objects and their routes at once, and tells nobody
// (nexthop_flush_dev).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/identity.h"

namespace hanet::net {

/// Does a route leave by the interface, by any of its ways?
[[nodiscard]] bool leaves_by(const KernelObject& route, unsigned ifindex);
/// Is it accepted only when its gateway, or its nexthop object, is there already?
[[nodiscard]] bool through_gateway(const KernelObject& route);
/// Is it what a table says of everything that no other route of it is for?
[[nodiscard]] bool is_default(const KernelObject& route);
/// The nexthop object that a route uses.
[[nodiscard]] std::optional<std::uint32_t> nexthop_of(const KernelObject& route);
/// State that the kernel computes is taken out, so that what stays is what somebody configured.
void keep_configured_part(KernelObject& route);
void retarget_route(KernelObject& route, unsigned from, unsigned to);
/// The kernel tells of a route that replaces another one, but not which one it replaced.
[[nodiscard]] bool may_replace(const KernelObject& route, const KernelObject& other);
[[nodiscard]] std::string describe_route(const KernelObject& route);

/// The number of a nexthop object or group.
[[nodiscard]] std::uint32_t id_of(const KernelObject& nexthop);
[[nodiscard]] bool is_group(const KernelObject& nexthop);
/// An object that leaves by the interface; a group leaves by none.
[[nodiscard]] bool is_on(const KernelObject& nexthop, unsigned ifindex);
[[nodiscard]] bool has_nexthop(std::span<const KernelObject> nexthops, std::uint32_t id);
[[nodiscard]] std::vector<std::uint32_t> member_ids(const KernelObject& group);
[[nodiscard]] bool has_member(const KernelObject& group, std::uint32_t id);
/// False: no member is left.
[[nodiscard]] bool remove_member(KernelObject& group, std::uint32_t id);
void keep_configured_nexthop(KernelObject& nexthop);
void retarget_nexthop(KernelObject& nexthop, unsigned from, unsigned to);
[[nodiscard]] std::string describe_nexthop(const KernelObject& nexthop);

}  // namespace hanet::net
