// SPDX-License-Identifier: Apache-2.0
//
// What happens after a verdict: the one seam between the decision and the way in which a group's
// identity comes to another path.
//
// Moving (mover.h) takes the identity from one interface and gives it to another. A metanetwork
// device would keep it where it is and steer. Everything else of a group is the same for both.
#pragma once

#include <optional>

#include "core/clock.h"
#include "failover/execute.h"
#include "failover/plan.h"
#include "policy/group.h"

namespace hanet::group {

class Switcher {
 public:
  virtual ~Switcher() = default;

  /// The identity or the ports changed: makes the next switchover ready.
  virtual void prepare() = 0;
  /// A switchover was decided. Returns when to carry it out; a time that has come: at once.
  /// `received`: when hanetd had the news that led to it.
  [[nodiscard]] virtual MonotonicTime begin(const policy::Switchover& switchover,
                                            MonotonicTime received) = 0;
  /// Carries it out, verifies, and rolls back if the new path takes nothing.
  [[nodiscard]] virtual failover::Outcome carry_out(const policy::Switchover& switchover) = 0;
  /// The policy knows who is active now: what follows for both paths.
  virtual void settle(const policy::Switchover& switchover, failover::Outcome outcome) = 0;
  /// It was given up before anything was touched.
  virtual void abandon(const policy::Switchover& switchover) = 0;
  /// What it would do, without doing it. Valid until the next call.
  [[nodiscard]] virtual const failover::Plan* preview(const policy::Switchover& switchover) = 0;
};

}  // namespace hanet::group
