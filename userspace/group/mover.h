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
#include "group/guard.h"
#include "group/identity_keeper.h"
#include "group/judge.h"
#include "group/kept_identity.h"
#include "group/ports.h"
#include "group/standbys.h"
#include "group/switcher.h"

namespace hanet::group {

/// The parts of the group that a move changes or asks.
struct MoverParts {
  Ports& ports;
  PortJudge& judge;
  IdentityKeeper& keeper;
  const Standbys& standbys;
  const WarmDummy& dummy;
  Bridge& bridge;
  Announcements& announcements;
  Afterwards& afterwards;
  KeptIdentity& kept;
};

class Mover : public Switcher {
 public:
  Mover(const Context& context, const MoverParts& parts) : context_(context), parts_(parts) {}

  void prepare() override;
  [[nodiscard]] MonotonicTime begin(const policy::Switchover& switchover,
                                    MonotonicTime received) override;
  [[nodiscard]] failover::Outcome carry_out(const policy::Switchover& switchover) override;
  void settle(const policy::Switchover& switchover, failover::Outcome outcome) override;
  void abandon(const policy::Switchover& switchover) override;
  [[nodiscard]] const failover::Plan* preview(const policy::Switchover& switchover) override;

  /// The plan is of before a change that is not worth a plan of its own.
  void mark_outdated() { outdated_ = true; }
  void prepare_if_outdated() {
    if (outdated_ && plan_) prepare();
  }
  /// The identity is no more what was announced when the kernel began to bridge.
  void expect_new_announcement() { pending_.announced = false; }
  /// From now on the bridge's time is over: looking at what waits is a part of the move.
  void note_beginning() { pending_.record.move_began = monotonic_now(); }
  /// A part of the identity was to be put back when the switchover came (guard.h).
  void note_repair(RepairDue due) { pending_.repair = due; }
  /// Does the switchover that waits leave the traffic to a bridge that hangs on this port?
  [[nodiscard]] bool bridges_from(const Port& port) const;
  /// The active path vanished with the identity, nothing could take over, and it is back (spec
  /// F11).
  [[nodiscard]] Status give_back(const Port& port, const net::LinkInfo& link);

 private:
  /// The switchover that runs.
  struct Pending {
    failover::SwitchoverRecord record;
    failover::Plan plan;     // as it was carried out
    bool announced = false;  // once, when the kernel began to bridge
    RepairDue repair = RepairDue::None;
  };
  [[nodiscard]] failover::Plan plan_of(const Port& from, const Port& to,
                                       const net::Identity& identity) const;
  void execute(const Port& from, const Port& to);
  void tell_engine(const policy::Switchover& switchover, bool moved);
  void change_cold_ports(const policy::Switchover& switchover, bool moved);
  void report(const policy::Switchover& switchover);

  const Context& context_;
  MoverParts parts_;
  std::optional<failover::Plan> plan_;  // of the next switchover
  bool outdated_ = false;
  Pending pending_;
  failover::Plan preview_;
};

}  // namespace hanet::group
