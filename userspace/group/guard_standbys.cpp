// SPDX-License-Identifier: Apache-2.0
//
// See guard.h: what other programs give of the identity to a port that waits. It would answer
// there, or the host would send there, while the identity is elsewhere.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "core/log.h"
#include "group/guard.h"
#include "net/bytes.h"
#include "net/capture.h"
#include "net/encode.h"
#include "net/look.h"
#include "net/route.h"

namespace hanet::group {

// What a routing daemon withdraws is its own affair; what a person or a network manager set is not.
bool Guard::set_by_configuration(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_DELROUTE && message.nlmsg_type != RTM_NEWROUTE) return true;
  return is_of_configuration(
      static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message))->rtm_protocol);
}

bool Guard::is_of_configuration(std::uint8_t route_protocol) {
  switch (route_protocol) {
    case RTPROT_KERNEL:  // it names nobody when it removes one itself
    case RTPROT_BOOT:
    case RTPROT_STATIC:
    case RTPROT_RA:
    case RTPROT_DHCP:
      return true;
    default:
      return false;
  }
}

std::string Guard::who(std::uint32_t netlink_port) {
  if (netlink_port == 0) return "a program that the kernel does not name";
  std::ifstream file(fmt::format("/proc/{}/comm", netlink_port));
  std::string name;
  if (std::getline(file, name)) return fmt::format("{} (pid {})", name, netlink_port);
  return fmt::format("a program that has ended (pid {})", netlink_port);
}

// An address of the identity on a port that waits.
bool Guard::returned_to_standby(const nlmsghdr& message) {
  const unsigned given_to =
      static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message))->ifa_index;
  for (const Port& port : ports_.all()) {
    if (ports_.is_holder(port) || !port.present() || !port.place().has(given_to)) continue;
    net::Identity there = keeper_.identity();
    there.on = port.interface;
    there.vlans = port.vlans;
    const net::Address* own = net::address_in(message, there);
    if (own == nullptr || !may_repair()) continue;
    take_off(port, net::describe(*own), net::holder_of(there, *own), who(message.nlmsg_pid),
             net::remove_address(*own, given_to));
    return true;
  }
  return false;
}

// A route of the identity there: a manager's stays when its address goes. The kernel's own do not.
bool Guard::route_returned_to_standby(const nlmsghdr& message) {
  if (message.nlmsg_pid == 0 || !set_by_configuration(message)) return false;
  index_routes();
  for (const Port& port : ports_.all()) {
    if (ports_.is_holder(port) || !port.present()) continue;
    const auto route = net::misplaced_route(message, port.place(), keeper_.identity(), index_);
    if (!route || !may_repair()) continue;
    take_off(port, net::describe_part(*route), port.interface, who(message.nlmsg_pid),
             net::remove_route(*route));
    return true;
  }
  return false;
}

void Guard::take_off(const Port& port, const std::string& text, const net::InterfaceName& on,
                     const std::string& given_by, net::NetlinkMessage removal) {
  context_.notices.add(
      "restored", ports_.name(port.path),
      fmt::format("{} was given to {} by {}; it is on {}, so hanet removes it there", text, on.name,
                  given_by, ports_.holder().interface.name));
  if (Status gone = context_.requests().request(std::move(removal), "remove " + text); !gone)
    log::warning("{}: {}", context_.config.name, gone.error().message);
}

// Notifications of the time in which the identity moved are of no use for this: most of them are of
// the move itself.
void Guard::take_off_standbys() {
  if (!context_.config.restore) return;
  for (const Port& port : ports_.all())
    if (!ports_.is_holder(port) && port.present()) take_off_what_returned(port);
}

void Guard::take_off_what_returned(const Port& port) {
  constexpr const char* kBy = "a program meanwhile";
  const net::Identity& own = keeper_.identity();
  std::vector<net::Vlan> interfaces = port.vlans;
  interfaces.push_back({.tag = 0, .on = port.interface});
  for (const net::Vlan& vlan : interfaces) {
    const auto there = net::addresses_on(context_.requests(), vlan.on);
    if (!there) continue;
    for (const net::Address& address : *there)
      if (std::ranges::any_of(own.addresses, [&](const net::Address& one) {
            return one.vlan == vlan.tag && one.local == address.local &&
                   one.prefix_length == address.prefix_length;
          }))
        take_off(port, net::describe(address), vlan.on, kBy,
                 net::remove_address(address, vlan.on.index));
  }
  index_routes();
  if (const auto routes = net::misplaced_routes(context_.requests(), port.place(), own, index_))
    for (const net::KernelObject& route : *routes)
      if (is_of_configuration(net::read_as<rtmsg>(route.header).rtm_protocol))
        take_off(port, net::describe_part(route), port.interface, kBy, net::remove_route(route));
}

}  // namespace hanet::group
