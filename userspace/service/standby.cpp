// SPDX-License-Identifier: Apache-2.0
//
// See standby.h.
#include "service/standby.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/log.h"
#include "net/capture.h"
#include "net/encode.h"
#include "net/link.h"

namespace hanet::service {
namespace {

// What a standby is told; /proc/sys/net shows the network namespace of the process that opens it.
constexpr std::string_view kAcceptRa = "ipv6/conf/{}/accept_ra";
constexpr std::string_view kArpIgnore = "ipv4/conf/{}/arp_ignore";
constexpr std::string_view kNoRouterAdvertisements = "0";
constexpr std::string_view kOnlyOwnAddresses = "1";  // Documentation/networking/ip-sysctl.rst

std::string setting_file(std::string_view setting, const std::string& port) {
  return "/proc/sys/net/" + fmt::format(fmt::runtime(setting), port);
}

std::string read_setting(std::string_view setting, const std::string& port) {
  std::ifstream file(setting_file(setting, port));
  std::string value;
  std::getline(file, value);
  return value;
}

// An empty value stands for a host without this protocol.
void write_setting(std::string_view setting, const std::string& port, std::string_view value) {
  if (value.empty()) return;
  std::ofstream file(setting_file(setting, port));
  file << value;
}

void move_setting(std::string_view setting, const std::string& from, const std::string& to,
                  std::string_view standby_value) {
  write_setting(setting, to, read_setting(setting, from));
  write_setting(setting, from, standby_value);
}

bool made_by_kernel(const net::Address& address) {
  return address.family == AF_INET6 &&
         (address.scope == RT_SCOPE_LINK || address.protocol == IFAPROT_KERNEL_RA);
}

bool came_from_router(const net::KernelObject& route) {
  const auto* header = reinterpret_cast<const rtmsg*>(route.header.data());
  return header->rtm_protocol == RTPROT_RA;
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
    if (Status done =
            socket.request(net::remove_address(address, net::bearer_of(found, address).index),
                           fmt::format("remove {} from {}", net::describe(address),
                                       net::bearer_of(found, address).name));
        !done && done.error().code != EADDRNOTAVAIL)
      return done;
  return {};
}

// What the kernel would do by itself on an interface that waits.
void quieten(net::NetlinkSocket& socket, const net::InterfaceName& interface) {
  write_setting(kAcceptRa, interface.name, kNoRouterAdvertisements);
  write_setting(kArpIgnore, interface.name, kOnlyOwnAddresses);
  // Kernels without IPv6 refuse this, and need it not.
  if (Status done =
          socket.request(net::set_address_generation(interface.index, IN6_ADDR_GEN_MODE_NONE),
                         fmt::format("keep {} from making addresses", interface.name));
      !done)
    log::debug("{}", done.error().message);
}

Status set_state(net::NetlinkSocket& socket, const net::InterfaceName& interface, bool up) {
  return socket.request(net::set_admin_state(interface.index, up),
                        fmt::format("set {} {}", interface.name, up ? "up" : "down"));
}

// The VLANs of a port that goes down go down with it.
Status strip(net::NetlinkSocket& socket, const net::Identity& found, config::StandbyMode mode) {
  quieten(socket, found.on);
  for (const net::Vlan& vlan : found.vlans) quieten(socket, vlan.on);
  if (Status done = remove_what_the_kernel_made(socket, found); !done) return done;
  const bool up = mode == config::StandbyMode::Hot;
  if (Status done = set_state(socket, found.on, up); !done || !up) return done;
  for (const net::Vlan& vlan : found.vlans)
    if (Status done = set_state(socket, vlan.on, true); !done) return done;
  return {};
}

void send_quietly(net::NetlinkSocket& socket, const net::InterfaceName& port,
                  std::vector<net::NetlinkMessage> batch) {
  if (Status sent = socket.send(batch); !sent) return;
  const auto answers = socket.collect();
  if (!answers) log::warning("{}: {}", port.name, answers.error().message);
}

// A VLAN whose MAC address somebody has set once does not follow its port; it stays like it here.
void call_vlans(net::NetlinkSocket& socket, const net::InterfaceName& port,
                const net::MacAddress& was, const net::MacAddress& is) {
  const Result<std::vector<net::LinkInfo>> links = net::read_links(socket);
  if (!links) return;
  std::vector<net::NetlinkMessage> batch;
  for (const net::Vlan& vlan : net::vlans_among(*links, port.index))
    if (vlan.mac == was) batch.push_back(net::set_mac(vlan.on.index, is));
  if (!batch.empty()) send_quietly(socket, port, std::move(batch));
}

// The port is down.
Status dress_up(net::NetlinkSocket& socket, const net::InterfaceName& port,
                const net::MacAddress& was, const Dummy& dummy) {
  if (Status done = socket.request(net::set_mac(port.index, dummy.mac),
                                   fmt::format("give {} its dummy MAC address", port.name));
      !done)
    return done;
  call_vlans(socket, port, was, dummy.mac);
  const Status added = socket.request(net::add_address(dummy.address, port.index),
                                      fmt::format("give {} its dummy address", port.name));
  return added || added.error().code == EEXIST ? Status() : added;
}

}  // namespace

Result<StandbyBefore> remember_settings(net::NetlinkSocket& socket, const net::Place& place) {
  Result<std::vector<net::LinkInfo>> links = net::read_links(socket);
  if (!links) return pass_on(links);
  StandbyBefore before;
  for (const net::LinkInfo& link : *links) {
    const bool is_port = link.interface.index == place.port.index;
    if (!is_port && !net::vlan_on(link, place.port.index)) continue;
    before.settings[is_port ? 0 : link.vlan_tag] = {
        .address_generation = link.address_generation,
        .accept_ra = read_setting(kAcceptRa, link.interface.name),
        .arp_ignore = read_setting(kArpIgnore, link.interface.name),
        .admin_up = link.admin_up};
    if (is_port) before.mac = link.permanent_mac.value_or(link.mac);
  }
  if (!before.settings.contains(0)) return net::no_such_interface(place.port.index);
  return before;
}

Status check_standby(const net::Identity& found) {
  for (const net::Address& address : found.addresses)
    if (!made_by_kernel(address))
      return failure(fmt::format(
          "standby {} carries the address {}: a standby has no identity of its own; remove the "
          "address, or make the port the primary",
          net::bearer_of(found, address).name, net::describe(address)));
  return {};
}

Status prepare_standby(net::NetlinkSocket& socket, const net::Place& place,
                       config::StandbyMode mode, StandbyBefore& before,
                       const std::optional<Dummy>& dummy) {
  Result<net::Identity> found = net::capture(socket, place.port);
  if (!found) return pass_on(found);
  // After a kill it is dressed up already.
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
    done = dress_up(socket, place.port, found->mac, *dummy);
  }
  if (!done) restore_standby(socket, place, before, dummy);
  return done;
}

Status prepare_vlan(net::NetlinkSocket& socket, const net::Vlan& vlan, config::StandbyMode mode,
                    StandbyBefore& before) {
  Result<StandbyBefore> now = remember_settings(socket, vlan.on);
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

void restore_settings(net::NetlinkSocket& socket, const net::Place& place,
                      const PlaceSettings& before) {
  std::vector<net::NetlinkMessage> batch;
  for (const auto& [tag, settings] : before) {
    const net::InterfaceName* on = place.at(tag);
    if (on == nullptr) continue;
    write_setting(kAcceptRa, on->name, settings.accept_ra);
    write_setting(kArpIgnore, on->name, settings.arp_ignore);
    batch.push_back(net::set_address_generation(on->index, settings.address_generation));
  }
  send_quietly(socket, place.port, std::move(batch));
}

void restore_standby(net::NetlinkSocket& socket, const net::Place& place,
                     const StandbyBefore& before, const std::optional<Dummy>& dummy) {
  restore_settings(socket, place, before.settings);
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
  send_quietly(socket, port, std::move(batch));
  if (dummy) call_vlans(socket, port, dummy->mac, before.mac);
}

void move_settings(net::NetlinkSocket& socket, const net::Place& from, const net::Place& to,
                   const PlaceSettings& first) {
  std::vector<net::NetlinkMessage> batch;
  for (const auto& [tag, settings] : first) {
    const net::InterfaceName* left = from.at(tag);
    const net::InterfaceName* entered = to.at(tag);
    if (left == nullptr || entered == nullptr) continue;
    move_setting(kAcceptRa, left->name, entered->name, kNoRouterAdvertisements);
    move_setting(kArpIgnore, left->name, entered->name, kOnlyOwnAddresses);
    // A former primary that comes up again must make no address. The old interface may be gone.
    batch.push_back(net::set_address_generation(left->index, IN6_ADDR_GEN_MODE_NONE));
    batch.push_back(net::set_address_generation(entered->index, settings.address_generation));
  }
  if (Status sent = socket.send(batch); !sent) return;
  [[maybe_unused]] const auto answers = socket.collect();
}

}  // namespace hanet::service
