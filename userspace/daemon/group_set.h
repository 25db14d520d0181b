// SPDX-License-Identifier: Apache-2.0
//
// The groups at work: how they come, change and go while hanetd runs (spec O8).
//
// What can change at once changes at once. A group whose other keys differ ends and starts anew as
// at the start of hanetd, and the others never notice: programs stay attached, the sender stands
// still between two beats. A change is carried out whole, or the groups are as before. A group
// whose ports are not all here may be late (late_groups.h).
//
// Threading: hanetd's main thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/values.h"
#include "core/clock.h"
#include "daemon/late_groups.h"
#include "engine/engine.h"
#include "engine/sender.h"
#include "group/path_group.h"
#include "net/port_lock.h"

namespace hanet::daemon {

using Groups = std::vector<std::unique_ptr<group::PathGroup>>;

/// The interfaces that this hanetd uses, so that no other one does.
class PortLocks {
 public:
  /// Those of the configuration; nothing is taken on error.
  [[nodiscard]] Status take(const config::Config& config);
  void let_go() const;
  /// Gives back those that the configuration has not.
  void keep_only(const config::Config& config);

 private:
  std::map<std::string, net::PortLock> locks_;
};

class GroupSet {
 public:
  using MakeEnvironment = std::function<group::Environment()>;
  struct Lateness {
    bool is_allowed = false;              ///< else every port has to be here
    std::filesystem::path run_directory;  ///< of what was kept
  };
  /// `show_life` is called before each step with one group: many of them, with many routes, take
  /// longer than anybody waits for a hanetd that works.
  GroupSet(engine::Engine& engine, Lateness lateness, MakeEnvironment environment,
           std::function<void()> show_life);
  GroupSet(const GroupSet&) = delete;
  GroupSet& operator=(const GroupSet&) = delete;

  void show_life() const { show_life_(); }
  /// Ends all of them; every identity stays where it is.
  void end_all();

  /// From none. Where lateness is allowed, a group that does not fit this host is late, and harms
  /// no other one; else nothing begins, and the error says why.
  [[nodiscard]] Status start(const config::Config& wanted);
  /// Makes the groups those of `wanted`. On error they are as before; the error says so where that
  /// failed as well.
  [[nodiscard]] Status change(const config::Config& wanted);
  /// Begins those whose ports have come, one with each look.
  void begin_late(MonotonicTime now);
  /// What is in force, late groups included.
  [[nodiscard]] config::Config running() const;
  [[nodiscard]] const std::vector<LateGroup>& late() const { return late_.all(); }
  /// Would a group that is not at work wait for its ports now?
  [[nodiscard]] bool would_be_late(const config::GroupConfig& group) const;

  [[nodiscard]] const Groups& all() const { return groups_; }
  /// Where each group of a configuration is, or would be.
  [[nodiscard]] std::vector<engine::GroupIndex> indexes_for(const config::Config& wanted) const;
  /// Null: no group has this index.
  [[nodiscard]] group::PathGroup* at(engine::GroupIndex index) const;
  /// Null before the first change.
  [[nodiscard]] engine::Sender* sender() const { return sender_.get(); }

 private:
  struct Place {
    const config::GroupConfig* config;
    engine::GroupIndex index;
  };
  using Places = std::vector<Place>;
  [[nodiscard]] group::PathGroup* named(const std::string& name) const;
  [[nodiscard]] Status begin(const Places& places);
  [[nodiscard]] Result<std::vector<engine::RequestFrames>> look_and_start(const Places& places);
  [[nodiscard]] Status look(const Places& places);
  [[nodiscard]] Status fits(group::PathGroup& group) const;
  [[nodiscard]] Status take_over(const config::Config& wanted);
  [[nodiscard]] bool goes_on(const config::GroupConfig& group) const;
  void end(const std::set<engine::GroupIndex>& which);
  void spare(std::unique_ptr<group::PathGroup> group);
  void end_misfit(const Place& place, const Error& error);
  [[nodiscard]] Status exchange(const Places& ending, const Places& beginning);
  [[nodiscard]] Status send_for(std::vector<engine::RequestFrames> added);
  void wait_for_the_rest(const config::Config& wanted);
  [[nodiscard]] std::vector<std::string> missing_of(const config::GroupConfig& group) const;
  [[nodiscard]] Status begin_one_late(const config::GroupConfig& config);
  void sort_as_in_file();

  engine::Engine& engine_;
  Lateness lateness_;
  MakeEnvironment environment_;
  std::function<void()> show_life_;
  Groups groups_;
  Groups spared_;        // prepared, but did not begin: a killed instance goes on for them
  bool starts_ = false;  ///< what can not begin is late
  std::map<std::string, std::string> misfits_;  ///< of this start: names of groups, and why
  std::vector<std::string> order_;              ///< names, as in the file
  LateGroups late_;
  std::unique_ptr<engine::Sender> sender_;  // last: stops first
};

}  // namespace hanet::daemon
