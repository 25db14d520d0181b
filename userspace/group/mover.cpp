// SPDX-License-Identifier: Apache-2.0
//
// See mover.h.
#include "group/mover.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "core/priority.h"
#include "group/late_changes.h"
#include "group/switch_record.h"
#include "net/settings.h"
#include "policy/bridging.h"

namespace hanet::group {
namespace {

std::vector<std::uint32_t> routers_of(const net::Place& place) {
  std::vector<std::uint32_t> routers;
  if (net::is_router(place.port.name)) routers.push_back(0);
  for (const net::Vlan& vlan : place.vlans)
    if (net::is_router(vlan.on.name)) routers.push_back(vlan.tag);
  return routers;
}

// The kernel stops the VLANs of a port without carrier (net/8021q/vlan.c, NETDEV_CHANGE), removes
// nexthop objects on it (net/ipv4/nexthop.c, nexthop_flush_dev), and is told by a setting to take
// other routes than those by it.
bool leaves_without_carrier(const net::Identity& identity, const std::string& port) {
  return !identity.nexthops.empty() || net::ignores_routes_without_carrier(port) ||
         std::ranges::any_of(identity.addresses,
                             [](const net::Address& address) { return address.vlan != 0; });
}

bool is_within_trunk(const policy::Switchover& switchover) {
  return switchover.from == switchover.to;
}

}  // namespace

failover::Plan Mover::plan_of(const Port& from, const Port& to,
                              const net::Identity& identity) const {
  const bool within_trunk = from.path == to.path;
  failover::PlanSettings settings{.cold = context_.rules.cold && !within_trunk,
                                  .move_mac = context_.config.move_mac,
                                  .from_gone = !from.present(),
                                  .routers = routers_of(from.place()),
                                  .spare_mac = from.macs.spare,
                                  .metaname = context_.config.name,
                                  .strangers = strangers_on(to),
                                  .left_strangers = strangers_on(from)};
  if (const auto& dummy = parts_.dummy.parameters(); dummy && !within_trunk) {
    settings.spare_mac = dummy->mac;
    settings.dummy = dummy->address;
  }
  for (const Port& port : parts_.ports.all()) {
    if (!settings.cold || !port.present() || &port == &from || &port == &to) continue;
    if (port.path == from.path) settings.from_members.push_back(port.interface);
    if (port.path == to.path) settings.to_members.push_back(port.interface);
  }
  return failover::make_plan(identity, to.place(), to.macs.spare, settings,
                             parts_.keeper.known_neighbours());
}

// Also on the way back, when the port that has the identity is the goal.
const net::Configured& Mover::strangers_on(const Port& port) const {
  return parts_.ports.is_holder(port) ? parts_.keeper.strangers().all()
                                      : parts_.readiness.strangers_on(port);
}

const Port& Mover::goal() const {
  const policy::GroupState& state = context_.state;
  if (state.waits_until) return parts_.ports.to(*state.running);
  if (const Port* bridged = parts_.bridge.leads_to(parts_.ports.holder())) return *bridged;
  const std::size_t next = policy::next_path(state, monotonic_now(), context_.rules);
  return parts_.ports.of(next)[policy::best_lead(state.paths[next], true)];
}

void Mover::prepare() {
  const Port& from = parts_.ports.holder();
  const Port& to = goal();
  const net::Identity& identity = parts_.keeper.identity();
  plan_ = plan_of(from, to, identity);
  goal_ = parts_.ports.number_of(to);
  outdated_ = false;
  pending_.announced = false;  // there may be a new address in it
  parts_.bridge.set_identity(identity);
  parts_.bridge.arm(from, to, identity.mac);
}

// The goal changes with what the ports of a standby trunk are worth, and of more than two paths
// with what each is worth. Not for every doubt: a port that is not proved is no better goal.
bool Mover::has_better_goal() const {
  const Port& next = goal();
  const Port& planned = parts_.ports.all()[goal_];
  if (&next == &planned) return false;
  const policy::GroupState& state = context_.state;
  return !policy::can_lead(state.paths[planned.path], planned.slot) ||
         policy::is_proved(state.paths[next.path], next.slot);
}

void Mover::renew_lifetimes() {
  if (plan_) failover::renew_lifetimes(*plan_, parts_.keeper.identity());
}

void Mover::keep_ready() {
  if (plan_ && (outdated_ || has_better_goal())) prepare();
}

MonotonicTime Mover::begin(const policy::Switchover& switchover, MonotonicTime received) {
  const Port& failed = verdict_port(parts_.ports, parts_.judge, switchover);
  const Port& from = parts_.ports.from(switchover);
  const Port& to = parts_.ports.to(switchover);
  // A path that has been down for longer was bridged, or was not armed when it went.
  if (policy::is_failure(switchover.cause) && parts_.judge.down_since(failed) == received)
    parts_.bridge.bridge_now(from, failed);
  const Port* bridged_to = parts_.bridge.leads_to(from);
  const bool bridged = bridged_to != nullptr && bridged_to->path == to.path;
  pending_ = {};
  pending_.record =
      begin_record(context_, parts_.ports, parts_.judge, switchover, bridged, received);
  if (outdated_ || !is_planned(from, to)) {
    plan_ = plan_of(from, to, parts_.keeper.identity());
    goal_ = parts_.ports.number_of(to);
    outdated_ = false;
  }
  const MonotonicTime now = monotonic_now();
  const policy::BridgeFacts facts{
      .bridges = bridged,
      .from_present = from.present(),
      .keeps_mac = plan_->expected.mac == parts_.keeper.identity().mac,
      .left_without_carrier = switchover.cause == policy::Cause::CarrierLost &&
                              leaves_without_carrier(plan_->expected, from.interface.name),
      .detection_time = engine::detection_time(context_.engine().deciding_session(from.index)),
      .may_be_policed = parts_.paces.may_be_policed(failed)};
  const Nanoseconds delay =
      context_.config.delay_enabling ? Nanoseconds(context_.config.delay) : Nanoseconds::zero();
  const Nanoseconds wait = policy::wait_before_move(facts, switchover, delay);
  // The switch learns the new place of the identity's address although the host sends nothing.
  if (delay == Nanoseconds::zero() && wait > Nanoseconds::zero())
    pending_.announced = parts_.announcements.send(*plan_);
  pending_.record.bridge_wait = wait;
  return wait > Nanoseconds::zero() ? now + wait : received;
}

bool Mover::carry_out(const policy::Switchover& switchover, const Beforehand& found) {
  const Port& from = parts_.ports.from(switchover);
  const Port& to = parts_.ports.to(switchover);
  pending_.record.move_began = found.began;
  pending_.repair = found.repair;
  pending_.follows_removals = !context_.config.restore || !policy::is_failure(switchover.cause);
  parts_.afterwards.finish();
  const net::Identity& identity = parts_.keeper.identity();
  const bool ready = !outdated_ && is_planned(from, to);
  if (found.identity_changed || !ready) pending_.announced = false;
  pending_.plan = ready ? std::move(*plan_) : plan_of(from, to, identity);
  plan_.reset();
  if (context_.rules.cold && !is_within_trunk(switchover))
    for (const Port& port : parts_.ports.of(switchover.from))
      if (port.present()) context_.engine().pause_sessions(port.index);
  parts_.kept.moves_to(to);
  // At another MAC address from now on: what the old port says is no longer true.
  if (pending_.plan.expected.mac != identity.mac)
    parts_.bridge.set_addresses(pending_.plan.expected);
  context_.engine().begin_move(from.index, to.index, identity.mac);
  execute(switchover);
  const bool moved = pending_.record.execution.outcome != failover::Outcome::RolledBack;
  if (moved) {
    parts_.bridge.set_addresses(pending_.plan.expected);  // late ones, too
  } else {
    context_.engine().disarm_bridging(to.index);
    tell_engine(switchover, false);
  }
  return moved;
}

void Mover::execute(const policy::Switchover& switchover) {
  const Port& from = parts_.ports.from(switchover);
  const Port& to = parts_.ports.to(switchover);
  failover::Plan& plan = pending_.plan;
  failover::SwitchoverRecord& record = pending_.record;
  const auto back = [&] { return plan_of(to, from, plan.expected); };
  const auto announce = [&](const failover::Plan& done) {
    if (!std::exchange(pending_.announced, false)) parts_.announcements.send(done);
    become_ordinary();
    if (&done == &plan) hand_over(switchover);
  };
  record.execution = failover::execute(context_.requests(), plan, back, announce,
                                       [&] { return is_called_away(switchover); });
  follow_late_changes(
      context_, plan,
      {.execution = record.execution,
       .repair = pending_.repair,
       .missing = parts_.keeper.missing(),
       .follows_removals = pending_.follows_removals,
       .cleaned = [&](net::Identity identity) {
         return parts_.keeper.strangers().without(parts_.dummy.without(std::move(identity)));
       }});
  parts_.afterwards.keep(std::move(record.execution.afterwards),
                         monotonic_now() + kAfterwardsDelay);
  if (record.execution.restarted_link) parts_.judge.expect_negotiation(to, monotonic_now());
}

// The new port has the identity: from here on the kernel bridges if that one fails, too, however
// long it takes to put the last routes there and to look at them.
void Mover::hand_over(const policy::Switchover& switchover) {
  if (std::exchange(pending_.handed_over, true)) return;
  tell_engine(switchover, true);
  if (!is_within_trunk(switchover))
    parts_.bridge.arm(parts_.ports.to(switchover), parts_.ports.from(switchover),
                      pending_.plan.expected.mac);
}

// As the maps say it now. Hundreds of thousands of routes take seconds: hanetd is there meanwhile.
bool Mover::is_called_away(const policy::Switchover& switchover) const {
  context_.engine().show_presence(monotonic_now());
  const auto health = [&](std::size_t path) {
    policy::PathState seen = context_.state.paths[path];
    seen.ports = parts_.judge.judge(path, monotonic_now());
    return policy::health_of(seen);
  };
  return !is_within_trunk(switchover) && health(switchover.to) == policy::Health::Down &&
         health(switchover.from) == policy::Health::Up;
}

void Mover::tell_engine(const policy::Switchover& switchover, bool moved) {
  const Port& from = parts_.ports.from(switchover);
  const Port& to = parts_.ports.to(switchover);
  const net::Identity& identity = moved ? pending_.plan.expected : parts_.keeper.identity();
  // Before the port that is left waits: a VLAN may stay on it.
  parts_.bridge.set_addresses(identity);
  if (moved)
    give_to(to, from, identity.mac);
  else
    give_to(from, to, identity.mac);
}

// No other path bridges any more either.
void Mover::give_to(const Port& lead, const Port& left, const net::MacAddress& mac) const {
  parts_.bridge.settle(lead, left, mac);
  for (std::size_t path = 0; path < context_.state.paths.size(); ++path)
    if (path != lead.path && path != left.path)
      parts_.bridge.settle(lead, parts_.ports.lead(path), mac);
}

void Mover::settle(const policy::Switchover& switchover, bool moved) {
  const failover::Plan& plan = pending_.plan;
  const MonotonicTime now = monotonic_now();
  if (moved) {
    parts_.keeper.hold(plan.expected);
    parts_.keeper.strangers().begin(parts_.readiness.strangers_on(parts_.ports.to(switchover)),
                                    plan.expected);
    parts_.keeper.lacks(std::move(pending_.record.execution.lacking));
    note_refused(
        parts_.standbys.follow({plan.from, plan.from_vlans}, net::place_of(plan.expected)));
    parts_.announcements.repeat(
        plan.announcements,
        questions_of(parts_.keeper.identity(), parts_.keeper.known_neighbours()), now);
  } else {  // the roll-back's own announcement was bridged to the other path
    if (pending_.record.steered_in_kernel) bridge_again(switchover);
    parts_.announcements.send_all_of(parts_.keeper.identity(), now);
  }
  if (context_.rules.cold && !is_within_trunk(switchover)) change_cold_ports(switchover, moved);
  if (moved && !is_within_trunk(switchover) && context_.config.delay.count() > 0)
    for (const Port& port : parts_.ports.of(switchover.to))
      parts_.judge.pause_until(port, now + context_.config.delay);
  parts_.keeper.mark_stale();
  prepare();
  parts_.kept.moves_no_more();
  report(switchover);
  pending_.plan = {};  // it may be a full routing table
}

// Verified like everything that moves (spec F14).
void Mover::note_refused(std::vector<std::string> settings) {
  failover::Execution& execution = pending_.record.execution;
  if (settings.empty()) return;
  if (execution.outcome == failover::Outcome::Complete)
    execution.outcome = failover::Outcome::Incomplete;
  std::ranges::move(settings, std::back_inserter(execution.problems));
}

// What bridged before bridges on: the path is as dead as it was, and the standby still forwards.
void Mover::bridge_again(const policy::Switchover& switchover) {
  prepare();
  parts_.bridge.bridge_now(parts_.ports.from(switchover),
                           verdict_port(parts_.ports, parts_.judge, switchover));
}

void Mover::change_cold_ports(const policy::Switchover& switchover, bool moved) {
  for (const Port& port : parts_.ports.of(moved ? switchover.to : switchover.from)) {
    parts_.ports.set_admin_up(port, true);
    parts_.judge.expect_negotiation(port, monotonic_now());
    parts_.judge.begin_session(port);
  }
  for (const Port& port : parts_.ports.of(moved ? switchover.from : switchover.to)) {
    parts_.ports.set_admin_up(port, false);
    context_.engine().pause_sessions(port.index);
  }
}

void Mover::report(const policy::Switchover& switchover) {
  finish_record(context_, std::move(pending_.record), parts_.ports.name(switchover.to));
  // Without the right to it, hanetd said so when it started.
  [[maybe_unused]] const bool real_time = become_real_time(kMainPriority);
}

void Mover::abandon(const policy::Switchover& switchover) {
  const net::Identity& identity = parts_.keeper.identity();
  give_to(parts_.ports.from(switchover), parts_.ports.to(switchover), identity.mac);
  parts_.announcements.send_all_of(identity, monotonic_now());
  outdated_ = true;  // it may lead elsewhere than bridging is to go
}

const failover::Plan* Mover::preview(const policy::Switchover& switchover) {
  preview_ =
      plan_of(parts_.ports.from(switchover), parts_.ports.to(switchover), parts_.keeper.identity());
  return &preview_;
}

// The bridge hangs on the port that is left.
bool Mover::relies_on(const Port& port) const {
  const policy::GroupState& state = context_.state;
  return state.waits_until && pending_.record.steered_in_kernel &&
         &port == &parts_.ports.from(*state.running);
}

// As onto a cold standby: it has to be brought up, and there is nothing to take it from.
Status Mover::give_back(const Port& port, const net::LinkInfo& link) {
  if (context_.state.running) return failure("a switchover is running");
  const net::Identity& identity = parts_.keeper.identity();
  Result<net::Place> place = net::place_on(context_.requests(), link.interface);
  if (!place) return pass_on(place);
  if (Status bound = parts_.ports.bind(port, link, *place, parts_.bridge.listened_mac(identity));
      !bound)
    return bound;
  failover::Plan plan = failover::make_plan(identity, port.place(), link.mac,
                                            {.cold = true,
                                             .move_mac = context_.config.move_mac,
                                             .from_gone = true,
                                             .metaname = context_.config.name});
  const auto nowhere = [&] { return failover::no_way_back(plan); };
  failover::Execution done =
      failover::execute(context_.requests(), plan, nowhere,
                        [&](const failover::Plan& moved) { parts_.announcements.send(moved); });
  parts_.afterwards.keep(std::move(done.afterwards), monotonic_now());
  if (done.outcome == failover::Outcome::RolledBack) {
    parts_.ports.unbind(port, Presence::Gone);
    return failure(fmt::format("{}", fmt::join(done.problems, "; ")));
  }
  parts_.ports.set_admin_up(port, true);
  parts_.keeper.hold(plan.expected);
  parts_.keeper.lacks(std::move(done.lacking));
  parts_.standbys.give(net::place_of(plan.expected));
  parts_.keeper.mark_stale();
  return {};
}

}  // namespace hanet::group
