// SPDX-License-Identifier: Apache-2.0
//
// See group_runner.h. This file is the running half: what changed, what is decided, what follows.
// group_start.cpp is the other half: how a group comes to life and ends.
#include "service/group_runner.h"

#include <fmt/format.h>
#include <linux/neighbour.h>

#include <algorithm>
#include <fstream>

#include "core/log.h"
#include "core/priority.h"
#include "net/capture.h"
#include "service/session_setup.h"

namespace hanet::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Changes come in bursts (an `ip addr flush`, a daemon that configures): capture once behind them.
constexpr Nanoseconds kRecaptureDelay = milliseconds(20);
constexpr Nanoseconds kAfterwardsDelay = seconds(1);
// Some 3 us each in a switchover; more than a host talks to within a second.
constexpr std::size_t kMaxKnownNeighbours = 128;

// Lifetimes run down without a notification.
constexpr Nanoseconds kLifetimeCheck = seconds(1);

bool has_finite_lifetimes(const net::Identity& identity) {
  return std::ranges::any_of(identity.addresses, [](const net::Address& address) {
    return address.valid_seconds != UINT32_MAX;
  });
}

bool is_router(const std::string& interface) {
  std::ifstream file("/proc/sys/net/ipv6/conf/" + interface + "/forwarding");
  int forwarding = 0;
  return file >> forwarding && forwarding != 0;
}

policy::SessionState session_state(std::uint32_t state) {
  switch (static_cast<hanet_session_state>(state)) {
    case HANET_SESSION_UP:
      return policy::SessionState::Up;
    case HANET_SESSION_DOWN:
      return policy::SessionState::Down;
    case HANET_SESSION_PAUSED:
      return policy::SessionState::Paused;
    case HANET_SESSION_UNKNOWN:
      break;
  }
  return policy::SessionState::Unknown;
}

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

policy::PortState GroupRunner::port_state(std::size_t at, MonotonicTime now) {
  RunningPort& port = ports_[at];
  const hanet_port& seen = around_.engine.port(port.port);
  policy::PortState state;
  state.present = port.present;
  state.admin_up = port.admin_up;
  state.session = session_state(engine::load(around_.engine.session(port.session).state));
  if (awaits_proof(at)) state.session = policy::SessionState::Unknown;
  const std::uint32_t carrier = engine::load(seen.carrier);
  const bool has_link_poll = engine::load(seen.net_device) != 0;
  const bool up = has_link_poll && carrier != HANET_CARRIER_UNKNOWN ? carrier == HANET_CARRIER_UP
                                                                    : port.rtnetlink_carrier;
  if (up && !port.carrier_seen) {
    port.carrier_seen = true;
    // Requests that left while the link negotiated prove nothing: count from here.
    if (state_.paths[at].watched && state.session == policy::SessionState::Down)
      if (Status begun = around_.engine.start_session(port.session); begun)
        state.session = policy::SessionState::Unknown;
  }
  if (!port.carrier_seen && now < port.settle_until) state.session = policy::SessionState::Unknown;
  if (up || port.carrier_seen || now >= port.settle_until) state.carrier = up;
  return state;
}

bool GroupRunner::awaits_proof(std::size_t at) const {
  // A port that can not answer (down, or gone) will be judged by that.
  if (at == state_.active || !ports_[at].admin_up || !ports_[at].present) return false;
  const hanet_session& active = around_.engine.session(ports_[state_.active].session);
  const hanet_session& standby = around_.engine.session(ports_[at].session);
  return engine::load(active.state) == HANET_SESSION_DOWN &&
         engine::load(standby.state) == HANET_SESSION_UP &&
         engine::load(standby.last_reply_ns) <= engine::load(active.first_lost_ns);
}

// A reply is due once in an interval; looking four times as often loses little and costs little.
Nanoseconds GroupRunner::proof_interval(std::size_t at) const {
  const std::chrono::microseconds interval(
      engine::load(around_.engine.session(ports_[at].session).interval_us));
  return std::max<Nanoseconds>(interval / 4, std::chrono::microseconds(HANET_INTERVAL_MIN_US));
}

void GroupRunner::refresh(MonotonicTime received) {
  // Standbys first: the decision about the active path must know what they are worth now.
  for (std::size_t at = 0; at < ports_.size(); ++at)
    if (at != state_.active) refresh_port(at, received);
  refresh_port(state_.active, received);
  const bool enabled = engine::load(around_.engine.params(index_).enabled) != 0;
  if (enabled != state_.enabled) apply(policy::EnabledChanged{enabled}, received);
  release_needless_bridging();
  flush_notices();
}

void GroupRunner::refresh_port(std::size_t at, MonotonicTime received) {
  const policy::PortState now = port_state(at, received);
  if (now == state_.paths[at].ports.front()) return;
  policy::PathState next = state_.paths[at];
  next.ports.front() = now;
  const policy::Health before = policy::health_of(state_.paths[at]);
  const policy::Health after = policy::health_of(next);
  if (before != after) {
    if (after == policy::Health::Down) ports_[at].down_since = received;
    const std::string_view reason = policy::to_text(policy::down_reason(next));
    publish(fmt::format("path-{}", policy::to_text(after)), at,
            fmt::format("path {} is {}{}{}", ports_[at].interface.name, policy::to_text(after),
                        reason.empty() ? "" : ": ", reason));
  }
  apply(policy::PortChanged{.path = at, .port = 0, .state = now}, received);
}

// The kernel side bridged, but the path came back before anything was moved.
void GroupRunner::release_needless_bridging() {
  if (rules_.cold || policy::health_of(state_.paths[state_.active]) == policy::Health::Down) return;
  const RunningPort& active = ports_[state_.active];
  if (engine::load(around_.engine.steer(active.port).mode) == HANET_STEER_NONE) return;
  around_.engine.end_move(active.port, ports_[state_.active == 0 ? 1 : 0].port);
  publish("bridging-released", state_.active,
          fmt::format("{} works again before the identity was moved", active.interface.name));
}

void GroupRunner::apply(const policy::Event& event, MonotonicTime received) {
  policy::Decision decision = policy::decide(std::move(state_), event, received, rules_);
  state_ = std::move(decision.state);
  for (const policy::Action& action : decision.actions) act(action, received);
}

void GroupRunner::act(const policy::Action& action, MonotonicTime received) {
  std::visit(
      Overloaded{
          [&](const policy::StartSwitchover& start) { perform(start.switchover, received); },
          [&](const policy::RaiseAlarm& alarm) {
            publish("alarm", alarm.path,
                    alarm.no_path
                        ? fmt::format("NO WORKING PATH: {} is down and no other path works; the "
                                      "identity stays, the first path to recover is used",
                                      ports_[alarm.path].interface.name)
                        : fmt::format("standby {} is down: there is nothing to fail over to",
                                      ports_[alarm.path].interface.name));
          },
          [&](const policy::ClearAlarm& alarm) {
            publish("alarm-cleared", alarm.path,
                    fmt::format("{} {}", ports_[alarm.path].interface.name,
                                alarm.no_path ? "carries traffic again" : "can take over again"));
          },
          [&](const policy::Refuse& refuse) { refusal_ = std::string(refuse.reason); }},
      action);
}

failover::SwitchoverRecord GroupRunner::begin_record(const policy::Switchover& switchover,
                                                     MonotonicTime received) const {
  const RunningPort& from = ports_[switchover.from];
  const hanet_session& session = around_.engine.session(from.session);
  const hanet_port& port = around_.engine.port(from.port);
  failover::SwitchoverRecord record;
  record.group = config_.name;
  record.from = from.interface.name;
  record.to = ports_[switchover.to].interface.name;
  record.cause = policy::to_text(switchover.cause);
  record.rule = policy::rule_of(switchover.cause);
  record.wall_time = wall_now();
  record.verdict = received;
  record.event_received = received;
  record.decided = received;
  record.steered_in_kernel =
      engine::load(around_.engine.steer(from.port).mode) == HANET_STEER_BRIDGE_OUT;
  if (switchover.cause == policy::Cause::Manual) return record;
  // It may be long ago that the path went down, if nothing could take over then.
  record.event_received = from.down_since;
  record.verdict = from.down_since;
  if (switchover.cause == policy::Cause::HeartbeatLost) {
    record.first_lost = from_kernel_ns(engine::load(session.first_lost_ns));
    record.deadline = from_kernel_ns(engine::load(session.deadline_ns));
    record.verdict = from_kernel_ns(engine::load(session.verdict_ns));
    record.unanswered =
        static_cast<std::uint32_t>(engine::load(session.sent) - engine::load(session.answered));
  } else if (switchover.cause == policy::Cause::CarrierLost &&
             engine::load(port.carrier) == HANET_CARRIER_DOWN) {
    record.verdict = from_kernel_ns(engine::load(port.carrier_changed_ns));
  }
  return record;
}

void GroupRunner::perform(const policy::Switchover& switchover, MonotonicTime received) {
  RunningPort& from = ports_[switchover.from];
  RunningPort& to = ports_[switchover.to];
  // Look at what waits before the identity is touched (spec F3). Bridging covers the time.
  around_.drain_notifications();
  if (identity_stale_) recapture();
  failover::SwitchoverRecord record = begin_record(switchover, received);
  if (!plan_) {
    publish("alarm", switchover.to, "no plan for a switchover: the identity was never captured");
    apply(policy::SwitchoverEnded{.moved = false}, received);
    return;
  }
  finish_afterwards();
  failover::Plan plan = std::move(*plan_);
  plan_.reset();
  if (rules_.cold && from.present) around_.engine.pause_session(from.session);
  around_.engine.begin_move(from.port, to.port, identity_.mac);
  const auto back = [&] {
    net::Identity there = plan.expected;
    return failover::make_plan(there, from.interface, from.spare_mac,
                               {.cold = rules_.cold,
                                .move_mac = config_.move_mac,
                                .from_gone = false,
                                .router = is_router(from.interface.name),
                                .spare_mac = to.spare_mac});
  };
  record.execution =
      failover::execute(around_.requests, plan, back, [&](const failover::Plan& done) {
        announce(done);
        become_ordinary();
      });
  around_.engine.end_move(from.port, to.port);
  const failover::Outcome outcome = record.execution.outcome;
  afterwards_ = std::move(record.execution.afterwards);
  afterwards_at_ = monotonic_now() + kAfterwardsDelay;
  if (record.execution.restarted_link) expect_negotiation(to);
  after_move(switchover, plan, outcome);
  record.finished = monotonic_now();
  const failover::SwitchoverRecord& kept = around_.history.add(std::move(record));
  publish("switchover", switchover.to,
          fmt::format("{} to {} ({}): {} after {} us{}{}", kept.from, kept.to, kept.cause,
                      failover::to_text(outcome),
                      (kept.execution.last_message_sent - kept.verdict).count() / 1000,
                      kept.execution.problems.empty() ? "" : "; ",
                      fmt::join(kept.execution.problems, "; ")));
  // Without the right to it, hanetd said so when it started.
  [[maybe_unused]] const bool real_time = become_real_time(kMainPriority);
  apply(policy::SwitchoverEnded{.moved = outcome != failover::Outcome::RolledBack},
        monotonic_now());
}

void GroupRunner::after_move(const policy::Switchover& switchover, const failover::Plan& plan,
                             failover::Outcome outcome) {
  RunningPort& from = ports_[switchover.from];
  RunningPort& to = ports_[switchover.to];
  const bool moved = outcome != failover::Outcome::RolledBack;
  if (moved) {
    identity_ = plan.expected;
    move_settings(from.interface.name, to.interface.name);
    announcements_ = plan.announcements;
    announcements_left_ = config_.announce_count > 0 ? config_.announce_count - 1 : 0;
    announce_at_ = monotonic_now() + config_.announce_gap;
  }
  if (rules_.cold) {
    RunningPort& carrier = moved ? to : from;
    RunningPort& idle = moved ? from : to;
    carrier.admin_up = true;
    expect_negotiation(carrier);
    idle.admin_up = false;
    around_.engine.pause_session(idle.session);
    if (Status started = around_.engine.start_session(carrier.session); !started)
      log::error("{}: {}", config_.name, started.error().message);
  }
  // The state the policy sees next must already be that of the new roles.
  identity_stale_ = true;
  recapture_at_ = monotonic_now() + kRecaptureDelay;
  const std::size_t active = moved ? switchover.to : switchover.from;
  state_.active = active;
  prepare_plan();
}

void GroupRunner::prepare_plan() {
  const std::size_t active = state_.active;
  const std::size_t standby = active == 0 ? 1 : 0;
  RunningPort& from = ports_[active];
  RunningPort& to = ports_[standby];
  plan_ = failover::make_plan(identity_, to.interface, to.spare_mac,
                              {.cold = rules_.cold,
                               .move_mac = config_.move_mac,
                               .from_gone = !from.present,
                               .router = is_router(from.interface.name),
                               .spare_mac = from.spare_mac},
                              known_neighbours_);
  plan_outdated_ = false;
  hear_identity();
  if (config_.bridging && !rules_.cold)
    around_.engine.arm_bridging(from.port, to.port, identity_.mac);
}

void GroupRunner::expect_negotiation(RunningPort& port) {
  port.carrier_seen = false;
  port.settle_until = monotonic_now() + kSettleTime;
}

// Bridging receives the identity's frames on a port that is not called so.
void GroupRunner::hear_identity() {
  if (rules_.cold || heard_mac_ == identity_.mac) return;
  for (RunningPort& port : ports_) {
    if (heard_mac_ != net::MacAddress{}) [[maybe_unused]]
      const Status gone = port.announcer.stop_listening_to(heard_mac_);
    if (Status heard = port.announcer.listen_to(identity_.mac); !heard)
      log::warning("{}: {}", config_.name, heard.error().message);
  }
  heard_mac_ = identity_.mac;
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
  identity_stale_ = false;
  const RunningPort& active = ports_[state_.active];
  // What is down has lost a part of its identity already: the snapshot from before counts.
  if (!active.present || !active.admin_up) return;
  Result<net::Identity> found = net::capture(around_.requests, active.interface);
  if (!found) {
    log::warning("{}: the identity of {} can not be read, the last snapshot stays: {}",
                 config_.name, active.interface.name, found.error().message);
    return;
  }
  const Result<net::LinkInfo> link = net::read_link(around_.requests, active.interface.index);
  if (!link || !link->admin_up) return;
  identity_ = std::move(*found);
  captured_at_ = monotonic_now();
  read_known_neighbours();
  prepare_plan();
}

void GroupRunner::read_known_neighbours() {
  // Without carrier the kernel has just forgotten them all; the last known are better.
  if (!ports_[state_.active].rtnetlink_carrier) return;
  Result<std::vector<net::KernelObject>> known =
      net::capture_known_neighbours(around_.requests, ports_[state_.active].interface);
  if (!known) return;
  if (known->size() > kMaxKnownNeighbours) known->resize(kMaxKnownNeighbours);
  known_neighbours_ = std::move(*known);
}

void GroupRunner::neighbour_changed(const nlmsghdr& message) {
  const auto* header = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message));
  const auto ifindex = static_cast<unsigned>(header->ndm_ifindex);
  if (ifindex != ports_[state_.active].interface.index) return;
  const bool removed = message.nlmsg_type == RTM_DELNEIGH;
  if ((header->ndm_state & NUD_PERMANENT) != 0 || (header->ndm_flags & NTF_PROXY) != 0 ||
      (removed && !identity_.neighbours.empty()))
    identity_changed(ifindex);
  // What is removed stays known: losing the carrier removes everything, just before it is needed.
  std::optional<net::KernelObject> neighbour = removed ? std::nullopt : net::neighbour_of(message);
  if (!neighbour) return;
  const auto same = std::ranges::find_if(known_neighbours_, [&](const net::KernelObject& known) {
    return known.attributes.at(NDA_DST) == neighbour->attributes.at(NDA_DST);
  });
  if (same != known_neighbours_.end()) {
    if (*same == *neighbour) return;
    *same = std::move(*neighbour);
  } else if (known_neighbours_.size() < kMaxKnownNeighbours) {
    known_neighbours_.push_back(std::move(*neighbour));
  }
  plan_outdated_ = true;
}

void GroupRunner::announce(const failover::Plan& plan) {
  if (config_.announce_count == 0) return;
  for (const RunningPort& port : ports_)
    if (port.interface == plan.to)
      for (const net::Frame& frame : plan.announcements) [[maybe_unused]]
        const int refused = port.announcer.send(frame);
}

// A port that just came up may negotiate for seconds, and what is sent meanwhile is lost: the
// announcements wait for the carrier, and all of them are sent again.
void GroupRunner::announce_again(MonotonicTime now) {
  const RunningPort& active = ports_[state_.active];
  if (rules_.cold && !active.carrier_seen && now < active.settle_until) {
    announcements_left_ = config_.announce_count;
    announce_at_ = now + config_.announce_gap;
    return;
  }
  --announcements_left_;
  announce_at_ = now + config_.announce_gap;
  for (const net::Frame& frame : announcements_) [[maybe_unused]]
    const int refused = active.announcer.send(frame);
}

void GroupRunner::link_changed(const net::LinkInfo& link, bool removed) {
  for (RunningPort& port : ports_) {
    if (link.interface.index != port.interface.index) continue;
    if (link.mac != identity_.mac || link.interface.name != port.interface.name)
      identity_changed(link.interface.index);
    if (!removed && link.interface.name != port.interface.name) {
      log::notice("{}: {} is called {} now", config_.name, port.interface.name,
                  link.interface.name);
      port.interface.name = link.interface.name;
      plan_outdated_ = true;
    }
    port.present = !removed;
    if (removed) around_.engine.forget_device(port.port);
    port.admin_up = link.admin_up;
    port.rtnetlink_carrier = link.carrier;
  }
}

void GroupRunner::identity_changed(unsigned ifindex) {
  if (ifindex != 0 && ifindex != ports_[state_.active].interface.index) return;
  if (!identity_stale_) recapture_at_ = monotonic_now() + kRecaptureDelay;
  identity_stale_ = true;
}

void GroupRunner::tick(MonotonicTime now) {
  if (announcements_left_ > 0 && now >= announce_at_) announce_again(now);
  if (now >= captured_at_ + kLifetimeCheck && has_finite_lifetimes(identity_))
    identity_stale_ = true;
  if (now >= afterwards_at_) finish_afterwards();
  if (identity_stale_ && now >= recapture_at_) recapture();
  if (plan_outdated_ && plan_) prepare_plan();
  refresh(now);
  apply(policy::TimePassed{}, now);
  flush_notices();
}

std::optional<MonotonicTime> GroupRunner::next_deadline(MonotonicTime now) const {
  std::optional<MonotonicTime> next = policy::next_deadline(state_, now);
  const auto consider = [&](bool wanted, MonotonicTime at) {
    if (wanted && (!next || at < *next)) next = at;
  };
  consider(announcements_left_ > 0, announce_at_);
  consider(identity_stale_, recapture_at_);
  consider(!afterwards_.empty(), afterwards_at_);
  for (std::size_t at = 0; at < ports_.size(); ++at)
    consider(awaits_proof(at), now + proof_interval(at));
  return next;
}

Status GroupRunner::switch_to(const std::string& interface) {
  const auto found = std::ranges::find_if(
      ports_, [&](const RunningPort& port) { return port.interface.name == interface; });
  if (found == ports_.end())
    return failure(fmt::format("group {} has no path {}; its paths are {} and {}", config_.name,
                               interface, ports_[0].interface.name, ports_[1].interface.name));
  refusal_.clear();
  const auto to = static_cast<std::size_t>(found - ports_.begin());
  const MonotonicTime now = monotonic_now();
  refresh(now);
  apply(policy::ManualSwitch{.to = to}, now);
  flush_notices();
  if (!refusal_.empty())
    return failure(fmt::format("{} to {}: {}", config_.name, interface, refusal_));
  if (state_.active != to)
    return failure(fmt::format("{} to {}: rolled back; 'hanetctl explain' shows the failed step",
                               config_.name, interface));
  return {};
}

// Kept until nothing is urgent: a log that nobody reads must not hold a switchover up.
void GroupRunner::publish(std::string event, std::size_t path, std::string text) {
  notices_.push_back(Notice{.at = monotonic_now(),
                            .wall_time = wall_now(),
                            .event = std::move(event),
                            .group = config_.name,
                            .path = ports_[path].interface.name,
                            .text = std::move(text)});
}

void GroupRunner::flush_notices() {
  for (const Notice& notice : notices_) around_.publish(notice);
  notices_.clear();
}

}  // namespace hanet::service
