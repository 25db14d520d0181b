// SPDX-License-Identifier: Apache-2.0
//
// Do the interfaces of a configuration exist, and can hanet use them?
//
// The answer comes from one RTM_GETLINK dump, never from /sys/class/net: sysfs shows the network
// namespace it was mounted in, and a daemon that was started with `nsenter --net` sees another one
// there than the one it runs in. A dump is also one consistent picture, so a member can be told
// with the name and the kind of its master. A port that belongs to a bridge or bond receives its
// packets for the master; an identity on it would not work. VRF members are the exception: they
// keep their addresses.
//
// A VLAN on a port moves to the VLAN with the same tag on the other port, so both have to be there.
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>

#include <algorithm>

#include "config/config.h"
#include "config/text.h"
#include "net/link.h"

namespace hanet::config {
namespace {

using net::LinkInfo;
using Links = std::vector<LinkInfo>;

constexpr std::string_view kNotHere = "is not here";

Result<Links> read_all_links() {
  Result<net::NetlinkSocket> socket = net::NetlinkSocket::open();
  if (!socket) return pass_on(socket);
  return net::read_links(*socket);
}

const LinkInfo* link_called(const std::string& name, const Links& links) {
  const auto found =
      std::ranges::find(links, name, [](const LinkInfo& link) { return link.interface.name; });
  return found == links.end() ? nullptr : &*found;
}

/// The master that keeps this link from being a port of its own, or nullptr.
const LinkInfo* obstacle(const LinkInfo& link, const Links& links) {
  if (link.master == 0 || link.master_kind == "vrf") return nullptr;
  const auto master = std::ranges::find(links, link.master,
                                        [](const LinkInfo& one) { return one.interface.index; });
  return master == links.end() ? nullptr : &*master;
}

/// What is on top of an interface, but for VLANs that can move. A veth names its peer in the same
/// place.
const LinkInfo* upper_on(const LinkInfo& port, const Links& links, VlanPolicy vlans);

/// Called like its port, or like the card: a port that waited for a killed hanetd has another MAC
/// address for a while, and a VLAN whose own somebody has set once keeps it.
bool shares_mac(const LinkInfo& vlan, const LinkInfo& port) {
  return vlan.mac == port.mac || vlan.mac == port.permanent_mac;
}

/// A VLAN moves if all it is can be found again on another port.
bool can_move(const LinkInfo& vlan, const LinkInfo& port, const Links& links) {
  return vlan.vlan_tag != 0 && shares_mac(vlan, port) && obstacle(vlan, links) == nullptr &&
         upper_on(vlan, links, VlanPolicy::Refused) == nullptr;
}

const LinkInfo* upper_on(const LinkInfo& port, const Links& links, VlanPolicy vlans) {
  for (const LinkInfo& link : links) {
    if (link.lower != port.interface.index || link.kind == "veth" ||
        link.interface.index == port.interface.index)
      continue;
    if (vlans == VlanPolicy::Refused || !can_move(link, port, links)) return &link;
  }
  return nullptr;
}

std::string named(const LinkInfo& link) {
  return fmt::format("{} {}", link.kind.empty() ? "device" : link.kind,
                     in_quotes(link.interface.name));
}

/// Why a VLAN can not move, behind its name.
std::string why_it_stays(const LinkInfo& upper, const LinkInfo& port, const Links& links,
                         VlanPolicy vlans) {
  if (upper.vlan_tag == 0) return {};
  if (vlans == VlanPolicy::Refused) return " (a trunk's VLANs do not move)";
  if (const LinkInfo* master = obstacle(upper, links))
    return fmt::format(" (it is a member of the {})", named(*master));
  if (const LinkInfo* top = upper_on(upper, links, VlanPolicy::Refused))
    return fmt::format(" (it has the {})", named(*top));
  if (!shares_mac(upper, port)) return " (it has a MAC address of its own)";
  return {};
}

/// "one of eth0, eth1".
std::string usable(const Links& links, VlanPolicy vlans) {
  std::vector<std::string> names;
  for (const LinkInfo& link : links) {
    if (link.type == ARPHRD_ETHER && obstacle(link, links) == nullptr &&
        upper_on(link, links, vlans) == nullptr)
      names.push_back(link.interface.name);
  }
  std::ranges::sort(names);
  if (names.empty()) return "an Ethernet interface, but there is none here";
  return fmt::format("one of {}", listed(names));
}

/// Why the interface cannot be a port; empty if it can.
std::string why_not_a_port(const std::string& interface, const Links& links, VlanPolicy vlans,
                           DeviceOnPort on_port) {
  const LinkInfo* link = link_called(interface, links);
  if (link == nullptr) return std::string(kNotHere);
  if (link->type != ARPHRD_ETHER)
    return fmt::format("is not an Ethernet device (its ARPHRD type is {})", link->type);
  if (on_port == DeviceOnPort::IsAlarm) return {};
  if (const LinkInfo* master = obstacle(*link, links))
    return fmt::format("is a member of the {}", named(*master));
  if (const LinkInfo* upper = upper_on(*link, links, vlans))
    return fmt::format("has the {}, which hanet would leave behind at a switchover{}",
                       named(*upper), why_it_stays(*upper, *link, links, vlans));
  return {};
}

/// A VLAN of `interface` that `other` has not, as far as both are here; or nullptr.
const LinkInfo* vlan_without_twin(const std::string& interface, const std::string& other,
                                  const Links& links) {
  const LinkInfo* port = link_called(interface, links);
  const LinkInfo* there = link_called(other, links);
  if (port == nullptr || there == nullptr) return nullptr;
  for (const LinkInfo& link : links) {
    if (!net::vlan_on(link, port->interface.index)) continue;
    const std::vector<net::Vlan> twins = net::vlans_among(links, there->interface.index);
    if (std::ranges::count(twins, link.vlan_tag, &net::Vlan::tag) == 0) return &link;
  }
  return nullptr;
}

/// May this port be missing, because it was pulled and the group has another one?
bool was_pulled(const GroupConfig& group, const std::string& interface, const Links& links,
                std::span<const std::string> pulled) {
  return std::ranges::count(pulled, interface) != 0 &&
         std::ranges::any_of(group.paths, [&](const PathConfig& path) {
           return std::ranges::any_of(path.ports, [&](const PortConfig& port) {
             return link_called(port.interface, links) != nullptr;
           });
         });
}

std::string port_key(const PathConfig& path, std::size_t index, std::size_t place) {
  const std::string key = index == 0 ? "primary" : "standby";
  return path.ports.size() == 1 ? key : fmt::format("{}[{}]", key, place);
}

/// What is wrong with one port: "found 'eth7', which is not here; allowed: ..."; or empty.
std::string mistake(const GroupConfig& group, std::size_t path, std::size_t at, const Links& links,
                    std::span<const std::string> pulled, DeviceOnPort on_port) {
  const std::string& interface = group.paths[path].ports[at].interface;
  const VlanPolicy vlans = vlans_of(group);
  const std::string why_not = why_not_a_port(interface, links, vlans, on_port);
  if (why_not == kNotHere && was_pulled(group, interface, links, pulled)) return {};
  if (!why_not.empty())
    return fmt::format("found {}, which {}; allowed: {}", in_quotes(interface), why_not,
                       usable(links, vlans));
  if (vlans == VlanPolicy::Refused || on_port == DeviceOnPort::IsAlarm) return {};
  for (std::size_t p = 0; p < group.paths.size(); ++p) {
    const std::string& other = group.paths[p].ports.front().interface;
    const LinkInfo* vlan = p == path ? nullptr : vlan_without_twin(interface, other, links);
    if (vlan != nullptr)
      return fmt::format(
          "found {}, which has the {}, and {} has none with its tag, so hanet would leave it "
          "behind at a switchover; allowed: VLANs that both have ({})",
          in_quotes(interface), named(*vlan), in_quotes(other),
          net::command_for_twin(vlan->vlan_tag, other));
  }
  return {};
}

}  // namespace

VlanPolicy vlans_of(const GroupConfig& group) {
  return group.has_trunk() ? VlanPolicy::Refused : VlanPolicy::Move;
}

Result<std::string> why_not_a_port(const std::string& interface, VlanPolicy vlans) {
  const Result<Links> links = read_all_links();
  if (!links) return std::unexpected(links.error());
  return why_not_a_port(interface, *links, vlans, DeviceOnPort::IsMistake);
}

bool is_card(const std::string& interface) {
  const Result<Links> links = read_all_links();
  if (!links) return false;
  const LinkInfo* link = link_called(interface, *links);
  return link != nullptr && (link->kind.empty() || link->kind == "veth");
}

Result<std::vector<std::string>> ports_not_here(const Config& config,
                                                std::span<const std::string> pulled) {
  const Result<Links> links = read_all_links();
  if (!links) return std::unexpected(links.error());
  std::vector<std::string> absent;
  for (const GroupConfig& group : config.groups)
    for (const PathConfig& path : group.paths)
      for (const PortConfig& port : path.ports)
        if (link_called(port.interface, *links) == nullptr &&
            !was_pulled(group, port.interface, *links, pulled))
          absent.push_back(port.interface);
  return absent;
}

Status check_interfaces(const Config& config, std::string_view name,
                        std::span<const std::string> pulled, DeviceOnPort on_port) {
  const Result<Links> links = read_all_links();
  if (!links) return std::unexpected(links.error());
  std::vector<std::string> messages;
  for (std::size_t g = 0; g < config.groups.size(); ++g) {
    const GroupConfig& group = config.groups[g];
    // The metanetwork device of an earlier hanetd, as far as can be told here.
    const net::LinkInfo* named = link_called(group.name, *links);
    if (named != nullptr && !(group.has_device() && named->kind == "veth"))
      messages.push_back(
          fmt::format("{}: key 'group[{}].name': found {}, which is an interface here; allowed: a "
                      "name that no interface has",
                      name, g, in_quotes(group.name)));
    for (std::size_t p = 0; p < group.paths.size(); ++p)
      for (std::size_t at = 0; at < group.paths[p].ports.size(); ++at)
        if (const std::string wrong = mistake(group, p, at, *links, pulled, on_port);
            !wrong.empty())
          messages.push_back(fmt::format("{}: key 'group[{}].{}': {}", name, g,
                                         port_key(group.paths[p], p, at), wrong));
  }
  if (messages.empty()) return {};
  return failure(fmt::format("{}", fmt::join(messages, "\n")));
}

}  // namespace hanet::config
