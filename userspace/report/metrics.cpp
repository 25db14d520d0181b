// SPDX-License-Identifier: Apache-2.0
//
// See metrics.h.
#include "report/metrics.h"

#include <algorithm>
#include <utility>

#include "report/maps.h"
#include "report/status.h"

namespace hanet::report {
namespace {

bool is_blind(const group::Port& port, const engine::Engine& engine, const engine::Sender* sender,
              MonotonicTime now) {
  const hanet_port& watched = engine.port(port.index);
  if (watched.targets == 0) return false;
  const auto session =
      static_cast<engine::SessionIndex>(watched.session + engine.verdict(port.index).decider);
  return is_stalled(engine.session(session), now) ||
         (sender != nullptr && sender->account(session).is_blind());
}

bool lacks_identity(const group::View& group) {
  return std::ranges::any_of(group.findings, [&](const group::Finding& finding) {
    return finding.is_loss && finding.port == group.ports.holder().interface.name;
  });
}

void count(GroupMetrics& group, const failover::SwitchoverRecord& record) {
  ++group.switchovers.at(static_cast<std::size_t>(record.cause_kind));
  if (record.verdict_waited) ++group.verdicts_waited;
  if (record.execution.outcome == failover::Outcome::RolledBack) {
    ++group.rolled_back;
    return;
  }
  const Nanoseconds without_path = record.decided - record.event_received;
  group.switchover.observe(record.execution.last_message_sent - record.verdict - without_path);
}

void copy_counters(PortMetrics& to, const hanet_port& from) {
  to.carrier_down_events = engine::load(from.carrier_down_events);
  to.carrier_up_events = engine::load(from.carrier_up_events);
  for (std::size_t reason = 0; reason < HANET_REJECT_COUNT; ++reason)
    to.rejected[reason] = engine::load(from.rejected[reason]);
}

void copy_counters(SessionMetrics& to, const hanet_session& from) {
  if (engine::load(from.in_use) == 0) {
    to.in_use = 0;
    return;
  }
  if (to.in_use == 0 || to.port != from.port) put(to.target, target_text(from));
  to.in_use = 1;
  to.port = from.port;
  to.sent = engine::load(from.sent);
  to.replies = engine::load(from.replies);
  to.lost = engine::load(from.lost);
  to.down_verdicts = engine::load(from.down_verdicts);
  to.up_verdicts = engine::load(from.up_verdicts);
  to.stall_deferrals = engine::load(from.stall_deferrals);
  to.rtt_sum_ns = engine::load(from.rtt_sum_ns);
  for (std::size_t bucket = 0; bucket < HANET_RTT_BUCKETS; ++bucket)
    to.rtt_log2_ns[bucket] = engine::load(from.rtt_log2_ns[bucket]);
}

std::uint64_t wall_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<Nanoseconds>(wall_now().time_since_epoch()).count());
}

}  // namespace

bool is_protected(const group::View& group, const engine::Engine& engine,
                  const engine::Sender* sender, MonotonicTime now) {
  return group.condition == policy::Condition::Protected && left_behind(group).empty() &&
         std::ranges::none_of(group.ports.all(), [&](const group::Port& port) {
           return is_blind(port, engine, sender, now);
         });
}

MetricsBook::MetricsBook(const engine::Engine& engine) {
  put(metrics_.version, HANET_VERSION);
  put(metrics_.link_source, engine.capabilities().link_source);
  put(metrics_.deadlines, engine.capabilities().deadlines);
  metrics_.started_unix_ns = wall_ns();
  for (engine::SessionIndex index = 0; index < HANET_MAX_SESSIONS; ++index)
    verdicts_.at(index) = engine::load(engine.session(index).down_verdicts);
}

GroupMetrics* MetricsBook::find(std::string_view group) {
  const auto found = std::ranges::find_if(
      metrics_.groups, [&](const GroupMetrics& each) { return get(each.name) == group; });
  return found == metrics_.groups.end() ? nullptr : &*found;
}

/// Its own, or else one that is free; null: there is none.
GroupMetrics* MetricsBook::place_for(std::string_view group) {
  GroupMetrics* place = find(group);
  if (place != nullptr) return place;
  place = find("");
  if (place == nullptr) return nullptr;
  *place = {};
  put(place->name, group);
  return place;
}

/// A group at work has the place of its number in the kernel side, one that waits has any other:
/// what was counted there comes along, and who was here goes on elsewhere.
GroupMetrics& MetricsBook::settle(engine::GroupIndex index, std::string_view group) {
  GroupMetrics& place = metrics_.groups.at(index);
  if (get(place.name) == group) return place;
  GroupMetrics* other = find(group);
  if (other == nullptr) other = find("");
  if (other != nullptr) std::swap(place, *other);
  if (get(place.name) == group) return place;
  place = {};
  put(place.name, group);
  return place;
}

void MetricsBook::hear(const group::Notice& notice) {
  if (notice.event != "alarm" || !notice.alarm) return;
  const auto kind = static_cast<std::size_t>(*notice.alarm);
  if (notice.group == group::kOfHanetd)
    ++metrics_.alarms.at(kind);
  else if (GroupMetrics* group = place_for(notice.group))
    ++group->alarms.at(kind);
}

void MetricsBook::follow(const failover::History& history) {
  for (const failover::SwitchoverRecord& record : history.records()) {
    if (record.number <= last_number_) continue;
    last_number_ = record.number;
    if (GroupMetrics* group = find(record.group)) count(*group, record);
  }
}

// The ring wakes hanetd for each of them. Where two come before it looks, the kernel side's own
// counters have both, and the histograms the newer one.
void MetricsBook::follow(const engine::Engine& engine) {
  for (engine::SessionIndex index = 0; index < HANET_MAX_SESSIONS; ++index) {
    const hanet_session& session = engine.session(index);
    if (engine::load(session.in_use) == 0) continue;
    const std::uint64_t verdicts = engine::load(session.down_verdicts);
    if (std::exchange(verdicts_.at(index), verdicts) >= verdicts) continue;
    const MonotonicTime verdict = from_kernel_ns(engine::load(session.verdict_ns));
    GroupMetrics& group = metrics_.groups.at(session.group);
    group.detection.observe(verdict - from_kernel_ns(engine::load(session.first_lost_ns)));
    group.overshoot.observe(verdict - from_kernel_ns(engine::load(session.deadline_ns)));
  }
}

void MetricsBook::begin_look() {
  metrics_.paths = {};
  metrics_.ports = {};
  path_count_ = 0;
  looked_at_ = {};
}

void MetricsBook::look(const group::View& view, const engine::Engine& engine,
                       const engine::Sender* sender, MonotonicTime now) {
  GroupMetrics& group = settle(view.index, view.config.name);
  looked_at_.at(view.index) = true;
  group.condition = static_cast<std::uint64_t>(view.condition);
  group.is_protected = is_protected(view, engine, sender, now) ? 1 : 0;
  group.is_incomplete = lacks_identity(view) ? 1 : 0;
  group.active = path_count_ + view.state.active;
  add_paths(view, engine);
}

void MetricsBook::look_at_late(std::string_view group) {
  GroupMetrics* place = place_for(group);
  if (place == nullptr) return;
  place->condition = kConditions;
  place->is_protected = 0;
  place->is_incomplete = 0;
  place->active = metrics_.paths.size();
  looked_at_.at(static_cast<std::size_t>(place - metrics_.groups.data())) = true;
}

void MetricsBook::add_paths(const group::View& view, const engine::Engine& engine) {
  const std::size_t first = path_count_;
  for (std::size_t at = 0; at < view.state.paths.size(); ++at) {
    PathMetrics& path = metrics_.paths.at(path_count_++);
    put(path.name, view.ports.name(at));
    path.group = view.index;
    path.health = static_cast<std::uint64_t>(policy::health_of(view.state.paths[at]));
    path.is_watched = view.state.paths[at].watched ? 1 : 0;
  }
  for (const group::Port& port : view.ports.all()) {
    PortMetrics& place = metrics_.ports.at(port.index);
    put(place.name, port.interface.name);
    place.path = first + port.path;
    copy_counters(place, engine.port(port.index));
  }
}

const Metrics& MetricsBook::finish_look(const engine::Engine& engine, MonotonicTime now) {
  for (std::size_t at = 0; at < metrics_.groups.size(); ++at)
    if (!looked_at_[at]) metrics_.groups[at].name = {};  // it ended
  for (engine::SessionIndex index = 0; index < HANET_MAX_SESSIONS; ++index)
    copy_counters(metrics_.sessions.at(index), engine.session(index));
  metrics_.events_submitted = engine::load(engine.accounts().events_submitted);
  metrics_.events_dropped = engine::load(engine.accounts().events_dropped);
  metrics_.written_ns = static_cast<std::uint64_t>(now.time_since_epoch().count());
  return metrics_;
}

}  // namespace hanet::report
