// SPDX-License-Identifier: Apache-2.0
//
// The engine's fourth part: how a group leaves while others go on (spec O8); see engine.h.
//
// First nothing of the group steers any more, then no frame is taken for one of its ports, then
// its places in the maps are free. A timer of the kernel side that fires later finds a place that
// is not in use, and ends.
#include "engine/engine.h"
#include "engine/port_table.h"
#include "hanet.skel.h"

namespace hanet::engine {

void Engine::remove_port(PortIndex index) {
  hanet_port& port = ports_[index];
  store(steer_[index].mode, HANET_STEER_NONE);
  store(port.trunk, 0);
  const std::uint32_t ifindex = port.ifindex;
  if (ifindex != 0) strike_port(*skeleton_, ifindex);
  for (const SessionIndex session : sessions_of(index)) {
    store(sessions_[session].state, HANET_SESSION_PAUSED);
    store(sessions_[session].in_use, 0);
    known_.erase(session);
  }
  rows_[index] = {};
  [[maybe_unused]] const Status forgotten = set_own_addresses(index, {});
  const bool goes_back = is_left_at(ifindex);
  if (goes_back) give_back(index);
  if (std::exchange(left_steers_[index], false) && !goes_back && !left_.end_steering(ifindex))
    attachments_[index].end_left();
  if (ifindex != 0 && attachments_[index].is_attached())
    leftovers_.insert_or_assign(ifindex, std::move(attachments_[index]));
  attachments_[index] = PortAttachment();
  not_taken_over_.erase(index);
  store(port.net_device, 0);
  store(port.in_use, 0);
}

void Engine::detach_leftovers() {
  for (auto& [ifindex, attachment] : leftovers_)
    if (is_left_at(ifindex) && (!began_ || spared_.contains(ifindex)))
      attachment.leave_xdp();
    else if (began_)
      attachment.end_left();
  leftovers_.clear();
}

std::set<SessionIndex> Engine::remove_group(GroupIndex group) {
  remove_device(group);
  std::set<SessionIndex> ended;
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port) {
    if (ports_[port].in_use == 0 || ports_[port].group != group) continue;
    for (const SessionIndex session : sessions_of(port)) ended.insert(session);
    remove_port(port);
  }
  for (std::size_t trunk = 0; trunk < HANET_MAX_TRUNKS; ++trunk)
    if (trunks_[trunk].count != 0 && trunks_[trunk].group == group) store(trunks_[trunk].count, 0);
  choose_whether_to_listen();
  [[maybe_unused]] const Status forgotten = name_identity(group, {});
  [[maybe_unused]] const Status unsigned_now = set_keys(group, {});
  return ended;
}

}  // namespace hanet::engine
