// SPDX-License-Identifier: Apache-2.0
//
// Carrying a plan out: send everything, announce, then look at what came of it (spec F12).
//
// The messages go out step by step with one system call each and no look at the answers, because
// the host is cut off until the last one is done. Then the acknowledgements are read, the result is
// captured and compared with the plan, and what is missing is tried again. If the new interface
// ends with none of the identity's addresses, the identity is put back where it was.
//
// A full routing table takes a second to be moved, and another one to be verified. Neither may keep
// the next fault waiting (spec F18): the host is announced when it has its addresses and the first
// of its routes, and from then on whoever is called away leaves at the next chunk.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "failover/plan.h"
#include "net/netlink.h"

namespace hanet::failover {

struct StepResult {
  std::string name;
  MonotonicTime started{};
  Nanoseconds duration{};
  std::string result;                    ///< "ok" or what the kernel answered
  std::vector<std::size_t> unchanged{};  ///< messages that changed nothing (Step::tolerated)
};

enum class Outcome {
  Complete,    ///< everything is on the new interface, verified
  Incomplete,  ///< the identity is on the new interface, but something of it is missing
  RolledBack,  ///< the identity is on the old interface
};

struct Execution {
  Outcome outcome = Outcome::Complete;
  std::vector<StepResult> steps;
  std::vector<std::string> problems;  ///< what is missing, or why it was rolled back
  net::Identity lacking;              ///< of the identity, where the outcome is Incomplete
  std::vector<Step> afterwards;       ///< to be sent a second later (Plan::afterwards)
  bool restarted_link = false;        ///< the new interface went down and up: its link negotiates
  MonotonicTime last_message_sent{};  ///< from here on the identity is on the new interface
};

/// Puts announcements on the wire: the plan's interface has the addresses, and the first routes.
using Announce = std::function<void(const Plan&)>;
/// Has something else become more urgent than to put on the last routes, and to look at them?
using CalledAway = std::function<bool()>;

/// Runs the plan. `back` undoes it. Single-threaded; the socket must have no open dump. When it was
/// called away the outcome is Incomplete: what nobody has looked at is lacking.
[[nodiscard]] Execution execute(net::NetlinkSocket& socket, Plan& plan,
                                const std::function<Plan()>& back, const Announce& announce,
                                const CalledAway& called_away = {});

[[nodiscard]] std::string_view to_text(Outcome outcome);

}  // namespace hanet::failover
