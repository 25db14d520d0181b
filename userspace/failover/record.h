// SPDX-License-Identifier: Apache-2.0
//
// The memory of switchovers: why, when in microseconds, which steps (spec O4).
//
// Filled in after the host is reachable again; bounded, oldest forgotten first.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "failover/execute.h"
#include "policy/group.h"

namespace hanet::failover {

/// A request that left before a verdict.
struct SeenHeartbeat {
  MonotonicTime sent;
  std::optional<MonotonicTime> replied;
};

/// The last moments before a verdict on heartbeats, as the kernel side saw them.
struct Flight {
  std::optional<MonotonicTime> last_reply;
  std::vector<SeenHeartbeat> heartbeats;  ///< oldest first
  /// The verdict waited from then on, because this CPU stood still; empty: it did not wait.
  std::optional<MonotonicTime> deferred_since;
  std::uint32_t stalled_cpu = 0;
  /// How late this machine's timers were then: of the CPU that takes in frames and was the latest.
  std::optional<Nanoseconds> timer_late;
  std::uint32_t timer_cpu = 0;
};

/// As many members as a switchover has to explain (spec O4).
struct SwitchoverRecord {
  std::uint64_t number = 0;
  std::string group;
  std::string from;
  std::string to;
  std::string cause;
  policy::Cause cause_kind = policy::Cause::Manual;
  std::string rule;
  std::chrono::system_clock::time_point wall_time;
  std::optional<MonotonicTime> first_lost;  ///< when the oldest unanswered request left
  std::optional<MonotonicTime> deadline;    ///< when the verdict was due
  MonotonicTime verdict{};                  ///< when the kernel side (or the person) decided
  MonotonicTime event_received{};           ///< when user space had it
  MonotonicTime decided{};                  ///< when a path was there that could take over
  MonotonicTime move_began{};               ///< until then the kernel's bridge carried the traffic
  Nanoseconds bridge_wait{};                ///< how long the move was to wait for the other end
  bool steered_in_kernel = false;
  /// The path had only begun to come up, or the switch to choose other ports of a trunk, so user
  /// space let the verdict wait until event_received.
  bool verdict_waited = false;
  std::uint32_t unanswered = 0;
  std::optional<Flight> flight;
  std::optional<std::uint32_t> session;  ///< of which the verdict was, in the kernel side's maps
  std::optional<double> load;  ///< processes that ran or wanted to, mean of the minute before
  MonotonicTime finished{};    ///< verified
  Execution execution;
};

class History {
 public:
  /// Numbers begin behind that of an earlier hanetd's last record.
  void number_from(std::uint64_t last) { count_ = last; }
  /// Numbers the record and keeps it.
  const SwitchoverRecord& add(SwitchoverRecord record);
  [[nodiscard]] const std::deque<SwitchoverRecord>& records() const { return records_; }

 private:
  static constexpr std::size_t kKept = 64;
  std::uint64_t count_ = 0;
  std::deque<SwitchoverRecord> records_;
};

}  // namespace hanet::failover
