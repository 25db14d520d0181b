// SPDX-License-Identifier: Apache-2.0
//
// See snapshot.h.
#include "snapshot/snapshot.h"

#include <sys/socket.h>

#include <algorithm>
#include <stdexcept>

#include "snapshot/json.h"

namespace hanet::snapshot {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Snapshot, group, boot, netns, ports, taken_at, identity)

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
