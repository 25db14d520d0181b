// SPDX-License-Identifier: Apache-2.0
//
// See judge.h.
#include "group/judge.h"

#include <algorithm>

#include "core/log.h"

namespace hanet::group {
namespace {

policy::SessionState session_state(hanet_session_state state) {
  switch (state) {
    case HANET_SESSION_UP:
      return policy::SessionState::Up;
    case HANET_SESSION_DOWN:
      return policy::SessionState::Down;
    case HANET_SESSION_PAUSED:
      return policy::SessionState::Paused;
    case HANET_SESSION_UNKNOWN:
      break;
  }
  return policy::SessionState::Unknown;
}

policy::PeerClaim claim(std::uint8_t said) {
  switch (static_cast<hanet_claim>(said)) {
    case HANET_CLAIM_ELSEWHERE:
      return policy::PeerClaim::Elsewhere;
    case HANET_CLAIM_HERE:
      return policy::PeerClaim::Here;
    case HANET_CLAIM_HERE_BY_HAND:
      return policy::PeerClaim::HereByHand;
    case HANET_CLAIM_UNKNOWN:
    case HANET_CLAIM_COUNT:
      break;
  }
  return policy::PeerClaim::Unknown;
}

std::optional<bool> carrier(std::uint32_t seen) {
  if (seen == HANET_CARRIER_UNKNOWN) return std::nullopt;
  return seen == HANET_CARRIER_UP;
}

// A reply is due once in an interval; looking four times as often loses little and costs little.
Nanoseconds proof_interval(const hanet_session& session) {
  const std::chrono::microseconds interval(engine::load(session.interval_us));
  return std::max<Nanoseconds>(interval / 4, std::chrono::microseconds(HANET_INTERVAL_MIN_US));
}

}  // namespace

void PortJudge::begin(MonotonicTime now) {
  entries_.resize(ports_.all().size());
  for (const Port& port : ports_.all()) {
    if (context_.engine().is_watched_by_left(port.index))
      of(port).trial.link = policy::LinkTrial::Proved;
    else
      expect_negotiation(port, now);
  }
}

// Attaching costs time on the path and on the CPU: the first answers may take longer than the
// detection time, and the other path may be the first to be proved.
Status PortJudge::begin_monitoring(MonotonicTime now) {
  for (const Port& port : ports_.all()) {
    if (!context_.state.paths[port.path].watched || !port.present()) continue;
    if (Status started = context_.engine().start_sessions(port.index); !started) return started;
    of(port).trial.first_answers_until = now + policy::kFirstAnswers;
    judge_again(port, now + policy::kFirstAnswers);
  }
  return {};
}

void PortJudge::expect_negotiation(const Port& port, MonotonicTime now) {
  of(port).trial = policy::negotiating(of(port).trial, now);
  judge_again(port, of(port).trial.negotiates_until);
}

void PortJudge::judge_again(const Port& port, MonotonicTime at) {
  std::optional<MonotonicTime>& again_at = of(port).again_at;
  again_at = std::min(again_at.value_or(at), at);
}

void PortJudge::begin_session(const Port& port) const {
  if (Status started = context_.engine().start_sessions(port.index); !started)
    log::error("{}: {}", context_.config.name, started.error().message);
}

void PortJudge::pause_until(const Port& port, MonotonicTime until) {
  context_.engine().pause_sessions(port.index);
  of(port).trial.judged_from = until;
  judge_again(port, until);
}

policy::PortSeen PortJudge::seen(const Port& port) const {
  const engine::Engine& engine = context_.engine();
  const engine::PortVerdict verdict = engine.verdict(port.index);
  policy::PortSeen seen;
  seen.present = port.present();
  seen.taken_out = port.presence == Presence::TakenOut;
  seen.admin_up = port.admin_up;
  seen.watched = context_.state.paths[port.path].watched;
  seen.kernel_carrier = carrier(engine::load(engine.port(port.index).carrier));
  seen.rtnetlink_carrier = port.rtnetlink_carrier;
  seen.session = session_state(verdict.state);
  seen.blind = ports_.is_blind(port);
  seen.was_up = verdict.was_up;
  seen.last_reply = from_kernel_ns(verdict.last_reply_ns);
  if (port.path != context_.state.active) seen.active_silent_since = active_silent_since();
  seen.partial_until = paces_.partial_until(port);
  seen.rehash_ends = rehash_ends(port);
  seen.precedence_ends = precedence_ends(port);
  seen.weight = port.weight;
  // The other end of a pair is the target itself; the further ones are strangers to it.
  const engine::SessionIndex first = engine.port(port.index).session;
  seen.peer = claim(engine::load(engine.session(first).peer_claim));
  return seen;
}

// Of a trunk, when the last of its silent ports fell silent.
std::optional<MonotonicTime> PortJudge::active_silent_since() const {
  std::optional<MonotonicTime> since;
  for (const Port& port : ports_.of(context_.state.active)) {
    if (context_.engine().verdict(port.index).state != HANET_SESSION_DOWN) continue;
    const hanet_session& session = context_.engine().deciding_session(port.index);
    const MonotonicTime lost = from_kernel_ns(engine::load(session.first_lost_ns));
    since = std::max(since.value_or(lost), lost);
  }
  return since;
}

// By what the policy knows of the active path, not by the maps: it may come up between two looks.
MonotonicTime PortJudge::precedence_ends(const Port& port) const {
  const policy::PathState& active = context_.state.paths[context_.state.active];
  if (port.path == context_.state.active ||
      context_.engine().verdict(port.index).state != HANET_SESSION_UP)
    return {};
  const hanet_session& session = context_.engine().deciding_session(port.index);
  const MonotonicTime up_since = from_kernel_ns(engine::load(session.state_since_ns));
  MonotonicTime ends{};
  for (const Port& silent : ports_.of(context_.state.active)) {
    if (policy::down_reason(active, silent.slot) != policy::DownReason::HeartbeatLost) continue;
    const hanet_session& lost = context_.engine().deciding_session(silent.index);
    if (up_since > from_kernel_ns(engine::load(lost.first_lost_ns)))
      ends = std::max(ends, up_since + engine::detection_time(lost));
  }
  return ends;
}

// Until then the switch of a static trunk may send replies by a port that lost its carrier
// (bpf/trunk.bpf.h, trunk_rehashes).
MonotonicTime PortJudge::rehash_ends(const Port& port) const {
  const hanet_trunk* trunk = context_.engine().trunk_of(port.index);
  if (trunk == nullptr || trunk->mode != HANET_TRUNK_STATIC) return {};
  const std::uint64_t lost = engine::load(trunk->carrier_lost_ns);
  return lost == 0 ? MonotonicTime{} : from_kernel_ns(lost + HANET_REHASH_NS);
}

std::vector<policy::PortState> PortJudge::judge(std::size_t path, MonotonicTime received) {
  std::vector<policy::PortState> states;
  for (const Port& port : ports_.of(path)) {
    const policy::PortSeen seen_now = seen(port);
    policy::Judgement judgement = policy::judge(seen_now, of(port).trial, received);
    of(port).trial = judgement.trial;
    of(port).again_at = judgement.again_at;
    if (judgement.restart_session) begin_session(port);
    states.push_back(judgement.state);
  }
  return states;
}

std::optional<MonotonicTime> PortJudge::next_deadline(MonotonicTime now) const {
  std::optional<MonotonicTime> next;
  const auto consider = [&](MonotonicTime at) {
    if (!next || at < *next) next = at;
  };
  for (const Port& port : ports_.all()) {
    if (of(port).again_at) consider(*of(port).again_at);
    if (policy::awaits_proof(seen(port)))
      consider(now + proof_interval(context_.engine().deciding_session(port.index)));
  }
  return next;
}

}  // namespace hanet::group
