// SPDX-License-Identifier: Apache-2.0
//
// What happened, what is decided, what follows; see group_runner.h.
#include "group/group_runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"
#include "policy/agreement.h"

namespace hanet::group {
namespace {

hanet_place place(policy::Place said) {
  switch (said) {
    case policy::Place::Elsewhere:
      return HANET_PLACE_ELSEWHERE;
    case policy::Place::Here:
      return HANET_PLACE_HERE;
    case policy::Place::HereByHand:
      return HANET_PLACE_HERE_BY_HAND;
    case policy::Place::Unknown:
      break;
  }
  return HANET_PLACE_UNKNOWN;
}

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

std::span<const RunningPort> GroupRunner::ports_of(std::size_t path) const {
  const auto first = std::ranges::find(ports_, path, &RunningPort::path);
  const auto count = std::ranges::count(ports_, path, &RunningPort::path);
  return {first, static_cast<std::size_t>(count)};
}

std::span<RunningPort> GroupRunner::ports_of(std::size_t path) {
  const std::span<const RunningPort> ports = std::as_const(*this).ports_of(path);
  return {ports_.data() + (ports.data() - ports_.data()), ports.size()};
}

const RunningPort& GroupRunner::lead(std::size_t path) const {
  return ports_of(path)[state_.paths[path].lead];
}

RunningPort& GroupRunner::lead(std::size_t path) { return ports_of(path)[state_.paths[path].lead]; }

RunningPort& GroupRunner::port_of(const policy::Switchover& switchover, bool to) {
  return to ? ports_of(switchover.to)[switchover.to_port]
            : ports_of(switchover.from)[switchover.from_port];
}

std::string GroupRunner::path_name(std::size_t path) const {
  std::string name;
  for (const RunningPort& port : ports_of(path))
    name += (name.empty() ? "" : "+") + port.interface.name;
  return name;
}

void GroupRunner::refresh(MonotonicTime received) {
  // Standbys first: the decision about the active path must know what they are worth now.
  const std::size_t active = state_.active;
  for (std::size_t path = 0; path < state_.paths.size(); ++path)
    if (path != active) refresh_path(path, received);
  refresh_path(active, received);
  const hanet_params& params = around_.engine.params(index_);
  const bool enabled = engine::load(params.enabled) != 0;
  if (enabled != state_.enabled) apply(policy::EnabledChanged{enabled}, received);
  const std::uint32_t threshold =
      std::clamp<std::uint32_t>(engine::load(params.threshold_percent), HANET_THRESHOLD_MIN_PERCENT,
                                HANET_THRESHOLD_MAX_PERCENT);
  if (threshold != state_.paths[0].threshold_percent)
    apply(policy::ThresholdChanged{threshold}, received);
  release_needless_bridging(received);
  follow_speaker();
  flush_notices();
}

// The switch has to learn where the identity's frames come in now: the host may have nothing to
// say, and what is sent to the port that spoke before is lost.
void GroupRunner::follow_speaker() {
  const hanet_trunk* trunk = around_.engine.trunk_of(lead(state_.active).port);
  if (trunk == nullptr || trunk->mode != HANET_TRUNK_INDEPENDENT) return;
  const std::uint64_t changes = engine::load(trunk->speaker_changes);
  if (changes == speaker_changes_) return;
  speaker_changes_ = changes;
  announce_anew();
}

// The kernel side bridged, but the path came back before anything was moved. Not while nobody knows
// what the path is worth, as a port without carrier just after attaching: bridged, the host works.
// Where both have died it stays: the kernel does not bridge again, and the standby may come back
// first.
void GroupRunner::release_needless_bridging(MonotonicTime received) {
  const std::size_t bridged = state_.active;
  const RunningPort& active = lead(bridged);
  if (rules_.cold || state_.running || !bridges(active)) return;
  // The kernel loses a path before it bridges: what was read before may be older than the bridge.
  refresh_path(bridged, received);
  if (state_.running || state_.active != bridged || &lead(bridged) != &active) return;
  if (policy::health_of(state_.paths[bridged]) != policy::Health::Up) return;
  around_.engine.carry(active.port, keeper_.identity().mac);
  around_.engine.release(lead(other_path()).port);
  announce_anew();
  publish("bridging-released", state_.active,
          fmt::format("{} works again before the identity was moved", path_name(bridged)));
}

void GroupRunner::apply(const policy::Event& event, MonotonicTime received) {
  policy::Decision decision = policy::decide(std::move(state_), event, received, rules_);
  state_ = std::move(decision.state);
  for (const policy::Action& action : decision.actions) act(action, received);
  for (const RunningPort& port : ports_)
    around_.engine.say_place(port.port,
                             place(policy::place_said(state_, port.path, monotonic_now())));
}

void GroupRunner::act(const policy::Action& action, MonotonicTime received) {
  std::visit(
      Overloaded{
          [&](const policy::StartSwitchover& start) {
            begin_switchover(start.switchover, received);
          },
          [&](const policy::AbandonSwitchover& abandon) {
            waiting_move_.reset();
            around_.engine.carry(port_of(abandon.switchover, false).port, keeper_.identity().mac);
            around_.engine.release(port_of(abandon.switchover, true).port);
            announce_anew();
            publish("switchover-abandoned", abandon.switchover.from,
                    fmt::format("the switch from {} to {} is given up: {}",
                                path_name(abandon.switchover.from),
                                path_name(abandon.switchover.to), abandon.reason));
          },
          [&](const policy::RaiseAlarm& alarm) {
            publish("alarm", alarm.path,
                    alarm.no_path
                        ? fmt::format("NO WORKING PATH: {} is down and no other path works; the "
                                      "identity stays, the first path to recover is used",
                                      path_name(alarm.path))
                        : fmt::format("standby {} is down: there is nothing to fail over to",
                                      path_name(alarm.path)));
          },
          [&](const policy::ClearAlarm& alarm) {
            publish("alarm-cleared", alarm.path,
                    fmt::format("{} {}", path_name(alarm.path),
                                alarm.no_path ? "carries traffic again" : "can take over again"));
          },
          [&](const policy::Refuse& refuse) { refusal_ = std::string(refuse.reason); }},
      action);
}

void GroupRunner::link_changed(const net::LinkInfo& link, bool removed) {
  follow_uppers(link, removed);
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
    if (!port.admin_up && link.admin_up && carries(port)) expect_identity_back();
    port.admin_up = link.admin_up;
    if (link.carrier) weigh_anew(port);  // it may have negotiated another speed
    port.carrier_doubted = !removed && around_.engine.doubts_carrier(port.port, link.carrier_on);
    if (!link.carrier && port.rtnetlink_carrier) around_.engine.hear_carrier_lost(port.port);
    port.rtnetlink_carrier = link.carrier;
    // The bridge ends with the interface it hangs on.
    if (waiting_move_ && waiting_move_->record.steered_in_kernel &&
        &port == &port_of(waiting_move_->switchover, false) && (!port.present || !port.admin_up))
      waiting_move_->begins = monotonic_now();
  }
  if (!known && !removed) stranger_changed(link);
}

void GroupRunner::hear(const nlmsghdr& message) {
  if (intruded(message)) return;
  note_what_is_let_go(message);
  if (keeper_.hear(message)) plan_outdated_ = true;
}

void GroupRunner::tick(MonotonicTime now) {
  if (waiting_move_ && now >= waiting_move_->begins) perform_waiting_move();
  if (restoration_ && now >= restoration_->at) restore_identity();
  judge_again(now);
  if (now >= afterwards_at_) finish_afterwards();
  if (keeper_.due(now)) recapture();
  if (plan_outdated_ && plan_) prepare_plan();
  refresh(now);
  // A carrier that has been there all the time is known now: nothing was announced in vain.
  if (announcements_left_ > 0 && now >= announce_at_) announce_again(now);
  look_for_missing_ports(now);
  tell_what_is_unheard(now);
  review_uppers(now);
  save_snapshot(now);
  apply(policy::TimePassed{}, now);
  // Behind the decisions, because looking takes its time; what it finds is an event like any other.
  for (RunningPort& port : ports_)
    if (port.carrier_doubted && port.present) learn_carrier(port);
  flush_notices();
}

std::optional<MonotonicTime> GroupRunner::next_deadline(MonotonicTime now) const {
  std::optional<MonotonicTime> next = policy::next_deadline(state_, now, rules_);
  const auto consider = [&](bool wanted, MonotonicTime at) {
    if (wanted && (!next || at < *next)) next = at;
  };
  consider(announcements_left_ > 0, announce_at_);
  if (waiting_move_) consider(true, waiting_move_->begins);
  if (restoration_) consider(true, restoration_->at);
  for (const RunningPort& port : ports_) {
    if (port.judged_at) consider(true, *port.judged_at);
    consider(waits_for_first_answers(port, now), port.first_answers_until);
    if (const MonotonicTime ends = rehash_ends(port); ends > now) consider(true, ends);
  }
  if (const auto reading = keeper_.next_deadline()) consider(true, *reading);
  consider(!afterwards_.empty(), afterwards_at_);
  consider(vlans_reviewed_from_ > now, vlans_reviewed_from_);
  for (std::size_t at = 0; at < ports_.size(); ++at)
    consider(awaits_proof(at), now + proof_interval(at));
  return next;
}

// Kept until nothing is urgent: a log that nobody reads must not hold a switchover up.
void GroupRunner::publish(std::string event, std::size_t path, std::string text) {
  notices_.push_back(Notice{.at = monotonic_now(),
                            .wall_time = wall_now(),
                            .event = std::move(event),
                            .group = config_.name,
                            .path = path_name(path),
                            .text = std::move(text)});
}

void GroupRunner::flush_notices() {
  for (const Notice& notice : notices_) around_.publish(notice);
  notices_.clear();
}

}  // namespace hanet::group
