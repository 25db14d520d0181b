// SPDX-License-Identifier: Apache-2.0
//
// What hanet counts, as memory that others read (spec O5).
//
// hanetd writes one page and hands a read-only descriptor of it out (daemon/metrics_source.h), so
// whoever counts reads memory: no request, no system call, nothing that hanetd has to do. What
// happens is a counter that only grows while hanetd runs: a flap between two looks is in the next
// one. What the kernel side counts is in it as well: a copy, made whenever the page is written.
//
// The layout is that of one build. A reader compares kMetricsLayout, and the sizes, with its own
// before it reads anything.
//
// One writer, any number of readers. The values are words of 8 bytes behind a sequence number that
// is odd while they change; who finds it odd, or different afterwards, copies again (a seqlock, as
// in the kernel's Documentation/locking/seqlock.rst). So a copy is one moment of hanetd.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "core/clock.h"
#include "group/alarm_kind.h"
#include "hanet/abi.h"
#include "policy/condition.h"
#include "policy/group.h"

namespace hanet::report {

/// Changed with every change of the structures below that does not change their size.
inline constexpr std::uint64_t kMetricsLayout = 1;

inline constexpr std::size_t kCauses = static_cast<std::size_t>(policy::Cause::PeerElsewhere) + 1;
inline constexpr std::size_t kConditions =
    static_cast<std::size_t>(policy::Condition::StandbyNotReady) + 1;

/// Upper bounds of the buckets, in nanoseconds: 1, 2, 5 of each decade.
inline constexpr std::array<std::uint64_t, 16> kDetectionBounds{
    500'000,       1'000'000,      2'000'000,      5'000'000,     10'000'000,    20'000'000,
    50'000'000,    100'000'000,    200'000'000,    500'000'000,   1'000'000'000, 2'000'000'000,
    5'000'000'000, 10'000'000'000, 20'000'000'000, 60'000'000'000};
inline constexpr std::array<std::uint64_t, 12> kOvershootBounds{
    10'000,    20'000,    50'000,    100'000,    200'000,    500'000,
    1'000'000, 2'000'000, 5'000'000, 10'000'000, 20'000'000, 50'000'000};
inline constexpr std::array<std::uint64_t, 15> kSwitchoverBounds{
    100'000,     200'000,     500'000,       1'000'000,     2'000'000,
    5'000'000,   10'000'000,  20'000'000,    50'000'000,    100'000'000,
    200'000'000, 500'000'000, 1'000'000'000, 2'000'000'000, 5'000'000'000};

/// Counts per bucket, each value in one of them; the last one is what is above all bounds.
template <const auto& kBounds>
struct Durations {
  std::uint64_t sum_ns;
  std::array<std::uint64_t, kBounds.size() + 1> counts;

  void observe(Nanoseconds duration) {
    if (duration < Nanoseconds::zero()) return;  // two clocks, or a value that was just changing
    const auto ns = static_cast<std::uint64_t>(duration.count());
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && ns > kBounds[bucket]) ++bucket;
    ++counts[bucket];
    sum_ns += ns;
  }
};

/// Text of at most N - 1 bytes; what is longer is cut off.
template <std::size_t N>
using Text = std::array<char, N>;

struct GroupMetrics {
  Text<16> name;                ///< empty: no such group
  std::uint64_t condition;      ///< policy::Condition
  std::uint64_t is_protected;   ///< as the first line of `hanetctl status` says
  std::uint64_t is_incomplete;  ///< a part of the identity is missing on the active path
  std::uint64_t active;         ///< index into paths
  std::array<std::uint64_t, kCauses> switchovers;  ///< by policy::Cause, rolled back ones included
  std::uint64_t rolled_back;                       ///< of these: the identity stayed where it was
  std::uint64_t verdicts_waited;                   ///< for which the path was given time, by hanetd
  std::array<std::uint64_t, group::kAlarmKinds> alarms;  ///< raised, by group::AlarmKind
  /// Of each down verdict on heartbeats: from when the first unanswered request left.
  Durations<kDetectionBounds> detection;
  /// Of the same: how late the verdict was, which the kernel side alone answers for.
  Durations<kOvershootBounds> overshoot;
  /// From the verdict, or the command, until the identity was on the new path; without the time in
  /// which no path could take over. Not of those that were rolled back.
  Durations<kSwitchoverBounds> switchover;
};

struct PathMetrics {
  Text<256> name;  ///< of its interfaces, as everywhere; empty: no such path
  std::uint64_t group;
  std::uint64_t health;      ///< policy::Health
  std::uint64_t is_watched;  ///< 0: an idle cold standby
};

/// By the index of the port in the kernel side's map.
struct PortMetrics {
  Text<16> name;  ///< of the interface now; empty: no such port
  std::uint64_t path;
  std::uint64_t carrier_down_events;
  std::uint64_t carrier_up_events;
  std::array<std::uint64_t, HANET_REJECT_COUNT> rejected;
};

/// By the index of the session in the kernel side's map; see hanet_session.
struct SessionMetrics {
  std::uint64_t in_use;
  std::uint64_t port;  ///< index into ports
  Text<48> target;     ///< the address that it asks; empty: none
  std::uint64_t sent;
  std::uint64_t replies;
  std::uint64_t lost;
  std::uint64_t down_verdicts;
  std::uint64_t up_verdicts;
  std::uint64_t stall_deferrals;
  std::uint64_t rtt_sum_ns;
  std::array<std::uint64_t, HANET_RTT_BUCKETS> rtt_log2_ns;
};

struct Metrics {
  Text<32> version;      ///< of hanetd
  Text<96> link_source;  ///< as `hanetctl status` says
  Text<96> deadlines;
  std::uint64_t started_unix_ns;
  std::uint64_t written_ns;  ///< CLOCK_MONOTONIC; hanetd comes by at least every 100 ms
  std::uint64_t events_submitted;
  std::uint64_t events_dropped;
  std::array<std::uint64_t, group::kAlarmKinds> alarms;  ///< raised, of no group
  std::array<GroupMetrics, HANET_MAX_GROUPS> groups;
  std::array<PathMetrics, HANET_MAX_PORTS> paths;
  std::array<PortMetrics, HANET_MAX_PORTS> ports;
  std::array<SessionMetrics, HANET_MAX_SESSIONS> sessions;
};
static_assert(std::is_trivially_copyable_v<Metrics> && sizeof(Metrics) % 8 == 0);

inline constexpr std::size_t kMetricsWords = sizeof(Metrics) / 8;

/// The memory that is shared.
struct MetricsPage {
  std::uint64_t layout;    ///< kMetricsLayout
  std::uint64_t bytes;     ///< sizeof(MetricsPage)
  std::uint64_t sequence;  ///< odd: the words change
  std::array<std::uint64_t, kMetricsWords> words;
};

/// Into a page that nobody has seen yet.
void begin(MetricsPage& page);
/// By the one writer. Stores only what has changed.
void publish(MetricsPage& page, const Metrics& metrics);
/// False where no copy succeeds within a moment: the writer stopped in the middle.
[[nodiscard]] bool copy(const MetricsPage& page, Metrics& metrics);

template <std::size_t N>
void put(Text<N>& text, std::string_view value) {
  text = {};
  value.copy(text.data(), N - 1);
}
template <std::size_t N>
[[nodiscard]] std::string_view get(const Text<N>& text) {
  return {text.begin(), std::ranges::find(text, '\0')};
}

}  // namespace hanet::report
