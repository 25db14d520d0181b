// SPDX-License-Identifier: Apache-2.0
//
// How values of the network are written down: for the files of this folder only.
#pragma once

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "net/identity.h"

// Bytes are hexadecimal digits: a number for each would be longer, and the library takes numbers
// that are no bytes.
namespace nlohmann {

inline std::string hexadecimal(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

template <typename Bytes>
struct HexadecimalBytes {
  static void to_json(json& to, const Bytes& bytes) { to = hexadecimal(bytes); }
  // Throws as the library does, so that one handler sees all that can be wrong.
  static void from_json(const json& from, Bytes& bytes) {
    const auto& text = from.get_ref<const std::string&>();
    if (text.size() % 2 != 0) throw std::invalid_argument("half a byte");
    if constexpr (requires { bytes.resize(0); }) bytes.resize(text.size() / 2);
    if (text.size() != 2 * bytes.size()) throw std::invalid_argument("another number of bytes");
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      const char* begin = text.data() + 2 * at;
      if (std::from_chars(begin, begin + 2, bytes[at], 16).ptr != begin + 2)
        throw std::invalid_argument("no hexadecimal digits");
    }
  }
};

template <>
struct adl_serializer<std::vector<std::uint8_t>> : HexadecimalBytes<std::vector<std::uint8_t>> {};
template <>
struct adl_serializer<hanet::net::Attributes> {
  static void to_json(json& to, const hanet::net::Attributes& attributes) {
    to = hexadecimal(attributes.bytes());
  }
  static void from_json(const json& from, hanet::net::Attributes& attributes) {
    auto read = hanet::net::Attributes::read(from.get<std::vector<std::uint8_t>>());
    if (!read) throw std::invalid_argument("no attributes");
    attributes = std::move(*read);
  }
};
template <>
struct adl_serializer<hanet::net::MacAddress> : HexadecimalBytes<hanet::net::MacAddress> {};

template <typename Value>
struct adl_serializer<std::optional<Value>> {
  static void to_json(json& to, const std::optional<Value>& value) {
    to = value ? json(*value) : json();
  }
  static void from_json(const json& from, std::optional<Value>& value) {
    if (!from.is_null()) value = from.get<Value>();
  }
};

template <>
struct adl_serializer<hanet::MonotonicTime> {
  static void to_json(json& to, const hanet::MonotonicTime& time) {
    to = time.time_since_epoch().count();
  }
  static void from_json(const json& from, hanet::MonotonicTime& time) {
    time = hanet::from_kernel_ns(from.get<std::uint64_t>());
  }
};

}  // namespace nlohmann

// Every field by its own name; a text that lacks one is refused (json::at throws).
namespace hanet::net {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(InterfaceName, name, index)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Vlan, tag, on, mac)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Address, family, prefix_length, scope, flags, local, peer,
                                   broadcast, label, preferred_seconds, valid_seconds, priority,
                                   protocol, vlan)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(KernelObject, header, attributes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Identity, on, vlans, mac, addresses, nexthops, routes, rules,
                                   neighbours)

}  // namespace hanet::net
