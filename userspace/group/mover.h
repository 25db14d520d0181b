// SPDX-License-Identifier: Apache-2.0
//
// Moves a group's identity from port to port, in messages that were encoded before; and keeps the
// next move ready.
//
// Before: what waits is decided by policy::wait_before_move() (policy/bridging.h). After: settings
// follow, the announcements are repeated, cold ports change their state, the next plan is made.
#pragma once

#include <optional>

#include "group/afterwards.h"
#include "group/announcements.h"
#include "group/bridge.h"
#include "group/dummy.h"
#include "group/identity_keeper.h"
#include "group/judge.h"
#include "group/kept_identity.h"
#include "group/pace_watch.h"
#include "group/ports.h"
#include "group/readiness.h"
#include "group/standbys.h"
#include "group/switcher.h"

namespace hanet::group {

/// The parts of the group that a move changes or asks.
struct MoverParts {
  Ports& ports;
  PortJudge& judge;
  const PaceWatch& paces;
  IdentityKeeper& keeper;
  Standbys& standbys;
  const WarmDummy& dummy;
  const Readiness& readiness;
  Bridge& bridge;
  Announcements& announcements;
  Afterwards& afterwards;
  KeptIdentity& kept;
};

class Mover : public Switcher {
 public:
  Mover(const Context& context, const MoverParts& parts) : context_(context), parts_(parts) {}

  void prepare() override;
  void mark_outdated() override { outdated_ = true; }
  void keep_ready() override;
  void renew_lifetimes() override;
  [[nodiscard]] MonotonicTime begin(const policy::Switchover& switchover,
                                    MonotonicTime received) override;
  [[nodiscard]] bool carry_out(const policy::Switchover& switchover,
                               const Beforehand& found) override;
  void settle(const policy::Switchover& switchover, bool moved) override;
  void abandon(const policy::Switchover& switchover) override;
  [[nodiscard]] const failover::Plan* preview(const policy::Switchover& switchover) override;
  [[nodiscard]] bool relies_on(const Port& port) const override;
  [[nodiscard]] Status give_back(const Port& port, const net::LinkInfo& link) override;

 private:
  /// The switchover that runs.
  struct Pending {
    failover::SwitchoverRecord record;
    failover::Plan plan;     // as it was carried out
    bool announced = false;  // once, when the kernel began to bridge
    RepairDue repair = RepairDue::None;
    bool follows_removals = true;  // LateChangeInputs
    bool handed_over = false;      // the kernel side knows the new port
  };
  [[nodiscard]] failover::Plan plan_of(const Port& from, const Port& to,
                                       const net::Identity& identity) const;
  [[nodiscard]] const net::Configured& strangers_on(const Port& port) const;
  /// Where what waits or bridges goes, or else where the next failover would go.
  [[nodiscard]] const Port& goal() const;
  [[nodiscard]] bool has_better_goal() const;
  [[nodiscard]] bool is_planned(const Port& from, const Port& to) const {
    return plan_ && plan_->from == from.interface && plan_->to == to.interface;
  }
  void execute(const policy::Switchover& switchover);
  void hand_over(const policy::Switchover& switchover);
  [[nodiscard]] bool is_called_away(const policy::Switchover& switchover) const;
  void tell_engine(const policy::Switchover& switchover, bool moved);
  void give_to(const Port& lead, const Port& left, const net::MacAddress& mac) const;
  void bridge_again(const policy::Switchover& switchover);
  void note_refused(std::vector<std::string> settings);
  void change_cold_ports(const policy::Switchover& switchover, bool moved);
  void report(const policy::Switchover& switchover);

  const Context& context_;
  MoverParts parts_;
  std::optional<failover::Plan> plan_;  // of the next switchover
  std::size_t goal_ = 0;                // the port that it leads to
  bool outdated_ = false;
  Pending pending_;
  failover::Plan preview_;
};

}  // namespace hanet::group
