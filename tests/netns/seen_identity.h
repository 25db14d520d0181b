// SPDX-License-Identifier: Apache-2.0
//
// What an interface has, as iproute2 and /proc tell it: eyes that are not hanet's.
//
// hanet verifies a switchover with its own capture and its own comparison, and what those overlook
// it overlooks. So a test reads with `ip -d -j` (addresses, links, routes of all tables, rules,
// neighbours, proxies) and compares JSON, every field that is not named here. Left out is what the
// kernel computes by itself or what runs down: it is listed in seen_identity.cpp, with the reason.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "net/types.h"

namespace hanet::test {

struct SeenAddress {
  std::string text;   ///< "192.0.2.1/24"
  std::string local;  ///< "192.0.2.1"
  int family = 0;
  unsigned vlan = 0;  ///< id of the VLAN that it is on; 0: the port itself
  nlohmann::json fields;
  [[nodiscard]] std::uint8_t last_byte() const;
};

struct SeenVlan {
  std::string name;
  unsigned id = 0;
  net::MacAddress mac{};
};

/// A port, what is on it and on its VLANs, and what names them.
struct SeenIdentity {
  std::string port;
  unsigned index = 0;
  net::MacAddress mac{};
  std::vector<SeenVlan> vlans;
  std::vector<SeenAddress> addresses;    ///< in the order of the kernel
  std::vector<nlohmann::json> nexthops;  ///< objects of its interfaces, and groups of them
  std::vector<nlohmann::json> routes;    ///< without those to itself (table local)
  std::vector<nlohmann::json> rules;
  std::vector<nlohmann::json> neighbours;  ///< permanent ones and proxies
  /// Routes and rules that name no interface: they are nobody's and stay.
  std::vector<nlohmann::json> others;
  [[nodiscard]] bool empty() const { return addresses.empty() && routes.empty(); }
};

struct SeenLink {
  unsigned index = 0;
  net::MacAddress mac{};
  std::optional<net::MacAddress> permanent_mac;  ///< where it is a card
  bool admin_up = false;
  std::string address_generation;  ///< "eui64", "none" ...
};

/// `ip -d -j ARGUMENTS` there, without the empty objects that it prints for what does not fit.
/// Throws when it fails.
[[nodiscard]] nlohmann::json ip_json(const std::string& netns, std::vector<std::string> arguments);

/// What `port` has now. Throw when there is no such port.
[[nodiscard]] SeenIdentity identity_on(const std::string& netns, const std::string& port);
[[nodiscard]] SeenLink link_of(const std::string& netns, const std::string& port);

/// How `after` differs from `before` moved to after's interface; empty when it is the same.
[[nodiscard]] std::vector<std::string> differences(const SeenIdentity& before,
                                                   const SeenIdentity& after);

/// Every setting of an interface under /proc/sys/net: "ipv4/conf/rp_filter" and its value.
using SeenSettings = std::map<std::string, std::string>;
[[nodiscard]] SeenSettings settings_on(const std::string& netns, const std::string& port);
/// "name: 1 instead of 0", for each that is another one.
[[nodiscard]] std::vector<std::string> differences(const SeenSettings& before,
                                                   const SeenSettings& after);

}  // namespace hanet::test
