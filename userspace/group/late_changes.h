// SPDX-License-Identifier: Apache-2.0
//
// What others changed while the identity moved.
//
// Between the last look at the failed interface and the message that takes an address off it lie
// some hundred microseconds, and another program may use them. An address that it added there is a
// part of the identity that nobody has moved; one that it removed was given to the standby although
// the kernel had it no more. The first shows by being left behind, the second by the kernel's
// answer that there was nothing to take off. Both are put right before the switchover counts as
// done, so what the standby has is what the kernel had (spec F3).
#pragma once

#include <functional>

#include "failover/execute.h"
#include "group/guard.h"

namespace hanet::group {

struct LateChangeInputs {
  const failover::Execution& execution;
  /// Taken: what was not there to be taken off was not there before either. CameUp: what going down
  /// and up took along was not removed by anybody.
  RepairDue repair = RepairDue::None;
  /// Of the identity, what was not there to be taken off anyway.
  const net::Identity& missing;
  /// Counts what another program takes off while the identity moves? Not where its path has failed.
  bool follows_removals = true;
  /// An identity without what is no part of one (a dummy address).
  std::function<net::Identity(net::Identity)> cleaned;
};

/// Corrects `plan.expected` and `plan.announcements`, and what the new interface has.
void follow_late_changes(const Context& context, failover::Plan& plan,
                         const LateChangeInputs& inputs);

}  // namespace hanet::group
