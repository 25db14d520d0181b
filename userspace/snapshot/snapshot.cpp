// SPDX-License-Identifier: Apache-2.0
//
// See snapshot.h.
#include "snapshot/snapshot.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

// Bytes are hexadecimal digits: a number for each would be longer, and the library takes numbers
// that are no bytes.
namespace nlohmann {

template <typename Bytes>
struct HexadecimalBytes {
  static void to_json(json& to, const Bytes& bytes) {
    to = fmt::format("{:02x}", fmt::join(bytes, ""));
  }
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
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(InterfaceSettings, address_generation, accept_ra, arp_ignore)

}  // namespace hanet::net

namespace hanet::snapshot {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Snapshot, group, boot, netns, ports, taken_at, identity,
                                   settings)

namespace {

// What the types alone do not say.
bool is_sound(const net::Identity& identity) {
  const auto is_whole = [](const net::Address& address) {
    return address.local.size() == (address.family == AF_INET ? 4U : 16U);
  };
  const auto has_header = [](const net::KernelObject& object) {
    return !object.header.empty() && object.header.size() % 4 == 0;
  };
  return std::ranges::all_of(identity.addresses, is_whole) &&
         std::ranges::all_of(identity.nexthops, has_header) &&
         std::ranges::all_of(identity.routes, has_header) &&
         std::ranges::all_of(identity.rules, has_header) &&
         std::ranges::all_of(identity.neighbours, has_header);
}

}  // namespace

std::string to_text(const Snapshot& snapshot) { return nlohmann::json(snapshot).dump(); }

std::optional<Snapshot> parse_snapshot(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    Snapshot snapshot = json.get<Snapshot>();
    // The library cuts a number that is too large for its field.
    if (nlohmann::json(snapshot) != json || !is_sound(snapshot.identity)) return std::nullopt;
    return snapshot;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

net::Identity aged(net::Identity identity, Nanoseconds age) {
  const auto seconds = static_cast<std::uint32_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(age).count()));
  const auto left = [&](std::uint32_t lifetime) {
    return lifetime == UINT32_MAX ? lifetime : lifetime - std::min(lifetime, seconds);
  };
  for (net::Address& address : identity.addresses) {
    address.preferred_seconds = left(address.preferred_seconds);
    address.valid_seconds = left(address.valid_seconds);
  }
  std::erase_if(identity.addresses,
                [](const net::Address& address) { return address.valid_seconds == 0; });
  return identity;
}

}  // namespace hanet::snapshot
