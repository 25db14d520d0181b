// SPDX-License-Identifier: Apache-2.0
//
// What a stream of numbered packets says about an outage.
//
// An outage is what a client notices: the time in which nothing arrived although something was
// sent. So it is taken from arrivals alone, as the longest time between two packets that arrived
// with at least one lost packet between them. A silence without a loss is a delay, not an outage,
// and is reported apart; so is the longest time in which the sender itself did not send, because a
// hypervisor that stops the machine for 20 ms would otherwise look like a slow failover.
//
// Everything here is a pure function of recorded times, so it can be tested without a network.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

namespace hanet::bench {

using std::chrono::nanoseconds;

/// One packet that arrived. Times are nanoseconds of one clock, the same for both ends.
struct Arrival {
  std::uint32_t sequence = 0;
  std::int64_t time_ns = 0;
};

/// All that is known of one direction: send_ns[s] is when packet s was given to the kernel (also if
/// the kernel refused it); arrivals are in the order of arrival; end_ns is when receiving stopped.
struct Trace {
  std::span<const std::int64_t> send_ns;
  std::span<const Arrival> arrivals;
  std::int64_t end_ns = 0;
  /// When the network was broken, and by when the outage had to be over; equal: it was not broken.
  std::int64_t fault_from_ns = 0;
  std::int64_t fault_until_ns = 0;
};

struct DirectionReport {
  std::uint64_t sent = 0;         ///< attempts, with those that the kernel refused
  std::uint64_t send_errors = 0;  ///< refused by the kernel (no route, no address, queue full)
  std::uint64_t received = 0;     ///< distinct packets
  std::uint64_t lost = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t reordered = 0;       ///< arrived after a packet that was sent later (RFC 4737, 3.3)
  std::uint64_t loss_gaps = 0;       ///< silences with at least one lost packet in them
  nanoseconds longest_gap{};         ///< the longest of those: the outage
  nanoseconds gap_sender_stall{};    ///< longest time without a send within the longest gap
  std::int64_t gap_start_ns = 0;     ///< arrival of the last packet before the longest gap
  nanoseconds fault_sender_stall{};  ///< longest time without a send while the fault was to be seen
  bool open_at_end = false;          ///< the longest gap had not ended when the meter stopped
  nanoseconds longest_silence{};     ///< between two arrivals, with or without loss
  nanoseconds highest_latency{};
  /// The longest gap. Where nothing was lost: the longest pause of the sender while the fault was
  /// to be seen, because nothing would have told of an outage that is shorter. 0 without a fault.
  [[nodiscard]] nanoseconds outage() const { return lost > 0 ? longest_gap : fault_sender_stall; }
  bool operator==(const DirectionReport&) const = default;
};

struct MeterReport {
  DirectionReport a_to_b;
  DirectionReport b_to_a;
  nanoseconds sender_stall{};  ///< the most that the sender was late
  nanoseconds sender_cpu{};    ///< thread time, with the softirqs that ran in it
  nanoseconds receiver_cpu{};
  nanoseconds duration{};  ///< first to last send
  std::int64_t realtime_minus_monotonic_ns = 0;
  [[nodiscard]] bool lossless() const { return a_to_b.lost + b_to_a.lost == 0; }
  /// What a client noticed: the longer of the two directions, of those that lost something.
  [[nodiscard]] nanoseconds outage() const {
    if (lossless()) return std::max(a_to_b.outage(), b_to_a.outage());
    return std::max(a_to_b.longest_gap, b_to_a.longest_gap);
  }
};

/// Counts and gaps of one direction; send_errors stays 0. Arrivals with a number that was never
/// sent are ignored. O(sent + arrived).
[[nodiscard]] DirectionReport analyse(const Trace& trace);

/// The same of packets that are dealt to `flows` flows in turn, each of which is judged for itself.
[[nodiscard]] DirectionReport analyse_flows(const Trace& trace, std::uint32_t flows);

/// Adds another flow, or a later part of the same: counts add up, times are the worst.
void merge(DirectionReport& sum, const DirectionReport& part);

[[nodiscard]] std::string to_text(const MeterReport& report);
/// Times in microseconds as floating point; gap_start_ns on CLOCK_MONOTONIC.
[[nodiscard]] nlohmann::json to_json(const MeterReport& report);

}  // namespace hanet::bench
