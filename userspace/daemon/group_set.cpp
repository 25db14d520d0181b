// SPDX-License-Identifier: Apache-2.0
//
// See group_set.h.
#include "daemon/group_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace hanet::daemon {
namespace {

std::set<std::string> interfaces_of(const config::Config& config) {
  std::set<std::string> interfaces;
  for (const config::GroupConfig& group : config.groups)
    for (const config::PathConfig& path : group.paths)
      for (const config::PortConfig& port : path.ports) interfaces.insert(port.interface);
  return interfaces;
}

const config::GroupConfig* find(const config::Config& config, const std::string& name) {
  const auto found = std::ranges::find(config.groups, name, &config::GroupConfig::name);
  return found == config.groups.end() ? nullptr : &*found;
}

std::set<engine::GroupIndex> indexes_of(const auto& places) {
  std::set<engine::GroupIndex> indexes;
  for (const auto& place : places) indexes.insert(place.index);
  return indexes;
}

const std::string& name_of(const group::PathGroup& group) { return group.view().config.name; }

}  // namespace

Status PortLocks::take(const config::Config& config) {
  std::map<std::string, net::PortLock> fresh;
  for (const std::string& interface : interfaces_of(config)) {
    if (locks_.contains(interface)) continue;
    Result<net::PortLock> lock = net::PortLock::take(interface);
    if (!lock) return pass_on(lock);
    fresh.emplace(interface, std::move(*lock));
  }
  locks_.merge(fresh);
  return {};
}

void PortLocks::keep_only(const config::Config& config) {
  const std::set<std::string> kept = interfaces_of(config);
  std::erase_if(locks_, [&](const auto& lock) { return !kept.contains(lock.first); });
}

void GroupSet::end_all() {
  sender_.reset();
  for (const auto& group : groups_) group->stop();
}

config::Config GroupSet::running() const {
  config::Config running;
  for (const auto& group : groups_) running.groups.push_back(group->running());
  return running;
}

group::PathGroup* GroupSet::at(engine::GroupIndex index) const {
  const auto found =
      std::ranges::find(groups_, index, [](const auto& group) { return group->view().index; });
  return found == groups_.end() ? nullptr : found->get();
}

group::PathGroup* GroupSet::named(const std::string& name) const {
  const auto found =
      std::ranges::find_if(groups_, [&](const auto& group) { return name_of(*group) == name; });
  return found == groups_.end() ? nullptr : found->get();
}

std::vector<engine::GroupIndex> GroupSet::indexes_for(const config::Config& wanted) const {
  std::set<engine::GroupIndex> used;
  for (const auto& group : groups_)
    if (find(wanted, name_of(*group)) != nullptr) used.insert(group->view().index);
  std::vector<engine::GroupIndex> indexes;
  engine::GroupIndex next = 0;
  for (const config::GroupConfig& config : wanted.groups) {
    if (const group::PathGroup* group = named(config.name)) {
      indexes.push_back(group->view().index);
      continue;
    }
    while (used.contains(next)) ++next;
    indexes.push_back(next++);
  }
  return indexes;
}

// Everything that can be wrong is looked at before the first of them changes anything.
Result<std::vector<engine::RequestFrames>> GroupSet::look_and_start(const Places& places) {
  const std::size_t first = groups_.size();
  for (const Place& place : places) {
    groups_.push_back(
        std::make_unique<group::PathGroup>(*place.config, place.index, environment_()));
    if (Status looked = groups_.back()->look(); !looked) return pass_on(looked);
  }
  std::vector<engine::RequestFrames> requests;
  for (std::size_t at = first; at < groups_.size(); ++at) {
    Result<std::vector<engine::RequestFrames>> started = groups_[at]->start();
    if (!started) return started;
    std::ranges::move(*started, std::back_inserter(requests));
  }
  return requests;
}

void GroupSet::send_for(std::vector<engine::RequestFrames> added) {
  if (sender_)
    sender_->change({}, std::move(added));
  else
    sender_ = std::make_unique<engine::Sender>(engine_, std::move(added));
}

Status GroupSet::begin(const Places& places) {
  Result<std::vector<engine::RequestFrames>> requests = look_and_start(places);
  Status begun = requests ? Status() : pass_on(requests);
  if (begun) send_for(std::move(*requests));
  for (const Place& place : places)
    if (begun) begun = at(place.index)->begin_monitoring();
  if (!begun) end(indexes_of(places));
  return begun;
}

// The sender has forgotten a session before another one takes its place in the maps.
void GroupSet::end(const std::set<engine::GroupIndex>& which) {
  const auto kept = std::ranges::stable_partition(
      groups_, [&](const auto& group) { return !which.contains(group->view().index); });
  std::set<engine::SessionIndex> ended;
  for (const auto& group : kept) {
    group->stop();
    ended.merge(engine_.remove_group(group->view().index));
  }
  if (sender_ && !ended.empty()) sender_->change(ended, {});
  groups_.erase(kept.begin(), kept.end());
}

Status GroupSet::exchange(const Places& ending, const Places& beginning) {
  end(indexes_of(ending));
  if (beginning.empty()) return {};
  Status begun = begin(beginning);
  if (begun) return begun;
  const Status back = begin(ending);
  if (back) return begun;
  return failure(fmt::format("{}; and what ran before can not go on: {}", begun.error().message,
                             back.error().message));
}

Status GroupSet::change(const config::Config& wanted) {
  const config::Config before = running();
  const config::Changes changes =
      config::changes_between(config::values_of(before), config::values_of(wanted));
  const std::vector<engine::GroupIndex> indexes = indexes_for(wanted);
  Places ending;
  Places beginning;
  for (const config::GroupChange& change : changes.groups) {
    if (change.fate == config::GroupFate::Changed) continue;
    if (const group::PathGroup* group = named(change.group))
      ending.push_back({find(before, change.group), group->view().index});
    if (const config::GroupConfig* config = find(wanted, change.group))
      beginning.push_back(
          {config, indexes[static_cast<std::size_t>(config - wanted.groups.data())]});
  }
  Status exchanged = exchange(ending, beginning);
  engine_.detach_leftovers();
  if (!exchanged) return exchanged;
  for (const config::GroupChange& change : changes.groups)
    if (change.fate == config::GroupFate::Changed)
      named(change.group)->adopt(*find(wanted, change.group));
  std::ranges::sort(groups_, {}, [&](const auto& group) {
    return find(wanted, name_of(*group)) - wanted.groups.data();
  });
  return {};
}

}  // namespace hanet::daemon
