// SPDX-License-Identifier: Apache-2.0
//
// See self_test.h.
#include "bench/self_test.h"

#include <chrono>
#include <memory>
#include <thread>

#include "bench/interrupt.h"
#include "bench/outage_meter.h"
#include "core/clock.h"
#include "core/priority.h"

namespace hanet::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kPriority = 50;  // a cut is as long as it is said to be, whoever else runs
constexpr auto kBefore = 50ms;
constexpr auto kAfter = 20ms;
constexpr std::size_t kLongest = 10;  // ms

Result<KnownCut> cut_once(LabSession& lab, const MeterOptions& options,
                          std::chrono::milliseconds length) {
  Result<std::unique_ptr<OutageMeter>> meter = OutageMeter::open(options);
  if (!meter) return pass_on(meter);
  if (Status started = (*meter)->start(); !started) return pass_on(started);
  std::this_thread::sleep_for(kBefore);
  if (Status cut = lab.fault("blackhole", "primary"); !cut) return pass_on(cut);
  const MonotonicTime from = monotonic_now();  // of a time in which it certainly is cut
  std::this_thread::sleep_until(from + length);
  const MonotonicTime until = monotonic_now();
  if (Status healed = lab.heal_ports(); !healed) return pass_on(healed);
  std::this_thread::sleep_for(kAfter);
  const MeterReport seen = (*meter)->stop({.from = from, .until = until});
  if (seen.lossless()) return failure("nothing was lost although the network was cut");
  return KnownCut{.real_us = std::chrono::duration<double, std::micro>(until - from).count(),
                  .measured_us = std::chrono::duration<double, std::micro>(seen.outage()).count()};
}

}  // namespace

Result<std::vector<KnownCut>> cut_and_measure(LabSession& lab, std::size_t count,
                                              std::uint32_t packets_per_second) {
  [[maybe_unused]] const bool real_time = become_real_time(kPriority);
  MeterOptions options = lab.meter_options();
  options.packets_per_second = packets_per_second;
  std::vector<KnownCut> cuts;
  while (cuts.size() < count && !interrupted()) {
    Result<KnownCut> cut =
        cut_once(lab, options, std::chrono::milliseconds(1 + cuts.size() % kLongest));
    if (!cut) return pass_on(cut);
    cuts.push_back(*cut);
  }
  return cuts;
}

}  // namespace hanet::bench
