// SPDX-License-Identifier: Apache-2.0
//
// See seen_identity.h.
#include "netns/seen_identity.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>

#include "bench/child.h"
#include "netns/inside.h"

namespace hanet::test {
namespace {

using nlohmann::json;

/// Of an address: whether the kernel still checks it, by which way it came, which one is the first.
const std::set<std::string> kComputed{"tentative", "dadfailed", "optimistic",    "deprecated",
                                      "nodad",     "secondary", "stable-privacy"};
/// hanet's own routes, which only last a second (an IPv6 address that is not delivered yet).
constexpr const char* kHanetsRoutes = "104";
constexpr std::uint64_t kForever = UINT32_MAX;

net::MacAddress mac_of(const std::string& text) {
  net::MacAddress mac{};
  for (std::size_t at = 0; at < mac.size() && 3 * at + 2 <= text.size(); ++at)
    std::from_chars(text.data() + 3 * at, text.data() + 3 * at + 2, mac[at], 16);
  return mac;
}

unsigned vlan_id_on(const json& link, const std::string& port) {
  const json& info = link.value("linkinfo", json::object());
  if (info.value("info_kind", "") != "vlan" || link.value("link", "") != port) return 0;
  return info.at("info_data").at("id").get<unsigned>();
}

void take_addresses(const json& link, unsigned vlan, SeenIdentity& identity) {
  for (const json& fields : link.value("addr_info", json::array())) {
    SeenAddress address;
    address.local = fields.at("local");
    address.text = fmt::format("{}/{}", address.local, fields.at("prefixlen").get<int>());
    address.family = fields.at("family") == "inet" ? AF_INET : AF_INET6;
    address.vlan = vlan;
    address.fields = fields;
    for (const std::string& key : kComputed) address.fields.erase(key);
    identity.addresses.push_back(std::move(address));
  }
}

/// The interfaces of a place, by what they are called in every place: "@", and "@5" for VLAN 5.
std::map<std::string, std::string> common_names(const SeenIdentity& identity) {
  std::map<std::string, std::string> names{{identity.port, "@"}};
  for (const SeenVlan& vlan : identity.vlans) names[vlan.name] = fmt::format("@{}", vlan.id);
  return names;
}

bool leaves_by(const json& route, const std::map<std::string, std::string>& names) {
  if (names.contains(route.value("dev", ""))) return true;
  return std::ranges::any_of(route.value("nexthops", json::array()),
                             [&](const json& hop) { return names.contains(hop.value("dev", "")); });
}

/// Not to itself, not learned for a moment, not hanet's own for a moment.
bool is_route_of_somebody(const json& route) {
  const std::string protocol = route.value("protocol", "");
  const std::string type = route.value("type", "unicast");
  if (route.value("table", "main") == "local") return false;
  if (protocol == "kernel" && (type == "multicast" || type == "anycast")) return false;
  return protocol != "redirect" && protocol != kHanetsRoutes;
}

/// What the kernel says of a route's state.
void keep_configured(json& route) {
  for (const char* key : {"expires", "used", "age", "error", "users"}) route.erase(key);
  json kept = json::array();
  for (const json& flag : route.value("flags", json::array()))
    if (flag == "onlink" || flag == "pervasive") kept.push_back(flag);
  route["flags"] = kept;
  if (route.contains("nexthops"))
    for (json& hop : route["nexthops"]) keep_configured(hop);
}

bool is_among(const std::vector<json>& nexthops, const json& id) {
  return std::ranges::any_of(nexthops, [&](const json& one) { return one.at("id") == id; });
}

// `ip -j` gives groups last, and the objects before them.
void take_nexthops(const std::string& netns, SeenIdentity& identity) {
  const auto names = common_names(identity);
  json all = ip_json(netns, {"nexthop", "show"});
  for (const bool groups : {false, true})
    for (json& nexthop : all) {
      if (nexthop.contains("group") != groups) continue;
      const json members = nexthop.value("group", json::array());
      const bool has_ours = std::ranges::any_of(members, [&](const json& member) {
        return is_among(identity.nexthops, member.at("id"));
      });
      if (!has_ours && !names.contains(nexthop.value("dev", ""))) continue;
      keep_configured(nexthop);
      identity.nexthops.push_back(nexthop);
    }
}

void take_routes(const std::string& netns, SeenIdentity& identity) {
  const auto names = common_names(identity);
  for (const char* family : {"-4", "-6"})
    for (json& route : ip_json(netns, {family, "route", "show", "table", "all"})) {
      const bool by_source = std::ranges::any_of(identity.addresses, [&](const auto& address) {
        return address.local == route.value("prefsrc", "");
      });
      const bool by_nexthop =
          route.contains("nhid") && is_among(identity.nexthops, route.at("nhid"));
      if (!is_route_of_somebody(route)) continue;
      const bool is_ours = leaves_by(route, names) || by_source || by_nexthop;
      const bool is_nobodys = !route.contains("nexthops") && !route.contains("nhid") &&
                              (!route.contains("dev") || route.at("dev") == "lo");
      if (!is_ours && !is_nobodys) continue;
      keep_configured(route);
      route["family"] = family;
      (is_ours ? identity.routes : identity.others).push_back(std::move(route));
    }
}

void take_rules(const std::string& netns, SeenIdentity& identity) {
  const auto names = common_names(identity);
  for (const char* family : {"-4", "-6"})
    for (json& rule : ip_json(netns, {family, "rule", "show"})) {
      const std::string in = rule.value("iif", ""), out = rule.value("oif", "");
      rule["family"] = family;
      if (names.contains(in) || names.contains(out))
        identity.rules.push_back(std::move(rule));
      else if (in.empty() && out.empty())
        identity.others.push_back(std::move(rule));
    }
}

void take_neighbours(const std::string& netns, SeenIdentity& identity) {
  const auto names = common_names(identity);
  for (const std::vector<std::string>& question :
       std::vector<std::vector<std::string>>{{"neigh", "show", "nud", "permanent"},
                                             {"neigh", "show", "proxy"},
                                             {"-6", "neigh", "show", "proxy"}})
    for (json& neighbour : ip_json(netns, question)) {
      if (!names.contains(neighbour.value("dev", ""))) continue;
      if (std::ranges::find(identity.neighbours, neighbour) != identity.neighbours.end()) continue;
      identity.neighbours.push_back(std::move(neighbour));
    }
}

/// The same with the interfaces' common names, wherever an interface is named.
json renamed(json object, const std::map<std::string, std::string>& names) {
  for (const char* key : {"dev", "iif", "oif"})
    if (object.contains(key))
      if (const auto name = names.find(object.at(key)); name != names.end())
        object[key] = name->second;
  if (object.contains("label")) {
    const std::string label = object.at("label");
    const std::size_t colon = std::min(label.find(':'), label.size());
    if (const auto name = names.find(label.substr(0, colon)); name != names.end())
      object["label"] = name->second + label.substr(colon);
  }
  if (object.contains("nexthops"))
    for (json& hop : object["nexthops"]) hop = renamed(hop, names);
  if (object.contains("nh_info")) object["nh_info"] = renamed(object["nh_info"], names);
  return object;
}

/// Lifetimes run down while an identity moves; the kernel counts whole seconds, and what hanet has
/// kept is a second old.
bool ran_down(std::uint64_t now, std::uint64_t before) {
  if (now == kForever || before == kForever) return now == before;
  return now <= before + 2 && before < now + 60;
}

bool is_same_address(json now, json before);

/// Without copying what is another one anyway.
bool is_that_address(const json& now, const json& before) {
  return now.at("local") == before.at("local") && is_same_address(now, before);
}

bool is_same_address(json now, json before) {
  for (const char* key : {"valid_life_time", "preferred_life_time"}) {
    if (!ran_down(now.value(key, kForever), before.value(key, kForever))) return false;
    now.erase(key);
    before.erase(key);
  }
  return now == before;
}

using Objects = std::vector<json>;

Objects moved(const Objects& objects, const SeenIdentity& at) {
  Objects all;
  for (const json& one : objects) all.push_back(renamed(one, common_names(at)));
  return all;
}

Objects addresses_of(const SeenIdentity& at) {
  Objects all;
  for (const SeenAddress& address : at.addresses) {
    all.push_back(renamed(address.fields, common_names(at)));
    all.back()["vlan"] = address.vlan;
  }
  return all;
}

template <typename Same>
void compare(const Objects& before, const Objects& after, const Same& same,
             std::vector<std::string>& lines) {
  for (const json& one : before)
    if (std::ranges::none_of(after, [&](const json& now) { return same(now, one); }))
      lines.push_back("lost: " + one.dump());
  for (const json& one : after)
    if (std::ranges::none_of(before, [&](const json& then) { return same(one, then); }))
      lines.push_back("appeared: " + one.dump());
}

// A VLAN shares its port's address, or has one of its own, which stays where it is.
void compare_macs(const SeenIdentity& before, const SeenIdentity& after,
                  std::vector<std::string>& lines) {
  if (before.mac != after.mac)
    lines.push_back(fmt::format("MAC address {} instead of {}", net::to_text(after.mac),
                                net::to_text(before.mac)));
  for (const SeenVlan& vlan : before.vlans) {
    const auto twin = std::ranges::find(after.vlans, vlan.id, &SeenVlan::id);
    if (twin == after.vlans.end())
      lines.push_back("no twin of " + vlan.name);
    else if (vlan.mac == before.mac && twin->mac != after.mac)
      lines.push_back(
          fmt::format("{} has the MAC address {}", twin->name, net::to_text(twin->mac)));
  }
}

/// The primary comes first: only IPv4 has an order that somebody sees.
std::vector<std::string> order_of(const SeenIdentity& identity) {
  std::vector<std::string> order;
  for (const SeenAddress& address : identity.addresses)
    if (address.family == AF_INET && address.vlan == 0) order.push_back(address.text);
  return order;
}

}  // namespace

json ip_json(const std::string& netns, std::vector<std::string> arguments) {
  std::vector<std::string> command{"ip", "-n", netns, "-d", "-j"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Result<std::string> told = bench::run_checked(command, std::chrono::seconds(10));
  if (!told) throw std::runtime_error(told.error().message);
  // Nothing is told as nothing, or as one empty object for each that does not fit.
  json all =
      told->find_first_not_of(" \n") == std::string::npos ? json::array() : json::parse(*told);
  json some = json::array();
  for (json& one : all)
    if (!one.empty()) some.push_back(std::move(one));
  return some;
}

std::uint8_t SeenAddress::last_byte() const {
  std::array<std::uint8_t, 16> bytes{};
  ::inet_pton(family, local.c_str(), bytes.data());
  return bytes[family == AF_INET ? 3 : 15];
}

SeenIdentity identity_on(const std::string& netns, const std::string& port) {
  SeenIdentity identity;
  const json links = ip_json(netns, {"addr", "show"});
  for (const json& link : links) {
    if (link.at("ifname") != port) continue;
    identity.port = port;
    identity.index = link.at("ifindex");
    identity.mac = mac_of(link.at("address"));
    take_addresses(link, 0, identity);
  }
  if (identity.port.empty()) throw std::runtime_error("no interface " + port + " in " + netns);
  for (const json& link : links)
    if (const unsigned id = vlan_id_on(link, port); id != 0) {
      identity.vlans.push_back(
          {.name = link.at("ifname"), .id = id, .mac = mac_of(link.at("address"))});
      take_addresses(link, id, identity);
    }
  take_nexthops(netns, identity);
  take_routes(netns, identity);
  take_rules(netns, identity);
  take_neighbours(netns, identity);
  return identity;
}

SeenLink link_of(const std::string& netns, const std::string& port) {
  const json link = ip_json(netns, {"link", "show", "dev", port}).at(0);
  SeenLink seen;
  seen.index = link.at("ifindex");
  seen.mac = mac_of(link.at("address"));
  const bool is_card = link.contains("parentdev");
  if (link.contains("permaddr") || is_card)
    seen.permanent_mac = mac_of(link.value("permaddr", link.at("address").get<std::string>()));
  seen.admin_up = std::ranges::count(link.at("flags"), "UP") != 0;
  seen.address_generation = link.value("inet6_addr_gen_mode", "");
  return seen;
}

std::vector<std::string> differences(const SeenIdentity& before, const SeenIdentity& after) {
  std::vector<std::string> lines;
  compare_macs(before, after, lines);
  compare(addresses_of(before), addresses_of(after), is_that_address, lines);
  compare(moved(before.nexthops, before), moved(after.nexthops, after), std::equal_to<>(), lines);
  compare(moved(before.routes, before), moved(after.routes, after), std::equal_to<>(), lines);
  compare(moved(before.rules, before), moved(after.rules, after), std::equal_to<>(), lines);
  compare(moved(before.neighbours, before), moved(after.neighbours, after), std::equal_to<>(),
          lines);
  compare(before.others, after.others, std::equal_to<>(), lines);
  if (lines.empty() && order_of(before) != order_of(after))
    lines.push_back(fmt::format("another order: {}", json(order_of(after)).dump()));
  return lines;
}

SeenSettings settings_on(const std::string& netns, const std::string& port) {
  SeenSettings all;
  inside(netns, [&] {
    for (const char* kind : {"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"})
      for (const auto& file :
           std::filesystem::directory_iterator(fmt::format("/proc/sys/net/{}/{}", kind, port))) {
        std::ifstream in(file.path());
        std::getline(in, all[fmt::format("{}/{}", kind, file.path().filename().string())]);
      }
  });
  return all;
}

std::vector<std::string> differences(const SeenSettings& before, const SeenSettings& after) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : before)
    if (after.at(name) != value)
      lines.push_back(fmt::format("{}: {} instead of {}", name, after.at(name), value));
  return lines;
}

}  // namespace hanet::test
