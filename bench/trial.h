// SPDX-License-Identifier: Apache-2.0
//
// One trial: break a working network under traffic, see what a client lost and what hanet says.
//
// The outage is what the meter saw; hanet's own record only explains it. Nothing polls the daemon
// while the outage lasts: on a small machine a process started in that millisecond would be part of
// the result. A trial in which something went wrong is a result too, with its reason in `error`.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>

#include "bench/lab_session.h"
#include "bench/outage_report.h"
#include "bench/stall_watch.h"

namespace hanet::bench {

struct TrialOptions {
  std::string fault = "blackhole";
  std::uint32_t packets_per_second = 20'000;
  std::chrono::milliseconds before{100};          ///< traffic before the fault
  std::chrono::milliseconds phase{20};            ///< and a random time up to this
  std::chrono::milliseconds settle{100};          ///< traffic after it, before anyone asks hanet
  std::chrono::milliseconds switch_limit{1000};   ///< a switchover must be complete by then
  std::chrono::milliseconds recover_limit{5000};  ///< healed, both paths up, back on p0
  /// A trunk: so many of its ports are lost already, and the fault hits one more, the one that
  /// the identity's frames come in by. Empty:
  /// the fault hits the whole path.
  std::optional<std::uint32_t> lost_before;
  /// So long every processor is held by a loop, with the fault in the middle; 0: not at all.
  std::chrono::milliseconds starved{0};
  Absence absence = Absence::None;  ///< of the daemons, from before the fault until it is steered
  bool stays = false;               ///< the path has to stand the fault: a switchover is an error
  std::uint32_t flaps = 5;
  std::uint32_t flap_period_ms = 200;
};

struct TrialResult {
  std::string error;                             ///< empty: hanet switched, and all was put back
  bool switched = false;                         ///< every node completed a switchover
  std::optional<MeterReport> meter;              ///< what clients saw
  std::map<std::string, nlohmann::json> record;  ///< node -> hanet's record of the switchover
  std::uint64_t false_verdicts = 0;              ///< down verdicts that the fault does not explain
  std::uint64_t extra_switchovers = 0;           ///< more than one per node before the repair
  /// Watching: what the machine did when a path went down although nobody cut it, a line each.
  std::vector<std::string> explanations;
  /// Last arrival before the outage until the first node's verdict.
  std::optional<double> detection_us;
  /// From the fault itself, whose instant is known where it takes no program.
  std::optional<double> fault_to_verdict_us;
  std::vector<double> timer_late_us;  ///< how late this machine's own timers were meanwhile
};

class TrialRunner {
 public:
  TrialRunner(LabSession& lab, TrialOptions options);
  /// Leaves the network healed, with p0 active, or says in `error` that this did not work.
  [[nodiscard]] TrialResult run();
  /// Traffic without a fault for `duration`: verdicts, losses and switchovers that should not be.
  [[nodiscard]] TrialResult watch(std::chrono::seconds duration);

 private:
  struct Before {
    std::string active;
    std::map<std::string, std::uint64_t> last_number;  // node -> newest switchover
    std::map<std::string, NodeState> state;
  };
  [[nodiscard]] Result<Before> look();
  [[nodiscard]] MeterOptions meter_options() const;
  /// Breaks the network, and waits until an outage has to be over.
  [[nodiscard]] Status break_and_settle(const Before& before, FaultPeriod& fault);
  [[nodiscard]] Status measure(const Before& before, TrialResult& result);
  [[nodiscard]] Status lose_ports();
  [[nodiscard]] Status inject(const Before& before);
  [[nodiscard]] Status await_switchovers(const Before& before, TrialResult& result);
  [[nodiscard]] Result<bool> all_switched(const Before& before, TrialResult& result);
  [[nodiscard]] Status recover();
  [[nodiscard]] Status count_false_verdicts(const Before& before, bool faulted,
                                            TrialResult& result);

  /// Fills in `explanations` from the nodes' events.
  void explain(const std::vector<Stall>& stalls, TrialResult& result) const;

  LabSession& lab_;
  TrialOptions options_;
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace hanet::bench
