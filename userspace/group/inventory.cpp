// SPDX-License-Identifier: Apache-2.0
//
// See inventory.h. A reader gives lines that name no port, so that those of two ports compare.
#include "group/inventory.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>

#include "engine/tc_hook.h"
#include "net/bytes.h"
#include "net/route.h"
#include "net/settings.h"

namespace hanet::group {
namespace {

using net::Bound;
using net::BoundThings;
using Things = std::vector<Bound>;

/// The same question for the port and for each of its VLANs.
template <typename Ask>
BoundThings on_each_interface(const PortLook& port, const Ask& ask) {
  BoundThings all = ask(port.identity.on);
  if (!all) return all;
  for (const net::Vlan& vlan : port.identity.vlans) {
    BoundThings more = ask(vlan.on);
    if (!more) return more;
    for (Bound& one : *more)
      all->push_back({.text = fmt::format("VLAN {}: {}", id_of(vlan), one.text),
                      .key = one.key.empty() ? std::string()
                                             : fmt::format("VLAN {}: {}", id_of(vlan), one.key)});
  }
  return all;
}

const net::LinkInfo* link_of(const PortLook& port, unsigned ifindex) {
  const auto link = std::ranges::find(port.host.links, ifindex,
                                      [](const net::LinkInfo& one) { return one.interface.index; });
  return link == port.host.links.end() ? nullptr : &*link;
}

BoundThings addresses(const PortLook& port) {
  Things things;
  for (const net::Address& address : port.identity.addresses) {
    const bool is_link_local = address.family == AF_INET6 && address.scope == RT_SCOPE_LINK;
    if (port.waits && is_link_local) continue;
    things.push_back(
        {.text = net::describe(address) +
                 (address.vlan == 0 ? std::string()
                                    : fmt::format(" on VLAN {}", address.vlan & 0xfffU))});
  }
  return things;
}

BoundThings mac(const PortLook& port) {
  if (!port.config.move_mac) return Things{};
  return Things{{.text = net::to_text(port.identity.mac)}};
}

template <typename Describe>
Things described(const std::vector<net::KernelObject>& objects, const Describe& describe) {
  Things things;
  for (const net::KernelObject& one : objects) things.push_back({.text = describe(one)});
  return things;
}

BoundThings routes(const PortLook& port) {
  return described(port.identity.routes, net::describe_route);
}

BoundThings nexthops(const PortLook& port) {
  return described(port.identity.nexthops, net::describe_nexthop);
}

std::string describe_rule(const net::KernelObject& rule) {
  const auto header = net::read_as<fib_rule_hdr>(rule.header);
  const auto number = [&](std::uint16_t attribute, std::uint32_t otherwise) {
    const auto found = rule.attributes.find(attribute);
    return found ? net::read_as<std::uint32_t>(*found) : otherwise;
  };
  return fmt::format("{} rule {}, table {}", header.family == AF_INET ? "IPv4" : "IPv6",
                     number(FRA_PRIORITY, 0), number(FRA_TABLE, header.table));
}

std::string describe_neighbour(const net::KernelObject& neighbour) {
  const auto header = net::read_as<ndmsg>(neighbour.header);
  const auto address = neighbour.attributes.find(NDA_DST);
  const auto mac = neighbour.attributes.find(NDA_LLADDR);
  std::string text = (header.ndm_flags & NTF_PROXY) != 0 ? "proxy" : "neighbour";
  if (address) text += " " + net::address_text(header.ndm_family, *address);
  if (mac) text += " at " + net::to_text(net::read_as<net::MacAddress>(*mac));
  return text;
}

BoundThings rules(const PortLook& port) { return described(port.identity.rules, describe_rule); }

BoundThings neighbours(const PortLook& port) {
  return described(port.identity.neighbours, describe_neighbour);
}

BoundThings settings(const PortLook& port) {
  return on_each_interface(port, [](const net::InterfaceName& interface) -> BoundThings {
    Things things;
    for (const auto& [setting, value] : net::read_settings(interface.name))
      things.push_back({.text = fmt::format("{} = {}", setting, value)});
    return things;
  });
}

BoundThings metaname(const PortLook& port) {
  if (port.waits) return Things{};
  return Things{{.text = port.config.name}};
}

BoundThings ipv6(const PortLook& port) {
  return on_each_interface(port, [](const net::InterfaceName& interface) -> BoundThings {
    return Things{{.text = net::refuses_ipv6(interface.name) ? "IPv6 off" : "IPv6 on"}};
  });
}

template <std::size_t kTrait>
BoundThings link_trait(const PortLook& port) {
  return on_each_interface(port, [&](const net::InterfaceName& interface) -> BoundThings {
    const net::LinkInfo* link = link_of(port, interface.index);
    if (link == nullptr) return net::no_such_interface(interface.index);
    return Things{{.text = link_traits()[kTrait].value(*link)}};
  });
}

BoundThings devices_on_top(const PortLook& port) {
  Things things;
  for (const net::LinkInfo& link : port.host.links) {
    const bool is_on_port = link.lower == port.identity.on.index && link.kind != "veth";
    const std::optional<net::Vlan> vlan = net::vlan_on(link, port.identity.on.index);
    if (is_on_port)
      things.push_back({.text = vlan ? fmt::format("VLAN {}", id_of(*vlan))
                                     : fmt::format("{} {}", link.kind, link.interface.name)});
  }
  return things;
}

BoundThings strangers(const PortLook& port) {
  if (!port.waits) return Things{};
  Result<net::Configured> found = net::configured_on(port.socket, port.identity.on);
  if (!found) return pass_on(found);
  Things things;
  for (const net::Address& address : found->addresses)
    things.push_back({.text = fmt::format("address {}", net::describe(address))});
  for (const net::KernelObject& route : found->routes)
    things.push_back({.text = net::describe_route(route)});
  return things;
}

BoundThings duplicates(const PortLook& port) {
  Result<std::vector<net::Address>> found =
      net::duplicates_on(port.socket, net::place_of(port.identity));
  if (!found) return pass_on(found);
  Things things;
  for (const net::Address& address : *found) things.push_back({.text = net::describe(address)});
  return things;
}

BoundThings multicast(const PortLook& port) { return on_each_interface(port, net::multicast_on); }

// systemd.net-naming-scheme(7): where a card is, which is no name that people gave it.
bool names_a_slot(const std::string& name) {
  return name.size() > 3 && name.starts_with("en") && std::string_view("opsx").contains(name[2]);
}

BoundThings alternative_names(const PortLook& port) {
  BoundThings names = net::alternative_names_of(port.socket, port.identity.on);
  if (names)
    std::erase_if(*names, [&](const Bound& name) {
      return name.text == port.config.name || names_a_slot(name.text);
    });
  return names;
}

template <auto kAsk>
BoundThings from_rtnetlink(const PortLook& port) {
  return on_each_interface(
      port, [&](const net::InterfaceName& interface) { return kAsk(port.socket, interface); });
}

// Without its number, which is another one on each port.
Bound program(std::string_view hook, std::uint32_t id) {
  const std::string text = engine::describe_program(id);
  return {.text = fmt::format("{} program {}", hook, text.substr(0, text.find(" (id ")))};
}

BoundThings programs(const PortLook& port) {
  Result<std::vector<std::uint32_t>> xdp = net::xdp_on(port.socket, port.identity.on);
  if (!xdp) return pass_on(xdp);
  Things things;
  for (const std::uint32_t id : *xdp) things.push_back(program("XDP", id));
  for (const auto& [type, hook] :
       {std::pair(engine::kTcxIngress, "TC ingress"), {engine::kTcxEgress, "TC egress"}}) {
    std::array<std::uint32_t, 64> ids{};
    auto count = static_cast<std::uint32_t>(ids.size());
    const int asked = bpf_prog_query(static_cast<int>(port.identity.on.index), type, 0, nullptr,
                                     ids.data(), &count);
    if (asked == -EINVAL) return things;  // before Linux 6.6; there they are filters
    if (asked != 0) return errno_error(-asked, "list the TC programs");
    for (std::uint32_t at = 0; at < count; ++at) things.push_back(program(hook, ids[at]));
  }
  return things;
}

std::string text_of(const net::FirewallRule& rule) {
  return fmt::format("{}: {}", rule.where, rule.text);
}

BoundThings firewall(const PortLook& port) {
  if (!port.host.firewall) return std::unexpected(port.host.firewall.error());
  return on_each_interface(port, [&](const net::InterfaceName& interface) -> BoundThings {
    const bool is_port = interface == port.identity.on;
    Things things;
    for (const net::FirewallRule& rule : *port.host.firewall)
      if (net::names_device(rule, interface.name))
        things.push_back(
            {.text = text_of(rule),
             .key = net::without_names(
                 rule, is_port ? std::span(port.host.ports) : std::span(&interface.name, 1))});
    return things;
  });
}

BoundThings masquerades(const PortLook& port) {
  if (port.waits) return Things{};
  if (!port.host.firewall) return std::unexpected(port.host.firewall.error());
  Things things;
  for (const net::FirewallRule& rule : *port.host.firewall) {
    const std::string padded = fmt::format(" {} ", rule.text);
    if (padded.contains(" masquerade ") || padded.contains(" MASQUERADE "))
      things.push_back({.text = text_of(rule)});
  }
  return things;
}

BoundThings sockets(const PortLook& port) { return on_each_interface(port, net::sockets_on); }

constexpr std::array kInventory{
    Thing{"addresses", Fate::Moves,
          "with prefix length, broadcast, scope, label, peer, metric, flags and what is left of "
          "their lifetimes; without another duplicate address detection, and a temporary or "
          "stable-privacy one as an ordinary one",
          addresses},
    Thing{"MAC address", Fate::Moves, "unless move_mac is false", mac},
    Thing{"routes", Fate::Moves,
          "of every table, metric and protocol that leave by the port, also by several ways, or "
          "prefer one of its addresses as their source",
          routes},
    Thing{"nexthop objects", Fate::Moves, "and the groups that they are in, with their numbers",
          nexthops},
    Thing{"policy rules", Fate::Moves, "that name the port (iif, oif)", rules},
    Thing{"neighbours", Fate::Moves, "permanent ones and proxies", neighbours},
    Thing{"settings", Fate::Moves,
          "every file of the port under /proc/sys/net/ipv4/conf, ipv6/conf and neigh, but for "
          "disable_ipv6",
          settings},
    Thing{"metaname", Fate::Moves, "the alternative name that hanet gives", metaname},
    Thing{"IPv6 on or off", Fate::MustAgree,
          "a port with disable_ipv6 takes no IPv6 address: sysctl -w "
          "net.ipv6.conf.PORT.disable_ipv6=0",
          ipv6},
    Thing{"MTU", Fate::MustAgree,
          "packets that are larger than the smaller one are lost: ip link set PORT mtu N",
          link_trait<0>},
    Thing{"link group", Fate::MustAgree,
          "rules by group (nft iifgroup) treat them differently: ip link set PORT group N",
          link_trait<1>},
    Thing{"ARP on or off", Fate::MustAgree, "ip link set PORT arp on", link_trait<2>},
    Thing{"VRF", Fate::MustAgree,
          "routes of the identity would be lost: ip link set PORT master VRF", link_trait<3>},
    Thing{"VLANs and other devices on top", Fate::MustAgree,
          "a VLAN moves to the one with the same tag on the other port; everything else on top of "
          "a port is refused at the start",
          devices_on_top},
    Thing{"what others configured on a port that waits", Fate::MustAgree,
          "it stays there and moves with nobody: remove it, and tell the network manager to leave "
          "the port alone",
          strangers},
    Thing{"duplicate addresses", Fate::Lost,
          "an IPv6 address that another host has (dadfailed) stays behind: remove it from one of "
          "them",
          duplicates},
    Thing{"masqueraded connections", Fate::Lost,
          "the kernel forgets them when the address leaves the port: use snat to ADDRESS in place "
          "of masquerade",
          masquerades},
    Thing{"multicast memberships", Fate::Said,
          "they belong to the sockets that joined: let the program join on both ports", multicast},
    Thing{"sockets bound to the device", Fate::Said,
          "such as those of DHCP clients: bind to an address, or run the program for both ports",
          sockets},
    Thing{"alternative names", Fate::Said, "an interface has its own: use the metaname",
          alternative_names},
    Thing{"IPv6 interface token", Fate::Said, "set it on both ports: ip token set TOKEN dev PORT",
          from_rtnetlink<net::token_of>},
    Thing{"queueing disciplines", Fate::Said,
          "set them and their classes up on both ports alike (tc)",
          from_rtnetlink<net::queueing_on>},
    Thing{"tc filters", Fate::Said, "set them up on both ports alike",
          from_rtnetlink<net::filters_on>},
    Thing{"XDP and TC programs of others", Fate::Said, "attach them to both ports", programs},
    Thing{"promiscuous and all-multicast mode", Fate::Said,
          "set it on both ports: ip link set PORT promisc on", from_rtnetlink<net::modes_of>},
    Thing{"firewall rules that name the device", Fate::Said,
          "rules, sets, chains and flow tables: name both ports, as in iifname { p0, p1 }",
          firewall},
};

}  // namespace

std::span<const Thing> inventory() { return kInventory; }

std::string_view to_text(Fate fate) {
  switch (fate) {
    case Fate::Moves:
      return "moves";
    case Fate::MustAgree:
      return "must agree";
    case Fate::Said:
    case Fate::Lost:
      return "is said";
  }
  return "?";
}

}  // namespace hanet::group
