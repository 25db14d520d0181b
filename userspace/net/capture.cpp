// SPDX-License-Identifier: Apache-2.0
//
// See capture.h. One dump per kind; each turns messages into values and filters.
#include "net/capture.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <unordered_set>

#include "net/bytes.h"
#include "net/decode.h"
#include "net/encode.h"
#include "net/link.h"
#include "net/look.h"
#include "net/route.h"

namespace hanet::net {
namespace {

constexpr std::array<std::uint8_t, 2> kFamilies{AF_INET, AF_INET6};

// The tag of the interface that a message names; empty: it is none of this identity's.
std::optional<std::uint32_t> tag_at(const Identity& identity, unsigned ifindex) {
  if (identity.on.index == ifindex) return 0;
  for (const Vlan& vlan : identity.vlans)
    if (vlan.on.index == ifindex) return vlan.tag;
  return std::nullopt;
}

Status read_addresses(NetlinkSocket& socket, Identity& identity) {
  for (const std::uint8_t family : kFamilies) {
    ifaddrmsg filter{};
    filter.ifa_family = family;
    Status done = socket.dump(dump_request(RTM_GETADDR, filter), [&](const nlmsghdr& message) {
      const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
      const std::optional<std::uint32_t> tag = tag_at(identity, header->ifa_index);
      if (!tag || header->ifa_family != family) return;
      if (is_duplicate(message)) return;
      identity.addresses.push_back(address_of(message));
      identity.addresses.back().vlan = *tag;
    });
    if (!done) return done;
  }
  // The kernel tells them by the numbers of the interfaces, which are others on another port.
  std::ranges::stable_sort(identity.addresses, {}, &Address::vlan);
  return {};
}

bool prefers_source_of(const KernelObject& route, const Identity& identity) {
  const auto source = route.attributes.find(RTA_PREFSRC);
  return source && std::ranges::any_of(identity.addresses, [&](const Address& address) {
           return std::ranges::equal(address.local, *source);
         });
}

// `is_own`: is this the number of one of its nexthop objects?
template <typename IsOwn>
bool belongs_to(const KernelObject& route, const Identity& identity, const IsOwn& is_own) {
  if (const std::optional<std::uint32_t> id = nexthop_of(route)) return is_own(*id);
  return leaves_by(route, identity.on.index) ||
         std::ranges::any_of(identity.vlans,
                             [&](const Vlan& vlan) { return leaves_by(route, vlan.on.index); }) ||
         prefers_source_of(route, identity);
}

bool same_prefix(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right,
                 unsigned bits) {
  if (left.size() != right.size() || bits > left.size() * 8) return false;
  if (!std::equal(left.begin(), left.begin() + bits / 8, right.begin())) return false;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> bits % 8);
  return mask == 0 || ((left[bits / 8] ^ right[bits / 8]) & mask) == 0;
}

bool leads_to_neighbours_of(const KernelObject& route, const Address& address) {
  const auto header = read_as<rtmsg>(route.header);
  const auto destination = route.attributes.find(RTA_DST);
  return header.rtm_family == address.family && header.rtm_type == RTN_UNICAST &&
         header.rtm_dst_len == address.prefix_length && !through_gateway(route) && destination &&
         same_prefix(*destination, address.peer, address.prefix_length);
}

// A route of the kernel's to neighbours (RTPROT_KERNEL): of an address with such a flag, or
// without.
bool is_connected(const KernelObject& route, const Identity& identity, std::uint32_t flag) {
  return std::ranges::any_of(identity.addresses, [&](const Address& address) {
    return (address.flags & IFA_F_NOPREFIXROUTE) == flag &&
           leaves_by(route, holder_of(identity, address).index) &&
           leads_to_neighbours_of(route, address);
  });
}

bool is_kernels(const KernelObject& route) {
  return read_as<rtmsg>(route.header).rtm_protocol == RTPROT_KERNEL;
}

// Not one of the kernel's own, nor one of hanet's temporary ones.
bool somebody_configured(const KernelObject& route, const Identity& identity) {
  const auto header = read_as<rtmsg>(route.header);
  if ((header.rtm_flags & RTM_F_CLONED) != 0 || header.rtm_protocol == RTPROT_REDIRECT ||
      header.rtm_protocol == kRouteProtocol)
    return false;
  return !is_kernels(route) || is_connected(route, identity, IFA_F_NOPREFIXROUTE);
}

template <typename IsOwn>
bool is_of(const KernelObject& nexthop, const Identity& identity, const IsOwn& is_own) {
  return is_on(nexthop, identity.on.index) ||
         std::ranges::any_of(identity.vlans,
                             [&](const Vlan& vlan) { return is_on(nexthop, vlan.on.index); }) ||
         std::ranges::any_of(member_ids(nexthop), is_own);
}

bool names(const KernelObject& rule, const Identity& identity) {
  return rule_names(rule, identity.on.name) ||
         std::ranges::any_of(identity.vlans,
                             [&](const Vlan& vlan) { return rule_names(rule, vlan.on.name); });
}

Status read_nexthops(NetlinkSocket& socket, Identity& identity) {
  std::vector<KernelObject> all;
  Status done = socket.dump(dump_request(RTM_GETNEXTHOP, nhmsg{}), [&](const nlmsghdr& message) {
    all.push_back(object_of<nhmsg>(message));
  });
  if (!done) return done;
  std::ranges::stable_partition(all, std::not_fn(is_group));
  std::unordered_set<std::uint32_t> own;
  for (KernelObject& nexthop : all) {
    if (!is_of(nexthop, identity, [&](std::uint32_t id) { return own.contains(id); })) continue;
    own.insert(id_of(nexthop));
    keep_configured_nexthop(nexthop);
    identity.nexthops.push_back(std::move(nexthop));
  }
  return {};
}

Status read_routes(NetlinkSocket& socket, Identity& identity) {
  std::unordered_set<std::uint32_t> nexthops;
  for (const KernelObject& nexthop : identity.nexthops) nexthops.insert(id_of(nexthop));
  const auto is_own = [&](std::uint32_t id) { return nexthops.contains(id); };
  for (const std::uint8_t family : kFamilies) {
    rtmsg filter{};
    filter.rtm_family = family;
    Status done = socket.dump(dump_request(RTM_GETROUTE, filter), [&](const nlmsghdr& message) {
      KernelObject route = object_of<rtmsg>(message);
      if (!belongs_to(route, identity, is_own) || !somebody_configured(route, identity)) return;
      keep_configured_part(route);
      identity.routes.push_back(std::move(route));
    });
    if (!done) return done;
  }
  // A gateway must be reachable before a route through it is accepted.
  std::ranges::stable_partition(identity.routes, std::not_fn(through_gateway));
  return {};
}

Status read_rules(NetlinkSocket& socket, Identity& identity) {
  for (const std::uint8_t family : kFamilies) {
    fib_rule_hdr filter{};
    filter.family = family;
    Status done = socket.dump(dump_request(RTM_GETRULE, filter), [&](const nlmsghdr& message) {
      KernelObject rule = object_of<fib_rule_hdr>(message);
      if (names(rule, identity)) identity.rules.push_back(std::move(rule));
    });
    if (!done) return done;
  }
  return {};
}

Status read_neighbours(NetlinkSocket& socket, Identity& identity) {
  for (const std::uint8_t flags : {std::uint8_t{0}, std::uint8_t{NTF_PROXY}}) {
    ndmsg filter{};
    filter.ndm_flags = flags;
    Status done = socket.dump(dump_request(RTM_GETNEIGH, filter), [&](const nlmsghdr& message) {
      const auto* header = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message));
      const bool kept =
          (header->ndm_state & NUD_PERMANENT) != 0 || (header->ndm_flags & NTF_PROXY) != 0;
      if (!kept || !place_of(identity).has(static_cast<unsigned>(header->ndm_ifindex))) return;
      if (header->ndm_family != AF_INET && header->ndm_family != AF_INET6) return;
      KernelObject neighbour = object_of<ndmsg>(message);
      neighbour.attributes.erase(NDA_CACHEINFO);
      neighbour.attributes.erase(NDA_PROBES);
      identity.neighbours.push_back(std::move(neighbour));
    });
    if (!done) return done;
  }
  return {};
}

// The kernel says so (net/ipv4/fib_trie.c, fib_table_insert; net/ipv6/ip6_fib.c,
// fib6_add_rt2node), so that not each route of others is looked for among all of the identity's.
bool replaces(const nlmsghdr& route) {
  return route.nlmsg_type == RTM_NEWROUTE && (route.nlmsg_flags & NLM_F_REPLACE) != 0;
}

constexpr std::uint16_t kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;

}  // namespace

bool concerns(const nlmsghdr& message, const Identity& identity, const RouteSlots& slots) {
  const auto is_own = [&](std::uint32_t id) { return has_nexthop(identity.nexthops, id); };
  switch (message.nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return tag_at(identity,
                    static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message))->ifa_index)
          .has_value();
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return names(object_of<fib_rule_hdr>(message), identity);
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP: {
      const KernelObject nexthop = object_of<nhmsg>(message);
      return is_of(nexthop, identity, is_own) || is_own(id_of(nexthop));
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const KernelObject route = object_of<rtmsg>(message);
      if (!somebody_configured(route, identity)) return false;
      return belongs_to(route, identity, is_own) ||
             (replaces(message) && !slots.replaceable_by(route, identity.routes).empty());
    }
    default:
      return false;
  }
}

const Address* address_in(const nlmsghdr& message, const Identity& identity) {
  if (message.nlmsg_type != RTM_NEWADDR && message.nlmsg_type != RTM_DELADDR) return nullptr;
  const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
  const std::optional<std::uint32_t> tag = tag_at(identity, header->ifa_index);
  if (!tag) return nullptr;
  Address found = address_of(message);
  found.vlan = *tag;
  const auto own = std::ranges::find_if(identity.addresses,
                                        [&](const Address& one) { return is_same(one, found); });
  return own == identity.addresses.end() ? nullptr : &*own;
}

std::optional<Part> part_in(const nlmsghdr& message, const Identity& identity,
                            const RouteIndex& routes) {
  if (const Address* own = address_in(message, identity)) return *own;
  if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return {};
  KernelObject route = object_of<rtmsg>(message);
  if (is_kernels(route) && is_connected(route, identity, 0)) return route;
  if (!somebody_configured(route, identity)) return {};
  keep_configured_part(route);
  const KernelObject* own = routes.find(identity.routes, route);
  return own == nullptr ? std::nullopt : std::optional<Part>(*own);
}

namespace {

// The same route where the identity is. Empty: it does not leave by that place.
std::optional<KernelObject> route_of_holder(KernelObject route, const Place& there,
                                            const Identity& identity) {
  const KernelObject before = route;
  retarget_route(route, there.port.index, identity.on.index);
  for (const Vlan& vlan : there.vlans) {
    const auto twin = std::ranges::find(identity.vlans, vlan.tag, &Vlan::tag);
    if (twin != identity.vlans.end()) retarget_route(route, vlan.on.index, twin->on.index);
  }
  return route == before ? std::nullopt : std::optional(std::move(route));
}

// A route straight to the gateway of others. Whoever finds the network of the gateway gone makes
// one (NetworkManager does), and takes the gateway away from the identity, which has the network.
bool is_way_to_gateway(const KernelObject& route, const Identity& identity) {
  const auto to = route.attributes.find(RTA_DST);
  if (!to || read_as<rtmsg>(route.header).rtm_dst_len != 8 * to->size() ||
      route.attributes.contains(RTA_GATEWAY))
    return false;
  const auto goes_by_it = [&](std::uint16_t gateway) {
    return [=](const KernelObject& one) {
      const auto its = one.attributes.find(gateway);
      return its && std::ranges::equal(*its, *to);
    };
  };
  return std::ranges::any_of(identity.routes, goes_by_it(RTA_GATEWAY)) ||
         std::ranges::any_of(identity.nexthops, goes_by_it(NHA_GATEWAY));
}

}  // namespace

std::optional<KernelObject> misplaced_route(const nlmsghdr& message, const Place& there,
                                            const Identity& identity, const RouteIndex& routes) {
  if (message.nlmsg_type != RTM_NEWROUTE) return {};
  KernelObject route = object_of<rtmsg>(message);
  keep_configured_part(route);
  const std::optional<KernelObject> own = route_of_holder(route, there, identity);
  if (!own) return {};
  const bool is_own = routes.find(identity.routes, *own) != nullptr ||
                      (is_kernels(*own) && (is_connected(*own, identity, 0) ||
                                            is_connected(*own, identity, IFA_F_NOPREFIXROUTE))) ||
                      is_way_to_gateway(*own, identity);
  return is_own ? std::optional(std::move(route)) : std::nullopt;
}

Result<std::vector<KernelObject>> misplaced_routes(NetlinkSocket& socket, const Place& there,
                                                   const Identity& identity,
                                                   const RouteIndex& routes) {
  std::vector<InterfaceName> interfaces{there.port};
  for (const Vlan& vlan : there.vlans) interfaces.push_back(vlan.on);
  std::vector<KernelObject> misplaced;
  for (const InterfaceName& interface : interfaces) {
    Result<Configured> configured = configured_on(socket, interface);
    if (!configured) return pass_on(configured);
    for (KernelObject& route : configured->routes) {
      const std::optional<KernelObject> own = route_of_holder(route, there, identity);
      if (own &&
          (routes.find(identity.routes, *own) != nullptr || is_way_to_gateway(*own, identity)))
        misplaced.push_back(std::move(route));
    }
  }
  return misplaced;
}

std::vector<Part> replaced_by(const nlmsghdr& message, const Identity& identity,
                              const RouteSlots& slots) {
  std::vector<Part> replaced;
  if (!replaces(message)) return replaced;
  KernelObject route = object_of<rtmsg>(message);
  keep_configured_part(route);
  for (const KernelObject* own : slots.replaceable_by(route, identity.routes))
    if (*own != route) replaced.emplace_back(*own);
  return replaced;
}

std::optional<KernelObject> replacement_in(const nlmsghdr& message, const Identity& identity) {
  if (!replaces(message)) return {};
  KernelObject route = object_of<rtmsg>(message);
  const auto is_own = [&](std::uint32_t id) { return has_nexthop(identity.nexthops, id); };
  if (!somebody_configured(route, identity) || !belongs_to(route, identity, is_own)) return {};
  keep_configured_part(route);
  return route;
}

std::optional<KernelObject> neighbour_of(const nlmsghdr& message) {
  auto header = *static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message));
  if (header.ndm_family != AF_INET && header.ndm_family != AF_INET6) return {};
  if ((header.ndm_state & kUsable) == 0) return {};
  KernelObject neighbour = object_of<ndmsg>(message);
  if (!neighbour.attributes.contains(NDA_LLADDR) || !neighbour.attributes.contains(NDA_DST))
    return {};
  Attributes kept;
  for (const std::uint16_t type : {NDA_DST, NDA_LLADDR})
    kept.set(type, *neighbour.attributes.find(type));
  neighbour.attributes = std::move(kept);
  header.ndm_state = NUD_STALE;
  header.ndm_flags &= NTF_ROUTER;
  std::memcpy(neighbour.header.data(), &header, sizeof(header));
  return neighbour;
}

Result<std::vector<KernelObject>> capture_known_neighbours(NetlinkSocket& socket,
                                                           const Place& place) {
  std::vector<KernelObject> known;
  Status done = socket.dump(dump_request(RTM_GETNEIGH, ndmsg{}), [&](const nlmsghdr& message) {
    const auto* header = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message));
    if (!place.has(static_cast<unsigned>(header->ndm_ifindex))) return;
    if (std::optional<KernelObject> neighbour = neighbour_of(message))
      known.push_back(std::move(*neighbour));
  });
  if (!done) return pass_on(done);
  return known;
}

Result<Identity> capture_addresses(NetlinkSocket& socket, const InterfaceName& interface) {
  Identity identity;
  identity.on = interface;
  Result<std::vector<LinkInfo>> links = read_links(socket);
  if (!links) return pass_on(links);
  const auto port = std::ranges::find(*links, interface.index,
                                      [](const LinkInfo& link) { return link.interface.index; });
  if (port == links->end()) return no_such_interface(interface.index);
  identity.mac = port->mac;
  identity.vlans = vlans_among(*links, interface.index);
  if (Status done = read_addresses(socket, identity); !done) return pass_on(done);
  return identity;
}

Result<Identity> capture(NetlinkSocket& socket, const InterfaceName& interface) {
  Result<Identity> identity = capture_addresses(socket, interface);
  if (!identity) return identity;
  for (const auto& read : {read_nexthops, read_routes, read_rules, read_neighbours})
    if (Status done = read(socket, *identity); !done) return pass_on(done);
  return identity;
}

}  // namespace hanet::net
