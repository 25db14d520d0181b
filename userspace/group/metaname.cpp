// SPDX-License-Identifier: Apache-2.0
//
// See metaname.h.
#include "group/metaname.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"
#include "net/encode.h"
#include "net/link.h"

namespace hanet::group {

Status Metaname::check() const {
  const unsigned holder = net::index_of_name(context_.requests(), context_.config.name);
  const bool own = std::ranges::any_of(
      ports_.all(), [&](const Port& port) { return port.interface.index == holder; });
  if (holder == 0 || own) return {};
  return failure(fmt::format(
      "group {0}: an interface is called {0} already (ip link show {0}); choose another "
      "name for the group, or take this one from the interface",
      context_.config.name));
}

void Metaname::take() {
  const std::string& name = context_.config.name;
  const unsigned active = ports_.holder().interface.index;
  const unsigned holder = net::index_of_name(context_.requests(), name);
  taken_ = true;
  if (holder == active) return;
  if (holder != 0) [[maybe_unused]]
    const Status ignored = context_.requests().request(net::remove_alternative_name(holder, name),
                                                       "take the metaname");
  if (Status named = context_.requests().request(net::add_alternative_name(active, name),
                                                 "name the active interface");
      !named)
    log::warning("{}: {}; 'ip link show {}' will not find it", name, named.error().message, name);
}

void Metaname::give_up() {
  const std::string& name = context_.config.name;
  const unsigned holder = net::index_of_name(context_.requests(), name);
  if (taken_ && holder != 0) [[maybe_unused]]
    const Status ignored = context_.requests().request(net::remove_alternative_name(holder, name),
                                                       "remove the metaname");
}

}  // namespace hanet::group
