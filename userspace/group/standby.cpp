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
Status strip(net::NetlinkSocket& socket, SettingsLedger& ledger, const net::Identity& found,
             config::StandbyMode mode) {
  ledger.quieten(found.on);
  for (const net::Vlan& vlan : found.vlans) ledger.quieten(vlan.on);
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

void remember_in(SettingsLedger& ledger, const net::Place& place, const StandbyBefore& before) {
  for (const auto& [tag, admin_up] : before.admin_up) {
    const net::InterfaceName* on = place.at(tag);
    if (on == nullptr) continue;
    std::vector<net::Address> link_local;
    std::ranges::copy_if(before.link_local, std::back_inserter(link_local),
                         [&](const net::Address& address) { return address.vlan == tag; });
    ledger.remember(*on, admin_up, std::move(link_local));
  }
}

}  // namespace

Result<StandbyBefore> remember_standby(net::NetlinkSocket& socket, const SettingsLedger& ledger,
                                       const net::Place& place) {
  const Result<std::vector<net::LinkInfo>> links = net::read_links(socket);
  if (!links) return std::unexpected(links.error());
  StandbyBefore before;
  for (const net::LinkInfo& link : *links) {
    const bool is_port = link.interface.index == place.port.index;
    if (!is_port && !net::vlan_on(link, place.port.index)) continue;
    const std::uint32_t tag = is_port ? 0 : link.vlan_tag;
    const snapshot::Origin* kept = ledger.origin_of(link.interface);
    before.admin_up[tag] = kept != nullptr ? kept->admin_up : link.admin_up;
    if (kept != nullptr) std::ranges::copy(kept->link_local, std::back_inserter(before.link_local));
    if (is_port) before.mac = link.permanent_mac.value_or(link.mac);
  }
  if (!before.admin_up.contains(0)) return net::no_such_interface(place.port.index);
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

Status prepare_standby(net::NetlinkSocket& socket, SettingsLedger& ledger, const net::Place& place,
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
  remember_in(ledger, place, before);
  Status done = strip(socket, ledger, *found, mode);
  if (done && dummy) {
    done = apply_dummy(socket, place.port, found->mac, *dummy);
  }
  if (!done) restore_standby(socket, ledger, place, before, dummy);
  return done;
}

Status prepare_vlan(net::NetlinkSocket& socket, SettingsLedger& ledger, const net::Vlan& vlan,
                    config::StandbyMode mode, StandbyBefore& before) {
  const Result<net::LinkInfo> now = net::read_link(socket, vlan.on.index);
  Result<net::Identity> found = net::capture(socket, vlan.on);
  if (!now) return std::unexpected(now.error());
  if (!found) return pass_on(found);
  if (Status fit = check_standby(*found); !fit) return fit;
  before.admin_up[vlan.tag] = now->admin_up;
  for (net::Address address : found->addresses) {
    if (address.scope != RT_SCOPE_LINK) continue;
    address.vlan = vlan.tag;
    before.link_local.push_back(std::move(address));
  }
  remember_in(ledger, {vlan.on, {vlan}}, before);
  // One below a port that is down can not be set up, and goes up with it.
  return strip(socket, ledger, *found, mode);
}

void restore_standby(net::NetlinkSocket& socket, SettingsLedger& ledger, const net::Place& place,
                     const StandbyBefore& before, const std::optional<Dummy>& dummy) {
  const net::InterfaceName& port = place.port;
  ledger.put_back(port);
  for (const net::Vlan& vlan : place.vlans) ledger.put_back(vlan.on);
  std::vector<net::NetlinkMessage> batch;
  if (dummy) {
    batch.push_back(net::remove_address(dummy->address, port.index));
    batch.push_back(net::set_mac(port.index, before.mac));
  }
  for (const auto& [tag, admin_up] : before.admin_up)  // the port first
    if (const net::InterfaceName* on = place.at(tag))
      batch.push_back(net::set_admin_state(on->index, admin_up));
  for (const net::Address& address : before.link_local) {
    const net::InterfaceName* on = place.at(address.vlan);
    const auto admin_up = before.admin_up.find(address.vlan);
    if (on != nullptr && admin_up != before.admin_up.end() && admin_up->second)
      batch.push_back(net::add_address(address, on->index));
  }
  net::send_best_effort(socket, port.name, batch);
  if (dummy) set_vlan_macs(socket, port, dummy->mac, before.mac);
}

}  // namespace hanet::group
