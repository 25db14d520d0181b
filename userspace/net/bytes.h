// SPDX-License-Identifier: Apache-2.0
//
// Values of the kernel's headers and attributes, as bytes and back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace hanet::net {

/// The first bytes as a value; what is missing is zero.
template <typename T>
[[nodiscard]] T read_as(std::span<const std::uint8_t> bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof(value), bytes.size()));
  return value;
}

template <typename T>
[[nodiscard]] std::vector<std::uint8_t> bytes_of(const T& value) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
  return {from, from + sizeof(value)};
}

}  // namespace hanet::net
