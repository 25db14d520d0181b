// SPDX-License-Identifier: Apache-2.0
//
// Cards that come and go while their group runs (spec F10); see group_runner.h.
//
// A card that vanished is expected back: under its name, or under another one with its MAC address
// or in its place. It comes back as a standby whatever it was, because the identity is elsewhere by
// then. A card that a person took out is left alone until the person adds it again.
#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"
#include "group/group_runner.h"
#include "group/session_setup.h"
#include "net/capture.h"

namespace hanet::group {
namespace {

// Something may have to be cleared up before the card can be used: an address that another program
// gave it, say.
constexpr Nanoseconds kRetry = std::chrono::seconds(1);

}  // namespace

void GroupRunner::expect_back(RunningPort& port) {
  port.expected_name = port.interface.name;
  port.come_back_at = monotonic_now() + kRetry;
}

// Another card in the place of one that is gone. The interface of a card that was there all the
// time has a lower number: several can be in one place.
bool GroupRunner::is_in_place_of(const net::LinkInfo& link, const RunningPort& port) {
  return !link.bus_path.empty() && link.bus_path == port.bus_path &&
         link.interface.index > port.interface.index;
}

// A new interface, or a change of one that is no port. What is known by name or MAC address is the
// card itself, and no other port's replacement.
void GroupRunner::stranger_changed(const net::LinkInfo& link) {
  // A VLAN or a bridge borrows the MAC address of the card it is on.
  const bool card = config::is_card(link.interface.name);
  const auto waits = [](const RunningPort& port) { return !port.present && !port.taken_out; };
  const auto is_itself = [&](const RunningPort& port) {
    const bool by_mac = link.permanent_mac.value_or(link.mac) == port.first_mac;
    return waits(port) && (link.interface.name == port.interface.name || (card && by_mac));
  };
  auto found = std::ranges::find_if(ports_, is_itself);
  if (found == ports_.end() && card)
    found = std::ranges::find_if(
        ports_, [&](const RunningPort& port) { return waits(port) && is_in_place_of(link, port); });
  if (found == ports_.end()) return;
  found->expected_name = link.interface.name;
  found->come_back_at = monotonic_now();
}

void GroupRunner::look_for_missing_ports(MonotonicTime now) {
  for (RunningPort& port : ports_) {
    if (port.present || port.taken_out || now < port.come_back_at) continue;
    port.come_back_at = now + kRetry;
    if (net::index_of_name(around_.requests, port.expected_name) == 0) continue;
    const Status back = take_back(port, port.expected_name);
    const std::string trouble = back ? std::string() : back.error().message;
    if (!back && trouble != port.trouble)
      log::warning("{}: {} is back and can not be used yet: {}", config_.name, port.expected_name,
                   trouble);
    port.trouble = trouble;
  }
}

// Everything that can be wrong with a card, before anything is changed.
Status GroupRunner::check_card(const RunningPort& port, const net::LinkInfo& link) const {
  const std::string& name = link.interface.name;
  if (around_.is_port(link.interface.index))
    return failure(fmt::format("{} is a port of a group already", name));
  Result<std::string> why_not = config::why_not_a_port(name, config::vlans_of(config_));
  if (!why_not) return pass_on(why_not);
  if (!why_not->empty()) return failure(fmt::format("{} {}", name, *why_not));
  if (carries(port)) return {};
  Result<net::Identity> found = net::capture(around_.requests, link.interface);
  if (!found) return pass_on(found);
  return check_standby(without_dummy(std::move(*found)));
}

// Another hanetd must not use it: a name that the configuration has is locked since the start.
Status GroupRunner::take_lock(RunningPort& port, const std::string& name) {
  const config::PortConfig& configured = config_.paths[port.path].ports[port.slot];
  if (name == configured.interface || (port.lock && name == port.interface.name)) return {};
  Result<net::PortLock> lock = net::PortLock::take(name);
  if (!lock) return pass_on(lock);
  port.lock = std::move(*lock);
  return {};
}

Status GroupRunner::take_back(RunningPort& port, const std::string& name) {
  Result<net::LinkInfo> link = net::find_link(around_.requests, name);
  if (!link) return pass_on(link);
  if (Status fit = check_card(port, *link); !fit) return fit;
  if (Status locked = take_lock(port, link->interface.name); !locked) return locked;
  const bool active = carries(port);
  if (Status done = active ? give_identity_back(port, *link) : make_standby(port, *link); !done)
    return done;
  port.present = true;
  port.taken_out = false;
  port.rtnetlink_carrier = link->carrier;
  port.first_mac = link->permanent_mac.value_or(link->mac);
  port.bus_path = link->bus_path;
  expect_negotiation(port);
  weigh_anew(port);
  if (state_.paths[port.path].watched) begin_session(port);
  prepare_plan();
  publish("port-back", port.path,
          fmt::format("{} is back {}", port.interface.name,
                      active                       ? "and has the identity again"
                      : port.path == state_.active ? "in its trunk"
                                                   : "and waits as a standby"));
  return {};
}

Status GroupRunner::make_standby(RunningPort& port, const net::LinkInfo& link) {
  Result<net::Place> place = net::place_on(around_.requests, link.interface);
  if (!place) return pass_on(place);
  Result<StandbyBefore> before = remember_standby(around_.requests, *place);
  if (!before) return pass_on(before);
  // A card comes with its own MAC address, and that may be the identity's.
  const bool borrowed = config_.move_mac && link.mac == keeper_.identity().mac;
  port.spare_mac = borrowed ? net::random_local_mac() : link.mac;
  port.wire_mac = port.spare_mac;
  around_.engine.set_wire_mac(port.port, port.wire_mac);
  if (borrowed)
    if (Status renamed =
            around_.requests.request(net::set_mac(link.interface.index, port.spare_mac),
                                     fmt::format("set the MAC address of {}", link.interface.name));
        !renamed)
      return renamed;
  if (Status ready =
          prepare_standby(around_.requests, *place, waiting_mode(port), *before, dummy_of(port));
      !ready)
    return ready;
  if (Status bound = bind_to(port, *place); !bound) {
    restore_standby(around_.requests, *place, *before, dummy_of(port));
    return bound;
  }
  // Taking it out has set it down.
  if (port.taken_out && port.before)
    before->settings[0].admin_up = port.before->settings[0].admin_up;
  port.before = std::move(*before);
  port.waited_at_start = true;
  port.admin_up = waiting_mode(port) == config::StandbyMode::Hot;
  return {};
}

// The path that carried the identity vanished, nothing could take over, and it is back (spec F11).
Status GroupRunner::give_identity_back(RunningPort& port, const net::LinkInfo& link) {
  if (state_.running) return failure("a switchover is running");
  Result<net::Place> place = net::place_on(around_.requests, link.interface);
  if (!place) return pass_on(place);
  if (Status bound = bind_to(port, *place); !bound) return bound;
  // As onto a cold standby: it has to be brought up, and there is nothing to take it from.
  failover::Plan plan = failover::make_plan(
      keeper_.identity(), port.place(), link.mac,
      {.cold = true, .move_mac = config_.move_mac, .from_gone = true, .metaname = config_.name});
  const auto nowhere = [&] { return failover::no_way_back(plan); };
  port.present = true;  // announcements go out of it
  failover::Execution done = failover::execute(
      around_.requests, plan, nowhere, [&](const failover::Plan& moved) { announce(moved); });
  afterwards_ = std::move(done.afterwards);
  afterwards_at_ = monotonic_now();
  port.admin_up = true;
  if (done.outcome == failover::Outcome::RolledBack) {
    around_.engine.unbind_port(port.port);
    port.present = false;
    return failure(fmt::format("{}", fmt::join(done.problems, "; ")));
  }
  keeper_.hold(plan.expected);
  keeper_.mark_stale();
  return {};
}

Status GroupRunner::bind_to(RunningPort& port, const net::Place& place) {
  const net::InterfaceName& interface = place.port;
  const SessionPlan plan =
      plan_session(config_, config_.paths[port.path].ports[port.slot], port.probe_mac);
  Result<net::PacketSocket> heartbeats = open_request_socket(plan, interface.index, port.probe_mac);
  if (!heartbeats) return pass_on(heartbeats);
  Result<net::PacketSocket> announcer = net::PacketSocket::open(interface.index);
  if (!announcer) return pass_on(announcer);
  if (hears_identity())
    if (Status heard = announcer->listen_to(keeper_.identity().mac); !heard) return heard;
  if (Status heard = listen_as_trunk(port, *announcer); !heard) return heard;
  if (Status bound = around_.engine.rebind_port(port.port, interface.index, interface.name); !bound)
    return bound;
  around_.replace_socket(port.session, std::move(*heartbeats));
  port.announcer = std::move(*announcer);
  port.interface = interface;
  port.vlans = place.vlans;
  learn_carrier(port);
  return {};
}

/// What the port was like before, without a MAC address that is the identity's now.
StandbyBefore GroupRunner::left_alone(const RunningPort& port) const {
  StandbyBefore before = *port.before;
  if (before.mac == keeper_.identity().mac) before.mac = port.spare_mac;
  return before;
}

// Where the identity could go so that `port` is free: another port of its trunk, or the other path.
const RunningPort& GroupRunner::elsewhere(const RunningPort& port) const {
  for (const RunningPort& other : ports_of(port.path))
    if (&other != &port && policy::can_lead(state_.paths[port.path], other.slot)) return other;
  return lead(other_path());
}

// The kernel sends by the standby what the active path can not send.
bool GroupRunner::alone_carries_traffic(const RunningPort& port) const {
  if (!bridges(lead(state_.active)) || port.path == state_.active) return false;
  const policy::PathState& path = state_.paths[port.path];
  for (const RunningPort& other : ports_of(port.path))
    if ((&other == &port) != policy::works(path, other.slot)) return false;
  return true;
}

Status GroupRunner::take_out(const std::string& interface) {
  const Result<RunningPort*> called = port_called(interface);
  if (!called) return failure(called.error().message);
  RunningPort& port = **called;
  if (port.taken_out) return failure(fmt::format("{} is taken out already", interface));
  if (state_.running) return failure("a switchover is running; try again when it has ended");
  if (carries(port))
    return failure(
        fmt::format("{0} carries the identity of {1}; first: hanetctl switch {1} --to {2}",
                    interface, config_.name, elsewhere(port).interface.name));
  if (alone_carries_traffic(port))
    return failure(
        fmt::format("{} alone carries the traffic while path {} does not work; repair that first",
                    interface, path_name(state_.active)));
  around_.engine.pause_session(port.session);
  around_.engine.unbind_port(port.port);
  around_.replace_socket(port.session, net::PacketSocket());
  port.announcer = net::PacketSocket();
  if (port.before && port.present) {
    // It leaves the host, and until then it must not answer for the host's addresses.
    StandbyBefore alone = left_alone(port);
    alone.settings[0].admin_up = false;
    restore_standby(around_.requests, port.place(), alone, dummy_of(port));
  }
  port.taken_out = true;
  port.present = false;
  prepare_plan();
  publish("port-removed", port.path,
          fmt::format("{} was taken out; 'hanetctl add {} {}' puts it back", interface,
                      config_.name, interface));
  refresh(monotonic_now());
  return {};
}

Status GroupRunner::put_back(const std::string& interface) {
  auto found = std::ranges::find_if(ports_, [&](const RunningPort& port) {
    return !port.present && port.interface.name == interface;
  });
  // A new card may have a new name: then the only place that is empty is meant.
  if (found == ports_.end() && std::ranges::count(ports_, false, &RunningPort::present) == 1)
    found = std::ranges::find(ports_, false, &RunningPort::present);
  if (found == ports_.end())
    return failure(
        fmt::format("{}: no path of group {} waits for a card", interface, config_.name));
  if (Status back = take_back(*found, interface); !back)
    return failure(fmt::format("{}: {}", interface, back.error().message));
  refresh(monotonic_now());
  return {};
}

}  // namespace hanet::group
