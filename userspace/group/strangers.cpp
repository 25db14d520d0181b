// SPDX-License-Identifier: Apache-2.0
//
// See strangers.h.
#include "group/strangers.h"

#include <algorithm>
#include <utility>

namespace hanet::group {
namespace {

bool has_address(const net::Identity& identity, const net::Address& wanted) {
  return std::ranges::count(identity.addresses, wanted.local, &net::Address::local) != 0;
}

/// Keeps those that `identity` has, or has not. It may be a full routing table.
void keep_routes(std::vector<net::KernelObject>& routes, const net::Identity& identity,
                 bool if_there) {
  if (routes.empty()) return;
  const net::RouteIndex index(identity.routes);
  std::erase_if(routes, [&](const net::KernelObject& route) {
    return (index.find(identity.routes, route) != nullptr) != if_there;
  });
}

}  // namespace

void Strangers::begin(net::Configured found, const net::Identity& identity) {
  all_ = std::move(found);
  std::erase_if(all_.addresses,
                [&](const net::Address& address) { return has_address(identity, address); });
  keep_routes(all_.routes, identity, false);
}

void Strangers::forget_absent(const net::Identity& found) {
  std::erase_if(all_.addresses,
                [&](const net::Address& address) { return !has_address(found, address); });
  keep_routes(all_.routes, found, true);
}

net::Identity Strangers::without(net::Identity found) const {
  std::vector<net::Part> parts(all_.addresses.begin(), all_.addresses.end());
  parts.insert(parts.end(), all_.routes.begin(), all_.routes.end());
  net::take_away(found, parts);
  return found;
}

}  // namespace hanet::group
