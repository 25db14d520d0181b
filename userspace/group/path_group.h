// SPDX-License-Identifier: Apache-2.0
//
// One path group at work: a composition of parts, driven by events.
//
//   what is seen -> PortJudge -> policy::decide() -> Switcher -> record, notices
//
// The ring only wakes: on every wake-up the group reads its ports' states from the maps and gives
// the differences to the policy, so a lost event costs time and never a decision. The identity is
// captured again whenever rtnetlink says that something changed, and the plan of the next
// switchover is encoded right then.
//
// The state of the policy is written by decide() alone, once it has begun. What an action leads to
// is an event like any other. Notifications that wait are heard in the middle of some steps
// (Environment::drain_notifications), so hear() and link_changed() only take notes.
//
// Threading: everything runs on hanetd's main thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "group/parts.h"
#include "policy/condition.h"

namespace hanet::group {

/// What reports are made of (report/).
struct View {
  const config::GroupConfig& config;
  engine::GroupIndex index;
  const policy::GroupState& state;
  const policy::GroupRules& rules;
  policy::Condition condition;
  std::chrono::system_clock::time_point condition_since;
  const PortList& ports;
  const net::Identity& identity;
  /// What a switchover would leave behind, if it came now.
  const std::vector<Upper>& uppers;
  std::vector<Finding> findings;
};

class PathGroup {
 public:
  PathGroup(const config::GroupConfig& config, engine::GroupIndex index, Environment environment);
  // The parts know where it is.
  PathGroup(const PathGroup&) = delete;
  PathGroup& operator=(const PathGroup&) = delete;

  /// Looks at the ports and captures the identity. Changes nothing: a port that can not be used is
  /// found here, before any group is started.
  [[nodiscard]] Status look();
  /// Prepares the standby and attaches. Returns what the sender has to send.
  [[nodiscard]] Result<std::vector<engine::RequestFrames>> start();
  /// Starts the sessions; call when the sender runs.
  [[nodiscard]] Status begin_monitoring();
  /// Puts standby settings back; the identity stays where it is.
  void stop();
  /// The part of it that concerns the host alone: of a group that did not begin.
  void put_back();

  /// Reads the maps and acts on what changed. `received`: when user space was woken.
  void refresh(MonotonicTime received);
  void link_changed(const net::LinkInfo& link, bool removed);
  /// A notification about addresses, routes, rules or neighbours, this group's or not.
  void hear(const nlmsghdr& message);
  /// Notifications were lost.
  void distrust_snapshot();
  /// Time passed: every part does what is due.
  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline(MonotonicTime now) const;

  /// A person's switch. Returns when it is carried out or refused.
  [[nodiscard]] Status switch_to(const std::string& interface);
  /// What that switch would do now, without doing it. The error is the refusal it would get. The
  /// plan lives until the next event.
  [[nodiscard]] Result<const failover::Plan*> preview(const std::string& interface);
  /// Takes the card of an idle path out of the group, and puts it or another one back, while
  /// everything runs (spec F10).
  [[nodiscard]] Status take_out(const std::string& interface);
  [[nodiscard]] Status put_back(const std::string& interface);

  /// Takes over what another configuration of this group has for the keys that need no restart
  /// (config::Effect::AtOnce). The others stay.
  void adopt(const config::GroupConfig& wanted);
  /// What is in force: the live parameters are those of the map.
  [[nodiscard]] config::GroupConfig running() const;

  [[nodiscard]] View view() const;

 private:
  [[nodiscard]] std::vector<Finding> findings() const;
  void apply(const policy::Event& event, MonotonicTime received);
  [[nodiscard]] std::vector<policy::Action> decide(const policy::Event& event,
                                                   MonotonicTime received);
  /// What the action leads to.
  [[nodiscard]] std::vector<policy::Event> act(const policy::Action& action,
                                               MonotonicTime received);
  [[nodiscard]] std::vector<policy::Event> carry_out(const policy::Switchover& switchover);
  [[nodiscard]] policy::PathChanged judged(std::size_t path, MonotonicTime received);
  void refresh_path(std::size_t path, MonotonicTime received);
  void tell_path_changes(std::size_t path, const policy::PathState& next, MonotonicTime received);
  void follow_parameters(MonotonicTime received);
  /// The identity goes from port to port; else it stays on a metanetwork device.
  [[nodiscard]] bool moves() const { return !config_.has_device(); }
  [[nodiscard]] Status look_device();
  [[nodiscard]] Result<const Port*> find_owner(const FoundPorts& found) const;
  [[nodiscard]] Status give_identity();
  [[nodiscard]] Status attach_device();
  [[nodiscard]] Status move_in(const Port& from);
  [[nodiscard]] Result<failover::Execution> take_in(const Port& from);
  const Port* move_out();
  void hear_of_port(const nlmsghdr& message);
  void move_in_again(MonotonicTime now);
  void look_after_device(MonotonicTime now);
  void stop_device();
  void look_after_what_moves(MonotonicTime now);
  void release_needless_bridging(MonotonicTime received);
  void return_needless_switch(MonotonicTime received);
  void follow_speaker();
  [[nodiscard]] bool active_path_is_dead();
  void keep_current();
  void recapture();
  void recapture_device();
  [[nodiscard]] Status recover();
  void leave_a_lead_that_works();
  void note_condition();
  [[nodiscard]] policy::ManualSwitch manual_switch(const Port& port) const;

  config::GroupConfig config_;
  Environment environment_;
  policy::GroupRules rules_;
  policy::GroupState state_;
  Notices notices_;
  Context context_;
  Parts parts_;
  policy::Holder found_;                     // at the start
  std::optional<MonotonicTime> move_in_at_;  // a port has addresses again
  bool has_moved_in_ = false;                // what is on the device goes back to a port in the end
  const Port* enters_from_ = nullptr;        // what the device takes over; null: nothing
  policy::Condition condition_ = policy::Condition::ActiveNotProved;
  std::chrono::system_clock::time_point condition_since_ = wall_now();
  std::uint64_t speaker_changes_ = 0;  // of the active trunk, when it was last announced
  std::string refusal_;                // of the person's switch that is being decided
};

}  // namespace hanet::group
