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
  state.taken_out = port.taken_out;
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
  if (rules_.cold || state_.running ||
      policy::health_of(state_.paths[state_.active]) == policy::Health::Down)
    return;
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
          [&](const policy::StartSwitchover& start) {
            begin_switchover(start.switchover, received);
          },
          [&](const policy::AbandonSwitchover& abandon) {
            waiting_move_.reset();
            around_.engine.end_move(ports_[abandon.switchover.from].port,
                                    ports_[abandon.switchover.to].port);
            publish("switchover-abandoned", abandon.switchover.from,
                    fmt::format("the switch from {} to {} is given up: {}",
                                ports_[abandon.switchover.from].interface.name,
                                ports_[abandon.switchover.to].interface.name, abandon.reason));
          },
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

void GroupRunner::expect_negotiation(RunningPort& port) {
  port.carrier_seen = false;
  port.settle_until = monotonic_now() + kSettleTime;
}

void GroupRunner::link_changed(const net::LinkInfo& link, bool removed) {
  bool known = false;
  for (RunningPort& port : ports_) {
    // A card that was gone comes back by take_back() only, also with its old number.
    if (link.interface.index != port.interface.index || !port.present) continue;
    known = true;
    if (link.interface.index == keeper_.identity().on.index &&
        (link.mac != keeper_.identity().mac || link.interface.name != port.interface.name))
      keeper_.mark_stale();
    if (!removed && link.interface.name != port.interface.name) {
      log::notice("{}: {} is called {} now", config_.name, port.interface.name,
                  link.interface.name);
      port.interface.name = link.interface.name;
      plan_outdated_ = true;
    }
    port.present = !removed;
    if (removed) {
      around_.engine.unbind_port(port.port);
      expect_back(port);
    }
    if (!port.admin_up && link.admin_up && &port == &ports_[state_.active]) expect_identity_back();
    port.admin_up = link.admin_up;
    port.rtnetlink_carrier = link.carrier;
    // The bridge ends with the interface it hangs on.
    if (waiting_move_ && &port == &ports_[waiting_move_->switchover.from] &&
        (!port.present || !port.admin_up))
      waiting_move_->begins = monotonic_now();
  }
  if (!known && !removed) stranger_changed(link);
}

void GroupRunner::hear(const nlmsghdr& message) {
  if (intruded(message)) return;
  if (keeper_.hear(message)) plan_outdated_ = true;
}

void GroupRunner::tick(MonotonicTime now) {
  if (announcements_left_ > 0 && now >= announce_at_) announce_again(now);
  if (waiting_move_ && now >= waiting_move_->begins) perform_waiting_move();
  if (restore_at_ && now >= *restore_at_) restore_identity();
  judge_again(now);
  if (now >= afterwards_at_) finish_afterwards();
  if (keeper_.due(now) && !restore_at_) recapture();
  if (plan_outdated_ && plan_) prepare_plan();
  refresh(now);
  look_for_missing_ports(now);
  tell_what_is_unheard(now);
  save_snapshot(now);
  apply(policy::TimePassed{}, now);
  flush_notices();
}

std::optional<MonotonicTime> GroupRunner::next_deadline(MonotonicTime now) const {
  std::optional<MonotonicTime> next = policy::next_deadline(state_, now, rules_);
  const auto consider = [&](bool wanted, MonotonicTime at) {
    if (wanted && (!next || at < *next)) next = at;
  };
  consider(announcements_left_ > 0, announce_at_);
  if (waiting_move_) consider(true, waiting_move_->begins);
  if (restore_at_) consider(true, *restore_at_);
  for (const RunningPort& port : ports_)
    if (port.judged_at) consider(true, *port.judged_at);
  if (const auto reading = keeper_.next_deadline()) consider(true, *reading);
  consider(!afterwards_.empty(), afterwards_at_);
  for (std::size_t at = 0; at < ports_.size(); ++at)
    consider(awaits_proof(at), now + proof_interval(at));
  return next;
}

Result<std::size_t> GroupRunner::path_called(const std::string& interface) const {
  const auto found = std::ranges::find_if(
      ports_, [&](const RunningPort& port) { return port.interface.name == interface; });
  if (found != ports_.end()) return static_cast<std::size_t>(found - ports_.begin());
  return failure(fmt::format("group {} has no path {}; its paths are {} and {}", config_.name,
                             interface, ports_[0].interface.name, ports_[1].interface.name));
}

Result<const failover::Plan*> GroupRunner::preview(const std::string& interface) {
  Result<std::size_t> to = path_called(interface);
  if (!to) return pass_on(to);
  const MonotonicTime now = monotonic_now();
  refresh(now);
  if (keeper_.stale()) recapture();
  const policy::Decision decision =
      policy::decide(state_, policy::ManualSwitch{.to = *to}, now, rules_);
  for (const policy::Action& action : decision.actions)
    if (const auto* refuse = std::get_if<policy::Refuse>(&action))
      return failure(fmt::format("{} to {}: {}", config_.name, interface, refuse->reason));
  if (!plan_) return failure(fmt::format("{}: the identity was never captured", config_.name));
  return &*plan_;
}

Status GroupRunner::switch_to(const std::string& interface) {
  Result<std::size_t> path = path_called(interface);
  if (!path) return pass_on(path);
  const std::size_t to = *path;
  refusal_.clear();
  const MonotonicTime now = monotonic_now();
  refresh(now);
  if (waiting_move_ && waiting_move_->switchover.to == to)
    perform_waiting_move();  // it goes there anyway
  else
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
