// SPDX-License-Identifier: Apache-2.0
//
// See snapshot.h.
#include "snapshot/snapshot.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/json.h"

namespace hanet::snapshot {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::string hex(std::span<const std::uint8_t> bytes) {
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

/// Throws as the JSON library does, so that one handler sees all that can be wrong.
Bytes bytes_of(const Json& json) {
  const std::string text = json.get<std::string>();
  if (text.size() % 2 != 0) throw std::invalid_argument("half a byte");
  Bytes bytes(text.size() / 2);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char* begin = text.data() + 2 * at;
    if (std::from_chars(begin, begin + 2, bytes[at], 16).ptr != begin + 2)
      throw std::invalid_argument("no hexadecimal digits");
  }
  return bytes;
}

net::MacAddress mac_of(const Json& json) {
  const Bytes bytes = bytes_of(json);
  net::MacAddress mac{};
  if (bytes.size() != mac.size()) throw std::invalid_argument("no MAC address");
  std::ranges::copy(bytes, mac.begin());
  return mac;
}

Json json_of(const net::Address& address) {
  return {{"family", address.family},
          {"prefix_length", address.prefix_length},
          {"scope", address.scope},
          {"flags", address.flags},
          {"local", hex(address.local)},
          {"peer", hex(address.peer)},
          {"broadcast", hex(address.broadcast)},
          {"label", address.label},
          {"preferred_seconds", address.preferred_seconds},
          {"valid_seconds", address.valid_seconds},
          {"priority", address.priority ? Json(*address.priority) : Json()},
          {"protocol", address.protocol},
          {"vlan", address.vlan}};
}

net::Address address_of(const Json& json) {
  net::Address address;
  json.at("family").get_to(address.family);
  json.at("prefix_length").get_to(address.prefix_length);
  json.at("scope").get_to(address.scope);
  json.at("flags").get_to(address.flags);
  address.local = bytes_of(json.at("local"));
  address.peer = bytes_of(json.at("peer"));
  address.broadcast = bytes_of(json.at("broadcast"));
  json.at("label").get_to(address.label);
  json.at("preferred_seconds").get_to(address.preferred_seconds);
  json.at("valid_seconds").get_to(address.valid_seconds);
  if (!json.at("priority").is_null()) address.priority = json.at("priority").get<std::uint32_t>();
  json.at("protocol").get_to(address.protocol);
  json.at("vlan").get_to(address.vlan);
  if (address.local.size() != (address.family == AF_INET ? 4U : 16U))
    throw std::invalid_argument("no address");
  return address;
}

Json json_of(const net::KernelObject& object) {
  Json attributes = Json::object();
  for (const auto& [type, value] : object.attributes) attributes[std::to_string(type)] = hex(value);
  return {{"header", hex(object.header)}, {"attributes", std::move(attributes)}};
}

net::KernelObject object_of(const Json& json) {
  net::KernelObject object{.header = bytes_of(json.at("header")), .attributes = {}};
  if (object.header.empty() || object.header.size() % 4 != 0)
    throw std::invalid_argument("no netlink header");
  for (const auto& [key, value] : json.at("attributes").items()) {
    std::uint16_t type = 0;
    if (std::from_chars(key.data(), key.data() + key.size(), type).ptr != key.data() + key.size())
      throw std::invalid_argument("no attribute number");
    object.attributes[type] = bytes_of(value);
  }
  return object;
}

Json json_of(const net::Vlan& vlan) {
  return {{"tag", vlan.tag},
          {"interface", vlan.on.name},
          {"ifindex", vlan.on.index},
          {"mac", hex(vlan.mac)}};
}

net::Vlan vlan_of(const Json& json) {
  net::Vlan vlan;
  json.at("tag").get_to(vlan.tag);
  json.at("interface").get_to(vlan.on.name);
  json.at("ifindex").get_to(vlan.on.index);
  vlan.mac = mac_of(json.at("mac"));
  return vlan;
}

Json json_of(const net::PlaceSettings& settings) {
  Json list = Json::array();
  for (const auto& [tag, of] : settings)
    list.push_back({{"vlan", tag},
                    {"address_generation", of.address_generation},
                    {"accept_ra", of.accept_ra},
                    {"arp_ignore", of.arp_ignore}});
  return list;
}

net::PlaceSettings settings_of(const Json& list) {
  net::PlaceSettings settings;
  for (const Json& json : list) {
    net::InterfaceSettings& of = settings[json.at("vlan").get<std::uint32_t>()];
    json.at("address_generation").get_to(of.address_generation);
    json.at("accept_ra").get_to(of.accept_ra);
    json.at("arp_ignore").get_to(of.arp_ignore);
  }
  return settings;
}

template <typename T>
Json list_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(json_of(value));
  return list;
}

template <typename T>
std::vector<T> values_of(const Json& list, T (*read)(const Json&)) {
  std::vector<T> values;
  for (const Json& one : list) values.push_back(read(one));
  return values;
}

Snapshot snapshot_of(const Json& json) {
  Snapshot snapshot;
  json.at("group").get_to(snapshot.group);
  json.at("boot").get_to(snapshot.boot);
  json.at("netns").get_to(snapshot.netns);
  json.at("ports").get_to(snapshot.ports);
  snapshot.taken_at = from_kernel_ns(json.at("taken_at_ns").get<std::uint64_t>());
  net::Identity& identity = snapshot.identity;
  json.at("interface").get_to(identity.on.name);
  json.at("ifindex").get_to(identity.on.index);
  identity.mac = mac_of(json.at("mac"));
  identity.vlans = values_of<net::Vlan>(json.at("vlans"), vlan_of);
  identity.addresses = values_of<net::Address>(json.at("addresses"), address_of);
  identity.routes = values_of<net::KernelObject>(json.at("routes"), object_of);
  identity.rules = values_of<net::KernelObject>(json.at("rules"), object_of);
  identity.neighbours = values_of<net::KernelObject>(json.at("neighbours"), object_of);
  snapshot.settings = settings_of(json.at("settings"));
  return snapshot;
}

}  // namespace

std::string to_text(const Snapshot& snapshot) {
  const net::Identity& identity = snapshot.identity;
  return Json({{"group", snapshot.group},
               {"boot", snapshot.boot},
               {"netns", snapshot.netns},
               {"ports", snapshot.ports},
               {"taken_at_ns", snapshot.taken_at.time_since_epoch().count()},
               {"interface", identity.on.name},
               {"ifindex", identity.on.index},
               {"mac", hex(identity.mac)},
               {"vlans", list_of(identity.vlans)},
               {"addresses", list_of(identity.addresses)},
               {"routes", list_of(identity.routes)},
               {"rules", list_of(identity.rules)},
               {"neighbours", list_of(identity.neighbours)},
               {"settings", json_of(snapshot.settings)}})
      .dump();
}

std::optional<Snapshot> parse_snapshot(std::string_view text) {
  try {
    return snapshot_of(Json::parse(text));
  } catch (const Json::exception&) {
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
