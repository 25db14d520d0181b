// SPDX-License-Identifier: Apache-2.0
//
// See port.h.
#include "policy/port.h"

#include <algorithm>

namespace hanet::policy {
namespace {

bool waits_for_first_answers(const PortSeen& seen, const PortTrial& trial, MonotonicTime now) {
  return !seen.was_up && now < trial.first_answers_until;
}

SessionState told_session(const PortSeen& seen, const PortTrial& trial, MonotonicTime now) {
  const bool has_time = waits_for_first_answers(seen, trial, now) || now < seen.rehash_ends ||
                        now < seen.partial_until;
  if (seen.session == SessionState::Down && has_time) return SessionState::Unknown;
  if (awaits_proof(seen) || (seen.blind && seen.session == SessionState::Up))
    return SessionState::Unknown;
  if (seen.session == SessionState::Up && now < seen.precedence_ends) return SessionState::Unknown;
  return seen.session;
}

LinkTrial next_link(const PortTrial& trial, bool carrier, MonotonicTime now) {
  if (carrier) return LinkTrial::Proved;
  if (trial.link == LinkTrial::Negotiating && now >= trial.negotiates_until)
    return LinkTrial::Overdue;
  return trial.link;
}

bool is_told_as_down(const PortState& state) {
  return state.session == SessionState::Down || state.carrier == false || !state.admin_up ||
         !state.present;
}

std::optional<MonotonicTime> next_change(const PortSeen& seen, const PortTrial& trial,
                                         MonotonicTime now) {
  std::optional<MonotonicTime> next;
  const auto consider = [&](bool wanted, MonotonicTime at) {
    if (wanted && at > now && (!next || at < *next)) next = at;
  };
  consider(waits_for_first_answers(seen, trial, now), trial.first_answers_until);
  consider(true, seen.rehash_ends);
  consider(seen.session == SessionState::Down, seen.partial_until);
  consider(true, seen.precedence_ends);
  consider(trial.link == LinkTrial::Negotiating, trial.negotiates_until);
  if (trial.judged_from) consider(true, *trial.judged_from);
  return next;
}

}  // namespace

PortTrial negotiating(PortTrial trial, MonotonicTime now) {
  trial.link = LinkTrial::Negotiating;
  trial.negotiates_until = now + kSettleTime;
  return trial;
}

bool awaits_proof(const PortSeen& seen) {
  return seen.active_silent_since && seen.admin_up && seen.present &&
         seen.session == SessionState::Up && seen.last_reply <= *seen.active_silent_since;
}

Judgement judge(const PortSeen& seen, PortTrial trial, MonotonicTime now) {
  Judgement judgement;
  PortState& state = judgement.state;
  state.present = seen.present;
  state.taken_out = seen.taken_out;
  state.admin_up = seen.admin_up;
  state.weight = seen.weight;
  state.peer = seen.peer;
  state.session = told_session(seen, trial, now);

  const bool carrier = seen.kernel_carrier.value_or(seen.rtnetlink_carrier);
  const bool just_proved = carrier && trial.link != LinkTrial::Proved;
  trial.link = next_link(trial, carrier, now);
  if (just_proved && seen.watched && state.session == SessionState::Down) {
    judgement.restart_session = true;
    state.session = SessionState::Unknown;
  }
  if (trial.link == LinkTrial::Negotiating)
    state.session = SessionState::Unknown;
  else
    state.carrier = carrier;

  if (trial.judged_from && now >= *trial.judged_from) {
    trial.judged_from.reset();
    judgement.restart_session |= seen.watched && seen.present;
  }
  const bool is_down = seen.session == SessionState::Down || !carrier;
  trial.held_back = is_down && (trial.held_back || !is_told_as_down(state));
  judgement.again_at = next_change(seen, trial, now);
  judgement.trial = trial;
  return judgement;
}

}  // namespace hanet::policy
