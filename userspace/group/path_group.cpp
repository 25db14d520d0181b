// SPDX-License-Identifier: Apache-2.0
//
// What happens to a group while it works, what is decided, what follows; see path_group.h. How it
// starts and ends is in path_group_start.cpp, what a person asks of it in commands.cpp.
#include "group/path_group.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>

#include "core/log.h"
#include "policy/agreement.h"
#include "policy/alarms.h"

namespace hanet::group {
namespace {

hanet_claim claim(policy::PeerClaim said) {
  switch (said) {
    case policy::PeerClaim::Elsewhere:
      return HANET_CLAIM_ELSEWHERE;
    case policy::PeerClaim::Here:
      return HANET_CLAIM_HERE;
    case policy::PeerClaim::HereByHand:
      return HANET_CLAIM_HERE_BY_HAND;
    case policy::PeerClaim::Unknown:
      break;
  }
  return HANET_CLAIM_UNKNOWN;
}

AlarmKind kind_of(bool no_path) {
  return no_path ? AlarmKind::NoWorkingPath : AlarmKind::StandbyDown;
}

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

using Events = std::vector<policy::Event>;

}  // namespace

View PathGroup::view() const {
  return {.config = config_,
          .index = context_.index,
          .state = state_,
          .rules = rules_,
          .condition = condition_,
          .condition_since = condition_since_,
          .ports = parts_.ports,
          .identity = parts_.keeper.identity(),
          .uppers = parts_.uppers.all(),
          .findings = findings()};
}

std::vector<Finding> PathGroup::findings() const {
  std::vector<Finding> all;
  if (const std::optional<Finding>& missing = parts_.completion.finding()) all.push_back(*missing);
  if (const std::optional<Finding>& unkept = parts_.kept.finding()) all.push_back(*unkept);
  for (const std::vector<Finding>& more :
       {parts_.readiness.findings(), parts_.paces.findings(), parts_.targets.findings()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<policy::Action> PathGroup::decide(const policy::Event& event, MonotonicTime received) {
  policy::Decision decision = policy::decide(std::move(state_), event, received, rules_);
  state_ = std::move(decision.state);
  return std::move(decision.actions);
}

// What an action leads to comes before the actions behind it: a switchover before its alarms. It
// happens when the action is done, and not when the news came that led to it.
void PathGroup::apply(const policy::Event& event, MonotonicTime received) {
  struct ToDo {
    policy::Action action;
    MonotonicTime received;
  };
  std::deque<ToDo> to_do;
  const auto add = [&](const Events& events, MonotonicTime at) {
    std::vector<ToDo> next;
    for (const policy::Event& each : events)
      for (const policy::Action& action : decide(each, at)) next.push_back({action, at});
    to_do.insert(to_do.begin(), next.begin(), next.end());
  };
  add({event}, received);
  while (!to_do.empty()) {
    const ToDo next = to_do.front();
    to_do.pop_front();
    if (const Events events = act(next.action, next.received); !events.empty())
      add(events, monotonic_now());
  }
  note_condition();
  if (!config_.both_ends) return;
  for (const Port& port : parts_.ports.all())
    environment_.engine.set_claim(port.index,
                                  claim(policy::claim_of(state_, port.path, monotonic_now())));
}

void PathGroup::note_condition() {
  const std::string& holder = parts_.ports.holder().interface.name;
  policy::Losses losses;
  for (const Finding& finding : findings())
    if (finding.is_loss) (finding.port == holder ? losses.active : losses.standby) = true;
  const policy::Condition condition = policy::condition_of(state_, losses);
  if (condition == condition_) return;
  condition_ = condition;
  condition_since_ = wall_now();
}

Events PathGroup::act(const policy::Action& action, MonotonicTime received) {
  return std::visit(
      Overloaded{
          [&](const policy::StartSwitchover& start) -> Events {
            return {policy::SwitchoverWaits{parts_.switcher.begin(start.switchover, received)}};
          },
          [&](const policy::CarryOutSwitchover& carry) { return carry_out(carry.switchover); },
          [&](const policy::FinishSwitchover& finish) -> Events {
            parts_.switcher.settle(finish.switchover, true);
            // What the move itself caused is heard while it still runs: nobody else did it.
            environment_.drain_notifications();
            if (moves()) parts_.guard.take_off_standbys();
            return {policy::SwitchoverEnded{.moved = true}};
          },
          [&](const policy::AbandonSwitchover& abandon) -> Events {
            parts_.switcher.abandon(abandon.switchover);
            notices_.add("switchover-abandoned", parts_.ports.name(abandon.switchover.from),
                         fmt::format("the switch from {} to {} is given up: {}",
                                     parts_.ports.name(abandon.switchover.from),
                                     parts_.ports.name(abandon.switchover.to), abandon.reason));
            return {};
          },
          [&](const policy::RaiseAlarm& alarm) -> Events {
            const std::vector<std::string> names = parts_.ports.names();
            notices_.alarm(
                kind_of(alarm.no_path), names[alarm.path],
                policy::alarm_text(alarm, state_, {config_.name, names}, monotonic_now()));
            return {};
          },
          [&](const policy::ClearAlarm& alarm) -> Events {
            const std::vector<std::string> names = parts_.ports.names();
            notices_.alarm_cleared(kind_of(alarm.no_path), names[alarm.path],
                                   policy::cleared_text(alarm, state_, {config_.name, names}));
            return {};
          },
          [&](const policy::Refuse& refuse) -> Events {
            refusal_ = std::string(refuse.reason);
            return {};
          }},
      action);
}

// Looks at what waits before the identity is touched (spec F3). Bridging covers the time.
Events PathGroup::carry_out(const policy::Switchover& switchover) {
  Beforehand found{.began = monotonic_now()};
  environment_.drain_notifications();
  found.identity_changed = parts_.keeper.stale();
  if (found.identity_changed) recapture();
  const Port& to = parts_.ports.to(switchover);
  if (!to.present() || (!to.admin_up && state_.paths[to.path].watched)) {
    // Heard just now: the policy chooses anew, with what has become of the ports.
    return {judged(to.path, monotonic_now()),
            policy::SwitchoverEnded{.moved = false, .attempted = false}};
  }
  found.repair = parts_.guard.due();
  const bool moved = parts_.switcher.carry_out(switchover, found);
  parts_.guard.forget();
  if (moved) return {policy::IdentityMoved{}};
  parts_.switcher.settle(switchover, false);
  environment_.drain_notifications();
  return {policy::SwitchoverEnded{.moved = false}};
}

void PathGroup::refresh(MonotonicTime received) {
  const std::size_t active = state_.active;
  // An active path that came back together with a standby has precedence (spec M9).
  if (policy::health_of(state_.paths[active]) == policy::Health::Down)
    refresh_path(active, received);
  // Standbys first: the decision about the active path must know what they are worth now.
  for (std::size_t path = 0; path < state_.paths.size(); ++path)
    if (path != active) refresh_path(path, received);
  refresh_path(active, received);
  follow_parameters(received);
  if (moves())
    release_needless_bridging(received);
  else
    return_needless_switch(received);
  follow_speaker();
  notices_.flush();
}

policy::PathChanged PathGroup::judged(std::size_t path, MonotonicTime received) {
  policy::PathState next = state_.paths[path];
  next.ports = parts_.judge.judge(path, received);
  if (next.ports != state_.paths[path].ports) tell_path_changes(path, next, received);
  return {.path = path, .ports = std::move(next.ports)};
}

void PathGroup::refresh_path(std::size_t path, MonotonicTime received) {
  const policy::PathChanged change = judged(path, received);
  if (change.ports != state_.paths[path].ports) apply(change, received);
}

void PathGroup::tell_path_changes(std::size_t path, const policy::PathState& next,
                                  MonotonicTime received) {
  const policy::PathState& before = state_.paths[path];
  const std::string name = parts_.ports.name(path);
  for (std::size_t slot = 0; slot < next.ports.size(); ++slot) {
    const policy::DownReason reason = policy::down_reason(next, slot);
    if (reason == policy::down_reason(before, slot)) continue;
    const Port& port = parts_.ports.of(path)[slot];
    const bool down = reason != policy::DownReason::None;
    if (down) parts_.judge.note_down(port, received);
    if (next.ports.size() == 1) continue;  // it is the path
    const policy::Capacity capacity = policy::capacity_of(next);
    notices_.add(down ? EventName("port-down") : EventName("port-up"), name,
                 fmt::format("port {} is {}{}{}; {} % of the trunk's capacity is lost, it fails "
                             "over at {} %",
                             port.interface.name, down ? "down" : "not down any more",
                             down ? ": " : "", policy::to_text(reason),
                             100 * capacity.lost / std::max<std::uint64_t>(capacity.total, 1),
                             next.threshold_percent));
  }
  const policy::Health after = policy::health_of(next);
  if (policy::health_of(before) == after) return;
  const std::string_view reason = policy::to_text(policy::down_reason(next));
  notices_.add(path_event(after), name,
               fmt::format("path {} is {}{}{}", name, policy::to_text(after),
                           reason.empty() ? "" : ": ", reason));
}

void PathGroup::follow_parameters(MonotonicTime received) {
  const hanet_params& params = environment_.engine.params(context_.index);
  const bool enabled = engine::load(params.enabled) != 0;
  if (enabled != state_.enabled) {
    notices_.add(enabled ? EventName("group-enabled") : EventName("group-disabled"),
                 parts_.ports.name(state_.active),
                 enabled
                     ? "the group is enabled"
                     : "the group is disabled: whatever fails, no other path is used by itself");
    apply(policy::EnabledChanged{enabled}, received);
  }
  const std::uint32_t threshold =
      std::clamp<std::uint32_t>(engine::load(params.threshold_percent), HANET_THRESHOLD_MIN_PERCENT,
                                HANET_THRESHOLD_MAX_PERCENT);
  if (threshold != state_.paths[0].threshold_percent)
    apply(policy::ThresholdChanged{threshold}, received);
}

// The switch has to learn where the identity's frames come in now: the host may have nothing to
// say, and what is sent to the port that was the speaker before is lost.
void PathGroup::follow_speaker() {
  const hanet_trunk* trunk = environment_.engine.trunk_of(parts_.ports.holder().index);
  if (trunk == nullptr || trunk->mode != HANET_TRUNK_INDEPENDENT) return;
  const std::uint64_t changes = engine::load(trunk->speaker_changes);
  if (changes == speaker_changes_) return;
  speaker_changes_ = changes;
  if (moves())
    parts_.announcements.send_all_of(parts_.keeper.identity(), monotonic_now());
  else
    parts_.steerer.tell_network();
}

void PathGroup::link_changed(const net::LinkInfo& link, bool removed) {
  const MonotonicTime now = monotonic_now();
  if (parts_.device.is_used()) parts_.device.link_changed(link, removed);
  for (const VlanNews& vlan : parts_.ports.vlan_changed(link, removed)) {
    if (vlan.appeared) parts_.standbys.prepare_new_vlan(*vlan.port, *vlan.appeared);
    if (parts_.ports.is_holder(*vlan.port)) parts_.keeper.mark_stale();
    parts_.switcher.mark_outdated();
    if (!vlan.is_same_interface) parts_.uppers.expect_other_vlans(now);
  }
  parts_.uppers.link_changed(link, removed);
  parts_.readiness.link_changed();
  const net::Identity& identity = parts_.keeper.identity();
  const LinkNews news = parts_.ports.link_changed(link, removed);
  if (link.interface.index == identity.on.index &&
      (link.mac != identity.mac || link.interface.name != identity.on.name))
    parts_.keeper.mark_stale();
  if (news.port == nullptr) {
    if (!removed) parts_.replug.other_link_changed(link, now);
    return;
  }
  if (news.renamed) parts_.switcher.mark_outdated();
  if (news.vanished) parts_.replug.vanished(*news.port, now);
  if (news.came_up && moves() && parts_.ports.is_holder(*news.port))
    parts_.guard.expect_identity_back();
  // The bridge ends with the interface it hangs on.
  if (news.bridge_ends && parts_.switcher.relies_on(*news.port)) apply(policy::WaitingEnds{}, now);
}

void PathGroup::hear(const nlmsghdr& message) {
  parts_.readiness.hear(message);
  if (moves() && parts_.guard.hear(message)) return;
  if (!moves()) hear_of_port(message);
  if (parts_.keeper.hear(message)) parts_.switcher.mark_outdated();
}

void PathGroup::distrust_snapshot() {
  parts_.readiness.distrust();
  parts_.keeper.mark_stale();
  parts_.uppers.distrust();
}

void PathGroup::tick(MonotonicTime now) {
  if (state_.waits_until && now >= *state_.waits_until) apply(policy::TimePassed{}, now);
  if (moves()) parts_.guard.tick(now);
  parts_.afterwards.tick(now);
  if (const auto reading = parts_.keeper.next_deadline(); reading && now >= *reading)
    keep_current();
  parts_.switcher.keep_ready();
  parts_.paces.tick(now);
  refresh(now);
  parts_.switcher.keep_ready();  // with what was found
  // A carrier that has been there all the time is known now: nothing was announced in vain.
  parts_.announcements.tick(now);
  parts_.replug.tick(now);
  parts_.unheard.tick(now);
  parts_.chains.tick(now);
  parts_.targets.tick(now);
  if (moves())
    look_after_what_moves(now);
  else
    look_after_device(now);
  if (!state_.running) parts_.ports.keep_speeds();
  apply(policy::TimePassed{}, now);
  // Behind the decisions, because looking takes its time; what it finds is an event like any other.
  parts_.ports.look_at_doubted_carriers();
  notices_.flush();
}

std::optional<MonotonicTime> PathGroup::next_deadline(MonotonicTime now) const {
  const std::optional<MonotonicTime> policy = policy::next_deadline(state_, now, rules_);
  const std::optional<MonotonicTime> parts = parts_.next_deadline(now);
  if (!policy || !parts) return policy ? policy : parts;
  return std::min(*policy, *parts);
}

}  // namespace hanet::group
