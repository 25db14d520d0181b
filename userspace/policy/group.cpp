// SPDX-License-Identifier: Apache-2.0
//
// See group.h. decide() first lets the event change the state, then asks the same questions
// whatever the event was: is the active path down, where could the identity go, is a standby dead.
#include "policy/group.h"

#include <algorithm>
#include <utility>

#include "policy/agreement.h"

namespace hanet::policy {
namespace {

constexpr std::size_t kPrimary = 0;

Cause cause_of(DownReason reason) {
  switch (reason) {
    case DownReason::TakenOut:  // never the active path
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

// Proved paths before unseen ones, then in the order of the configuration, beginning behind the
// active one. Only with Failback::Failure and Failback::Always does the primary come first.
std::optional<std::size_t> best_alternative(const GroupState& state, MonotonicTime now,
                                            const GroupRules& rules) {
  std::optional<std::size_t> best;
  const bool in_order = rules.failback == Failback::Never;
  const std::size_t first = in_order ? state.active + 1 : 0;
  for (std::size_t step = 0; step < state.paths.size(); ++step) {
    const std::size_t at = (first + step) % state.paths.size();
    if (at == state.active || !can_take_over(state.paths[at], now)) continue;
    const bool proved = health_of(state.paths[at]) == Health::Up;
    if (!best || (proved && health_of(state.paths[*best]) != Health::Up)) best = at;
  }
  return best;
}

// A trunk below its threshold is still better than a path of which nothing works.
std::optional<std::size_t> last_resort(const GroupState& state, MonotonicTime now) {
  if (capacity_of(state.paths[state.active]).working > 0) return std::nullopt;
  std::optional<std::size_t> best;
  std::uint64_t most = 0;
  for (std::size_t at = 0; at < state.paths.size(); ++at) {
    const std::uint64_t working = capacity_of(state.paths[at]).working;
    if (at == state.active || now < state.paths[at].avoid_until || working <= most) continue;
    best = at;
    most = working;
  }
  return best;
}

class Decider {
 public:
  Decider(GroupState state, MonotonicTime now, const GroupRules& rules)
      : decision_{.state = std::move(state), .actions = {}}, now_(now), rules_(rules) {}

  void operator()(const PathChanged& event) {
    PathState& path = state().paths[event.path];
    const Health before = health_of(path);
    path.ports = event.ports;
    const Health after = health_of(path);
    if (after == Health::Up) path.failures = 0;
    if (after == before) return;
    if (after == Health::Up) path.up_since = now_;
    if (after != Health::Down) return;
    path.damping.failed(now_, rules_.damping_half_life);
    if (event.path == kPrimary) state().failback_held = false;
  }

  void operator()(const ManualSwitch& event) {
    if (state().waits_until && state().running->to == event.to) return carry_out();
    const std::string_view refusal = why_not(event);
    if (!refusal.empty()) {
      decision_.actions.emplace_back(Refuse{refusal});
      return;
    }
    start(event.to, Cause::Manual, event.port);
  }

  void operator()(const SwitchoverWaits& event) {
    if (!state().running || is_between_roles()) return;
    if (event.until <= now_) return carry_out();
    state().waits_until = event.until;
  }

  void operator()(const WaitingEnds&) {
    if (state().waits_until) state().waits_until = now_;
  }

  void operator()(const IdentityMoved&) {
    if (!state().running) return;
    make_active(*state().running);
    decision_.actions.emplace_back(FinishSwitchover{*state().running});
  }

  void operator()(const SwitchoverEnded& event) {
    state().waits_until.reset();
    if (!state().running) return;
    const Switchover ended = *std::exchange(state().running, std::nullopt);
    taken_over_ = event.moved && ended.from != ended.to;
    if (event.moved)
      note_move(ended);
    else if (event.attempted)
      note_roll_back(ended);
  }

  void operator()(const EnabledChanged& event) {
    just_enabled_ = event.enabled && !state().enabled;
    state().enabled = event.enabled;
  }
  void operator()(const ThresholdChanged& event) {
    for (PathState& path : state().paths) path.threshold_percent = event.percent;
  }
  void operator()(const TimePassed&) { time_passed_ = true; }

  Decision finish() {
    if (state().waits_until) reconsider();
    if (time_passed_ && state().waits_until && now_ >= *state().waits_until) carry_out();
    if (is_between_roles()) return std::move(decision_);
    consider_failover();
    consider_lead();
    consider_agreement();
    consider_failback();
    review_alarms();
    return std::move(decision_);
  }

 private:
  GroupState& state() { return decision_.state; }

  // The identity has moved, and the switchover has not ended: what each path is now is said then.
  [[nodiscard]] bool is_between_roles() const {
    const GroupState& now = decision_.state;
    return now.running && now.active == now.running->to &&
           now.paths[now.active].lead == now.running->to_port;
  }

  void carry_out() {
    state().waits_until.reset();
    decision_.actions.emplace_back(CarryOutSwitchover{*state().running});
  }

  void make_active(const Switchover& moved) {
    state().active = moved.to;
    state().paths[moved.to].lead = moved.to_port;
  }

  void note_roll_back(const Switchover& ended) {
    if (ended.from == ended.to) {
      state().paths[ended.to].keep_lead_until = now_ + rules_.first_retry;
      return;
    }
    avoid(state().paths[ended.to]);
    // A path that works and refuses the identity is not asked again and again.
    if (ended.cause == Cause::Failback) state().failback_held = true;
  }

  void note_move(const Switchover& ended) {
    PathState& old = state().paths[ended.from];
    PathState& fresh = state().paths[ended.to];
    make_active(ended);
    if (ended.from == ended.to) return;
    const bool wanted = ended.cause == Cause::Manual || ended.cause == Cause::PeerElsewhere;
    state().failback_held = wanted && ended.to != kPrimary;
    state().by_hand_until = ended.cause == Cause::Manual ? now_ + kByHand : MonotonicTime{};
    if (!rules_.cold) return;
    if (is_failure(ended.cause)) avoid(old);
    old.watched = false;
    fresh.watched = true;
    // What was seen of the port while it was down by intent says nothing about it now.
    for (PortState& port : fresh.ports) {
      const PortState seen = std::exchange(port, PortState{});
      port.present = seen.present;
      port.taken_out = seen.taken_out;
      port.weight = seen.weight;
    }
  }

  std::string_view why_not(const ManualSwitch& event) {
    const std::size_t to = event.to;
    if (state().running) return "a switchover is running; try again when it has ended";
    if (to >= state().paths.size()) return "the group has no such path";
    const PathState& path = state().paths[to];
    if (to == state().active && event.port.value_or(path.lead) == path.lead)
      return "this path is active already";
    if (event.port && !can_lead(path, *event.port))
      return "this port is not there, taken out or administratively down";
    if (to == state().active) return {};
    if (health_of(state().paths[to]) == Health::Down)
      return "this path is down; a switch to it would cut the host off";
    // A person who names an unseen path knows more of it than its last failure tells.
    if (state().paths[to].watched && health_of(state().paths[to]) != Health::Up)
      return "this path is not proved to work yet; 'hanetctl status' shows what is missing";
    return {};
  }

  void avoid(PathState& path) {
    const Nanoseconds wait = rules_.first_retry * (std::int64_t{1} << std::min(path.failures, 20U));
    path.avoid_until = now_ + std::min(wait, rules_.cold_retry);
    ++path.failures;
  }

  void start(std::size_t to, Cause cause, std::optional<std::size_t> port = {}) {
    const PathState& path = state().paths[to];
    state().running = Switchover{.from = state().active,
                                 .to = to,
                                 .cause = cause,
                                 .from_port = state().paths[state().active].lead,
                                 .to_port = port.value_or(best_lead(path, to != state().active))};
    decision_.actions.emplace_back(StartSwitchover{*state().running});
  }

  // What was decided is judged again as long as nothing was touched.
  void reconsider() {
    const Switchover waiting = *state().running;
    std::string_view reason;
    if (!state().enabled)
      reason = "the group was disabled";
    else if (capacity_of(state().paths[waiting.to]).working == 0 &&
             health_of(state().paths[waiting.to]) == Health::Down)
      reason = "the other path failed as well";
    else if (is_failure(waiting.cause) && waiting.from != waiting.to &&
             health_of(state().paths[waiting.from]) != Health::Down)
      reason = "the path is not down any more";
    if (reason.empty()) return;
    state().running.reset();
    state().waits_until.reset();
    decision_.actions.emplace_back(AbandonSwitchover{.switchover = waiting, .reason = reason});
  }

  void consider_failover() {
    if (!state().enabled || state().running) return;
    const PathState& active = state().paths[state().active];
    if (health_of(active) != Health::Down) return;
    std::optional<std::size_t> to = best_alternative(state(), now_, rules_);
    if (!to) to = last_resort(state(), now_);
    if (to) start(*to, just_enabled_ ? Cause::GroupEnabled : cause_of(down_reason(active)));
  }

  // The path stays, but the interface that has the identity can not any more.
  void consider_lead() {
    if (!state().enabled || state().running) return;
    const PathState& active = state().paths[state().active];
    if (now_ < active.keep_lead_until) return;
    if (can_lead(active, active.lead) || !can_lead(active, best_lead(active, false))) return;
    start(state().active,
          just_enabled_ ? Cause::GroupEnabled : cause_of(down_reason(active, active.lead)));
  }

  void consider_agreement() {
    const std::optional<std::size_t> to = meeting_path(state(), now_);
    if (!state().enabled || state().running || !to) {
      state().apart_since.reset();
      return;
    }
    if (!state().apart_since) state().apart_since = now_;
    if (now_ >= *state().apart_since + kApart) start(*to, Cause::PeerElsewhere);
  }

  void consider_failback() {
    if (!state().enabled || state().running) return;
    const std::optional<MonotonicTime> at = failback_at(state(), rules_);
    if (at && now_ >= *at) start(kPrimary, Cause::Failback);
  }

  void review_no_path() {
    const bool stranded = health_of(state().paths[state().active]) == Health::Down;
    if (state().no_path_alarm && (taken_over_ || !stranded)) {
      state().no_path_alarm = false;
      decision_.actions.emplace_back(
          ClearAlarm{.path = state().active, .no_path = true, .taken_over = taken_over_});
    }
    if (state().no_path_alarm || !stranded) return;
    state().no_path_alarm = true;
    decision_.actions.emplace_back(RaiseAlarm{.path = state().active, .no_path = true});
  }

  void review_alarms() {
    if (!state().running) review_no_path();
    for (std::size_t at = 0; at < state().paths.size(); ++at) {
      const bool dead = at != state().active && health_of(state().paths[at]) == Health::Down;
      if (dead == state().standby_alarm[at]) continue;
      state().standby_alarm[at] = dead;
      if (dead)
        decision_.actions.emplace_back(RaiseAlarm{.path = at});
      else
        decision_.actions.emplace_back(ClearAlarm{.path = at});
    }
  }

  Decision decision_;
  MonotonicTime now_;
  const GroupRules& rules_;
  bool time_passed_ = false;   // only then what waits is carried out
  bool just_enabled_ = false;  // by this event
  bool taken_over_ = false;    // the active path is another one by this event
};

}  // namespace

GroupState initial_state(std::span<const std::size_t> ports, std::size_t active,
                         const GroupRules& rules, std::size_t lead,
                         std::uint32_t threshold_percent) {
  GroupState state;
  state.active = active;
  state.standby_alarm.resize(ports.size(), false);
  for (std::size_t at = 0; at < ports.size(); ++at) {
    PathState path;
    path.ports.resize(ports[at]);
    path.watched = !rules.cold || at == active;
    path.threshold_percent = threshold_percent;
    if (at == active) path.lead = lead;
    state.paths.push_back(std::move(path));
  }
  return state;
}

std::size_t next_path(const GroupState& state, MonotonicTime now, const GroupRules& rules) {
  if (const auto best = best_alternative(state, now, rules)) return *best;
  if (const auto most = last_resort(state, now)) return *most;
  return (state.active + 1) % state.paths.size();
}

Decision decide(GroupState state, const Event& event, MonotonicTime now, const GroupRules& rules) {
  Decider decider(std::move(state), now, rules);
  std::visit(decider, event);
  return decider.finish();
}

std::optional<MonotonicTime> failback_at(const GroupState& state, const GroupRules& rules) {
  const bool by_itself = rules.failback == Failback::Always || rules.failback == Failback::Better;
  if (!by_itself || rules.cold) return std::nullopt;
  if (state.active == kPrimary || state.failback_held) return std::nullopt;
  const PathState& primary = state.paths[kPrimary];
  if (health_of(primary) != Health::Up) return std::nullopt;
  if (rules.failback == Failback::Better &&
      capacity_of(primary).working <= capacity_of(state.paths[state.active]).working)
    return std::nullopt;
  return std::max({primary.up_since + rules.hold_down, primary.avoid_until,
                   primary.damping.reuse_at(rules.damping_half_life)});
}

std::optional<MonotonicTime> next_deadline(const GroupState& state, MonotonicTime now,
                                           const GroupRules& rules) {
  std::optional<MonotonicTime> next = failback_at(state, rules);
  if (next && *next <= now) next.reset();  // it waits for something else
  const auto consider = [&](MonotonicTime at) {
    if (at > now && (!next || at < *next)) next = at;
  };
  if (state.waits_until && (!next || *state.waits_until < *next)) next = state.waits_until;
  if (state.apart_since) consider(*state.apart_since + kApart);
  consider(state.by_hand_until);
  for (const PathState& path : state.paths) {
    consider(path.avoid_until);
    consider(path.keep_lead_until);
  }
  return next;
}

}  // namespace hanet::policy
