// SPDX-License-Identifier: Apache-2.0
//
// What an echo request carries so that only its own reply is taken for one (abi.h).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "hanet/abi.h"

namespace hanet::engine {

using EchoPayload = std::array<std::uint8_t, sizeof(hanet_echo_payload)>;

/// The payload of session `index`'s requests, for sequence 0: a checksum over it stays right,
/// because the kernel side keeps the sum when it writes the real sequence.
inline EchoPayload echo_payload(std::uint32_t index, const hanet_session& session) {
  hanet_echo_payload payload{};
  payload.magic = HANET_ECHO_MAGIC;
  payload.session = index;
  payload.id = session.id;
  payload.cookie = session.cookie;
  payload.sequence_complement = ~std::uint64_t{0};
  payload.echo_sequence_complement = 0xffff;
  EchoPayload bytes{};
  std::memcpy(bytes.data(), &payload, sizeof(payload));
  return bytes;
}

}  // namespace hanet::engine
