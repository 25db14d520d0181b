// SPDX-License-Identifier: Apache-2.0
//
// See ports.h. Finding, attaching and binding are in ports_binding.cpp.
#include "group/ports.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"
#include "policy/speed.h"

namespace hanet::group {

LinkNews Ports::link_changed(const net::LinkInfo& link, bool removed) {
  LinkNews news;
  const auto found = std::ranges::find_if(ports_, [&](const Port& port) {
    return port.present() && port.interface.index == link.interface.index;
  });
  if (found == ports_.end()) return news;
  Port& port = *found;
  news.port = &port;
  if (!removed && link.interface.name != port.interface.name) {
    log::notice("{}: {} is called {} now", context_.config.name, port.interface.name,
                link.interface.name);
    port.interface.name = link.interface.name;
    news.renamed = true;
  }
  if (removed) {
    port.presence = Presence::Gone;
    context_.engine().unbind_port(port.index);
    news.vanished = true;
  }
  news.came_up = !port.admin_up && link.admin_up;
  port.admin_up = link.admin_up;
  port.carrier_doubted = !removed && context_.engine().doubts_carrier(port.index, link.carrier_on);
  if (!link.carrier && port.rtnetlink_carrier) context_.engine().hear_carrier_lost(port.index);
  port.rtnetlink_carrier = link.carrier;
  if (link.carrier) {  // it may have negotiated another speed
    weigh(port);
    context_.engine().set_weight(port.index, port.weight);
  }
  news.bridge_ends = !port.present() || !port.admin_up;
  return news;
}

// A trunk's VLANs are devices like any other: every port of it would need them.
std::vector<VlanNews> Ports::vlan_changed(const net::LinkInfo& link, bool removed) {
  std::vector<VlanNews> all;
  if (context_.config.has_trunk()) return all;
  for (Port& port : ports_) {
    if (!port.present()) continue;
    const std::optional<net::Vlan> vlan =
        removed ? std::nullopt : net::vlan_on(link, port.interface.index);
    const auto known = std::ranges::find_if(
        port.vlans, [&](const net::Vlan& one) { return one.on.index == link.interface.index; });
    const bool is_known = known != port.vlans.end();
    if ((!is_known && !vlan) || (is_known && vlan && *vlan == *known)) continue;
    VlanNews news{.port = &port};
    news.is_same_interface = is_known && vlan && vlan->on == known->on;
    if (!is_known) news.appeared = vlan;
    if (is_known) port.vlans.erase(known);
    if (vlan) port.vlans.push_back(*vlan);
    std::ranges::sort(port.vlans, {}, &net::Vlan::tag);
    all.push_back(news);
  }
  return all;
}

void Ports::look_at_doubted_carriers() {
  for (Port& port : ports_)
    if (port.carrier_doubted && port.present()) learn_carrier(port);
}

void Ports::learn_carrier(Port& port) const {
  const std::uint64_t last_edge =
      engine::load(context_.engine().port(port.index).carrier_changed_ns);
  const Result<net::LinkInfo> link = net::read_link(context_.requests(), port.interface.index);
  port.carrier_doubted = !link;
  if (link) context_.engine().learn_carrier(port.index, link->carrier_on, last_edge);
}

void Ports::weigh(Port& port) {
  if (context_.config.trunk.capacity != config::Capacity::Speed) return;
  const std::string& name = port.interface.name;
  const net::LinkSpeeds speeds = net::link_speeds(name);
  const policy::SpeedFacts facts{.carrier = port.rtnetlink_carrier,
                                 .told = speeds.told,
                                 .last = speeds_.of(name),
                                 .possible = speeds.possible};
  if (const auto seen = policy::seen_speed(facts)) speeds_.learn(name, *seen);
  port.weight = policy::weight_by_speed(facts);
}

void Ports::keep_speeds() {
  if (Status saved = speeds_.save(); !saved)
    log::warning("{}: the speeds of its ports do not outlive hanetd: {}", context_.config.name,
                 saved.error().message);
}

void Ports::set_own_mac(const Port& port, const net::MacAddress& mac) {
  own(port).macs.spare = own(port).macs.wire = mac;
  context_.engine().set_wire_mac(port.index, mac);
}

void Ports::listen_to(const net::MacAddress& was, const net::MacAddress& is) {
  for (Port& port : ports_) {
    if (!port.socket.valid()) continue;
    if (was != net::MacAddress{}) [[maybe_unused]]
      const Status gone = port.socket.stop_listening_to(was);
    if (Status heard = port.socket.listen_to(is); !heard)
      log::warning("{}: {}", context_.config.name, heard.error().message);
  }
}

}  // namespace hanet::group
