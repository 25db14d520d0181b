// SPDX-License-Identifier: Apache-2.0
//
// See session_setup.h.
#include "group/session_setup.h"

#include <algorithm>

#include "engine/echo_payload.h"
#include "engine/signed_request.h"

namespace hanet::group {
namespace {

net::Ipv4Bytes ipv4_of(const std::array<std::uint8_t, 16>& bytes) {
  return {bytes[0], bytes[1], bytes[2], bytes[3]};
}

net::Frame neighbour_request(const SessionPlan& plan, const net::MacAddress& probe_mac,
                             bool search) {
  // A request that is prepared for a learned address starts with any unicast destination.
  const net::MacAddress to = search ? net::kBroadcast : probe_mac;
  if (plan.family == AF_INET)
    return net::arp_request(to, probe_mac, ipv4_of(plan.source), ipv4_of(plan.next_hop));
  return net::neighbour_solicitation(search ? net::MacAddress{} : to, probe_mac, plan.source,
                                     plan.next_hop);
}

net::Frame heartbeat_request(const SessionPlan& plan, engine::SessionIndex index,
                             const hanet_session& session, const net::MacAddress& probe_mac) {
  if (plan.kind == HANET_HEARTBEAT_NEIGHBOUR) return neighbour_request(plan, probe_mac, false);
  if (plan.udp_port != 0) return engine::signed_datagram(index, session, probe_mac, plan.udp_port);
  if (plan.kind == HANET_HEARTBEAT_HANET)
    return engine::signed_request(index, session, probe_mac, plan.ether_type);
  const auto payload = engine::echo_payload(index, session);
  const auto id = static_cast<std::uint16_t>(session.id & 0xffff);
  if (plan.family == AF_INET)
    return net::echo_request(probe_mac, probe_mac, ipv4_of(plan.source), ipv4_of(plan.target), id,
                             payload);
  return net::echo_request(probe_mac, probe_mac, plan.source, plan.target, id, payload);
}

hanet_heartbeat_kind kind_of(config::HeartbeatKind kind) {
  switch (kind) {
    case config::HeartbeatKind::Arp:
      break;
    case config::HeartbeatKind::Icmp:
      return HANET_HEARTBEAT_ECHO;
    case config::HeartbeatKind::Hanet:
      return HANET_HEARTBEAT_HANET;
    case config::HeartbeatKind::Silence:
      return HANET_HEARTBEAT_SILENCE;
  }
  return HANET_HEARTBEAT_NEIGHBOUR;
}

}  // namespace

std::vector<SessionPlan> plan_sessions(const config::GroupConfig& group,
                                       const config::PortConfig& port,
                                       const net::MacAddress& probe_mac) {
  std::vector<SessionPlan> plans;
  for (const config::IpAddress& target : group.targets_of(port)) {
    SessionPlan plan{.family = target == config::IpAddress{} ? AF_UNSPEC : target.family,
                     .kind = kind_of(group.kind_of(port)),
                     .target = target.bytes,
                     .next_hop = port.gateway.value_or(target).bytes,
                     .source = {},
                     .peer_mac = std::nullopt};
    plan.ether_type = group.ether_type;
    if (plan.kind == HANET_HEARTBEAT_HANET) plan.udp_port = group.udp_port.value_or(0);
    if (port.source)
      plan.source = port.source->bytes;
    else if (target.family == AF_INET6)
      plan.source = net::link_local_of(probe_mac);
    plans.push_back(plan);
  }
  plans.front().peer_mac = group.peer_mac_of(port);
  plans.front().other_end = group.both_ends;
  return plans;
}

Result<net::PacketSocket> open_request_socket(const SessionPlan& plan, unsigned ifindex,
                                              const net::MacAddress& probe_mac) {
  Result<net::PacketSocket> socket = net::PacketSocket::open(ifindex);
  if (!socket) return pass_on(socket);
  if (Status heard = socket->listen_to(probe_mac); !heard) return pass_on(heard);
  if (plan.family == AF_INET6)
    if (Status heard = socket->listen_to(net::solicited_node_mac(plan.source)); !heard)
      return pass_on(heard);
  // A silent peer may be heard by its multicasts only.
  if (plan.kind == HANET_HEARTBEAT_SILENCE)
    if (Status heard = socket->listen_to_all_multicast(); !heard) return pass_on(heard);
  return socket;
}

Result<engine::RequestFrames> prepare_requests(const SessionPlan& plan, engine::SessionIndex index,
                                               const hanet_session& session, unsigned ifindex,
                                               const net::MacAddress& probe_mac) {
  engine::RequestFrames requests;
  requests.session = index;
  if (ifindex != 0) {
    Result<net::PacketSocket> socket = open_request_socket(plan, ifindex, probe_mac);
    if (!socket) return pass_on(socket);
    requests.socket = std::move(*socket);
  }
  if (plan.kind != HANET_HEARTBEAT_SILENCE)
    requests.heartbeat = heartbeat_request(plan, index, session, probe_mac);
  if (!plan.peer_mac) requests.search = neighbour_request(plan, probe_mac, true);
  // What has an IP header comes in by whichever MAC address; see bpf/target.bpf.h.
  if (plan.kind == HANET_HEARTBEAT_ECHO || (plan.udp_port != 0 && !plan.peer_mac))
    requests.refresh = neighbour_request(plan, probe_mac, false);
  return requests;
}

}  // namespace hanet::group
