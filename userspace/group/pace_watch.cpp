// SPDX-License-Identifier: Apache-2.0
//
// See pace_watch.h.
#include "group/pace_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hanet::group {
namespace {

// Where nothing bridges, waiting is an outage: only as long as the first requests may have used up
// what a limit lets pass at once. A trial of the configured pace is waited for whole: its losses
// are hanet's own.
constexpr Nanoseconds kUnbridgedDoubt = std::chrono::seconds(1);

std::int64_t milliseconds(Nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

policy::AnswersSeen PaceWatch::seen(const Port& port, engine::SessionIndex index) const {
  const hanet_session& session = context_.engine().session(index);
  const std::uint32_t state = engine::load(session.state);
  const bool asks = session.kind != HANET_HEARTBEAT_SILENCE && port.present() && port.admin_up &&
                    state != HANET_SESSION_PAUSED &&
                    engine::load(context_.engine().port(port.index).carrier) != HANET_CARRIER_DOWN;
  const hanet_params& params = context_.engine().params(context_.index);
  return {.sent = engine::load(session.sent),
          .replies = engine::load(session.replies),
          .lost = engine::load(session.lost),
          .gaps = engine::load(session.gaps),
          .asks = asks,
          .down = state == HANET_SESSION_DOWN,
          .down_at = from_kernel_ns(engine::load(session.verdict_ns)),
          .last_reply = from_kernel_ns(engine::load(session.last_reply_ns)),
          .interval = std::chrono::microseconds(engine::load(session.interval_us)),
          .configured = std::chrono::microseconds(engine::load(params.interval_us)),
          .multiplier = engine::load(session.multiplier),
          .another_is_clean = another_is_clean(port),
          .may_try = !context_.config.both_ends};
}

const policy::Pacing& PaceWatch::of(engine::SessionIndex session) const {
  static const policy::Pacing kNone;
  const auto found = paces_.find(session);
  return found == paces_.end() ? kNone : found->second;
}

// Two ends have to come to the same verdict, and one of them may see the carrier go.
bool PaceWatch::may_be_policed(const Port& port, engine::SessionIndex session) const {
  const MonotonicTime now = monotonic_now();
  const policy::AnswersSeen answers = seen(port, session);
  if (context_.config.both_ends || !answers.asks || policy::is_proved_at_pace(of(session), now))
    return false;
  return !answers.down || now <= policy::doubted_until(of(session), answers);
}

bool PaceWatch::may_be_policed(const Port& port) const {
  return std::ranges::any_of(
      context_.engine().sessions_of(port.index),
      [&](engine::SessionIndex session) { return may_be_policed(port, session); });
}

bool PaceWatch::is_limited(const Port& port) const {
  return std::ranges::any_of(
      context_.engine().sessions_of(port.index), [&](engine::SessionIndex session) {
        const policy::PaceState state = of(session).state;
        return state == policy::PaceState::Policed || state == policy::PaceState::Trying;
      });
}

bool PaceWatch::is_waited_for(const Port& port, engine::SessionIndex session) const {
  if (!may_be_policed(port, session)) return false;
  const bool is_new = of(session).state == policy::PaceState::Trying ||
                      monotonic_now() < of(session).calm_since + kUnbridgedDoubt;
  if (context_.rules.cold) return is_new;
  if (port.path != context_.state.active) return true;
  const bool alone = std::ranges::none_of(ports_.all(), [&](const Port& other) {
    return other.path != port.path && other.present() &&
           context_.engine().verdict(other.index).state == HANET_SESSION_UP;
  });
  const bool bridges =
      engine::load(context_.engine().steer(port.index).mode) == HANET_STEER_BRIDGE_OUT;
  return alone || (is_new && !bridges);
}

// A path that answers everything at the same pace says that the network has no limit.
bool PaceWatch::another_is_clean(const Port& port) const {
  return std::ranges::any_of(ports_.all(), [&](const Port& other) {
    return other.path != port.path && other.present() &&
           context_.engine().verdict(other.index).state == HANET_SESSION_UP &&
           std::ranges::all_of(context_.engine().sessions_of(other.index),
                               [&](engine::SessionIndex session) {
                                 return policy::is_clean(of(session), monotonic_now());
                               });
  });
}

MonotonicTime PaceWatch::doubted_until(const Port& port, engine::SessionIndex session,
                                       bool is_told) const {
  const std::uint64_t verdict_ns = engine::load(context_.engine().session(session).verdict_ns);
  const MonotonicTime verdict = from_kernel_ns(verdict_ns);
  const policy::Pacing& pacing = of(session);
  MonotonicTime answered =
      policy::is_partial(pacing, verdict) ? pacing.partial_until : MonotonicTime{};
  if (another_is_clean(port)) answered = std::min(answered, verdict + policy::kPartialAnswer);
  if (is_told || !is_waited_for(port, session)) return answered;
  // A link that was away since then explains the silence.
  if (engine::load(context_.engine().port(port.index).carrier_changed_ns) > verdict_ns)
    return answered;
  return std::max(answered, verdict + policy::kPartialAnswer);
}

// A standby that was told to be down stays so until it is up. Of several targets one more has to be
// down beyond doubt than the quorum can spare.
MonotonicTime PaceWatch::partial_until(const Port& port) const {
  const policy::PathState& path = context_.state.paths[port.path];
  const bool is_told = path.ports[port.slot].session == policy::SessionState::Down;
  if (context_.config.both_ends || (is_told && port.path != context_.state.active)) return {};
  std::vector<MonotonicTime> doubts;
  for (const engine::SessionIndex session : context_.engine().sessions_of(port.index))
    if (engine::load(context_.engine().session(session).state) == HANET_SESSION_DOWN)
      doubts.push_back(doubted_until(port, session, is_told));
  const hanet_port& watched = context_.engine().port(port.index);
  const std::size_t spare = watched.targets - watched.quorum;
  if (doubts.size() <= spare) return {};
  std::ranges::sort(doubts);
  return doubts[spare];
}

std::optional<Finding> PaceWatch::look(const Port& port, engine::SessionIndex session) const {
  const policy::Pacing& pacing = of(session);
  const std::string name = ports_.asked_by(port, session);
  if (pacing.state == policy::PaceState::Lossy)
    return Finding{.port = port.interface.name,
                   .text = fmt::format("{} loses a part of its heartbeats however few are asked: "
                                       "this is no limit; look at its cable, its switch and the "
                                       "target",
                                       name)};
  if (pacing.state == policy::PaceState::Ordinary) return std::nullopt;
  const Nanoseconds pace = std::max(pacing.pace, pacing.pace_before_trial);
  return Finding{
      .port = port.interface.name,
      .text = fmt::format(
          "{} answers {} of {} requests a second, steadily: {}. hanet asks every {} ms there, and "
          "notices a silent failure of it after {} ms; raise the limit, or set a longer "
          "interval_us",
          name, pacing.answered_per_second, pacing.asked_per_second,
          pacing.answered_per_second > 0
              ? "its network limits them"
              : "its network limits them, or the target answers searches and no heartbeats",
          milliseconds(pace),
          milliseconds(pace * engine::load(context_.engine().session(session).multiplier)))};
}

void PaceWatch::tick(MonotonicTime now) {
  std::vector<Finding> found;
  for (const Port& port : ports_.all())
    for (const engine::SessionIndex session : context_.engine().sessions_of(port.index)) {
      policy::Pacing& pacing = paces_[session];
      const Nanoseconds before = pacing.pace;
      pacing = policy::paced(std::move(pacing), seen(port, session), now);
      if (pacing.pace != before)
        context_.engine().set_pace(
            session, std::chrono::duration_cast<std::chrono::microseconds>(pacing.pace));
      if (std::optional<Finding> finding = look(port, session))
        found.push_back(std::move(*finding));
    }
  tell_changes(context_.notices, AlarmKind::RequestsLimited, findings_, found);
  findings_ = std::move(found);
}

std::optional<MonotonicTime> PaceWatch::next_deadline(MonotonicTime now) const {
  std::optional<MonotonicTime> next;
  for (const Port& port : ports_.all())
    for (const engine::SessionIndex session : context_.engine().sessions_of(port.index)) {
      const policy::AnswersSeen answers = seen(port, session);
      if (!answers.asks) continue;
      const MonotonicTime at = policy::next_look(of(session), answers, now);
      if (!next || at < *next) next = at;
    }
  return next;
}

}  // namespace hanet::group
