// SPDX-License-Identifier: Apache-2.0
//
// The groups at work: how they come, change and go while hanetd runs (spec O8).
//
// What can change at once changes at once. A group whose other keys differ ends and starts anew as
// at the start of hanetd, and the others never notice: programs stay attached, the sender exchanges
// its thread between two beats. A change is carried out whole, or the groups are as before.
//
// Threading: hanetd's main thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/values.h"
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
  /// Gives back those that the configuration has not.
  void keep_only(const config::Config& config);

 private:
  std::map<std::string, net::PortLock> locks_;
};

class GroupSet {
 public:
  using MakeEnvironment = std::function<group::Environment()>;
  GroupSet(engine::Engine& engine, MakeEnvironment environment)
      : engine_(engine), environment_(std::move(environment)) {}
  GroupSet(const GroupSet&) = delete;
  GroupSet& operator=(const GroupSet&) = delete;

  /// Ends all of them; every identity stays where it is.
  void end_all();

  /// Makes the groups those of `wanted`: at the start, from none. On error they are as before; the
  /// error says so where that failed as well.
  [[nodiscard]] Status change(const config::Config& wanted);
  /// What is in force.
  [[nodiscard]] config::Config running() const;

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
  void end(const std::set<engine::GroupIndex>& which);
  [[nodiscard]] Status exchange(const Places& ending, const Places& beginning);
  void send_for(std::vector<engine::RequestFrames> added);

  engine::Engine& engine_;
  MakeEnvironment environment_;
  Groups groups_;
  std::unique_ptr<engine::Sender> sender_;  // last: stops first
};

}  // namespace hanet::daemon
