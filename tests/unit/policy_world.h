// SPDX-License-Identifier: Apache-2.0
//
// A path group to play with: state, time and the actions of the last event.
//
// Tests of the policy read as histories: something happens to a path, and what the group does is
// compared. Time passes only when a test says so.
#pragma once

#include <chrono>
#include <utility>
#include <variant>
#include <vector>

#include "policy/group.h"

namespace hanet::policy {

class World {
 public:
  explicit World(std::size_t paths, const GroupRules& rules = {})
      : World(std::vector<std::size_t>(paths, 1), rules) {}
  /// Paths with so many ports each.
  explicit World(const std::vector<std::size_t>& ports, const GroupRules& rules = {})
      : rules_(rules), state_(initial_state(ports, 0, rules)) {}

  const std::vector<Action>& happens(const Event& event) {
    Decision decision = decide(std::move(state_), event, now_, rules_);
    state_ = std::move(decision.state);
    actions_ = std::move(decision.actions);
    return actions_;
  }
  const std::vector<Action>& port_becomes(std::size_t path, const PortState& port) {
    return port_becomes(path, 0, port);
  }
  /// One port of a trunk.
  const std::vector<Action>& port_becomes(std::size_t path, std::size_t at, const PortState& port) {
    std::vector<PortState> ports = state_.paths[path].ports;
    ports[at] = port;
    return happens(PathChanged{.path = path, .ports = std::move(ports)});
  }
  const std::vector<Action>& session_becomes(std::size_t path, SessionState session) {
    return port_becomes(path, PortState{.carrier = true, .session = session});
  }
  void time_passes(Nanoseconds duration) { now_ += duration; }

  /// The switchover that the last event started, if it started one.
  [[nodiscard]] std::optional<Switchover> started() const {
    for (const Action& action : actions_)
      if (const auto* start = std::get_if<StartSwitchover>(&action)) return start->switchover;
    return std::nullopt;
  }
  /// The switchover that the last event let go on.
  [[nodiscard]] std::optional<Switchover> carried_out() const {
    for (const Action& action : actions_)
      if (const auto* carry = std::get_if<CarryOutSwitchover>(&action)) return carry->switchover;
    return std::nullopt;
  }
  /// The waiting switchover that the last event ended.
  [[nodiscard]] std::optional<Switchover> abandoned() const {
    for (const Action& action : actions_)
      if (const auto* abandon = std::get_if<AbandonSwitchover>(&action)) return abandon->switchover;
    return std::nullopt;
  }
  [[nodiscard]] std::string_view refusal() const {
    for (const Action& action : actions_)
      if (const auto* refuse = std::get_if<Refuse>(&action)) return refuse->reason;
    return {};
  }
  template <typename Alarm>
  [[nodiscard]] bool has(std::size_t path, bool no_path) const {
    for (const Action& action : actions_)
      if (const auto* alarm = std::get_if<Alarm>(&action))
        if (alarm->path == path && alarm->no_path == no_path) return true;
    return false;
  }
  [[nodiscard]] const GroupState& state() const { return state_; }
  [[nodiscard]] MonotonicTime now() const { return now_; }
  [[nodiscard]] const std::vector<Action>& actions() const { return actions_; }

 private:
  GroupRules rules_;
  MonotonicTime now_{std::chrono::hours(1)};
  GroupState state_;
  std::vector<Action> actions_;
};

/// A world whose paths, of one port each, all work.
inline World working_world(std::size_t paths) {
  World world(paths);
  for (std::size_t at = 0; at < paths; ++at) world.session_becomes(at, SessionState::Up);
  return world;
}

}  // namespace hanet::policy
