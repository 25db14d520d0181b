// SPDX-License-Identifier: Apache-2.0
//
// What a series of trials amounts to, for people and for plots.
//
// Every trial whose meter ran counts in the outage distribution, also those in which hanet did not
// switch: leaving them out would make a broken release look fast. One that lost nothing does not
// count as an outage of 0, but as one as long as its sender paused: a shorter one it could not have
// seen. The reasons of failed trials are listed one by one.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/trial.h"

namespace hanet::bench {

/// One object: "topology", "fault", "trials" (run), "failed", "kernel", "cpu", "settings" (as
/// given; must hold topology and fault); distributions {"count","min","p50","p95","p99","max"} in
/// microseconds "outage_us", "outage_a_to_b_us", "outage_b_to_a_us" (meter), "detection_us" (last
/// packet before the outage until the verdict), "overshoot_us", "event_to_user_us",
/// "reconfiguration_us", "total_us" (hanet's records); the sums "sent", "lost", "duplicates",
/// "reordered", "false_verdicts", "extra_switchovers", "sender_stalled_trials" (more than 1 ms
/// without a send within the outage) and "lossless_trials" (they count with the sender's longest
/// pause from the fault until traffic had settled, see MeterReport::outage); and "each", every
/// trial with its meter report and its records.
[[nodiscard]] nlohmann::json make_report(const nlohmann::json& settings,
                                         const std::vector<TrialResult>& trials);

/// The same as a table, from the value that make_report returned.
[[nodiscard]] std::string report_text(const nlohmann::json& report);

/// One line about a trial, while the series runs.
[[nodiscard]] std::string trial_line(std::size_t number, const TrialResult& trial);

/// hanet's records as an explanation, one line per switchover and one per step.
[[nodiscard]] std::string explain_text(const TrialResult& trial);

}  // namespace hanet::bench
