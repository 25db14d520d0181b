// SPDX-License-Identifier: Apache-2.0
//
// A MAC address in one word of a map, so that the programs read all of it with one load.
#pragma once

#include <cstdint>
#include <cstring>

#include "net/types.h"

namespace hanet::engine {

/// As hanet_steer::identity_mac and hanet_device::mac have it: six bytes as in a frame, two of 0.
[[nodiscard]] inline std::uint64_t packed(const net::MacAddress& mac) {
  std::uint64_t value = 0;
  std::memcpy(&value, mac.data(), mac.size());
  return value;
}

}  // namespace hanet::engine
