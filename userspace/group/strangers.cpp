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

bool has_route(const net::Identity& identity, const net::KernelObject& wanted) {
  return std::ranges::count(identity.routes, wanted) != 0;
}

}  // namespace

void Strangers::begin(net::Configured found, const net::Identity& identity) {
  all_ = std::move(found);
  std::erase_if(all_.addresses,
                [&](const net::Address& address) { return has_address(identity, address); });
  std::erase_if(all_.routes,
                [&](const net::KernelObject& route) { return has_route(identity, route); });
}

void Strangers::forget_absent(const net::Identity& found) {
  std::erase_if(all_.addresses,
                [&](const net::Address& address) { return !has_address(found, address); });
  std::erase_if(all_.routes,
                [&](const net::KernelObject& route) { return !has_route(found, route); });
}

net::Identity Strangers::without(net::Identity found) const {
  std::vector<net::Part> parts(all_.addresses.begin(), all_.addresses.end());
  parts.insert(parts.end(), all_.routes.begin(), all_.routes.end());
  net::take_away(found, parts);
  return found;
}

}  // namespace hanet::group
