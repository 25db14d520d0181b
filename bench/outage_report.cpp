// SPDX-License-Identifier: Apache-2.0
//
// See outage_report.h. Whether packets were lost between two arrivals is asked once per arrival, so
// it is answered from a prefix sum over the sequence numbers. Only an arrival that raises the
// highest number seen can end a gap: a late packet from before the gap proves nothing about it, but
// it did arrive, so the gap is measured from the last arrival of any kind.
#include "bench/outage_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace hanet::bench {
namespace {

double to_us(nanoseconds time) { return static_cast<double>(time.count()) / 1e3; }

/// lost_below[s]: how many packets with a number below s never arrived.
std::vector<std::uint32_t> count_lost_below(const Trace& trace) {
  std::vector<std::uint32_t> counts(trace.send_ns.size() + 1, 1);
  for (const Arrival& arrival : trace.arrivals) {
    if (arrival.sequence < trace.send_ns.size()) counts[arrival.sequence] = 0;
  }
  std::uint32_t lost = 0;
  for (std::uint32_t& count : counts) lost += std::exchange(count, lost);
  return counts;
}

/// The longest time without a send between two moments; the edges count as sends.
nanoseconds longest_send_pause(std::span<const std::int64_t> send_ns, std::int64_t from_ns,
                               std::int64_t until_ns) {
  auto next = std::upper_bound(send_ns.begin(), send_ns.end(), from_ns);
  std::int64_t last = from_ns;
  std::int64_t longest = 0;
  for (; next != send_ns.end() && *next < until_ns; ++next) {
    longest = std::max(longest, *next - last);
    last = *next;
  }
  return nanoseconds(std::max(longest, until_ns - last));
}

void note_gap(DirectionReport& report, std::int64_t from_ns, std::int64_t until_ns, bool open) {
  ++report.loss_gaps;
  const nanoseconds gap(until_ns - from_ns);
  if (gap <= report.longest_gap) return;
  report.longest_gap = gap;
  report.gap_start_ns = from_ns;
  report.open_at_end = open;
}

nlohmann::json to_json(const DirectionReport& report, std::int64_t clock_offset_ns) {
  nlohmann::json json{{"sent", report.sent},
                      {"send_errors", report.send_errors},
                      {"received", report.received},
                      {"lost", report.lost},
                      {"duplicates", report.duplicates},
                      {"reordered", report.reordered},
                      {"loss_gaps", report.loss_gaps},
                      {"longest_gap_us", to_us(report.longest_gap)},
                      {"gap_sender_stall_us", to_us(report.gap_sender_stall)},
                      {"fault_sender_stall_us", to_us(report.fault_sender_stall)},
                      {"gap_start_ns", nullptr},
                      {"open_at_end", report.open_at_end},
                      {"longest_silence_us", to_us(report.longest_silence)},
                      {"highest_latency_us", to_us(report.highest_latency)}};
  if (report.loss_gaps > 0) json["gap_start_ns"] = report.gap_start_ns - clock_offset_ns;
  return json;
}

std::string to_text(const DirectionReport& report) {
  return fmt::format(
      "sent {} (refused {}), received {}, lost {}, duplicates {}, reordered {}\n"
      "        longest gap {:.1f} us{} (sender stalled {:.1f} us of it), {} gaps with loss, "
      "longest silence {:.1f} us, highest latency {:.1f} us\n",
      report.sent, report.send_errors, report.received, report.lost, report.duplicates,
      report.reordered, to_us(report.longest_gap),
      report.open_at_end ? ", not over at the end" : "", to_us(report.gap_sender_stall),
      report.loss_gaps, to_us(report.longest_silence), to_us(report.highest_latency));
}

}  // namespace

DirectionReport analyse(const Trace& trace) {
  DirectionReport report;
  report.sent = trace.send_ns.size();
  if (trace.send_ns.empty()) return report;
  const std::vector<std::uint32_t> lost_below = count_lost_below(trace);
  std::vector<bool> seen(trace.send_ns.size(), false);
  std::int64_t last_ns = trace.send_ns.front();
  std::size_t expected = 0;  // one past the highest number seen
  for (const Arrival& arrival : trace.arrivals) {
    const std::size_t sequence = arrival.sequence;
    if (sequence >= trace.send_ns.size()) continue;
    if (seen[sequence]) {
      ++report.duplicates;
      continue;
    }
    seen[sequence] = true;
    ++report.received;
    const nanoseconds latency(arrival.time_ns - trace.send_ns[sequence]);
    report.highest_latency = std::max(report.highest_latency, latency);
    report.longest_silence =
        std::max(report.longest_silence, nanoseconds(arrival.time_ns - last_ns));
    if (sequence < expected) {
      ++report.reordered;
    } else {
      const bool lost_between = lost_below[sequence] != lost_below[expected];
      if (lost_between) note_gap(report, last_ns, arrival.time_ns, false);
      expected = sequence + 1;
    }
    last_ns = std::max(last_ns, arrival.time_ns);
  }
  report.lost = report.sent - report.received;
  if (expected < report.sent) note_gap(report, last_ns, trace.end_ns, true);
  if (report.loss_gaps > 0) {
    const std::int64_t until_ns = report.gap_start_ns + report.longest_gap.count();
    report.gap_sender_stall = longest_send_pause(trace.send_ns, report.gap_start_ns, until_ns);
  }
  if (trace.fault_from_ns < trace.fault_until_ns)
    report.fault_sender_stall =
        longest_send_pause(trace.send_ns, trace.fault_from_ns, trace.fault_until_ns);
  return report;
}

void merge(DirectionReport& sum, const DirectionReport& part) {
  sum.sent += part.sent;
  sum.send_errors += part.send_errors;
  sum.received += part.received;
  sum.lost += part.lost;
  sum.duplicates += part.duplicates;
  sum.reordered += part.reordered;
  sum.loss_gaps += part.loss_gaps;
  if (part.longest_gap > sum.longest_gap) {
    sum.longest_gap = part.longest_gap;
    sum.gap_start_ns = part.gap_start_ns;
    sum.gap_sender_stall = part.gap_sender_stall;
    sum.open_at_end = part.open_at_end;
  }
  sum.fault_sender_stall = std::max(sum.fault_sender_stall, part.fault_sender_stall);
  sum.longest_silence = std::max(sum.longest_silence, part.longest_silence);
  sum.highest_latency = std::max(sum.highest_latency, part.highest_latency);
}

DirectionReport analyse_flows(const Trace& trace, std::uint32_t flows) {
  if (flows == 1) return analyse(trace);
  std::vector<std::vector<std::int64_t>> sent(flows);
  std::vector<std::vector<Arrival>> arrived(flows);
  for (std::size_t at = 0; at < trace.send_ns.size(); ++at)
    sent[at % flows].push_back(trace.send_ns[at]);
  for (const Arrival& arrival : trace.arrivals)
    arrived[arrival.sequence % flows].push_back(
        {.sequence = arrival.sequence / flows, .time_ns = arrival.time_ns});
  DirectionReport report;
  for (std::uint32_t flow = 0; flow < flows; ++flow)
    merge(report, analyse({.send_ns = sent[flow],
                           .arrivals = arrived[flow],
                           .end_ns = trace.end_ns,
                           .fault_from_ns = trace.fault_from_ns,
                           .fault_until_ns = trace.fault_until_ns}));
  return report;
}

std::string to_text(const MeterReport& report) {
  return fmt::format(
      "a -> b: {}b -> a: {}outage  {:.1f} us; sender's longest stall {:.1f} us; CPU time: sender "
      "{:.0f} %, receiver {:.0f} % of {:.3f} s\n",
      to_text(report.a_to_b), to_text(report.b_to_a), to_us(report.outage()),
      to_us(report.sender_stall), 100 * to_us(report.sender_cpu) / to_us(report.duration),
      100 * to_us(report.receiver_cpu) / to_us(report.duration), to_us(report.duration) / 1e6);
}

nlohmann::json to_json(const MeterReport& report) {
  return {{"a_to_b", to_json(report.a_to_b, report.realtime_minus_monotonic_ns)},
          {"b_to_a", to_json(report.b_to_a, report.realtime_minus_monotonic_ns)},
          {"outage_us", to_us(report.outage())},
          {"sender_stall_us", to_us(report.sender_stall)},
          {"sender_cpu_us", to_us(report.sender_cpu)},
          {"receiver_cpu_us", to_us(report.receiver_cpu)},
          {"duration_us", to_us(report.duration)}};
}

}  // namespace hanet::bench
