// SPDX-License-Identifier: Apache-2.0
//
// How ports come to their interfaces: found at the start, attached, unbound, bound again; see
// ports.h.
#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"
#include "group/ports.h"
#include "group/session_setup.h"
#include "net/capture.h"

namespace hanet::group {
namespace {

Port missing_port(const std::string& interface) {
  Port port;
  port.interface.name = interface;
  port.macs.probe = net::random_local_mac();
  port.presence = Presence::Gone;
  port.admin_up = port.rtnetlink_carrier = false;
  return port;
}

Card card_of(const net::LinkInfo& link) {
  return {.mac = link.permanent_mac.value_or(link.mac), .bus_path = link.bus_path};
}

}  // namespace

Result<Port> Ports::find_port(const config::PortConfig& config,
                              std::span<const std::string> may_be_missing) {
  Result<net::LinkInfo> link = net::find_link(context_.requests(), config.interface);
  if (!link && std::ranges::count(may_be_missing, config.interface) != 0)
    return missing_port(config.interface);
  if (!link) return pass_on(link);
  Port port;
  port.interface = link->interface;
  port.macs.spare = link->mac;
  port.macs.probe = net::random_local_mac();
  port.card = card_of(*link);
  port.admin_up = link->admin_up;
  port.rtnetlink_carrier = link->carrier;
  weigh(port);
  return port;
}

Result<FoundPorts> Ports::find(std::span<const std::string> may_be_missing) {
  if (Status known = speeds_.load(); !known)
    log::warning("{}: {}", context_.config.name, known.error().message);
  FoundPorts found;
  const std::vector<config::PathConfig>& paths = context_.config.paths;
  for (std::size_t path = 0; path < paths.size(); ++path)
    for (std::size_t slot = 0; slot < paths[path].ports.size(); ++slot) {
      Result<Port> port = find_port(paths[path].ports[slot], may_be_missing);
      if (!port) return pass_on(port);
      port->path = path;
      port->slot = slot;
      found.identities.emplace_back();
      if (port->present()) {
        Result<net::Identity> identity = net::capture(context_.requests(), port->interface);
        if (!identity) return pass_on(identity);
        port->vlans = identity->vlans;
        found.identities.back() = std::move(*identity);
      }
      ports_.push_back(std::move(*port));
    }
  return found;
}

// Without the identity, its MAC address must not stay behind. Ports that are given one MAC address
// from the start keep it (spec F2).
void Ports::choose_macs(std::size_t holder, const net::MacAddress& identity) {
  const bool one_for_all =
      std::ranges::all_of(ports_, [&](const Port& port) { return port.macs.spare == identity; });
  for (Port& port : ports_) {
    port.macs.wire = port.macs.spare == identity ? net::random_local_mac() : port.macs.spare;
    const bool is_holder = number_of(port) == holder;
    if (context_.config.move_mac && is_holder && !one_for_all) port.macs.spare = port.macs.wire;
  }
}

Result<std::vector<engine::RequestFrames>> Ports::attach() {
  std::vector<engine::RequestFrames> requests;
  for (Port& port : ports_) {
    if (Status attached = attach_port(port); !attached) return pass_on(attached);
    for (const SessionPlan& plan :
         plan_sessions(context_.config, config_of(port), port.macs.probe)) {
      Result<engine::RequestFrames> asked = add_session(port, plan);
      if (!asked) return pass_on(asked);
      requests.push_back(std::move(*asked));
    }
  }
  for (std::size_t path = 0; path < context_.config.paths.size(); ++path)
    if (Status made = make_trunk(path); !made) return pass_on(made);
  return requests;
}

Status Ports::attach_port(Port& port) {
  engine::Engine& engine = context_.engine();
  const std::vector<SessionPlan> plans =
      plan_sessions(context_.config, config_of(port), port.macs.probe);
  const SessionPlan& plan = plans.front();
  engine::PortSpec spec{.name = port.interface.name,
                        .ifindex = port.interface.index,
                        .group = context_.index,
                        .probe_mac = port.macs.probe,
                        .probe_ipv4 = 0,
                        .probe_ipv6 = {},
                        .quorum = context_.config.quorum,
                        .targets = static_cast<std::uint32_t>(plans.size()),
                        .beat_type = plan.ether_type,
                        .beat_port = plan.udp_port};
  if (plan.family == AF_INET)
    std::copy_n(plan.source.begin(), 4, reinterpret_cast<std::uint8_t*>(&spec.probe_ipv4));
  else
    spec.probe_ipv6 = plan.source;
  Result<engine::PortIndex> added = engine.add_port(spec);
  if (!added) return pass_on(added);
  port.index = *added;
  if (port.present()) learn_carrier(port);
  if (!port.present()) return {};
  Result<net::PacketSocket> socket = net::PacketSocket::open(port.interface.index);
  if (!socket) return pass_on(socket);
  if (Status heard = listen_as_trunk(port, *socket); !heard) return heard;
  port.socket = std::move(*socket);
  return {};
}

Result<engine::RequestFrames> Ports::add_session(const Port& port, const SessionPlan& plan) const {
  engine::Engine& engine = context_.engine();
  Result<engine::SessionIndex> session = engine.add_session({.port = port.index,
                                                             .group = context_.index,
                                                             .family = plan.family,
                                                             .kind = plan.kind,
                                                             .target = plan.target,
                                                             .next_hop = plan.next_hop,
                                                             .source = plan.source,
                                                             .peer_mac = plan.peer_mac,
                                                             .other_end = plan.other_end});
  if (!session) return pass_on(session);
  return prepare_requests(plan, *session, engine.session(*session), port.interface.index,
                          port.macs.probe);
}

Status Ports::make_trunk(std::size_t path) const {
  const std::span<const Port> ports = of(path);
  if (ports.size() < 2) return {};
  engine::TrunkSpec spec{.group = context_.index,
                         .mode = context_.config.trunk.mode == config::TrunkMode::Static
                                     ? HANET_TRUNK_STATIC
                                     : HANET_TRUNK_INDEPENDENT,
                         .ports = {}};
  for (const Port& port : ports)
    spec.ports.push_back({.port = port.index, .weight = port.weight, .wire_mac = port.macs.wire});
  return context_.engine().add_trunk(spec);
}

// The identity's frames, and answers to what the port sent, arrive at any port of a trunk. What a
// device needs does not end with hanetd (metanet_device.h).
Status Ports::listen_as_trunk(const Port& port, net::PacketSocket& socket) const {
  if (context_.config.paths[port.path].ports.size() < 2 || context_.config.has_device()) return {};
  if (Status heard = socket.listen_to_all_multicast(); !heard) return heard;
  return socket.listen_to(port.macs.wire);
}

Status Ports::bind(const Port& which, const net::LinkInfo& link, const net::Place& place,
                   const net::MacAddress* listen_to) {
  Port& port = own(which);
  const net::InterfaceName& interface = link.interface;
  std::vector<net::PacketSocket> heartbeats;
  for (const SessionPlan& plan : plan_sessions(context_.config, config_of(port), port.macs.probe)) {
    Result<net::PacketSocket> opened = open_request_socket(plan, interface.index, port.macs.probe);
    if (!opened) return pass_on(opened);
    heartbeats.push_back(std::move(*opened));
  }
  Result<net::PacketSocket> socket = net::PacketSocket::open(interface.index);
  if (!socket) return pass_on(socket);
  if (listen_to != nullptr)
    if (Status heard = socket->listen_to(*listen_to); !heard) return heard;
  if (Status heard = listen_as_trunk(port, *socket); !heard) return heard;
  if (Status bound = context_.engine().rebind_port(port.index, interface.index, interface.name);
      !bound)
    return bound;
  auto fresh = heartbeats.begin();
  for (const engine::SessionIndex session : context_.engine().sessions_of(port.index))
    context_.env.replace_socket(session, std::move(*fresh++));
  port.socket = std::move(*socket);
  port.interface = interface;
  port.vlans = place.vlans;
  learn_carrier(port);
  return {};
}

void Ports::use_again(const Port& which, const net::LinkInfo& link) {
  Port& port = own(which);
  port.presence = Presence::Here;
  port.rtnetlink_carrier = link.carrier;
  port.card = card_of(link);
  weigh(port);
  context_.engine().set_weight(port.index, port.weight);
}

void Ports::unbind(const Port& which, Presence why) {
  Port& port = own(which);
  context_.engine().pause_sessions(port.index);
  context_.engine().unbind_port(port.index);
  for (const engine::SessionIndex session : context_.engine().sessions_of(port.index))
    context_.env.replace_socket(session, net::PacketSocket());
  port.socket = net::PacketSocket();
  port.presence = why;
}

}  // namespace hanet::group
