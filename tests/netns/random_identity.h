// SPDX-License-Identifier: Apache-2.0
//
// An identity that nobody thought of: addresses, nexthop objects, routes, rules, neighbours and
// settings made at random from all that `ip` and /proc offer for an interface, for the lab's host
// on the topology "switch".
//
// What a kernel refuses is left out by whoever applies it, so every choice may be made freely.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

namespace hanet::test {

struct RandomIdentity {
  std::vector<std::string> commands;            ///< of `ip`, in an order that can be applied
  std::map<std::string, std::string> settings;  ///< "ipv4/conf/rp_filter" and a value
};

/// All of it for an interface of this name.
[[nodiscard]] RandomIdentity random_identity(std::mt19937& random, const std::string& port);

}  // namespace hanet::test
