// SPDX-License-Identifier: Apache-2.0
//
// What the policy is told of one port: its judgement, as a pure function.
//
//   judge(what is seen of the port, the state of its trial, now) -> (port state, trial, what to do)
//
// The maps and rtnetlink say what was seen and when. Not all of it counts at once. A link that
// negotiates is no lost link; silence says nothing before the first answers are due; the switch of
// a static trunk sends replies by a lost port for a moment; and a reply from before the active path
// fell silent does not prove that a standby works now. What does not count yet is Unknown.
//
// The link's trial:
//
//   state         carrier seen           no carrier, before `until`   no carrier, after `until`
//   Negotiating   -> Proved (restart *)  stays: carrier unknown,      -> Overdue: carrier lost
//                                        session unknown
//   Overdue       -> Proved (restart *)  does not occur               stays: carrier lost
//   Proved        stays: carrier up      carrier lost                 carrier lost
//
//   * The session of a watched port that is down is started anew: requests that left while the
//     link negotiated prove nothing.
//
// The session, as the policy is told, when the link's trial does not say Unknown:
//
//   seen     condition                                                      told
//   Up       a standby that has not answered since the active path fell     Unknown
//            silent (perhaps the target itself died)
//   Up       a standby that came up while the active path was silent, as    Unknown
//            long as the active one could still have come up as well
//   Up       its requests leave unseen: a program stands in front of hanet  Unknown
//   Up       else                                                           Up
//   Down     never up, and the first answers are not due                    Unknown
//   Down     the network may answer a part of its requests (pacing.h)       Unknown
//   Down     its trunk is being rehashed by the switch                      Unknown
//   Down     else                                                           Down
//   Paused, Unknown                                                         the same
// A target that reboots answers on all paths at once, and which session counts to up_count first is
// chance. The active path has precedence (spec M9): it has a detection time of its own from the
// moment that the standby is up, because a path on which nothing is heard for so long is down by
// definition. A standby that was up before the active path fell silent waits for nothing.
#pragma once

#include <chrono>
#include <optional>

#include "core/clock.h"
#include "policy/path.h"

namespace hanet::policy {

/// Copper that negotiates takes up to four seconds (IEEE 802.3 clause 28, with margin); until then
/// neither a missing carrier nor silence says anything.
inline constexpr Nanoseconds kSettleTime = std::chrono::seconds(5);

/// What a path gets for its first answers. A target that never answers is searched for once a
/// second (engine/sender.cpp), so the default multiplier of 3 takes as long to give it up.
inline constexpr Nanoseconds kFirstAnswers = std::chrono::seconds(2);

/// What the maps and rtnetlink say of a port at one moment.
struct PortSeen {
  bool present = true;
  bool taken_out = false;
  bool admin_up = true;
  bool watched = true;                 ///< its path is: false for an idle cold standby
  std::optional<bool> kernel_carrier;  ///< by the kernel side; empty: it has not seen one yet
  bool rtnetlink_carrier = true;
  SessionState session = SessionState::Unknown;
  bool blind = false;   ///< the kernel side does not see the requests that are sent
  bool was_up = false;  ///< the session has been up since it was added
  MonotonicTime last_reply{};
  /// Of a standby: when the active path fell silent, if it is silent.
  std::optional<MonotonicTime> active_silent_since;
  MonotonicTime partial_until{};  ///< its silence may be a limit, see above; in the past: no
  MonotonicTime rehash_ends{};    ///< of a static trunk, see above; in the past: none
  /// Of a standby: the active path's precedence, see above; in the past: none.
  MonotonicTime precedence_ends{};
  std::uint32_t weight = 1;
  PeerClaim peer = PeerClaim::Unknown;
};

enum class LinkTrial { Negotiating, Overdue, Proved };

/// What a port is given time for.
struct PortTrial {
  LinkTrial link = LinkTrial::Overdue;
  MonotonicTime negotiates_until{};            ///< in LinkTrial::Negotiating
  MonotonicTime first_answers_until{};         ///< in the past: they are due
  std::optional<MonotonicTime> judged_from{};  ///< its heartbeats pause until then (spec F7)
  /// It is down by what was seen, and was given time all the same.
  bool held_back = false;
  bool operator==(const PortTrial&) const = default;
};

struct Judgement {
  PortState state;
  PortTrial trial;
  bool restart_session = false;  ///< its requests count from now on
  /// When time alone can change the judgement; empty if it can not.
  std::optional<MonotonicTime> again_at;
};

/// A link that was just brought up, or a port that was just attached.
[[nodiscard]] PortTrial negotiating(PortTrial trial, MonotonicTime now);

/// A standby is up and the active path is silent, but the standby has not answered since. The next
/// reply or verdict will tell; a port that can not answer (down, gone) is judged by that.
[[nodiscard]] bool awaits_proof(const PortSeen& seen);

[[nodiscard]] Judgement judge(const PortSeen& seen, PortTrial trial, MonotonicTime now);

}  // namespace hanet::policy
