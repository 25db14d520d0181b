// SPDX-License-Identifier: Apache-2.0
//
// See targets.h.
#include "group/targets.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "net/capture.h"
#include "net/link.h"
#include "net/look.h"
#include "net/route.h"

namespace hanet::group {
namespace {

using Bytes = std::span<const std::uint8_t>;

Bytes bytes_of(const config::IpAddress& address) {
  return Bytes(address.bytes).first(address.family == AF_INET ? 4 : 16);
}

bool bit_of(Bytes address, std::size_t bit) { return (address[bit / 8] >> (7 - bit % 8) & 1) != 0; }

bool same_network(Bytes one, Bytes other, std::size_t prefix_length) {
  for (std::size_t bit = 0; bit < prefix_length; ++bit)
    if (bit_of(one, bit) != bit_of(other, bit)) return false;
  return true;
}

/// All bits behind the prefix are `set`.
bool is_host_part(Bytes address, std::size_t prefix_length, bool set) {
  for (std::size_t bit = prefix_length; bit < 8 * address.size(); ++bit)
    if (bit_of(address, bit) != set) return false;
  return true;
}

std::string network_text(const net::Address& address) {
  config::IpAddress network{.family = address.family};
  for (std::size_t bit = 0; bit < address.prefix_length; ++bit)
    if (bit_of(address.local, bit))
      network.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
  return fmt::format("{}/{}", network.text(), address.prefix_length);
}

/// Those of the port itself: heartbeats have no VLAN tag.
std::vector<const net::Address*> addresses_of(const net::Identity& identity, int family) {
  std::vector<const net::Address*> addresses;
  for (const net::Address& address : identity.addresses)
    if (address.vlan == 0 && address.family == family &&
        !(family == AF_INET6 && address.scope == RT_SCOPE_LINK))
      addresses.push_back(&address);
  return addresses;
}

bool leads_to_link(const net::KernelObject& route, const net::Identity& identity, int family,
                   Bytes target) {
  const auto* header = reinterpret_cast<const rtmsg*>(route.header.data());
  if (header->rtm_family != family || net::through_gateway(route) ||
      !net::leaves_by(route, identity.on.index))
    return false;
  const auto to = route.attributes.find(RTA_DST);
  if (!to) return header->rtm_dst_len == 0;
  return to->size() == target.size() && same_network(*to, target, header->rtm_dst_len);
}

/// "the broadcast address of 192.0.2.0/24"; empty: it is one host's.
std::string whole_network(const std::vector<const net::Address*>& addresses, Bytes target) {
  for (const net::Address* address : addresses) {
    // RFC 3021: both addresses of a /31 are hosts'. IPv6 has no broadcast.
    if (address->family != AF_INET || address->prefix_length > 30) continue;
    const bool here = same_network(address->local, target, address->prefix_length);
    if (std::ranges::equal(address->broadcast, target) ||
        (here && is_host_part(target, address->prefix_length, true)))
      return "the broadcast address of " + network_text(*address);
    if (here && is_host_part(target, address->prefix_length, false))
      return "the address of the network " + network_text(*address) + " itself";
  }
  return {};
}

const net::Address* network_with(const std::vector<const net::Address*>& addresses, Bytes target) {
  const auto found = std::ranges::find_if(addresses, [&](const net::Address* address) {
    return same_network(address->local, target, address->prefix_length);
  });
  return found == addresses.end() ? nullptr : *found;
}

std::string why_not_reached(const config::IpAddress& target, const config::PortConfig& port,
                            const net::Identity& identity) {
  const config::IpAddress& neighbour = port.gateway.value_or(target);
  const std::string_view role = port.gateway ? "gateway" : "target";
  const Bytes asked = bytes_of(neighbour);
  const auto addresses = addresses_of(identity, target.family);
  if (addresses.empty()) return {};
  if (const std::string whole = whole_network(addresses, bytes_of(target));
      port.gateway && !whole.empty())
    return fmt::format("the target {} is {}: name one host", target.text(), whole);
  if (neighbour.is_link_local()) return {};
  if (const std::string whole = whole_network(addresses, asked); !whole.empty())
    return fmt::format("the {} {} is {}: name one host", role, neighbour.text(), whole);
  const net::Address* network = network_with(addresses, asked);
  const bool on_link =
      network != nullptr || std::ranges::any_of(identity.routes, [&](const auto& route) {
        return leads_to_link(route, identity, neighbour.family, asked);
      });
  if (!on_link)
    return fmt::format(
        "the {} {} is not on the link: {} has no address of its network and no route to it "
        "without a gateway, and only neighbours can be asked; name a neighbour, such as the "
        "router{}",
        role, neighbour.text(), identity.on.name,
        port.gateway ? "" : ", or ask by datagrams (udp_port, gateway)");
  if (network != nullptr && port.source && !port.source->is_link_local() &&
      !same_network(network->local, bytes_of(*port.source), network->prefix_length))
    return fmt::format(
        "the source {} is not of the {}'s network {}: its answers would go elsewhere; choose a "
        "free address of that network",
        port.source->text(), role, network_text(*network));
  return {};
}

std::string refusal(const config::GroupConfig& group, const config::PortConfig& port,
                    const std::string& why) {
  return fmt::format("group {}: {}: {}", group.name, port.interface, why);
}

/// "p0", or what else has the address; empty: nobody here.
Result<std::string> own_holder(net::NetlinkSocket& socket, const config::IpAddress& target) {
  const Bytes bytes = bytes_of(target);
  const Result<std::vector<unsigned>> holders =
      net::interfaces_with(socket, target.family, {bytes.begin(), bytes.end()});
  if (!holders) return std::unexpected(holders.error());
  if (holders->empty()) return std::string();
  const Result<net::LinkInfo> link = net::read_link(socket, holders->front());
  return link ? link->interface.name : fmt::format("interface {}", holders->front());
}

Status check_is_foreign(net::NetlinkSocket& socket, const config::GroupConfig& group,
                        const config::PortConfig& port, std::string_view role,
                        const config::IpAddress& address) {
  const Result<std::string> own = own_holder(socket, address);
  if (!own) return std::unexpected(own.error());
  if (own->empty()) return {};
  return failure(refusal(group, port,
                         fmt::format("the {} {} is an address of this host ({}): it would be "
                                     "answered by nobody else; name another host",
                                     role, address.text(), *own)));
}

/// The router knows the identity's MAC address for it, and would send the answers there.
Status check_is_nobodys(net::NetlinkSocket& socket, const config::GroupConfig& group,
                        const config::PortConfig& port) {
  const Result<std::string> own = own_holder(socket, *port.source);
  if (!own) return std::unexpected(own.error());
  if (own->empty()) return {};
  return failure(
      refusal(group, port,
              fmt::format("the source {} is an address of this host ({}), which gets the "
                          "answers then; choose one that nobody has",
                          port.source->text(), *own)));
}

}  // namespace

std::string why_not_asked(const config::GroupConfig& group, const config::PortConfig& port,
                          const net::Identity& identity, std::span<const net::Identity> found) {
  if (group.asks_an_address(port)) {
    for (const config::IpAddress& target : group.targets_of(port))
      if (std::string why = why_not_reached(target, port, identity); !why.empty()) return why;
    return {};
  }
  const std::optional<net::MacAddress> peer = group.peer_mac_of(port);
  const bool own =
      peer == identity.mac || std::ranges::count(found, *peer, &net::Identity::mac) != 0;
  if (!own) return {};
  return fmt::format(
      "the peer's MAC address {} is this host's own: its own frames are no sign of "
      "life; name the other end's",
      net::to_text(*peer));
}

Status check_targets(net::NetlinkSocket& socket, const config::GroupConfig& group,
                     const net::Identity& identity, std::span<const net::Identity> found) {
  for (const config::PathConfig& path : group.paths)
    for (const config::PortConfig& port : path.ports) {
      if (group.asks_an_address(port))
        for (const config::IpAddress& target : group.targets_of(port))
          if (Status foreign = check_is_foreign(socket, group, port, "target", target); !foreign)
            return foreign;
      if (port.gateway)
        if (Status foreign = check_is_foreign(socket, group, port, "gateway", *port.gateway);
            !foreign)
          return foreign;
      if (group.udp_port && port.source)
        if (Status unused = check_is_nobodys(socket, group, port); !unused) return unused;
      if (const std::string why = why_not_asked(group, port, identity, found); !why.empty())
        return failure(refusal(group, port, why));
    }
  return {};
}

}  // namespace hanet::group
