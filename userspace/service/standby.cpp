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
            socket.request(net::remove_address(address, found.on.index),
                           fmt::format("remove {} from {}", net::describe(address), found.on.name));
        !done && done.error().code != EADDRNOTAVAIL)
      return done;
  return {};
}

Status strip(net::NetlinkSocket& socket, const net::Identity& found, config::StandbyMode mode) {
  const net::InterfaceName& port = found.on;
  write_setting(kAcceptRa, port.name, kNoRouterAdvertisements);
  write_setting(kArpIgnore, port.name, kOnlyOwnAddresses);
  // Kernels without IPv6 refuse this, and need it not.
  if (Status done = socket.request(net::set_address_generation(port.index, IN6_ADDR_GEN_MODE_NONE),
                                   fmt::format("keep {} from making addresses", port.name));
      !done)
    log::debug("{}", done.error().message);
  if (Status done = remove_what_the_kernel_made(socket, found); !done) return done;
  const bool up = mode == config::StandbyMode::Hot;
  return socket.request(net::set_admin_state(port.index, up),
                        fmt::format("set {} {}", port.name, up ? "up" : "down"));
}

// The port is down.
Status dress_up(net::NetlinkSocket& socket, const net::InterfaceName& port, const Dummy& dummy) {
  if (Status done = socket.request(net::set_mac(port.index, dummy.mac),
                                   fmt::format("give {} its dummy MAC address", port.name));
      !done)
    return done;
  const Status added = socket.request(net::add_address(dummy.address, port.index),
                                      fmt::format("give {} its dummy address", port.name));
  return added || added.error().code == EEXIST ? Status() : added;
}

void send_quietly(net::NetlinkSocket& socket, const net::InterfaceName& port,
                  std::vector<net::NetlinkMessage> batch) {
  if (Status sent = socket.send(batch); !sent) return;
  const auto answers = socket.collect();
  if (!answers) log::warning("{}: {}", port.name, answers.error().message);
}

}  // namespace

Result<StandbyBefore> remember_settings(net::NetlinkSocket& socket,
                                        const net::InterfaceName& port) {
  Result<net::LinkInfo> link = net::read_link(socket, port.index);
  if (!link) return pass_on(link);
  return StandbyBefore{.address_generation = link->address_generation,
                       .accept_ra = read_setting(kAcceptRa, port.name),
                       .arp_ignore = read_setting(kArpIgnore, port.name),
                       .admin_up = link->admin_up,
                       .link_local = {},
                       .mac = link->permanent_mac.value_or(link->mac)};
}

Status check_standby(const net::Identity& found) {
  for (const net::Address& address : found.addresses)
    if (!made_by_kernel(address))
      return failure(fmt::format(
          "standby {} carries the address {}: a standby has no identity of its own; remove the "
          "address, or make the port the primary",
          found.on.name, net::describe(address)));
  return {};
}

Status prepare_standby(net::NetlinkSocket& socket, const net::InterfaceName& port,
                       config::StandbyMode mode, StandbyBefore& before,
                       const std::optional<Dummy>& dummy) {
  Result<net::Identity> found = net::capture(socket, port);
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
    done = dress_up(socket, port, *dummy);
  }
  if (!done) restore_standby(socket, port, before, dummy);
  return done;
}

void restore_settings(net::NetlinkSocket& socket, const net::InterfaceName& port,
                      const StandbyBefore& before) {
  write_setting(kAcceptRa, port.name, before.accept_ra);
  write_setting(kArpIgnore, port.name, before.arp_ignore);
  send_quietly(socket, port, {net::set_address_generation(port.index, before.address_generation)});
}

void restore_standby(net::NetlinkSocket& socket, const net::InterfaceName& port,
                     const StandbyBefore& before, const std::optional<Dummy>& dummy) {
  restore_settings(socket, port, before);
  std::vector<net::NetlinkMessage> batch;
  if (dummy) {
    batch.push_back(net::remove_address(dummy->address, port.index));
    batch.push_back(net::set_mac(port.index, before.mac));
  }
  batch.push_back(net::set_admin_state(port.index, before.admin_up));
  if (before.admin_up)
    for (const net::Address& address : before.link_local)
      batch.push_back(net::add_address(address, port.index));
  send_quietly(socket, port, std::move(batch));
}

void move_settings(net::NetlinkSocket& socket, const net::InterfaceName& from,
                   const net::InterfaceName& to, std::uint8_t address_generation) {
  move_setting(kAcceptRa, from.name, to.name, kNoRouterAdvertisements);
  move_setting(kArpIgnore, from.name, to.name, kOnlyOwnAddresses);
  // A former primary that comes up again must make no address. The old interface may be gone.
  std::vector<net::NetlinkMessage> batch;
  batch.push_back(net::set_address_generation(from.index, IN6_ADDR_GEN_MODE_NONE));
  batch.push_back(net::set_address_generation(to.index, address_generation));
  if (Status sent = socket.send(batch); !sent) return;
  [[maybe_unused]] const auto answers = socket.collect();
}

}  // namespace hanet::service
