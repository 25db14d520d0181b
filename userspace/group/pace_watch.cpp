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
// what a limit lets pass at once.
constexpr Nanoseconds kUnbridgedDoubt = std::chrono::seconds(1);

std::int64_t milliseconds(Nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

policy::AnswersSeen PaceWatch::seen(const Port& port) const {
  const hanet_session& session = context_.engine().session(port.session);
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
          .multiplier = engine::load(session.multiplier)};
}

const policy::Pacing& PaceWatch::of(const Port& port) const {
  static const policy::Pacing kNone;
  const auto found = paces_.find(ports_.number_of(port));
  return found == paces_.end() ? kNone : found->second;
}

// Two ends have to come to the same verdict, and one of them may see the carrier go.
bool PaceWatch::may_be_policed(const Port& port) const {
  return !context_.config.both_ends && seen(port).asks &&
         !policy::is_proved_at_pace(of(port), monotonic_now());
}

bool PaceWatch::is_waited_for(const Port& port) const {
  if (!may_be_policed(port)) return false;
  const bool is_new = monotonic_now() < of(port).calm_since + kUnbridgedDoubt;
  if (context_.rules.cold) return is_new;
  if (port.path != context_.state.active) return true;
  const bool alone = std::ranges::none_of(ports_.all(), [&](const Port& other) {
    return other.path != port.path && other.present() &&
           engine::load(context_.engine().session(other.session).state) == HANET_SESSION_UP;
  });
  const bool bridges =
      engine::load(context_.engine().steer(port.index).mode) == HANET_STEER_BRIDGE_OUT;
  return alone || (is_new && !bridges);
}

// A standby that was told to be down stays so until it is up.
MonotonicTime PaceWatch::partial_until(const Port& port) const {
  const policy::PathState& path = context_.state.paths[port.path];
  const bool is_told = path.ports[port.slot].session == policy::SessionState::Down;
  if (context_.config.both_ends || (is_told && port.path != context_.state.active)) return {};
  const std::uint64_t verdict_ns = engine::load(context_.engine().session(port.session).verdict_ns);
  const MonotonicTime verdict = from_kernel_ns(verdict_ns);
  const MonotonicTime answered =
      policy::is_partial(of(port), verdict) ? of(port).partial_until : MonotonicTime{};
  if (is_told || !is_waited_for(port)) return answered;
  // A link that was away since then explains the silence.
  if (engine::load(context_.engine().port(port.index).carrier_changed_ns) > verdict_ns)
    return answered;
  return std::max(answered, verdict + policy::kPartialAnswer);
}

std::optional<Finding> PaceWatch::look(const Port& port) const {
  const policy::Pacing& pacing = of(port);
  const std::string& name = port.interface.name;
  if (pacing.state == policy::PaceState::Lossy)
    return Finding{.port = name,
                   .text = fmt::format("{} loses a part of its heartbeats however few are asked: "
                                       "this is no limit; look at its cable, its switch and the "
                                       "target",
                                       name)};
  if (pacing.state == policy::PaceState::Ordinary) return std::nullopt;
  const Nanoseconds pace = std::max(pacing.pace, pacing.pace_before_trial);
  return Finding{
      .port = name,
      .text = fmt::format(
          "{} answers {} of {} requests a second, steadily: its network limits them. hanet asks "
          "every {} ms there, and notices a silent failure of it after {} ms; raise the limit, or "
          "set a longer interval_us",
          name, pacing.answered_per_second, pacing.asked_per_second, milliseconds(pace),
          milliseconds(pace * engine::load(context_.engine().session(port.session).multiplier)))};
}

void PaceWatch::tick(MonotonicTime now) {
  std::vector<Finding> found;
  for (const Port& port : ports_.all()) {
    policy::Pacing& pacing = paces_[ports_.number_of(port)];
    const Nanoseconds before = pacing.pace;
    pacing = policy::paced(std::move(pacing), seen(port), now);
    if (pacing.pace != before)
      context_.engine().set_pace(
          port.session, std::chrono::duration_cast<std::chrono::microseconds>(pacing.pace));
    if (std::optional<Finding> finding = look(port)) found.push_back(std::move(*finding));
  }
  tell_changes(context_.notices, findings_, found);
  findings_ = std::move(found);
}

std::optional<MonotonicTime> PaceWatch::next_deadline(MonotonicTime now) const {
  std::optional<MonotonicTime> next;
  for (const Port& port : ports_.all()) {
    const policy::AnswersSeen answers = seen(port);
    if (!answers.asks) continue;
    const MonotonicTime at = policy::next_look(of(port), answers, now);
    if (!next || at < *next) next = at;
  }
  return next;
}

}  // namespace hanet::group
