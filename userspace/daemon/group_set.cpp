// SPDX-License-Identifier: Apache-2.0
//
// See group_set.h.
#include "daemon/group_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/log.h"
#include "group/host_check.h"

namespace hanet::daemon {
namespace {

std::set<std::string> interfaces_of(const config::Config& config) {
  std::set<std::string> interfaces;
  for (const config::GroupConfig& group : config.groups)
    for (const config::PathConfig& path : group.paths)
      for (const config::PortConfig& port : path.ports) interfaces.insert(port.interface);
  return interfaces;
}

/// The group's interfaces that are here.
std::set<unsigned> here_of(const config::GroupConfig& group) {
  std::set<unsigned> here;
  for (const config::PathConfig& path : group.paths)
    for (const config::PortConfig& port : path.ports)
      if (const unsigned ifindex = ::if_nametoindex(port.interface.c_str()); ifindex != 0)
        here.insert(ifindex);
  return here;
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

std::vector<std::string> names_of(const auto& places) {
  std::vector<std::string> names;
  for (const auto& place : places) names.push_back(place.config->name);
  return names;
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

void PortLocks::let_go() const {
  for (const auto& [interface, lock] : locks_) lock.let_go();
}

void PortLocks::keep_only(const config::Config& config) {
  const std::set<std::string> kept = interfaces_of(config);
  std::erase_if(locks_, [&](const auto& lock) { return !kept.contains(lock.first); });
}

GroupSet::GroupSet(engine::Engine& engine, Lateness lateness, MakeEnvironment environment,
                   std::function<void()> show_life)
    : engine_(engine),
      lateness_(std::move(lateness)),
      environment_(std::move(environment)),
      show_life_(std::move(show_life)),
      late_(
          [this](const config::GroupConfig& group) {
            return LateGroups::Sight{.missing = missing_of(group), .goes_on = goes_on(group)};
          },
          [this](const group::Notice& notice) { environment_().publish(notice); }) {}

void GroupSet::end_all() {
  sender_.reset();
  for (const auto& group : groups_)
    if (!goes_on(group->view().config)) group->stop();
  for (const auto& group : spared_)
    if (!goes_on(group->view().config)) group->put_back();
}

// A killed instance that goes on for the group needs what the group was prepared to be, until the
// group begins or that instance ends as well.
void GroupSet::spare(std::unique_ptr<group::PathGroup> group) {
  std::erase_if(spared_, [&](const auto& other) { return name_of(*other) == name_of(*group); });
  spared_.push_back(std::move(group));
}

config::Config GroupSet::running() const {
  config::Config running;
  for (const auto& group : groups_) running.groups.push_back(group->running());
  for (const LateGroup& late : late_.all()) running.groups.push_back(late.config);
  return running;
}

std::vector<std::string> GroupSet::missing_of(const config::GroupConfig& group) const {
  if (!lateness_.is_allowed) return {};
  return missing_ports(group, lateness_.run_directory).value_or(std::vector<std::string>());
}

bool GroupSet::would_be_late(const config::GroupConfig& group) const {
  return named(group.name) == nullptr && !missing_of(group).empty();
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

// What somebody wrote into a file has been checked more strictly before.
Status GroupSet::fits(group::PathGroup& group) const {
  if (!starts_) return group.look();
  config::Config alone;
  alone.groups.push_back(group.view().config);
  if (Status cards = group::check_cards(alone, name_of(group), lateness_.run_directory,
                                        config::DeviceOnPort::IsAlarm);
      !cards)
    return cards;
  return group.look();
}

Status GroupSet::look(const Places& places) {
  for (const Place& place : places) {
    show_life_();
    groups_.push_back(
        std::make_unique<group::PathGroup>(*place.config, place.index, environment_()));
    const Status fit = fits(*groups_.back());
    if (fit) continue;
    if (!starts_) return fit;
    groups_.pop_back();
    misfits_[place.config->name] = fit.error().message;
  }
  return {};
}

// Everything that can be wrong is looked at before the first of them changes anything.
Result<std::vector<engine::RequestFrames>> GroupSet::look_and_start(const Places& places) {
  if (Status looked = look(places); !looked) return pass_on(looked);
  std::vector<engine::RequestFrames> requests;
  for (const Place& place : places) {
    group::PathGroup* group = at(place.index);
    if (group == nullptr) continue;
    show_life_();
    Result<std::vector<engine::RequestFrames>> started = group->start();
    if (!started && !starts_) return started;
    if (!started)
      end_misfit(place, started.error());
    else
      std::ranges::move(*started, std::back_inserter(requests));
  }
  return requests;
}

Status GroupSet::send_for(std::vector<engine::RequestFrames> added) {
  if (sender_) {
    sender_->change({}, std::move(added));
    return {};
  }
  Result<std::unique_ptr<engine::Sender>> sender = engine::Sender::start(engine_, std::move(added));
  if (!sender) return pass_on(sender);
  sender_ = std::move(*sender);
  return {};
}

Status GroupSet::begin(const Places& places) {
  Result<std::vector<engine::RequestFrames>> requests = look_and_start(places);
  Status begun = requests ? Status() : pass_on(requests);
  if (begun) begun = send_for(std::move(*requests));
  for (const Place& place : places) {
    group::PathGroup* group = at(place.index);
    if (!begun || group == nullptr) continue;
    show_life_();
    begun = group->begin_monitoring();
    if (begun)
      std::erase_if(spared_, [&](const auto& other) { return name_of(*other) == name_of(*group); });
    if (begun || !starts_) continue;
    end_misfit(place, begun.error());
    begun = {};
  }
  if (!begun) end(indexes_of(places));
  return begun;
}

void GroupSet::end_misfit(const Place& place, const Error& error) {
  misfits_[place.config->name] = error.message;
  end({place.index});
}

// The sender has forgotten a session before another one takes its place in the maps.
void GroupSet::end(const std::set<engine::GroupIndex>& which) {
  const auto kept = std::ranges::stable_partition(
      groups_, [&](const auto& group) { return !which.contains(group->view().index); });
  std::set<engine::SessionIndex> ended;
  for (auto& group : kept) {
    show_life_();
    const bool is_spared = goes_on(group->view().config);
    if (!is_spared) group->stop();
    ended.merge(engine_.remove_group(group->view().index));
    if (is_spared) spare(std::move(group));
  }
  if (sender_ && !ended.empty()) sender_->change(ended, {});
  groups_.erase(kept.begin(), kept.end());
}

Status GroupSet::exchange(const Places& ending, const Places& beginning) {
  end(indexes_of(ending));
  if (beginning.empty()) return {};
  Status begun = begin(beginning);
  if (begun) return begun;
  if (ending.empty()) return failure(fmt::format("{}; nothing was changed", begun.error().message));
  const Status back = begin(ending);
  if (back)
    return failure(fmt::format("{}; what ran before runs again, and was begun anew: {}",
                               begun.error().message, fmt::join(names_of(ending), ", ")));
  // They are tried again, and shown as what they are.
  for (const Place& place : ending) late_.add(*place.config, back.error().message);
  return failure(fmt::format("{}; and what ran before can not go on yet: {}", begun.error().message,
                             back.error().message));
}

// What a killed instance does for a group that has not begun goes on.
Status GroupSet::take_over(const config::Config& wanted) {
  std::set<unsigned> spared;
  for (const config::GroupConfig& group : wanted.groups)
    if (named(group.name) == nullptr) spared.merge(here_of(group));
  engine_.spare(std::move(spared));
  return engine_.take_over();
}

bool GroupSet::goes_on(const config::GroupConfig& group) const {
  return std::ranges::any_of(here_of(group),
                             [&](unsigned ifindex) { return engine_.is_left_at(ifindex); });
}

Status GroupSet::start(const config::Config& wanted) {
  starts_ = lateness_.is_allowed;
  Status started = change(wanted);
  starts_ = false;
  misfits_.clear();
  return started;
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
    const config::GroupConfig* config = find(wanted, change.group);
    if (config != nullptr && !would_be_late(*config))
      beginning.push_back(
          {config, indexes[static_cast<std::size_t>(config - wanted.groups.data())]});
  }
  Status exchanged = exchange(ending, beginning);
  engine_.detach_leftovers();
  if (exchanged) exchanged = take_over(wanted);
  if (!exchanged) return exchanged;
  for (const config::GroupChange& change : changes.groups)
    if (group::PathGroup* group = named(change.group);
        group != nullptr && change.fate == config::GroupFate::Changed)
      group->adopt(*find(wanted, change.group));
  wait_for_the_rest(wanted);
  return {};
}

void GroupSet::sort_as_in_file() {
  std::ranges::sort(groups_, {}, [&](const auto& group) {
    return std::ranges::find(order_, name_of(*group)) - order_.begin();
  });
}

void GroupSet::wait_for_the_rest(const config::Config& wanted) {
  order_.clear();
  for (const config::GroupConfig& config : wanted.groups) order_.push_back(config.name);
  const auto is_at_work = [&](const std::string& group) { return named(group) != nullptr; };
  late_.wait_for(wanted, is_at_work, misfits_);
  sort_as_in_file();
}

// The host is looked at as at the start: nothing else has looked at this group there.
Status GroupSet::begin_one_late(const config::GroupConfig& config) {
  config::Config alone;
  alone.groups.push_back(config);
  const config::Config all = running();
  const engine::GroupIndex index =
      indexes_for(all)[static_cast<std::size_t>(find(all, config.name) - all.groups.data())];
  if (Status good = group::check_host(alone, config.name, lateness_.run_directory, {&index, 1},
                                      config::DeviceOnPort::IsAlarm);
      !good)
    return good;
  const Status begun = begin({Place{.config = &config, .index = index}});
  if (!begun) {
    engine_.detach_leftovers();
    return begun;
  }
  // It is at work all the same.
  if (const Status taken = take_over(all); !taken) log::error("{}", taken.error().message);
  return {};
}

void GroupSet::begin_late(MonotonicTime now) {
  const bool has_begun = late_.begin_one(
      now, [&](const config::GroupConfig& config) { return begin_one_late(config); });
  if (has_begun) sort_as_in_file();
}

}  // namespace hanet::daemon
