// SPDX-License-Identifier: Apache-2.0
//
// See standby.h.
#include "group/standby.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <iterator>

#include "core/log.h"
#include "net/capture.h"
#include "net/encode.h"
#include "net/link.h"
#include "net/look.h"

namespace hanet::group {
namespace {

bool came_from_router(const net::KernelObject& route) {
  const auto* header = reinterpret_cast<const rtmsg*>(route.header.data());
  return header->rtm_protocol == RTPROT_RA;
}

// The kernel leaves the route of an IPv6 address with a lifetime (failover/plan.cpp).
Status remove_address(net::NetlinkSocket& socket, const net::Identity& found,
                      const net::Address& address) {
  const net::InterfaceName& on = net::holder_of(found, address);
  if (Status done =
          socket.request(net::remove_address(address, on.index),
                         fmt::format("remove {} from {}", net::describe(address), on.name));
      !done && done.error().code != EADDRNOTAVAIL)
    return done;
  if (address.family != AF_INET6 || address.valid_seconds == UINT32_MAX) return {};
  const std::string what = fmt::format("remove the route of {}", net::describe(address));
  Status done = socket.request(net::remove_prefix_route(address, on.index), what);
  return !done && done.error().code != ESRCH ? done : Status();
}

// The addresses, and the routes that came with them: turning accept_ra off leaves those. Nothing
// else is on a port that check_standby() has passed. What ran out meanwhile is gone already.
Status remove_what_the_kernel_made(net::NetlinkSocket& socket, const net::Identity& found) {
  for (const net::KernelObject& route : found.routes) {
    if (!came_from_router(route)) continue;
    if (Status done =
            socket.request(net::remove_route(route),
                           fmt::format("remove a route of a router from {}", found.on.name));
        !done && done.error().code != ESRCH)
      return done;
  }
  for (const net::Address& address : found.addresses)
    if (Status done = remove_address(socket, found, address); !done) return done;
  return {};
}

Status set_state(net::NetlinkSocket& socket, const net::InterfaceName& interface, bool up) {
  return socket.request(net::set_admin_state(interface.index, up),
                        fmt::format("set {} {}", interface.name, up ? "up" : "down"));
}

// The VLANs of a port that goes down go down with it.
Status strip(net::NetlinkSocket& socket, const net::Identity& found, config::StandbyMode mode) {
  net::quieten(socket, found.on);
  for (const net::Vlan& vlan : found.vlans) net::quieten(socket, vlan.on);
  if (Status done = remove_what_the_kernel_made(socket, found); !done) return done;
  const bool up = mode == config::StandbyMode::Hot;
  if (Status done = set_state(socket, found.on, up); !done || !up) return done;
  for (const net::Vlan& vlan : found.vlans)
    if (Status done = set_state(socket, vlan.on, true); !done) return done;
  return {};
}

// A VLAN whose MAC address somebody has set once does not follow its port; it stays like it here.
void set_vlan_macs(net::NetlinkSocket& socket, const net::InterfaceName& port,
                   const net::MacAddress& was, const net::MacAddress& is) {
  const Result<std::vector<net::LinkInfo>> links = net::read_links(socket);
  if (!links) return;
  std::vector<net::NetlinkMessage> batch;
  for (const net::Vlan& vlan : net::vlans_among(*links, port.index))
    if (vlan.mac == was) batch.push_back(net::set_mac(vlan.on.index, is));
  if (!batch.empty()) net::send_best_effort(socket, port.name, batch);
}

// The port is down.
Status apply_dummy(net::NetlinkSocket& socket, const net::InterfaceName& port,
                   const net::MacAddress& was, const Dummy& dummy) {
  if (Status done = socket.request(net::set_mac(port.index, dummy.mac),
                                   fmt::format("give {} its dummy MAC address", port.name));
      !done)
    return done;
  set_vlan_macs(socket, port, was, dummy.mac);
  const Status added = socket.request(net::add_address(dummy.address, port.index),
                                      fmt::format("give {} its dummy address", port.name));
  return added || added.error().code == EEXIST ? Status() : added;
}

}  // namespace

Result<StandbyBefore> remember_standby(net::NetlinkSocket& socket, const net::Place& place) {
  Result<net::PortSettings> settings = net::read_settings(socket, place);
  if (!settings) return pass_on(settings);
  StandbyBefore before;
  static_cast<net::PortSettings&>(before) = std::move(*settings);
  return before;
}

Status check_standby(const net::Identity& found) {
  for (const net::Address& address : found.addresses)
    if (!net::made_by_kernel(address))
      return failure(fmt::format(
          "standby {} has the address {}: a standby has no identity of its own; remove the "
          "address, or make the port the primary",
          net::holder_of(found, address).name, net::describe(address)));
  return {};
}

Status prepare_standby(net::NetlinkSocket& socket, const net::Place& place,
                       config::StandbyMode mode, StandbyBefore& before,
                       const std::optional<Dummy>& dummy) {
  Result<net::Identity> found = net::capture(socket, place.port);
  if (!found) return pass_on(found);
  // After a kill it is given its dummy already.
  if (dummy)
    std::erase_if(found->addresses, [&](const net::Address& address) {
      return address.local == dummy->address.local;
    });
  if (Status fit = check_standby(*found); !fit) return fit;
  // A router's come back with its next advertisement, with lifetimes of that time.
  std::ranges::copy_if(found->addresses, std::back_inserter(before.link_local),
                       [](const net::Address& address) { return address.scope == RT_SCOPE_LINK; });
  Status done = strip(socket, *found, mode);
  if (done && dummy) {
    done = apply_dummy(socket, place.port, found->mac, *dummy);
  }
  if (!done) restore_standby(socket, place, before, dummy);
  return done;
}

Status prepare_vlan(net::NetlinkSocket& socket, const net::Vlan& vlan, config::StandbyMode mode,
                    StandbyBefore& before) {
  Result<net::PortSettings> now = net::read_settings(socket, vlan.on);
  Result<net::Identity> found = net::capture(socket, vlan.on);
  if (!now) return pass_on(now);
  if (!found) return pass_on(found);
  if (Status fit = check_standby(*found); !fit) return fit;
  before.settings[vlan.tag] = now->settings.begin()->second;
  for (net::Address address : found->addresses) {
    if (address.scope != RT_SCOPE_LINK) continue;
    address.vlan = vlan.tag;
    before.link_local.push_back(std::move(address));
  }
  // One below a port that is down can not be set up, and goes up with it.
  return strip(socket, *found, mode);
}

void restore_standby(net::NetlinkSocket& socket, const net::Place& place,
                     const StandbyBefore& before, const std::optional<Dummy>& dummy) {
  net::restore_settings(socket, place, before.settings);
  const net::InterfaceName& port = place.port;
  std::vector<net::NetlinkMessage> batch;
  if (dummy) {
    batch.push_back(net::remove_address(dummy->address, port.index));
    batch.push_back(net::set_mac(port.index, before.mac));
  }
  for (const auto& [tag, settings] : before.settings)  // the port first
    if (const net::InterfaceName* on = place.at(tag))
      batch.push_back(net::set_admin_state(on->index, settings.admin_up));
  for (const net::Address& address : before.link_local) {
    const net::InterfaceName* on = place.at(address.vlan);
    const auto settings = before.settings.find(address.vlan);
    if (on != nullptr && settings != before.settings.end() && settings->second.admin_up)
      batch.push_back(net::add_address(address, on->index));
  }
  net::send_best_effort(socket, port.name, batch);
  if (dummy) set_vlan_macs(socket, port, dummy->mac, before.mac);
}

}  // namespace hanet::group
