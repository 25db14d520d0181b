// SPDX-License-Identifier: Apache-2.0
//
// From a configured heartbeat to what the engine and the sender need: addresses and frames.
//
// Heartbeats never use the identity's MAC address: on a path that is not active, a switch would
// learn it there and send the host's traffic to the dead end. Each port probes from an address of
// its own, made up at start; 40 of its bits are random, so it also serves as the cookie of
// neighbour requests, which have no room for one.
#pragma once

#include <optional>

#include "config/config.h"
#include "engine/engine.h"
#include "engine/sender.h"

namespace hanet::group {

/// What the heartbeat of a port to one target consists of, before it has a place in the maps.
struct SessionPlan {
  int family = 0;
  hanet_heartbeat_kind kind = HANET_HEARTBEAT_NEIGHBOUR;
  std::array<std::uint8_t, 16> target{};
  std::array<std::uint8_t, 16> next_hop{};  ///< who is asked for its MAC address: target or router
  std::array<std::uint8_t, 16> source{};
  std::optional<net::MacAddress> peer_mac;  ///< written in the configuration; empty: searched for
  bool other_end = false;                   ///< hanet runs there, too
  std::uint16_t ether_type = HANET_BEAT_TYPE;  ///< of kind hanet
  std::uint16_t udp_port = 0;                  ///< of kind hanet as datagrams; 0: as frames
};

/// One for each target of the port, its own target first: only that one is another hanet's, and
/// only its MAC address may be written in the configuration.
[[nodiscard]] std::vector<SessionPlan> plan_sessions(const config::GroupConfig& group,
                                                     const config::PortConfig& port,
                                                     const net::MacAddress& probe_mac);

/// A socket that sends a port's requests, and lets the card accept the replies.
[[nodiscard]] Result<net::PacketSocket> open_request_socket(const SessionPlan& plan,
                                                            unsigned ifindex,
                                                            const net::MacAddress& probe_mac);

/// Prepares the frames of a session that has its place. Opens the port's socket; `ifindex` 0: the
/// interface is not there yet.
[[nodiscard]] Result<engine::RequestFrames> prepare_requests(const SessionPlan& plan,
                                                             engine::SessionIndex index,
                                                             const hanet_session& session,
                                                             unsigned ifindex,
                                                             const net::MacAddress& probe_mac);

}  // namespace hanet::group
