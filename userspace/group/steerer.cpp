// SPDX-License-Identifier: Apache-2.0
//
// See steerer.h.
#include "group/steerer.h"

#include <fmt/format.h>

#include <vector>

#include "group/switch_record.h"

namespace hanet::group {

void Steerer::prepare() {
  parts_.bridge.set_identity(parts_.keeper.identity());
  parts_.device.open_filters();
  // As the policy chooses (policy/group.cpp, best_alternative).
  const policy::GroupState& state = context_.state;
  const bool from_active = context_.rules.failback == policy::Failback::Never;
  std::vector<engine::PortIndex> leads;
  for (std::size_t step = 0; step < state.paths.size(); ++step)
    leads.push_back(parts_.ports.of(((from_active ? state.active : 0) + step) % state.paths.size())
                        .front()
                        .index);
  context_.engine().order_paths(context_.index, leads);
  context_.engine().arm_device(context_.index, context_.config.bridging);
}

bool Steerer::uses_path_of(const Port& port) const {
  const std::uint32_t used = engine::load(context_.engine().device(context_.index).port);
  for (const Port& one : parts_.ports.of(port.path))
    if (one.index == used) return true;
  return false;
}

MonotonicTime Steerer::begin(const policy::Switchover& switchover, MonotonicTime received) {
  const Port& failed = verdict_port(parts_.ports, parts_.judge, switchover);
  if (policy::is_failure(switchover.cause) && uses_path_of(parts_.ports.from(switchover)) &&
      parts_.judge.down_since(failed) == received)
    context_.engine().bridge_on_verdict(failed.index);
  record_ = begin_record(context_, parts_.ports, parts_.judge, switchover,
                         uses_path_of(parts_.ports.to(switchover)), received);
  return received;
}

bool Steerer::carry_out(const policy::Switchover& switchover, const Beforehand& found) {
  const Port& to = parts_.ports.to(switchover);
  record_.move_began = found.began;
  // The kernel side has chosen by what has answered since the failure, and that is newer than what
  // the policy knew. If they differ, return_needless_switch() decides when both know as much.
  const bool chosen = policy::is_failure(switchover.cause) && switchover.from != switchover.to &&
                      !uses_path_of(parts_.ports.from(switchover));
  if (!uses_path_of(to) && !chosen) context_.engine().use_path(context_.index, to.index);
  const MonotonicTime now = monotonic_now();
  record_.execution.steps.push_back(
      {.name = fmt::format("{} uses {}", parts_.device.interface().name, to.interface.name),
       .started = found.began,
       .duration = now - found.began,
       .result = "ok"});
  record_.execution.last_message_sent = now;
  tell_network();
  return true;
}

void Steerer::settle(const policy::Switchover& switchover, bool /*moved*/) {
  if (switchover.from != switchover.to && context_.config.delay.count() > 0)
    for (const Port& port : parts_.ports.of(switchover.to))
      parts_.judge.pause_until(port, monotonic_now() + context_.config.delay);
  prepare();
  finish_record(context_, std::move(record_), parts_.ports.name(switchover.to));
}

void Steerer::abandon(const policy::Switchover& switchover) {
  const Port& from = parts_.ports.from(switchover);
  if (!uses_path_of(from)) context_.engine().use_path(context_.index, from.index);
  tell_network();
}

void Steerer::tell_network() {
  parts_.announcements.send_all_of(parts_.keeper.identity(), monotonic_now(),
                                   parts_.device.announcements_of_guests());
  parts_.device.ask_for_memberships();
}

const failover::Plan* Steerer::preview(const policy::Switchover& switchover) {
  const Port& to = parts_.ports.to(switchover);
  preview_ = {};
  preview_.from = parts_.ports.from(switchover).interface;
  preview_.to = to.interface;
  preview_.expected = parts_.keeper.identity();
  preview_.steps.push_back(
      {.name = fmt::format("{} uses {}", parts_.device.interface().name, to.interface.name),
       .messages = {},
       .tolerated = {}});
  return &preview_;
}

// It carries what the device sends as soon as it is bound.
Status Steerer::give_back(const Port& port, const net::LinkInfo& link) {
  const net::Identity& identity = parts_.keeper.identity();
  return parts_.standbys.prepare_card(port, link, identity.mac,
                                      parts_.bridge.listened_mac(identity));
}

}  // namespace hanet::group
