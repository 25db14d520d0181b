// SPDX-License-Identifier: Apache-2.0
//
// What the outage bench reports must not flatter: a trial that lost nothing is no outage of 0.
#include "bench/bench_report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace hanet::bench {
namespace {

using namespace std::chrono_literals;

const nlohmann::json kSettings{
    {"topology", "switch"}, {"fault", "blackhole"}, {"packets_per_second", 20'000}};

TrialResult trial_with(nanoseconds outage, std::uint64_t lost, nanoseconds fault_sender_stall) {
  TrialResult trial;
  trial.meter.emplace();
  trial.meter->b_to_a.longest_gap = outage;
  trial.meter->b_to_a.lost = lost;
  trial.meter->a_to_b.fault_sender_stall = fault_sender_stall;
  return trial;
}

TEST(BenchReport, O6_ATrialThatLostNothingIsAsLongAsItsSenderPaused) {
  for (const nanoseconds pause : {nanoseconds(60us), nanoseconds(5ms)}) {
    const TrialResult lossless = trial_with(0ns, 0, pause);
    const nlohmann::json report = make_report(kSettings, {trial_with(900us, 18, 7ms), lossless});
    const double us = static_cast<double>(pause.count()) / 1000;
    EXPECT_EQ(report.at("outage_us").at("count"), 2);
    EXPECT_EQ(report.at("outage_us").at("min"), std::min(900.0, us));
    EXPECT_EQ(report.at("outage_us").at("max"), std::max(900.0, us))
        << "the pause of a trial that lost something does not count";
    EXPECT_EQ(report.at("lossless_trials"), 1);
    EXPECT_EQ(report.at("each").at(1).at("lossless"), true);
    EXPECT_TRUE(report_text(report).contains("1 trials lost nothing"));
    EXPECT_EQ(trial_line(2, lossless),
              fmt::format("trial 2: outage at most {:.1f} us, nothing lost", us));
  }
}

TEST(BenchReport, O6_TheDirectionThatLostNothingDoesNotMakeTheOutageLonger) {
  TrialResult trial = trial_with(900us, 18, 0ns);
  trial.meter->a_to_b.fault_sender_stall = 5ms;
  const nlohmann::json report = make_report(kSettings, {trial});
  EXPECT_EQ(report.at("outage_us").at("max"), 900.0);
  EXPECT_EQ(report.at("outage_a_to_b_us").at("max"), 5000.0);
  EXPECT_EQ(report.at("outage_b_to_a_us").at("max"), 900.0);
  EXPECT_FALSE(report_text(report).contains("lost nothing"));
}

TEST(BenchReport, O6_ASenderThatDidNotReachItsRateIsSaid) {
  TrialResult trial = trial_with(900us, 18, 0ns);
  trial.meter->a_to_b.sent = 8'100;
  trial.meter->duration = 1s;
  const nlohmann::json report = make_report(kSettings, {trial});
  EXPECT_EQ(report.at("packets_per_second").at("p50"), 8'100.0);
  EXPECT_TRUE(report_text(report).contains("8100 a second each way (p50; asked for 20000)"))
      << report_text(report);
}

TEST(BenchReport, O6_BesideTheResultsStandsHowLateTheTimersOfTheMachineWere) {
  TrialResult first = trial_with(900us, 18, 0ns), second = first;
  first.timer_late_us = {40, 50, 60};
  second.timer_late_us = {70, 300};
  const nlohmann::json report = make_report(kSettings, {first, second});
  EXPECT_EQ(report.at("timer_lateness_us").at("count"), 5);
  EXPECT_EQ(report.at("timer_lateness_us").at("p50"), 60.0);
  EXPECT_EQ(report.at("timer_lateness_us").at("p99"), 300.0);
  EXPECT_TRUE(report_text(report).contains("this machine's timers, late"));
}

TEST(BenchReport, O6_WithoutAnyMeasuredOutageTheRowIsEmpty) {
  TrialResult failed;
  failed.error = "no traffic";
  const std::string text = report_text(make_report(kSettings, {failed}));
  const std::size_t row = text.find("outage (longer direction)");
  EXPECT_TRUE(text.substr(row, text.find('\n', row) - row)
                  .ends_with("0          -          -"
                             "          -          -"
                             "          -"))
      << text;
}

TEST(OutageReport, O6_TellsHowLongTheSenderStoodStillWhileTheFaultWasToBeSeen) {
  const std::vector<std::int64_t> sent{0, 100, 200, 900, 1000, 1100, 3000};
  const Trace trace{.send_ns = sent,
                    .arrivals = {},
                    .end_ns = 4000,
                    .fault_from_ns = 150,
                    .fault_until_ns = 1050};
  EXPECT_EQ(analyse(trace).fault_sender_stall, 700ns);
  EXPECT_EQ(analyse({.send_ns = sent, .arrivals = {}, .end_ns = 4000}).fault_sender_stall, 0ns);
}

// Six packets in two flows: the second one is dark from number 1 to number 5.
TEST(OutageReport, O6_AFlowThatIsDarkWhileOthersAreNotIsAnOutage) {
  const std::vector<std::int64_t> sent{0, 100, 200, 300, 400, 500};
  const std::vector<Arrival> arrived{{.sequence = 0, .time_ns = 10},
                                     {.sequence = 1, .time_ns = 110},
                                     {.sequence = 2, .time_ns = 210},
                                     {.sequence = 4, .time_ns = 410},
                                     {.sequence = 5, .time_ns = 510}};
  const Trace trace{.send_ns = sent, .arrivals = arrived, .end_ns = 600};
  const DirectionReport both = analyse_flows(trace, 2);
  EXPECT_EQ(both.sent, 6U);
  EXPECT_EQ(both.lost, 1U);
  EXPECT_EQ(both.longest_gap, 400ns) << "and not the 200 that one flow of all would show";
  EXPECT_EQ(both.gap_start_ns, 110);
  EXPECT_EQ(analyse(trace).longest_gap, 200ns);
  EXPECT_EQ(analyse_flows(trace, 1), analyse(trace));
}

}  // namespace
}  // namespace hanet::bench
