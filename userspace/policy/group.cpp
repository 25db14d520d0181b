// SPDX-License-Identifier: Apache-2.0
//
// See group.h. decide() first lets the event change the state, then asks the same questions
// whatever the event was: is the active path down, where could the identity go, is a standby dead.
#include "policy/group.h"

#include <algorithm>

namespace hanet::policy {
namespace {

Cause cause_of(DownReason reason) {
  switch (reason) {
    case DownReason::InterfaceGone:
      return Cause::InterfaceGone;
    case DownReason::AdminDown:
      return Cause::AdminDown;
    case DownReason::CarrierLost:
      return Cause::CarrierLost;
    case DownReason::HeartbeatLost:
    case DownReason::None:
      break;
  }
  return Cause::HeartbeatLost;
}

bool can_take_over(const PathState& path, MonotonicTime now) {
  if (now < path.avoid_until) return false;
  switch (health_of(path)) {
    case Health::Up:
      return true;
    case Health::Down:
      return false;
    case Health::Unknown:
      return !path.watched;  // a cold standby is the only path that is used unseen
  }
  return false;
}

// Proved paths before unseen ones, then in the order of the configuration.
std::optional<std::size_t> best_alternative(const GroupState& state, MonotonicTime now) {
  std::optional<std::size_t> best;
  for (std::size_t at = 0; at < state.paths.size(); ++at) {
    if (at == state.active || !can_take_over(state.paths[at], now)) continue;
    const bool proved = health_of(state.paths[at]) == Health::Up;
    if (!best || (proved && health_of(state.paths[*best]) != Health::Up)) best = at;
  }
  return best;
}

class Decider {
 public:
  Decider(GroupState state, MonotonicTime now, const GroupRules& rules)
      : decision_{.state = std::move(state), .actions = {}}, now_(now), rules_(rules) {}

  void operator()(const PortChanged& event) {
    state().paths[event.path].ports[event.port] = event.state;
  }

  void operator()(const ManualSwitch& event) {
    const std::string_view refusal = why_not(event.to);
    if (!refusal.empty()) {
      decision_.actions.emplace_back(Refuse{refusal});
      return;
    }
    start(event.to, Cause::Manual);
  }

  void operator()(const SwitchoverEnded& event) {
    if (!state().running) return;
    const Switchover ended = *state().running;
    state().running.reset();
    if (!event.moved) {
      state().paths[ended.to].avoid_until = now_ + rules_.refusal_retry;
      return;
    }
    PathState& old = state().paths[ended.from];
    PathState& fresh = state().paths[ended.to];
    state().active = ended.to;
    if (!rules_.cold) return;
    if (ended.cause != Cause::Manual) old.avoid_until = now_ + rules_.cold_retry;
    old.watched = false;
    fresh.watched = true;
    // What was last seen of it is from its time as an idle path: down, without a carrier. It was
    // set up just now, so nothing is known of it until it is looked at again.
    for (PortState& port : fresh.ports) {
      port.admin_up = true;
      port.carrier.reset();
      port.session = SessionState::Unknown;
    }
  }

  void operator()(const EnabledChanged& event) { state().enabled = event.enabled; }
  void operator()(const TimePassed&) {}

  Decision finish() {
    consider_failover();
    review_alarms();
    return std::move(decision_);
  }

 private:
  GroupState& state() { return decision_.state; }

  std::string_view why_not(std::size_t to) {
    if (state().running) return "a switchover is running; try again when it has ended";
    if (to >= state().paths.size()) return "the group has no such path";
    if (to == state().active) return "this path is active already";
    if (health_of(state().paths[to]) == Health::Down)
      return "this path is down; a switch to it would cut the host off";
    if (!can_take_over(state().paths[to], now_))
      return "this path is not proved to work yet; 'hanetctl status' shows what is missing";
    return {};
  }

  void start(std::size_t to, Cause cause) {
    state().running = Switchover{.from = state().active, .to = to, .cause = cause};
    decision_.actions.emplace_back(StartSwitchover{*state().running});
  }

  void consider_failover() {
    if (!state().enabled || state().running) return;
    const PathState& active = state().paths[state().active];
    if (health_of(active) != Health::Down) return;
    if (const std::optional<std::size_t> to = best_alternative(state(), now_))
      start(*to, cause_of(down_reason(active)));
  }

  void review_alarms() {
    const bool stranded =
        health_of(state().paths[state().active]) == Health::Down && !state().running;
    if (stranded != state().no_path_alarm) {
      state().no_path_alarm = stranded;
      note_alarm(stranded, state().active, true);
    }
    for (std::size_t at = 0; at < state().paths.size(); ++at) {
      const bool dead = at != state().active && health_of(state().paths[at]) == Health::Down;
      if (dead == state().standby_alarm[at]) continue;
      state().standby_alarm[at] = dead;
      note_alarm(dead, at, false);
    }
  }

  void note_alarm(bool raised, std::size_t path, bool no_path) {
    if (raised)
      decision_.actions.emplace_back(RaiseAlarm{.path = path, .no_path = no_path});
    else
      decision_.actions.emplace_back(ClearAlarm{.path = path, .no_path = no_path});
  }

  Decision decision_;
  MonotonicTime now_;
  const GroupRules& rules_;
};

}  // namespace

GroupState initial_state(std::size_t paths, std::size_t active, const GroupRules& rules) {
  GroupState state;
  state.active = active;
  state.standby_alarm.resize(paths, false);
  for (std::size_t at = 0; at < paths; ++at) {
    PathState path;
    path.ports.resize(1);
    path.watched = !rules.cold || at == active;
    state.paths.push_back(std::move(path));
  }
  return state;
}

Decision decide(GroupState state, const Event& event, MonotonicTime now, const GroupRules& rules) {
  Decider decider(std::move(state), now, rules);
  std::visit(decider, event);
  return decider.finish();
}

std::optional<MonotonicTime> next_deadline(const GroupState& state, MonotonicTime now) {
  std::optional<MonotonicTime> next;
  for (const PathState& path : state.paths)
    if (path.avoid_until > now && (!next || path.avoid_until < *next)) next = path.avoid_until;
  return next;
}

std::string_view to_text(Cause cause) {
  switch (cause) {
    case Cause::HeartbeatLost:
      return "heartbeat lost";
    case Cause::CarrierLost:
      return "carrier lost";
    case Cause::AdminDown:
      return "administratively down";
    case Cause::InterfaceGone:
      return "interface gone";
    case Cause::Manual:
      return "manual switch";
  }
  return "?";
}

std::string_view rule_of(Cause cause) {
  switch (cause) {
    case Cause::HeartbeatLost:
      return "the detect multiplier of requests stood unanswered for the detection time (M3)";
    case Cause::CarrierLost:
      return "the port of the active path lost its carrier (M4)";
    case Cause::AdminDown:
      return "the interface of the active path was set down (M4)";
    case Cause::InterfaceGone:
      return "the interface of the active path was removed (M4)";
    case Cause::Manual:
      return "a person asked for it (A2)";
  }
  return "?";
}

}  // namespace hanet::policy
