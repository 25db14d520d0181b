// SPDX-License-Identifier: Apache-2.0
//
// Numbered, time-stamped UDP in both directions between two namespaces: how long was it dark?
//
// Of several flows each goes by one port of a trunk, so one of them may be dark while the others
// are not: each is judged for itself, and the report has the sums and the worst flow's outage. Flow
// n has UDP port `port` + n at both ends.
//
// Both ends live in this process, so both are stamped by one clock. The sender has one thread with
// an absolute schedule; after a stall of its own it resumes the schedule from now instead of
// sending a burst. Arrival times are the kernel's own receive stamps, so it does not matter when
// the receiver reads: it sleeps and drains, which leaves the two cores of a small machine to the
// network under test. Nothing is allocated, and no page is touched for the first time, between
// start() and stop().
//
// Refused packets (no route, no address) are lost packets: an application would have lost them too.
//
// Threading: one thread at a time may call open, start, finished, stop.
#pragma once

#include <chrono>
#include <memory>

#include "bench/netns_socket.h"
#include "bench/outage_report.h"
#include "core/clock.h"
#include "core/result.h"

namespace hanet::bench {

struct MeterOptions {
  Endpoint a;
  Endpoint b;
  std::uint32_t packets_per_second = 20'000;        ///< per direction, 100 .. 200000
  std::uint32_t flows = 1;                          ///< that they are spread over, 1 .. 64
  std::chrono::milliseconds longest_run{1000};      ///< sending ends by itself after this
  std::chrono::milliseconds answer_deadline{1000};  ///< start() waits this long for first packets
  int priority = 1;  ///< of both threads under SCHED_FIFO; the lowest is below hanetd's
};

/// When the network was broken on purpose, and by when the outage had to be over; equal: not at
/// all.
struct FaultPeriod {
  MonotonicTime from{};
  MonotonicTime until{};
};

class OutageMeter {
 public:
  /// Opens both sockets and allocates the records. Needs CAP_SYS_ADMIN (setns) and CAP_NET_ADMIN.
  [[nodiscard]] static Result<std::unique_ptr<OutageMeter>> open(const MeterOptions& options);
  OutageMeter(const OutageMeter&) = delete;
  OutageMeter& operator=(const OutageMeter&) = delete;
  ~OutageMeter();

  /// Waits until packets pass in both directions (neighbours are resolved, time stamps are on),
  /// then starts to count. Fails when none passes within answer_deadline. Call once.
  [[nodiscard]] Status start();
  /// Whether longest_run is over.
  [[nodiscard]] bool finished() const;
  /// Stops sending, waits for what is under way, and reports. Call once, after start().
  [[nodiscard]] MeterReport stop(const FaultPeriod& fault = {});

 private:
  struct State;
  explicit OutageMeter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hanet::bench
