// SPDX-License-Identifier: Apache-2.0
//
// What the policy is told of a port; see group_runner.h.
//
// The kernel's maps say what was heard and when. Not all of it counts at once: a link that
// negotiates is no lost link, silence says nothing before the first answers are due, and a reply
// from before the active path fell silent does not prove that the standby works now.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "group/group_runner.h"

namespace hanet::group {
namespace {

policy::SessionState session_state(std::uint32_t state) {
  switch (static_cast<hanet_session_state>(state)) {
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

policy::Place place(std::uint8_t said) {
  switch (static_cast<hanet_place>(said)) {
    case HANET_PLACE_ELSEWHERE:
      return policy::Place::Elsewhere;
    case HANET_PLACE_HERE:
      return policy::Place::Here;
    case HANET_PLACE_HERE_BY_HAND:
      return policy::Place::HereByHand;
    case HANET_PLACE_UNKNOWN:
    case HANET_PLACE_COUNT:
      break;
  }
  return policy::Place::Unknown;
}

}  // namespace

void GroupRunner::expect_negotiation(RunningPort& port) {
  port.carrier_seen = false;
  port.settle_until = monotonic_now() + kSettleTime;
}

policy::PortState GroupRunner::port_state(std::size_t at, MonotonicTime now) {
  RunningPort& port = ports_[at];
  const hanet_port& seen = around_.engine.port(port.port);
  policy::PortState state;
  state.weight = port.weight;
  state.present = port.present;
  state.taken_out = port.taken_out;
  state.admin_up = port.admin_up;
  const auto heard = session_state(engine::load(around_.engine.session(port.session).state));
  state.session = heard;
  state.peer = place(engine::load(around_.engine.session(port.session).peer_place));
  if (heard == policy::SessionState::Down &&
      (waits_for_first_answers(port, now) || now < rehash_ends(port)))
    state.session = policy::SessionState::Unknown;
  if (awaits_proof(at)) state.session = policy::SessionState::Unknown;
  const std::uint32_t carrier = engine::load(seen.carrier);
  const bool up =
      carrier != HANET_CARRIER_UNKNOWN ? carrier == HANET_CARRIER_UP : port.rtnetlink_carrier;
  if (up && !port.carrier_seen) {
    port.carrier_seen = true;
    // Requests that left while the link negotiated prove nothing: count from here.
    if (state_.paths[port.path].watched && state.session == policy::SessionState::Down)
      if (Status begun = around_.engine.start_session(port.session); begun)
        state.session = policy::SessionState::Unknown;
  }
  if (!port.carrier_seen && now < port.settle_until) state.session = policy::SessionState::Unknown;
  if (up || port.carrier_seen || now >= port.settle_until) state.carrier = up;
  const bool told = state.session == policy::SessionState::Down || !state.carrier.value_or(true) ||
                    !state.admin_up || !state.present;
  port.held_back = (heard == policy::SessionState::Down || !up) && (port.held_back || !told);
  return state;
}

bool GroupRunner::waits_for_first_answers(const RunningPort& port, MonotonicTime now) const {
  return now < port.first_answers_until &&
         engine::load(around_.engine.session(port.session).up_verdicts) == 0;
}

bool GroupRunner::awaits_proof(std::size_t at) const {
  // A port that can not answer (down, or gone) will be judged by that.
  if (ports_[at].path == state_.active || !ports_[at].admin_up || !ports_[at].present) return false;
  const hanet_session& standby = around_.engine.session(ports_[at].session);
  if (engine::load(standby.state) != HANET_SESSION_UP) return false;
  const std::uint64_t heard = engine::load(standby.last_reply_ns);
  return std::ranges::any_of(ports_of(state_.active), [&](const RunningPort& port) {
    const hanet_session& active = around_.engine.session(port.session);
    return engine::load(active.state) == HANET_SESSION_DOWN &&
           heard <= engine::load(active.first_lost_ns);
  });
}

// Until then the switch of a static trunk may send replies by a port that lost its carrier
// (bpf/trunk.bpf.h, trunk_rehashes).
MonotonicTime GroupRunner::rehash_ends(const RunningPort& port) const {
  const hanet_trunk* trunk = around_.engine.trunk_of(port.port);
  if (trunk == nullptr || trunk->mode != HANET_TRUNK_STATIC) return {};
  const std::uint64_t lost = engine::load(trunk->carrier_lost_ns);
  return lost == 0 ? MonotonicTime{} : from_kernel_ns(lost + HANET_REHASH_NS);
}

// A reply is due once in an interval; looking four times as often loses little and costs little.
Nanoseconds GroupRunner::proof_interval(std::size_t at) const {
  const std::chrono::microseconds interval(
      engine::load(around_.engine.session(ports_[at].session).interval_us));
  return std::max<Nanoseconds>(interval / 4, std::chrono::microseconds(HANET_INTERVAL_MIN_US));
}

void GroupRunner::refresh_path(std::size_t path, MonotonicTime received) {
  const auto first = static_cast<std::size_t>(ports_of(path).data() - ports_.data());
  policy::PathState next = state_.paths[path];
  for (std::size_t slot = 0; slot < next.ports.size(); ++slot)
    next.ports[slot] = port_state(first + slot, received);
  if (next.ports == state_.paths[path].ports) return;
  tell_path_changes(path, next, received);
  apply(policy::PathChanged{.path = path, .ports = std::move(next.ports)}, received);
}

void GroupRunner::tell_path_changes(std::size_t path, const policy::PathState& next,
                                    MonotonicTime received) {
  const policy::PathState& before = state_.paths[path];
  for (std::size_t slot = 0; slot < next.ports.size(); ++slot) {
    const policy::DownReason reason = policy::down_reason(next, slot);
    if (reason == policy::down_reason(before, slot)) continue;
    RunningPort& port = ports_of(path)[slot];
    const bool down = reason != policy::DownReason::None;
    if (down) port.down_since = received;
    if (next.ports.size() == 1) continue;  // it is the path
    const policy::Capacity capacity = policy::capacity_of(next);
    publish(down ? "port-down" : "port-up", path,
            fmt::format("port {} is {}{}{}; {} % of the trunk's capacity is lost, it fails over at "
                        "{} %",
                        port.interface.name, down ? "down" : "not down any more", down ? ": " : "",
                        policy::to_text(reason),
                        100 * capacity.lost / std::max<std::uint64_t>(capacity.total, 1),
                        next.threshold_percent));
  }
  const policy::Health after = policy::health_of(next);
  if (policy::health_of(before) == after) return;
  const std::string_view reason = policy::to_text(policy::down_reason(next));
  publish(fmt::format("path-{}", policy::to_text(after)), path,
          fmt::format("path {} is {}{}{}", path_name(path), policy::to_text(after),
                      reason.empty() ? "" : ": ", reason));
}

}  // namespace hanet::group
