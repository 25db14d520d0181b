// SPDX-License-Identifier: Apache-2.0
//
// See switch_record.h.
#include "group/switch_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/sysinfo.h>

#include <algorithm>

#include "group/flight.h"

namespace hanet::group {
namespace {

/// Of the last minute.
std::optional<double> mean_load() {
  struct sysinfo machine{};
  if (::sysinfo(&machine) != 0) return std::nullopt;
  return static_cast<double>(machine.loads[0]) / (1 << SI_LOAD_SHIFT);
}

// The kernel side knows when it reached the verdict, better than hanetd.
void take_kernel_times(failover::SwitchoverRecord& record, const engine::Engine& engine,
                       const Port& from, policy::DownReason reason) {
  const engine::SessionIndex decider = engine.decider(from.index);
  const hanet_session& session = engine.session(decider);
  const hanet_port& port = engine.port(from.index);
  if (reason == policy::DownReason::HeartbeatLost) {
    record.first_lost = from_kernel_ns(engine::load(session.first_lost_ns));
    record.deadline = from_kernel_ns(engine::load(session.deadline_ns));
    record.verdict = from_kernel_ns(engine::load(session.verdict_ns));
    record.unanswered =
        static_cast<std::uint32_t>(engine::load(session.sent) - engine::load(session.answered));
    record.session = decider;
    take_flight(record, engine);
  } else if (reason == policy::DownReason::CarrierLost &&
             engine::load(port.carrier) == HANET_CARRIER_DOWN) {
    record.verdict = from_kernel_ns(engine::load(port.carrier_changed_ns));
  }
}

}  // namespace

void take_flight(failover::SwitchoverRecord& record, const engine::Engine& engine) {
  if (!record.session || record.flight) return;
  record.flight = flight_of(engine.flight(*record.session), record.verdict);
  if (!record.flight || record.flight->heartbeats.empty()) return;
  // By now requests have been sent and answered that were not when it was made.
  const auto& heartbeats = record.flight->heartbeats;
  const auto answered =
      std::ranges::find_if(heartbeats.rbegin(), heartbeats.rend(),
                           [](const auto& seen) { return seen.replied.has_value(); });
  record.unanswered = static_cast<std::uint32_t>(answered - heartbeats.rbegin());
}

const Port& verdict_port(const PortList& ports, const PortJudge& judge,
                         const policy::Switchover& switchover) {
  if (switchover.from == switchover.to) return ports.from(switchover);
  return *std::ranges::max_element(ports.of(switchover.from), {},
                                   [&](const Port& port) { return judge.down_since(port); });
}

failover::SwitchoverRecord begin_record(const Context& context, const PortList& ports,
                                        const PortJudge& judge,
                                        const policy::Switchover& switchover, bool bridged,
                                        MonotonicTime received) {
  failover::SwitchoverRecord record;
  record.group = context.config.name;
  record.from = ports.from(switchover).interface.name;
  record.to = ports.to(switchover).interface.name;
  record.cause = policy::to_text(switchover.cause);
  record.cause_kind = switchover.cause;
  record.rule = policy::rule_of(switchover.cause);
  record.wall_time = wall_now();
  record.verdict = received;
  record.event_received = received;
  record.decided = received;
  record.steered_in_kernel = bridged;
  if (!policy::is_failure(switchover.cause)) return record;
  // It may be long ago that the path went down, if nothing could take over then.
  const Port& failed = verdict_port(ports, judge, switchover);
  record.event_received = record.verdict = judge.down_since(failed);
  const policy::PathState& path = context.state.paths[switchover.from];
  const policy::DownReason reason = policy::down_reason(path, failed.slot);
  if (switchover.cause == policy::Cause::GroupEnabled)
    record.rule += fmt::format("; what had happened to it: {}", policy::to_text(reason));
  if (path.ports.size() > 1 && switchover.from != switchover.to) {
    const policy::Capacity sum = policy::capacity_of(path);
    record.rule += fmt::format("; {} of {} of the trunk's capacity is lost, threshold {} % (T2)",
                               sum.lost, sum.total, path.threshold_percent);
  }
  take_kernel_times(record, context.engine(), failed, reason);
  record.verdict_waited = judge.trial(failed).held_back;
  return record;
}

void finish_record(const Context& context, failover::SwitchoverRecord record,
                   const std::string& path) {
  take_flight(record, context.engine());  // it may have been written down only now
  record.finished = monotonic_now();
  record.load = mean_load();
  const failover::SwitchoverRecord& kept = context.env.history.add(std::move(record));
  const std::string_view in_kernel = context.config.has_device()
                                         ? ", the kernel side had switched by then"
                                         : ", the kernel bridged meanwhile";
  const auto moved_us = (kept.execution.last_message_sent - kept.verdict).count() / 1000;
  context.notices.add(
      "switchover", path,
      fmt::format("{} to {} ({}): {}, moved {} us after the verdict{}{}{}{}", kept.from, kept.to,
                  kept.cause, failover::to_text(kept.execution.outcome), moved_us,
                  kept.verdict_waited ? ", for which the path was given time" : "",
                  kept.steered_in_kernel ? in_kernel : "",
                  kept.execution.problems.empty() ? "" : "; ",
                  fmt::join(kept.execution.problems, "; ")),
      {{"from", kept.from},
       {"to", kept.to},
       {"cause", kept.cause},
       {"outcome", std::string(failover::to_text(kept.execution.outcome))},
       {"moved_us", fmt::format("{}", moved_us)}});
}

}  // namespace hanet::group
