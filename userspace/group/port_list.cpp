// SPDX-License-Identifier: Apache-2.0
//
// See port_list.h.
#include "group/port_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace hanet::group {

std::span<const Port> PortList::of(std::size_t path) const {
  const auto first = std::ranges::find(ports_, path, &Port::path);
  const auto count = std::ranges::count(ports_, path, &Port::path);
  return {first, static_cast<std::size_t>(count)};
}

const Port& PortList::lead(std::size_t path) const {
  return of(path)[context_.state.paths[path].lead];
}

std::string PortList::name(std::size_t path) const {
  std::string name;
  for (const Port& port : of(path)) name += (name.empty() ? "" : "+") + port.interface.name;
  return name;
}

std::vector<std::string> PortList::names() const {
  std::vector<std::string> names;
  for (std::size_t path = 0; path < context_.config.paths.size(); ++path)
    names.push_back(name(path));
  return names;
}

bool PortList::is_blind(const Port& port) const {
  return std::ranges::any_of(context_.engine().sessions_of(port.index), context_.env.is_blind);
}

std::string PortList::asked_by(const Port& port, engine::SessionIndex session) const {
  if (context_.config.further_targets.empty()) return port.interface.name;
  return fmt::format("{} ({})", port.interface.name, target_of(port, session));
}

std::string PortList::target_of(const Port& port, engine::SessionIndex session) const {
  const config::PortConfig& asking = context_.config.paths[port.path].ports[port.slot];
  const std::optional<net::MacAddress> mac = context_.config.peer_mac_of(asking);
  if (!context_.config.asks_an_address(asking) && mac) return net::to_text(*mac);
  const std::vector<config::IpAddress> targets = context_.config.targets_of(asking);
  return targets.at(session - context_.engine().port(port.index).session).text();
}

Result<const Port*> PortList::named(const std::string& interface) const {
  const auto found = std::ranges::find_if(
      ports_, [&](const Port& port) { return port.interface.name == interface; });
  if (found != ports_.end()) return &*found;
  return failure(fmt::format("group {} has no path {}; its paths are {}", context_.config.name,
                             interface, fmt::join(names(), " and ")));
}

}  // namespace hanet::group
