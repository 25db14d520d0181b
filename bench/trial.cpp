// SPDX-License-Identifier: Apache-2.0
//
// See trial.h. A fault explains one down verdict on the path that was cut, per node (a flap: one
// per flap). Every other down verdict, also one during repair and switching back, is counted as
// false.
#include "bench/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "bench/interrupt.h"
#include "bench/starvation.h"
#include "core/clock.h"
#include "core/priority.h"

namespace hanet::bench {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr auto kAskEvery = 20ms;
constexpr auto kAfterSwitch = 50ms;  // traffic that shows a second outage, if there is one
constexpr auto kSlowestFault = 10s;  // to break the network, on an emulated machine
constexpr auto kFollow = 1s;         // crossover: how long the other node may take to follow
constexpr auto kSegment = 1s;        // watching is cut into pieces of bounded memory
constexpr const char* kPrimaryPort = "p0";
constexpr std::uint32_t kTrunkPorts = 4;
constexpr auto kLookAtMachineEvery = 1ms;  // seldom enough to be no load
constexpr auto kWakeUp = 3ms;              // hanetd may have the news that late

std::uint64_t number_of(const json& record) { return record.value("number", std::uint64_t{0}); }

/// The newest number of a node's switchovers; 0 if there was none.
std::uint64_t newest(const json& switchovers) {
  return switchovers.empty() ? 0 : number_of(switchovers.back());
}

bool wait_unless_interrupted(std::chrono::milliseconds time) {
  const MonotonicTime deadline = monotonic_now() + time;
  while (!interrupted() && monotonic_now() < deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - monotonic_now());
    std::this_thread::sleep_for(std::clamp<Nanoseconds>(left, 0ns, 50ms));
  }
  return !interrupted();
}

/// When the first node reached its verdict: the kernel's CLOCK_MONOTONIC, as our own stamps.
std::optional<std::int64_t> verdict_ns(const TrialResult& result) {
  std::optional<std::int64_t> verdict;
  for (const auto& [node, record] : result.record) {
    const auto at = record.value("verdict_ns", std::int64_t{0});
    if (at > 0) verdict = std::min(verdict.value_or(at), at);
  }
  return verdict;
}

/// From the last packet that arrived.
std::optional<double> detection_us(const TrialResult& result) {
  const MeterReport& meter = *result.meter;
  std::optional<std::int64_t> cut;
  for (const DirectionReport* direction : {&meter.a_to_b, &meter.b_to_a}) {
    if (direction->loss_gaps == 0) continue;
    const std::int64_t start = direction->gap_start_ns - meter.realtime_minus_monotonic_ns;
    cut = std::min(cut.value_or(start), start);
  }
  const std::optional<std::int64_t> verdict = verdict_ns(result);
  if (!cut || !verdict) return std::nullopt;
  return static_cast<double>(*verdict - *cut) / 1e3;
}

/// A fault that takes programs happens some time after it was begun.
std::optional<double> fault_to_verdict_us(const TrialResult& result, MonotonicTime fault) {
  const std::optional<std::int64_t> verdict = verdict_ns(result);
  if (!verdict) return std::nullopt;
  return static_cast<double>(*verdict - fault.time_since_epoch().count()) / 1e3;
}

// What explains a verdict is a stall that lay in the time the verdict looked at.
std::string stalls_before(const std::vector<Stall>& stalls, MonotonicTime news,
                          Nanoseconds detection) {
  std::string text;
  for (const Stall& stall : stalls) {
    if (stall.from > news || stall.to < news - detection - kWakeUp) continue;
    text += fmt::format("{}CPU {} stood still for {} us from {} us before the news",
                        text.empty() ? "" : ", ", stall.cpu, (stall.to - stall.from).count() / 1000,
                        (news - stall.from).count() / 1000);
  }
  return text.empty() ? "NO CPU STOOD STILL" : text;
}

/// Adds a later segment to a report.
void merge(MeterReport& sum, const MeterReport& part) {
  merge(sum.a_to_b, part.a_to_b);
  merge(sum.b_to_a, part.b_to_a);
  sum.sender_stall = std::max(sum.sender_stall, part.sender_stall);
  sum.sender_cpu += part.sender_cpu;
  sum.receiver_cpu += part.receiver_cpu;
  sum.duration += part.duration;
  sum.realtime_minus_monotonic_ns = part.realtime_minus_monotonic_ns;
}

}  // namespace

TrialRunner::TrialRunner(LabSession& lab, TrialOptions options)
    : lab_(lab), options_(std::move(options)) {}

Result<TrialRunner::Before> TrialRunner::look() {
  Before before{.active = kPrimaryPort, .last_number = {}, .state = {}};
  for (const std::string& node : lab_.nodes()) {
    Result<NodeState> state = lab_.state(node);
    if (!state) return pass_on(state);
    Result<json> switchovers = lab_.switchovers(node);
    if (!switchovers) return pass_on(switchovers);
    if (node == lab_.nodes().front()) before.active = state->active;
    before.last_number[node] = newest(*switchovers);
    before.state[node] = std::move(*state);
  }
  return before;
}

TrialResult TrialRunner::run() {
  TrialResult result;
  Status lost = lose_ports();
  Result<Before> before = lost ? look() : pass_on(lost);
  if (!before) {
    result.error = before.error().message;
    return result;
  }
  Status measured = measure(*before, result);
  Status recovered = recover();
  Status counted = count_false_verdicts(*before, true, result);
  for (const Status* status : {&measured, &recovered, &counted}) {
    if (status->has_value()) continue;
    result.error += (result.error.empty() ? "" : "; ") + status->error().message;
  }
  return result;
}

MeterOptions TrialRunner::meter_options() const {
  MeterOptions options = lab_.meter_options();
  options.packets_per_second = options_.packets_per_second;
  if (options_.starved > 0ms) options.priority = kMeasuringPriority;
  return options;
}

// Whoever is starved of processors can not be asked whether it is: the loops say that they run.
Status TrialRunner::break_and_settle(const Before& before, FaultPeriod& fault) {
  std::optional<Starvation> held;
  if (options_.starved > 0ms) {
    if (!become_real_time(kMeasuringPriority))
      return failure("the processors can not be held: CAP_SYS_NICE is needed");
    held.emplace(2 * options_.starved + kSlowestFault);
    if (!held->held()) {
      become_ordinary();
      return failure("not every processor is held");
    }
    (void)wait_unless_interrupted(options_.starved / 2);
  }
  fault.from = monotonic_now();
  Status status = inject(before);
  (void)wait_unless_interrupted(held ? std::max(options_.starved / 2, options_.settle)
                                     : options_.settle);
  held.reset();
  if (options_.starved > 0ms) become_ordinary();
  return status;
}

Status TrialRunner::measure(const Before& before, TrialResult& result) {
  MeterOptions options = meter_options();
  const std::chrono::milliseconds flapping(
      options_.fault == "flap" ? options_.flaps * options_.flap_period_ms : 0U);
  options.longest_run = options_.before + options_.phase + flapping + options_.settle +
                        options_.switch_limit + kAfterSwitch + kSlowestFault + options_.starved;
  if (options_.absence != Absence::None)
    options.longest_run += options_.before + options_.recover_limit;
  Result<std::unique_ptr<OutageMeter>> meter = OutageMeter::open(options);
  if (!meter) return pass_on(meter);
  if (Status started = (*meter)->start(); !started) return started;
  StallWatch machine(kLookAtMachineEvery);
  const std::chrono::microseconds longest_phase(options_.phase);
  std::uniform_int_distribution<std::int64_t> phase(0, longest_phase.count());
  (void)wait_unless_interrupted(options_.before);
  std::this_thread::sleep_for(std::chrono::microseconds(phase(random_)));
  Status status = lab_.take_daemons_away(options_.absence);
  if (options_.absence != Absence::None) (void)wait_unless_interrupted(options_.before);
  FaultPeriod fault;
  if (status) status = break_and_settle(before, fault);
  if (Status back = lab_.bring_daemons_back(options_.absence); !back && status) status = back;
  fault.until = monotonic_now();
  if (status && (*meter)->finished())
    status = failure("breaking the network took so long that the traffic had ended before");
  if (status) status = await_switchovers(before, result);
  (void)wait_unless_interrupted(kAfterSwitch);
  if (status && (*meter)->finished())
    status = failure("the answers of hanet took so long that the traffic had ended before");
  result.timer_late_us = machine.end();
  result.meter = (*meter)->stop(fault);
  if (options_.absence == Absence::Killed) return status;
  result.detection_us = detection_us(result);
  if (options_.fault == "blackhole" || options_.fault == "carrier")
    result.fault_to_verdict_us = fault_to_verdict_us(result, fault.from);
  return status;
}

// Not the speaker: that one is cut in the end, because the identity's frames come in by it.
Status TrialRunner::lose_ports() {
  const std::uint32_t wanted = options_.lost_before.value_or(0);
  if (wanted == 0) return {};
  Result<NodeState> state = lab_.state(lab_.nodes().front());
  if (!state) return pass_on(state);
  std::uint32_t cut = 0;
  for (std::uint32_t port = 0; cut < wanted && port < kTrunkPorts; ++port) {
    const std::string name = fmt::format("p{}", port);
    if (name == state->speaker) continue;
    if (Status lost = lab_.fault(options_.fault, name); !lost) return lost;
    ++cut;
  }
  const MonotonicTime deadline = monotonic_now() + options_.switch_limit;
  while (state->lost_ports[state->active_path] != wanted && !interrupted()) {
    if (monotonic_now() >= deadline)
      return failure("the ports that were cut are not known as lost");
    std::this_thread::sleep_for(kAskEvery);
    state = lab_.state(lab_.nodes().front());
    if (!state) return pass_on(state);
  }
  return {};
}

Status TrialRunner::inject(const Before& before) {
  if (options_.lost_before)
    return lab_.fault(options_.fault, before.state.at(lab_.nodes().front()).speaker);
  const std::string path = before.active == kPrimaryPort ? "primary" : "standby";
  if (options_.fault != "flap") return lab_.fault(options_.fault, path);
  return lab_.fault("flap", path,
                    {"--times", std::to_string(options_.flaps), "--period-ms",
                     std::to_string(options_.flap_period_ms)});
}

/// Without hanet there is nobody to wait for: the repair ends the outage.
Status TrialRunner::await_switchovers(const Before& before, TrialResult& result) {
  if (lab_.nodes().empty()) return lab_.heal();
  if (options_.stays) {
    if (Result<bool> moved = all_switched(before, result); !moved || *moved)
      return failure("the trunk did not stand it: a switchover, although too little was lost");
    return {};
  }
  // One that starts answers nothing yet.
  const MonotonicTime deadline =
      monotonic_now() +
      (options_.absence == Absence::Killed ? options_.recover_limit : options_.switch_limit);
  Result<bool> switched = all_switched(before, result);
  while (!(switched && *switched) && monotonic_now() < deadline && !interrupted()) {
    std::this_thread::sleep_for(kAskEvery);
    switched = all_switched(before, result);
  }
  if (!switched) return pass_on(switched);
  result.switched = *switched;
  if (*switched) return {};
  return failure(fmt::format("no complete switchover from {} within {} ms", before.active,
                             (options_.settle + options_.switch_limit).count()));
}

Result<bool> TrialRunner::all_switched(const Before& before, TrialResult& result) {
  bool all = true;
  result.extra_switchovers = 0;
  for (const std::string& node : lab_.nodes()) {
    Result<json> switchovers = lab_.switchovers(node);
    if (!switchovers) return pass_on(switchovers);
    bool complete = false;
    for (const json& record : *switchovers) {
      if (number_of(record) <= before.last_number.at(node)) continue;
      if (complete) {
        ++result.extra_switchovers;
      } else if (record.value("from", "") == before.active) {
        result.record[node] = record;
        complete = record.value("outcome", "") == "complete";
      }
    }
    all = all && complete;
  }
  return all;
}

Status TrialRunner::recover() {
  if (Status healed = lab_.heal(); !healed) return healed;
  if (lab_.nodes().empty()) return {};
  if (Status ready = lab_.await_ready(options_.recover_limit); !ready) return ready;
  for (const std::string& node : lab_.nodes()) {
    Result<NodeState> state = lab_.state(node);
    if (!state) return pass_on(state);
    if (state->active == kPrimaryPort) continue;
    if (Status back = lab_.switch_to(node, kPrimaryPort); !back) return back;
    // The other node follows by itself (spec F8); only if it does not, the loop moves it as well.
    if (lab_.await_active(kPrimaryPort, kFollow)) break;
  }
  if (Status active = lab_.await_active(kPrimaryPort, options_.recover_limit); !active) {
    return active;
  }
  return lab_.await_ready(options_.recover_limit);
}

Status TrialRunner::count_false_verdicts(const Before& before, bool faulted, TrialResult& result) {
  const std::uint64_t times = options_.fault == "flap" ? options_.flaps : 1;
  for (const std::string& node : lab_.nodes()) {
    Result<NodeState> now = lab_.state(node);
    if (!now) return pass_on(now);
    const NodeState& then = before.state.at(node);
    for (std::size_t i = 0; i < std::min(then.paths.size(), now->paths.size()); ++i) {
      const bool was_cut = faulted && i == then.active_path;
      const std::uint64_t ports = options_.lost_before ? 1 : then.ports[i];
      const std::uint64_t explained = then.down_verdicts[i] + (was_cut ? times * ports : 0);
      if (now->down_verdicts[i] > explained) {
        result.false_verdicts += now->down_verdicts[i] - explained;
      }
    }
  }
  return {};
}

void TrialRunner::explain(const std::vector<Stall>& stalls, TrialResult& result) const {
  for (const std::string& node : lab_.nodes())
    for (const json& event : lab_.recorded_events(node))
      if (event.value("event", "") == "path-down")
        result.explanations.push_back(fmt::format(
            "{} {}: {}", node, event.value("path", "?"),
            stalls_before(stalls, from_kernel_ns(event.value("at_ns", std::uint64_t{0})),
                          lab_.detection_time())));
}

TrialResult TrialRunner::watch(std::chrono::seconds duration) {
  TrialResult result;
  Result<Before> before = look();
  const StallWatch stall_watch;
  std::vector<Child> recorders;
  for (const std::string& node : lab_.nodes())
    if (Result<Child> recorder = lab_.record_events(node))
      recorders.push_back(std::move(*recorder));
    else
      result.error = recorder.error().message;
  MeterOptions options = meter_options();
  options.longest_run = kSegment;
  const MonotonicTime end = monotonic_now() + duration;
  std::optional<Starvation> held;
  if (options_.starved > 0ms) {
    if (!become_real_time(kMeasuringPriority) || !held.emplace(duration + 1s).held())
      result.error = "the processors can not be held: CAP_SYS_NICE is needed";
  }
  while (before && monotonic_now() < end && !interrupted() && result.error.empty()) {
    Result<std::unique_ptr<OutageMeter>> meter = OutageMeter::open(options);
    const Status started = meter ? (*meter)->start() : pass_on(meter);
    if (!started) {
      result.error = started.error().message;
      break;
    }
    while (!(*meter)->finished() && wait_unless_interrupted(10ms)) {
    }
    const MeterReport segment = (*meter)->stop();
    if (!result.meter) result.meter.emplace();
    merge(*result.meter, segment);
  }
  held.reset();
  if (options_.starved > 0ms) become_ordinary();
  explain(stall_watch.stalls(), result);
  Status counted = before ? count_false_verdicts(*before, false, result) : pass_on(before);
  if (!counted && result.error.empty()) result.error = counted.error().message;
  for (const std::string& node : lab_.nodes()) {
    Result<json> switchovers = before ? lab_.switchovers(node) : json::array();
    if (!switchovers) continue;
    for (const json& record : *switchovers) {
      if (number_of(record) <= before->last_number.at(node)) continue;
      ++result.extra_switchovers;
      result.record[fmt::format("{} #{}", node, number_of(record))] = record;
    }
  }
  return result;
}

}  // namespace hanet::bench
