// SPDX-License-Identifier: Apache-2.0
//
// A request of kind hanet as hanetd prepares it (abi.h), with the EtherType of its port: what stays
// the same from one to the next. The kernel side addresses, numbers and signs it as it leaves.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hanet/abi.h"
#include "net/frames.h"

namespace hanet::engine {

inline net::Frame signed_request(std::uint32_t index, const hanet_session& session,
                                 const net::MacAddress& probe_mac,
                                 std::uint16_t type = HANET_BEAT_TYPE) {
  hanet_beat beat{};
  std::ranges::copy(probe_mac, std::begin(beat.source));
  beat.type = htons(type);
  beat.version = HANET_BEAT_VERSION;
  beat.kind = HANET_BEAT_REQUEST;
  beat.session = index;
  beat.id = session.id;
  beat.cookie = session.cookie;
  net::Frame frame(sizeof(beat));
  std::memcpy(frame.data(), &beat, sizeof(beat));
  return frame;
}

}  // namespace hanet::engine
