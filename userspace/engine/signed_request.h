// SPDX-License-Identifier: Apache-2.0
//
// A request of kind hanet as hanetd prepares it (abi.h), as a frame or as a datagram: what stays
// the same from one to the next. The kernel side addresses, numbers and signs it as it leaves.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "hanet/abi.h"
#include "net/frames.h"

namespace hanet::engine {

inline hanet_beat beat_of_session(std::uint32_t index, const hanet_session& session,
                                  const net::MacAddress& probe_mac) {
  hanet_beat beat{};
  std::ranges::copy(probe_mac, std::begin(beat.source));
  beat.version = HANET_BEAT_VERSION;
  beat.kind = HANET_BEAT_REQUEST;
  beat.session = index;
  beat.id = session.id;
  beat.cookie = session.cookie;
  return beat;
}

inline net::Frame signed_request(std::uint32_t index, const hanet_session& session,
                                 const net::MacAddress& probe_mac,
                                 std::uint16_t type = HANET_BEAT_TYPE) {
  hanet_beat beat = beat_of_session(index, session, probe_mac);
  beat.type = htons(type);
  net::Frame frame(sizeof(beat));
  std::memcpy(frame.data(), &beat, sizeof(beat));
  return frame;
}

/// The same as a datagram to this port (struct hanet_beat_way), for a session of either family.
inline net::Frame signed_datagram(std::uint32_t index, const hanet_session& session,
                                  const net::MacAddress& probe_mac, std::uint16_t port) {
  const hanet_beat beat = beat_of_session(index, session, probe_mac);
  std::array<std::uint8_t, HANET_BEAT_PAYLOAD> payload{};
  std::memcpy(payload.data(), &beat.version, payload.size());
  const auto from_and_to = [&](auto source, auto target) {
    std::copy_n(session.source, source.size(), source.begin());
    std::copy_n(session.target, target.size(), target.begin());
    return net::datagram(probe_mac, probe_mac, source, target, port, payload);
  };
  return session.family == AF_INET ? from_and_to(net::Ipv4Bytes{}, net::Ipv4Bytes{})
                                   : from_and_to(net::Ipv6Bytes{}, net::Ipv6Bytes{});
}

}  // namespace hanet::engine
