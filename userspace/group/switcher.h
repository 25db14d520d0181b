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
#include "core/result.h"
#include "failover/plan.h"
#include "group/guard.h"
#include "group/port_list.h"
#include "net/link.h"
#include "policy/group.h"

namespace hanet::group {

/// What was found when the group looked at what waits, just before the switchover is carried out.
struct Beforehand {
  MonotonicTime began{};          ///< from then on the bridge's time is over
  bool identity_changed = false;  ///< what was announced when the kernel began to bridge is old
  RepairDue repair = RepairDue::None;  ///< a part of the identity was to be put back (guard.h)
};

class Switcher {
 public:
  virtual ~Switcher() = default;

  /// Makes the next switchover ready, after the identity or the ports changed.
  virtual void prepare() = 0;
  /// They changed, in a way that has time until the next keep_ready().
  virtual void mark_outdated() = 0;
  /// Prepares anew if what is ready is outdated, or leads elsewhere than the next failover would.
  virtual void keep_ready() = 0;
  /// Nothing changed but what is left of the addresses' lifetimes.
  virtual void renew_lifetimes() = 0;
  /// A switchover was decided. Returns when to carry it out; a time that has come: at once.
  /// `received`: when hanetd had the news that led to it.
  [[nodiscard]] virtual MonotonicTime begin(const policy::Switchover& switchover,
                                            MonotonicTime received) = 0;
  /// Carries it out, verifies, and rolls back if the new path takes nothing. Returns whether the
  /// identity is on the new path.
  [[nodiscard]] virtual bool carry_out(const policy::Switchover& switchover,
                                       const Beforehand& found) = 0;
  /// The policy knows who is active now: what follows for both paths.
  virtual void settle(const policy::Switchover& switchover, bool moved) = 0;
  /// It was given up before anything was touched.
  virtual void abandon(const policy::Switchover& switchover) = 0;
  /// Does the switchover that waits rely on a bridge that hangs on this port?
  [[nodiscard]] virtual bool relies_on(const Port& port) const = 0;
  /// The active path vanished with the identity, nothing could take over, and its card is back
  /// (spec F11).
  [[nodiscard]] virtual Status give_back(const Port& port, const net::LinkInfo& link) = 0;
  /// What it would do, without doing it. Valid until the next call.
  [[nodiscard]] virtual const failover::Plan* preview(const policy::Switchover& switchover) = 0;
};

}  // namespace hanet::group
