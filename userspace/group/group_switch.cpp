// SPDX-License-Identifier: Apache-2.0
//
// How a group's identity moves, and how the next move is kept ready; see group_runner.h.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "core/log.h"
#include "core/priority.h"
#include "group/group_runner.h"

namespace hanet::group {
namespace {

constexpr Nanoseconds kAfterwardsDelay = std::chrono::seconds(1);
// While the kernel bridges, traffic flows, and while the identity moves it does not for some
// 0.3 ms. The move waits two detection times after the verdict: if the other end of a pair is set
// like this one, it has its own verdict by then, even if this end saw its carrier go and the other
// has to miss heartbeats. Two short gaps instead of one long one. With detection times above 50 ms
// the limit comes first, because the bridge needs the failed interface to exist.
constexpr Nanoseconds kLongestBridge = std::chrono::milliseconds(100);

Nanoseconds detection_time(const hanet_session& session) {
  return std::chrono::microseconds(std::int64_t{engine::load(session.interval_us)} *
                                   engine::load(session.multiplier));
}

bool is_router(const std::string& interface) {
  std::ifstream file("/proc/sys/net/ipv6/conf/" + interface + "/forwarding");
  int forwarding = 0;
  return file >> forwarding && forwarding != 0;
}

std::vector<std::uint32_t> routers_of(const net::Place& place) {
  std::vector<std::uint32_t> routers;
  if (is_router(place.port.name)) routers.push_back(0);
  for (const net::Vlan& vlan : place.vlans)
    if (is_router(vlan.on.name)) routers.push_back(vlan.tag);
  return routers;
}

// The kernel stops the VLANs of a port without carrier, and nothing leaves by them for the bridge
// to take (net/8021q/vlan.c, NETDEV_CHANGE).
bool stands_still(const net::Identity& identity, policy::Cause cause) {
  return cause == policy::Cause::CarrierLost &&
         std::ranges::any_of(identity.addresses,
                             [](const net::Address& address) { return address.vlan != 0; });
}

}  // namespace

// The port whose verdict it was; a single port's own.
const RunningPort& GroupRunner::last_straw(const policy::Switchover& switchover) const {
  const std::span<const RunningPort> failed = ports_of(switchover.from);
  return switchover.from == switchover.to
             ? failed[switchover.from_port]
             : *std::ranges::max_element(failed, {}, &RunningPort::down_since);
}

bool GroupRunner::bridges(const RunningPort& lead) const {
  return engine::load(around_.engine.steer(lead.port).mode) == HANET_STEER_BRIDGE_OUT;
}

failover::SwitchoverRecord GroupRunner::begin_record(const policy::Switchover& switchover,
                                                     MonotonicTime received) const {
  const std::span<const RunningPort> failed = ports_of(switchover.from);
  const RunningPort& lead = failed[switchover.from_port];
  const RunningPort& from = last_straw(switchover);
  const hanet_session& session = around_.engine.session(from.session);
  const hanet_port& port = around_.engine.port(from.port);
  failover::SwitchoverRecord record;
  record.group = config_.name;
  record.from = lead.interface.name;
  record.to = ports_of(switchover.to)[switchover.to_port].interface.name;
  record.cause = policy::to_text(switchover.cause);
  record.rule = policy::rule_of(switchover.cause);
  record.wall_time = wall_now();
  record.verdict = received;
  record.event_received = received;
  record.decided = received;
  record.steered_in_kernel = bridges(lead);
  if (!policy::is_failure(switchover.cause)) return record;
  // It may be long ago that the path went down, if nothing could take over then.
  record.event_received = from.down_since;
  record.verdict = from.down_since;
  if (failed.size() > 1 && switchover.from != switchover.to) {
    const policy::Capacity sum = policy::capacity_of(state_.paths[switchover.from]);
    record.rule +=
        fmt::format("; {} of {} of the trunk's capacity is lost, threshold {} % (T2)", sum.lost,
                    sum.total, state_.paths[switchover.from].threshold_percent);
  }
  const policy::DownReason reason = policy::down_reason(state_.paths[switchover.from], from.slot);
  if (reason == policy::DownReason::HeartbeatLost) {
    record.first_lost = from_kernel_ns(engine::load(session.first_lost_ns));
    record.deadline = from_kernel_ns(engine::load(session.deadline_ns));
    record.verdict = from_kernel_ns(engine::load(session.verdict_ns));
    record.unanswered =
        static_cast<std::uint32_t>(engine::load(session.sent) - engine::load(session.answered));
  } else if (reason == policy::DownReason::CarrierLost &&
             engine::load(port.carrier) == HANET_CARRIER_DOWN) {
    record.verdict = from_kernel_ns(engine::load(port.carrier_changed_ns));
  }
  record.verdict_waited = from.held_back;
  return record;
}

void GroupRunner::begin_switchover(const policy::Switchover& switchover, MonotonicTime received) {
  const RunningPort& straw = last_straw(switchover);
  const RunningPort& from = port_of(switchover, false);
  // Whoever made the verdict may not have come to bridge yet (PREEMPT_RT). A path that has been
  // down for longer was bridged, or was not armed when it went.
  const bool fresh = policy::is_failure(switchover.cause) && straw.down_since == received;
  if (fresh && !bridges(from) && engine::load(around_.engine.steer(from.port).armed) != 0)
    around_.engine.bridge_on_verdict(straw.port);
  Move move{.switchover = switchover,
            .record = begin_record(switchover, received),
            .begins = monotonic_now()};
  // Both ends of a pair have their verdicts before either enables its standby (spec F7).
  if (policy::is_failure(switchover.cause) && config_.delay_enabling && !move.within_trunk()) {
    move.begins += config_.delay;
    waiting_move_ = std::move(move);
    apply(policy::SwitchoverWaits{}, received);
    return;
  }
  // With another MAC address the bridge is a makeshift: the switch looks for the old one elsewhere.
  const bool bridge_serves = move.record.steered_in_kernel && from.present && plan_ &&
                             plan_->expected.mac == keeper_.identity().mac &&
                             !stands_still(plan_->expected, switchover.cause);
  if (!policy::is_failure(switchover.cause) || !bridge_serves) {
    perform(std::move(move));
    return;
  }
  // The switch learns the new place of the identity's address although the host sends nothing.
  announce(*plan_);
  move.announced = !announced_in_vain_;
  move.begins += std::min(2 * detection_time(around_.engine.session(from.session)), kLongestBridge);
  waiting_move_ = std::move(move);
  apply(policy::SwitchoverWaits{}, received);
}

void GroupRunner::perform_waiting_move() {
  Move move = std::move(*waiting_move_);
  waiting_move_.reset();
  perform(std::move(move));
}

void GroupRunner::perform(Move move) {
  const policy::Switchover switchover = move.switchover;
  failover::SwitchoverRecord& record = move.record;
  RunningPort& from = port_of(switchover, false);
  RunningPort& to = port_of(switchover, true);
  record.move_began = monotonic_now();
  // Look at what waits before the identity is touched (spec F3). Bridging covers the time.
  around_.drain_notifications();
  if (keeper_.stale()) {
    recapture();
    move.announced = false;  // there may be a new address
  }
  if (!to.present || (!to.admin_up && state_.paths[to.path].watched)) {
    // Heard just now: the policy chooses anew, with what has become of the ports.
    refresh_path(to.path, monotonic_now());
    apply(policy::SwitchoverEnded{.moved = false, .attempted = false}, monotonic_now());
    return;
  }
  finish_afterwards();
  const bool ready =
      plan_ && !plan_outdated_ && plan_->from == from.interface && plan_->to == to.interface;
  failover::Plan plan = ready ? std::move(*plan_) : plan_of(keeper_.identity(), from, to);
  plan_.reset();
  if (rules_.cold && !move.within_trunk())
    for (const RunningPort& port : ports_of(switchover.from))
      if (port.present) around_.engine.pause_session(port.session);
  store_.moves_to(static_cast<std::size_t>(&to - ports_.data()));
  // At another MAC address from now on: what the old port says is no longer true.
  if (plan.expected.mac != keeper_.identity().mac) name_identity(plan.expected);
  around_.engine.begin_move(from.port, to.port, keeper_.identity().mac);
  const auto back = [&] { return plan_of(plan.expected, to, from); };
  record.execution =
      failover::execute(around_.requests, plan, back, [&](const failover::Plan& done) {
        if (!std::exchange(move.announced, false)) announce(done);
        become_ordinary();
      });
  // What going down and up took along was not removed by anybody.
  if (!restoration_ || !restoration_->came_up) follow_late_changes(plan, record.execution);
  restoration_.reset();
  const failover::Outcome outcome = record.execution.outcome;
  const bool moved = outcome != failover::Outcome::RolledBack;
  const net::Identity& identity = moved ? plan.expected : keeper_.identity();
  name_identity(identity);  // before the port that is left waits: a VLAN may stay on it
  around_.engine.carry(moved ? to.port : from.port, identity.mac);
  if (!move.within_trunk()) around_.engine.release(moved ? from.port : to.port);
  afterwards_ = std::move(record.execution.afterwards);
  afterwards_at_ = monotonic_now() + kAfterwardsDelay;
  if (record.execution.restarted_link) expect_negotiation(to);
  after_move(switchover, plan, outcome);
  store_.moves_no_more();
  record.finished = monotonic_now();
  const failover::SwitchoverRecord& kept = around_.history.add(std::move(record));
  publish("switchover", switchover.to,
          fmt::format("{} to {} ({}): {}, moved {} us after the verdict{}{}{}{}", kept.from,
                      kept.to, kept.cause, failover::to_text(outcome),
                      (kept.execution.last_message_sent - kept.verdict).count() / 1000,
                      kept.verdict_waited ? ", for which the path was given time" : "",
                      kept.steered_in_kernel ? ", the kernel bridged meanwhile" : "",
                      kept.execution.problems.empty() ? "" : "; ",
                      fmt::join(kept.execution.problems, "; ")));
  // Without the right to it, hanetd said so when it started.
  [[maybe_unused]] const bool real_time = become_real_time(kMainPriority);
  // What the move itself caused is heard while it still runs: nobody else did it.
  around_.drain_notifications();
  apply(policy::SwitchoverEnded{.moved = moved}, monotonic_now());
}

void GroupRunner::after_move(const policy::Switchover& switchover, const failover::Plan& plan,
                             failover::Outcome outcome) {
  const bool moved = outcome != failover::Outcome::RolledBack;
  const bool within_trunk = switchover.from == switchover.to;
  if (moved) {
    keeper_.hold(plan.expected);
    move_settings(around_.requests, {plan.from, plan.from_vlans}, net::place_of(plan.expected),
                  first_settings_);
    announcements_ = plan.announcements;
    announcements_left_ = config_.announce_count;
    if (announcements_left_ > 0 && !announced_in_vain_) --announcements_left_;
    announce_at_ = monotonic_now() + config_.announce_gap;
  } else {
    announce_anew();  // the roll-back's own announcement was bridged to the other path
  }
  if (rules_.cold && !within_trunk) {
    for (RunningPort& port : ports_of(moved ? switchover.to : switchover.from)) {
      port.admin_up = true;
      expect_negotiation(port);
      begin_session(port);
    }
    for (RunningPort& port : ports_of(moved ? switchover.from : switchover.to)) {
      port.admin_up = false;
      around_.engine.pause_session(port.session);
    }
  }
  if (moved && !within_trunk && config_.delay > Nanoseconds::zero())
    for (RunningPort& port : ports_of(switchover.to)) hold_judgement(port);
  // The state the policy sees next must already be that of the new roles.
  keeper_.mark_stale();
  state_.active = moved ? switchover.to : switchover.from;
  if (moved) state_.paths[switchover.to].lead = switchover.to_port;
  prepare_plan();
}

void GroupRunner::begin_session(const RunningPort& port) {
  if (Status started = around_.engine.start_session(port.session); !started)
    log::error("{}: {}", config_.name, started.error().message);
}

// Both ends of a pair finish before either judges the new path (spec F7).
void GroupRunner::hold_judgement(RunningPort& port) {
  around_.engine.pause_session(port.session);
  port.judged_at = monotonic_now() + config_.delay;
}

void GroupRunner::judge_again(MonotonicTime now) {
  for (RunningPort& port : ports_) {
    if (!port.judged_at || now < *port.judged_at) continue;
    port.judged_at.reset();
    if (state_.paths[port.path].watched && port.present) begin_session(port);
  }
}

failover::Plan GroupRunner::plan_of(const net::Identity& identity, const RunningPort& from,
                                    const RunningPort& to) const {
  const bool within_trunk = from.path == to.path;
  failover::PlanSettings settings{.cold = rules_.cold && !within_trunk,
                                  .move_mac = config_.move_mac,
                                  .from_gone = !from.present,
                                  .routers = routers_of(from.place()),
                                  .spare_mac = from.spare_mac,
                                  .metaname = config_.name};
  if (dummy_ && !within_trunk) {
    settings.spare_mac = dummy_->mac;
    settings.dummy = dummy_->address;
  }
  for (const RunningPort& port : ports_) {
    if (!settings.cold || !port.present || &port == &from || &port == &to) continue;
    (port.path == from.path ? settings.from_members : settings.to_members)
        .push_back(port.interface);
  }
  return failover::make_plan(identity, to.place(), to.spare_mac, settings,
                             keeper_.known_neighbours());
}

void GroupRunner::prepare_plan() {
  const RunningPort& from = lead(state_.active);
  const std::size_t standby = other_path();
  const RunningPort& to = ports_of(standby)[policy::best_lead(state_.paths[standby], true)];
  plan_ = plan_of(keeper_.identity(), from, to);
  plan_outdated_ = false;
  if (waiting_move_) waiting_move_->announced = false;  // there may be a new address in it
  hear_identity();
  name_identity(keeper_.identity());
  if (!config_.bridging || rules_.cold) return;
  if (from.present && to.present)
    around_.engine.arm_bridging(from.port, to.port, keeper_.identity().mac);
  else
    around_.engine.disarm_bridging(from.port);
}

// A cold port on its own is called by the identity's MAC address when it needs to be.
bool GroupRunner::hears_identity() const { return !rules_.cold || config_.has_trunk(); }

// Bridging receives the identity's frames on a port that is not called so.
void GroupRunner::hear_identity() {
  if (!hears_identity() || heard_mac_ == keeper_.identity().mac) return;
  for (RunningPort& port : ports_) {
    if (!port.announcer.valid()) continue;
    if (heard_mac_ != net::MacAddress{}) [[maybe_unused]]
      const Status gone = port.announcer.stop_listening_to(heard_mac_);
    if (Status heard = port.announcer.listen_to(keeper_.identity().mac); !heard)
      log::warning("{}: {}", config_.name, heard.error().message);
  }
  heard_mac_ = keeper_.identity().mac;
}

// Without it the other port may speak in the identity's name, as on every Linux host.
void GroupRunner::name_identity(const net::Identity& identity) {
  const Status named = around_.engine.name_identity(index_, net::arp_entries(identity));
  const std::string trouble = named ? "" : named.error().message;
  if (!trouble.empty() && trouble != naming_trouble_) log::warning("{}: {}", config_.name, trouble);
  naming_trouble_ = trouble;
}

void GroupRunner::finish_afterwards() {
  for (failover::Step& step : afterwards_)
    if (Status sent = around_.requests.send(step.messages); !sent)
      log::warning("{}: {}", config_.name, sent.error().message);
  if (!afterwards_.empty()) [[maybe_unused]]
    const auto ignored = around_.requests.collect();
  afterwards_.clear();
}

void GroupRunner::recapture() {
  const RunningPort& active = lead(state_.active);
  // What is down has lost a part of its identity already: the snapshot from before counts.
  if (!active.present || !active.admin_up) return keeper_.keep_snapshot();
  const auto tell = [&](const Error& error) {
    log::warning("{}: the identity of {} can not be read, the last snapshot stays: {}",
                 config_.name, active.interface.name, error.message);
  };
  if (restoration_) {
    if (const auto there = hold_what_will_be_back(); !there) return tell(there.error());
    return prepare_plan();
  }
  net::Identity held = keeper_.identity();
  const Result<bool> read = keeper_.read(active.interface);
  if (!read) tell(read.error());
  if (!read || !*read || taken_meanwhile(std::move(held))) return;
  let_go_.clear();
  if (active.rtnetlink_carrier) keeper_.read_known_neighbours();
  prepare_plan();
}

void GroupRunner::announce(const failover::Plan& plan) {
  if (config_.announce_count == 0) return;
  for (const RunningPort& port : ports_) {
    if (port.interface != plan.to) continue;
    // Without a carrier, or by a port that is muted because the verdict has not come to it yet.
    announced_in_vain_ =
        engine::load(around_.engine.steer(port.port).mode) == HANET_STEER_IDLE ||
        (around_.engine.sees_every_edge() &&
         engine::load(around_.engine.port(port.port).carrier) == HANET_CARRIER_DOWN);
    for (const net::Frame& frame : plan.announcements) [[maybe_unused]]
      const int refused = port.announcer.send(frame);
  }
}

// What was bridged taught the switch that the identity is elsewhere.
void GroupRunner::announce_anew() {
  announcements_.clear();
  const net::Identity& identity = keeper_.identity();
  for (const net::Address& address : identity.addresses)
    announcements_.push_back(failover::announcement(
        address, identity.mac, is_router(net::bearer_of(identity, address).name)));
  announcements_left_ = config_.announce_count;
  announce_at_ = monotonic_now();
}

// A port that just came up may negotiate for seconds, and what is sent meanwhile is lost: the
// announcements wait for the carrier, and all of them are sent again. For rtnetlink as well,
// because the kernel drops what is sent between the carrier's edge and dev_activate(), without an
// error (net/core/link_watch.c, linkwatch_do_dev; it tells behind both).
void GroupRunner::announce_again(MonotonicTime now) {
  const RunningPort& active = lead(state_.active);
  const bool sends = active.carrier_seen && active.rtnetlink_carrier;
  if (rules_.cold && !sends && now < active.settle_until) {
    if (!active.carrier_seen) announcements_left_ = config_.announce_count;
    announce_at_ = now + config_.announce_gap;
    return;
  }
  --announcements_left_;
  announce_at_ = now + config_.announce_gap;
  for (const net::Frame& frame : announcements_) [[maybe_unused]]
    const int refused = active.announcer.send(frame);
}

}  // namespace hanet::group
