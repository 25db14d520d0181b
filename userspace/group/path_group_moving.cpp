// SPDX-License-Identifier: Apache-2.0
//
// What is only to be done in a group whose identity moves from port to port; see path_group.h. Its
// counterpart is path_group_device.cpp.
#include <fmt/format.h>

#include <utility>

#include "core/log.h"
#include "group/path_group.h"

namespace hanet::group {

// The kernel side bridged, but the path came back before anything was moved. Not while nobody knows
// what the path is worth, as a port without carrier just after attaching: bridged, the host works.
// Where both have died it stays: the kernel does not bridge again, and the standby may come back
// first.
void PathGroup::release_needless_bridging(MonotonicTime received) {
  const std::size_t bridged = state_.active;
  const Port& holder = parts_.ports.holder();
  if (rules_.cold || state_.running || !parts_.bridge.is_bridging(holder)) return;
  // The kernel loses a path before it bridges: what was read before may be older than the bridge.
  refresh_path(bridged, received);
  if (state_.running || !parts_.ports.is_holder(holder)) return;
  if (policy::health_of(state_.paths[bridged]) != policy::Health::Up) return;
  const net::Identity& identity = parts_.keeper.identity();
  for (std::size_t path = 0; path < state_.paths.size(); ++path)
    if (path != bridged) parts_.bridge.settle(holder, parts_.ports.lead(path), identity.mac);
  parts_.announcements.send_all_of(identity, monotonic_now());
  const std::string name = parts_.ports.name(bridged);
  notices_.add("bridging-released", name,
               fmt::format("{} works again before the identity was moved", name));
}

// As the maps say it now: the news of it may still be on the way.
bool PathGroup::active_path_is_dead() {
  policy::PathState seen = state_.paths[state_.active];
  seen.ports = parts_.judge.judge(state_.active, monotonic_now());
  return policy::health_of(seen) == policy::Health::Down;
}

void PathGroup::recapture() {
  if (!moves()) return recapture_device();
  const Port& holder = parts_.ports.holder();
  // What is down has lost a part of its identity already: the snapshot from before counts.
  if (!holder.present() || !holder.admin_up) return parts_.keeper.keep_snapshot();
  const auto tell = [&](const Error& error) {
    log::warning("{}: the identity of {} can not be read, the last snapshot stays: {}",
                 config_.name, holder.interface.name, error.message);
  };
  if (parts_.guard.due() != RepairDue::None) {
    if (const auto there = parts_.guard.hold_what_will_be_back(); !there)
      return tell(there.error());
    return parts_.switcher.prepare();
  }
  auto read = parts_.keeper.read(holder.interface, config_.restore && active_path_is_dead());
  if (!read) tell(read.error());
  if (!read || !read->is_new) return;
  if (!read->kept.empty())
    notices_.add("kept", holder.interface.name,
                 fmt::format("{} lost {} after its path had failed; that moves all the same "
                             "(restore = false lets it go)",
                             holder.interface.name, listed(read->kept)));
  if (parts_.guard.was_taken_meanwhile(std::move(read->before))) return;
  parts_.guard.note_reading();
  if (holder.rtnetlink_carrier) parts_.keeper.read_known_neighbours();
  parts_.switcher.prepare();
}

void PathGroup::keep_current() {
  const bool is_old = !parts_.keeper.stale() && parts_.guard.due() == RepairDue::None;
  if (is_old && moves() && parts_.keeper.read_lifetimes(parts_.ports.holder().interface))
    parts_.switcher.renew_lifetimes();
  else
    recapture();
}

// What a switchover would find, or leave behind; and what is kept for the next hanetd.
void PathGroup::look_after_what_moves(MonotonicTime now) {
  parts_.completion.tick(now);
  if (parts_.readiness.tick(now)) parts_.switcher.mark_outdated();
  parts_.uppers.tick(now);
  for (const LinkUpdate& update : parts_.uppers.read_anew())
    link_changed(update.link, update.removed);
  if (!state_.running && parts_.guard.due() == RepairDue::None && !parts_.keeper.stale())
    parts_.kept.save(parts_.keeper.identity(), parts_.keeper.changes(), now);
}

}  // namespace hanet::group
