// SPDX-License-Identifier: Apache-2.0
//
// The Internet checksum, once more and in another way.
//
// The product adds big-endian 16-bit words and folds at the end; this adds bytes with end-around
// carry at every step (RFC 1071 section 2), so that a mistake in one is not made in the other.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace hanet::checksum {

inline std::uint16_t sum_of(std::span<const std::uint8_t> bytes, std::uint16_t start = 0) {
  std::uint32_t sum = start;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    sum += at % 2 == 0 ? static_cast<std::uint32_t>(bytes[at]) << 8 : bytes[at];
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<std::uint16_t>(sum);
}

/// A header or message whose checksum is right sums up to all ones.
inline bool ipv4_header_is_right(std::span<const std::uint8_t> frame) {
  return sum_of(frame.subspan(14, 20)) == 0xffff;
}

inline bool icmp_is_right(std::span<const std::uint8_t> frame) {
  const std::size_t total = static_cast<std::size_t>(frame[16]) << 8 | frame[17];
  return sum_of(frame.subspan(34, total - 20)) == 0xffff;
}

/// RFC 8200 section 8.1: addresses, length and protocol are covered.
inline bool icmpv6_is_right(std::span<const std::uint8_t> frame) {
  const std::size_t length = static_cast<std::size_t>(frame[18]) << 8 | frame[19];
  std::vector<std::uint8_t> covered(frame.begin() + 22, frame.begin() + 54);
  const std::array<std::uint8_t, 8> rest{
      0, 0, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length & 0xff), 0, 0,
      0, 58};
  covered.insert(covered.end(), rest.begin(), rest.end());
  const std::span<const std::uint8_t> message = frame.subspan(54, length);
  covered.insert(covered.end(), message.begin(), message.end());
  return sum_of(covered) == 0xffff;
}

}  // namespace hanet::checksum
