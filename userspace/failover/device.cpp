// SPDX-License-Identifier: Apache-2.0
//
// See device.h.
#include "failover/device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>

#include <algorithm>
#include <iterator>

#include "net/capture.h"
#include "net/fdb.h"
#include "net/packet_socket.h"
#include "net/pair.h"
#include "net/settings.h"

namespace hanet::failover {

std::string text_of_device(const std::string& name) {
  return fmt::format("metanetwork device {} of hanet", name);
}

Result<std::vector<net::LinkInfo>> made_devices(net::NetlinkSocket& socket) {
  Result<std::vector<net::LinkInfo>> links = net::read_links(socket);
  if (!links) return links;
  std::erase_if(*links, [&](const net::LinkInfo& link) {
    return link.kind != "veth" ||
           net::link_text(socket, link.interface.index) != text_of_device(link.interface.name);
  });
  return links;
}

Plan plan_with_own_mac(const net::Identity& identity, const net::Place& to,
                       const net::MacAddress& mac,
                       std::span<const net::KernelObject> known_neighbours) {
  PlanSettings settings{.move_mac = false};
  if (net::is_router(identity.on.name)) settings.routers.push_back(0);
  return make_plan(identity, to, mac, settings, known_neighbours);
}

std::vector<net::NetlinkMessage> close_filters(unsigned port, const net::MacAddress& mac) {
  return {net::receive_no_more(port, mac), net::set_flags(port, IFF_ALLMULTI | IFF_PROMISC, false)};
}

Result<Execution> take_off_device(net::NetlinkSocket& socket, const net::InterfaceName& device,
                                  unsigned port,
                                  const std::function<std::vector<std::string>()>& before_removal) {
  Result<net::LinkInfo> link = net::read_link(socket, port);
  if (!link) return pass_on(link);
  const std::string& name = link->interface.name;
  Result<net::Identity> identity = net::capture(socket, device);
  if (!identity) return pass_on(identity);
  Result<net::PacketSocket> speaker = net::PacketSocket::open(port);
  if (!speaker) return pass_on(speaker);
  // Nothing is taken off the device before there is a place for it.
  net::allow_ipv6(name);
  if (Status up = socket.request(net::set_admin_state(port, true), "bring up " + name); !up)
    return pass_on(up);
  Plan plan = plan_with_own_mac(*identity, link->interface, link->mac);
  const auto back = [&] { return plan_with_own_mac(plan.expected, device, identity->mac); };
  const auto announce = [&](const Plan& moved) {
    for (const net::Frame& frame : moved.announcements) [[maybe_unused]]
      const int refused = speaker->send(frame);
  };
  Execution done = execute(socket, plan, back, announce);
  if (done.outcome == Outcome::RolledBack)
    return failure(fmt::format("{} takes nothing of what is on {}: {}", name, device.name,
                               fmt::join(done.problems, "; ")));
  if (before_removal) std::ranges::move(before_removal(), std::back_inserter(done.problems));
  if (Status gone = socket.request(net::remove_link(device.index), "remove " + device.name); !gone)
    return pass_on(gone);
  return done;
}

}  // namespace hanet::failover
