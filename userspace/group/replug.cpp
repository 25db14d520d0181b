// SPDX-License-Identifier: Apache-2.0
//
// See replug.h.
#include "group/replug.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"
#include "net/capture.h"
#include "policy/card.h"

namespace hanet::group {
namespace {

// Something may have to be cleared up before the card can be used: an address that another program
// gave it, say.
constexpr Nanoseconds kRetry = std::chrono::seconds(1);

bool is_awaited(const Port& port) { return port.presence == Presence::Gone; }

}  // namespace

void Replug::begin() {
  entries_.resize(parts_.ports.all().size());
  for (const Port& port : parts_.ports.all())
    if (!port.present()) of(port).expected_name = port.interface.name;
}

void Replug::vanished(const Port& port, MonotonicTime now) {
  of(port).expected_name = port.interface.name;
  of(port).come_back_at = now + kRetry;
}

// What is known by name or MAC address is the card itself, and no other port's replacement.
void Replug::other_link_changed(const net::LinkInfo& link, MonotonicTime now) {
  if (std::ranges::none_of(parts_.ports.all(), is_awaited)) return;
  const policy::CardSeen seen{.name = link.interface.name,
                              .number = link.interface.index,
                              .mac = net::to_text(link.permanent_mac.value_or(link.mac)),
                              .bus_path = link.bus_path,
                              // A VLAN or a bridge borrows the MAC address of the card it is on.
                              .is_card = config::is_card(link.interface.name)};
  std::vector<policy::CardAwaited> awaited;
  for (const Port& port : parts_.ports.all())
    awaited.push_back({.is_awaited = is_awaited(port),
                       .name = port.interface.name,
                       .number = port.interface.index,
                       .mac = net::to_text(port.card.mac),
                       .bus_path = port.card.bus_path});
  const std::optional<std::size_t> port = policy::port_of_card(awaited, seen);
  if (!port) return;
  entries_[*port].expected_name = link.interface.name;
  entries_[*port].come_back_at = now;
}

void Replug::tick(MonotonicTime now) {
  for (const Port& port : parts_.ports.all()) {
    Entry& entry = of(port);
    if (!is_awaited(port) || now < entry.come_back_at) continue;
    entry.come_back_at = now + kRetry;
    if (net::index_of_name(context_.requests(), entry.expected_name) == 0) continue;
    const Status back = take_back(port, entry.expected_name);
    const std::string trouble = back ? std::string() : back.error().message;
    if (!back && trouble != entry.trouble)
      log::warning("{}: {} is back and can not be used yet: {}", context_.config.name,
                   entry.expected_name, trouble);
    entry.trouble = trouble;
  }
}

// Everything that can be wrong with a card, before anything is changed.
Status Replug::check_card(const Port& port, const net::LinkInfo& link) const {
  const std::string& name = link.interface.name;
  if (context_.env.is_port(link.interface.index))
    return failure(fmt::format("{} is a port of a group already", name));
  Result<std::string> why_not = config::why_not_a_port(name, config::vlans_of(context_.config));
  if (!why_not) return pass_on(why_not);
  if (!why_not->empty()) return failure(fmt::format("{} {}", name, *why_not));
  if (parts_.ports.is_holder(port)) return {};
  Result<net::Identity> found = net::capture(context_.requests(), link.interface);
  if (!found) return pass_on(found);
  return check_standby(parts_.dummy.without(std::move(*found)));
}

// Another hanetd must not use it: a name that the configuration has is locked since the start.
Status Replug::take_lock(const Port& port, const std::string& name) {
  const config::PortConfig& configured = context_.config.paths[port.path].ports[port.slot];
  Entry& entry = of(port);
  if (name == configured.interface || (entry.lock && name == port.interface.name)) return {};
  Result<net::PortLock> lock = net::PortLock::take(name);
  if (!lock) return pass_on(lock);
  entry.lock = std::move(*lock);
  return {};
}

Status Replug::take_back(const Port& port, const std::string& name) {
  Result<net::LinkInfo> link = net::find_link(context_.requests(), name);
  if (!link) return pass_on(link);
  if (Status fit = check_card(port, *link); !fit) return fit;
  if (Status locked = take_lock(port, link->interface.name); !locked) return locked;
  const net::Identity& identity = parts_.keeper.identity();
  const bool is_holder = parts_.ports.is_holder(port);
  if (Status done = is_holder ? parts_.switcher.give_back(port, *link)
                              : parts_.standbys.prepare_card(port, *link, identity.mac,
                                                             parts_.bridge.listened_mac(identity));
      !done)
    return done;
  parts_.ports.use_again(port, *link);
  parts_.judge.expect_negotiation(port, monotonic_now());
  if (context_.state.paths[port.path].watched) parts_.judge.begin_session(port);
  parts_.switcher.prepare();
  context_.notices.add(
      "port-back", parts_.ports.name(port.path),
      fmt::format("{} is back {}", port.interface.name,
                  is_holder                            ? "and has the identity again"
                  : port.path == context_.state.active ? "in its trunk"
                                                       : "and waits as a standby"));
  return {};
}

// Where the identity could go so that `port` is free: another port of its trunk, or another path.
const Port& Replug::other_holder(const Port& port) const {
  const policy::GroupState& state = context_.state;
  for (const Port& other : parts_.ports.of(port.path))
    if (&other != &port && policy::can_lead(state.paths[port.path], other.slot)) return other;
  return parts_.ports.lead(policy::next_path(state, monotonic_now(), context_.rules));
}

// The kernel sends by the standby what the active path can not send.
bool Replug::alone_carries_traffic(const Port& port) const {
  if (!parts_.bridge.is_bridging(parts_.ports.holder()) || port.path == context_.state.active)
    return false;
  const policy::PathState& path = context_.state.paths[port.path];
  for (const Port& other : parts_.ports.of(port.path))
    if ((&other == &port) != policy::works(path, other.slot)) return false;
  return true;
}

Status Replug::why_not_taken_out(const Port& port) const {
  const std::string& interface = port.interface.name;
  if (port.presence == Presence::TakenOut)
    return failure(fmt::format("{} is taken out already", interface));
  if (context_.state.running)
    return failure("a switchover is running; try again when it has ended");
  if (parts_.ports.is_holder(port))
    return failure(fmt::format("{0} has the identity of {1}; first: hanetctl switch {1} --to {2}",
                               interface, context_.config.name, other_holder(port).interface.name));
  if (alone_carries_traffic(port))
    return failure(
        fmt::format("{} alone carries the traffic while path {} does not work; repair that first",
                    interface, parts_.ports.name(context_.state.active)));
  return {};
}

Status Replug::take_out(const std::string& interface) {
  Result<const Port*> named = parts_.ports.named(interface);
  if (!named) return pass_on(named);
  const Port& port = **named;
  if (Status allowed = why_not_taken_out(port); !allowed) return allowed;
  const bool was_there = port.present();
  parts_.ports.unbind(port, Presence::TakenOut);
  if (was_there) parts_.standbys.leave(port, parts_.keeper.identity().mac);
  parts_.switcher.prepare();
  context_.notices.add("port-removed", parts_.ports.name(port.path),
                       fmt::format("{} was taken out; 'hanetctl add {} {}' puts it back", interface,
                                   context_.config.name, interface));
  return {};
}

Status Replug::put_back(const std::string& interface) {
  const std::vector<Port>& ports = parts_.ports.all();
  auto found = std::ranges::find_if(
      ports, [&](const Port& port) { return !port.present() && port.interface.name == interface; });
  // A new card may have a new name: then the only place that is empty is meant.
  if (found == ports.end() && std::ranges::count(ports, false, &Port::present) == 1)
    found = std::ranges::find(ports, false, &Port::present);
  if (found == ports.end())
    return failure(
        fmt::format("{}: no path of group {} waits for a card", interface, context_.config.name));
  if (Status back = take_back(*found, interface); !back)
    return failure(fmt::format("{}: {}", interface, back.error().message));
  return {};
}

}  // namespace hanet::group
