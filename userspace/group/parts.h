// SPDX-License-Identifier: Apache-2.0
//
// The parts of a path group, in the order in which they know each other. Each has its own state and
// its own next deadline, and none writes another's.
#pragma once

#include <algorithm>
#include <optional>

#include "group/afterwards.h"
#include "group/announcements.h"
#include "group/bridge.h"
#include "group/chain_watch.h"
#include "group/completion.h"
#include "group/dummy.h"
#include "group/guard.h"
#include "group/identity_keeper.h"
#include "group/judge.h"
#include "group/kept_identity.h"
#include "group/metaname.h"
#include "group/metanet_device.h"
#include "group/mover.h"
#include "group/pace_watch.h"
#include "group/ports.h"
#include "group/readiness.h"
#include "group/replug.h"
#include "group/settings_ledger.h"
#include "group/standbys.h"
#include "group/steerer.h"
#include "group/target_watch.h"
#include "group/unheard.h"
#include "group/uppers.h"

namespace hanet::group {

/// As many members as there are parts.
struct Parts {
  explicit Parts(const Context& context)
      : ports(context),
        paces(context, ports),
        judge(context, ports, paces),
        dummy(context, ports),
        metaname(context, ports),
        unheard(context, ports),
        chains(context, ports),
        targets(context, ports),
        uppers(context, ports),
        keeper(context.requests()),
        ledger(context),
        standbys(context, ports, dummy, ledger),
        announcements(context, ports, judge, paces),
        bridge(context, ports),
        afterwards(context.requests(), context.config.name),
        guard(context, ports, keeper),
        completion(context, ports, keeper, ledger),
        readiness(context, ports, keeper, dummy),
        kept(context, ports, dummy),
        mover(context, {.ports = ports,
                        .judge = judge,
                        .paces = paces,
                        .keeper = keeper,
                        .standbys = standbys,
                        .dummy = dummy,
                        .readiness = readiness,
                        .bridge = bridge,
                        .announcements = announcements,
                        .afterwards = afterwards,
                        .kept = kept}),
        device(context, ports),
        steerer(context, {.ports = ports,
                          .judge = judge,
                          .keeper = keeper,
                          .standbys = standbys,
                          .bridge = bridge,
                          .announcements = announcements,
                          .device = device}),
        switcher(context.config.has_device() ? static_cast<Switcher&>(steerer) : mover),
        replug(context, {.ports = ports,
                         .judge = judge,
                         .standbys = standbys,
                         .switcher = switcher,
                         .keeper = keeper,
                         .dummy = dummy,
                         .bridge = bridge}) {}

  /// The earliest that any part asks for.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline(MonotonicTime now) const {
    std::optional<MonotonicTime> next;
    for (const std::optional<MonotonicTime>& at :
         {paces.next_deadline(now), judge.next_deadline(now), uppers.next_deadline(now),
          keeper.next_deadline(), announcements.next_deadline(), afterwards.next_deadline(),
          guard.next_deadline(), completion.next_deadline(), readiness.next_deadline()})
      if (at && (!next || *at < *next)) next = at;
    return next;
  }

  Ports ports;                  ///< how they are bound
  PaceWatch paces;              ///< how often they ask
  PortJudge judge;              ///< what the policy is told of them
  WarmDummy dummy;              ///< what a warm standby has instead of the identity
  Metaname metaname;            ///< the group's name on the host
  UnheardWatch unheard;         ///< silent paths on which nothing was heard
  ChainWatch chains;            ///< programs of others in front of hanet's
  TargetWatch targets;          ///< at which MAC addresses the targets are
  Uppers uppers;                ///< what a switchover would leave behind
  IdentityKeeper keeper;        ///< what is known of the identity
  SettingsLedger ledger;        ///< what hanet changed of settings, and what was before
  Standbys standbys;            ///< the ports that wait
  Announcements announcements;  ///< where the identity is, for the network
  Bridge bridge;                ///< what the kernel side is told of the identity
  Afterwards afterwards;        ///< steps that are sent a second later
  Guard guard;                  ///< puts back what others took
  Completion completion;        ///< what the last switchover could not put there
  Readiness readiness;          ///< what would be lost, or differs, on a port that waits
  KeptIdentity kept;            ///< across a restart
  Mover mover;                  ///< moves the identity from port to port
  MetanetDevice device;         ///< which has the identity, where nothing moves
  Steerer steerer;              ///< sends what it sends by another path
  Switcher& switcher;           ///< what the others know of either
  Replug replug;                ///< cards that come and go
};

}  // namespace hanet::group
