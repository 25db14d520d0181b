// SPDX-License-Identifier: Apache-2.0
//
// outage_bench: how long is a network dark when a path dies, many times over.
//
//   outage_bench --trials 100 --fault blackhole --topology switch --json result.json
//   outage_bench --trials 10 --fault blackhole --no-hanet          (what it costs without hanet)
//   outage_bench --self-test --trials 100                          (what the meter is worth)
//   outage_bench --fault none --duration 3600                      (false verdicts under traffic)
//
// One lab and one daemon per node serve all trials, because a daemon that was just started is not
// what runs in production. Exit codes: 0 every trial switched (none: nothing happened), 1 a trial
// failed or the bench could not run, 2 wrong usage.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench_report.h"
#include "bench/distribution.h"
#include "bench/interrupt.h"
#include "bench/lab_session.h"
#include "bench/self_test.h"
#include "bench/trial.h"

namespace {

using namespace hanet::bench;
using nlohmann::json;

constexpr int kGiveUpAfter = 3;  // failed trials in a row: the daemon is gone, or the lab is

struct Options {
  LabOptions lab;
  TrialOptions trial;
  std::string topology = "switch";
  std::size_t trials = 10;
  std::int64_t duration_s = 60;
  bool no_hanet = false;
  bool self_test = false;
  std::string json_file;
};

void add_lab_options(CLI::App& app, Options& o) {
  app.add_option("--topology", o.topology)->check(CLI::IsMember({"switch", "crossover", "trunk"}));
  app.add_option("--family", o.lab.family, "4 or 6")->check(CLI::IsMember({4, 6}));
  app.add_option("--mode", o.lab.mode)->check(CLI::IsMember({"hot", "cold", "metanet"}));
  app.add_option("--heartbeat", o.lab.heartbeat)->check(CLI::IsMember({"arp", "icmp"}));
  app.add_option("--bridging", o.lab.bridging)->check(CLI::IsMember({"true", "false"}));
  app.add_option("--interval-us", o.lab.interval_us, "heartbeat interval")
      ->check(CLI::Range(100, 10'000'000));
  app.add_option("--multiplier", o.lab.multiplier)->check(CLI::Range(1, 50));
  app.add_flag("--no-hanet", o.no_hanet, "no daemon: the outage lasts until the repair");
  app.add_option("--lab", o.lab.lab, "tools/lab");
  app.add_option("--hanetd", o.lab.hanetd, "the daemon");
  app.add_option("--hanetctl", o.lab.hanetctl, "its control program");
}

void add_trial_options(CLI::App& app, Options& o) {
  app.add_option("--trials", o.trials)->check(CLI::Range(1, 1'000'000));
  app.add_option("--fault", o.trial.fault)
      ->check(CLI::IsMember({"carrier", "blackhole", "one-way-out", "one-way-in", "flap", "none"}));
  const std::map<std::string, Absence> absences{
      {"runs", Absence::None}, {"frozen", Absence::Frozen}, {"killed", Absence::Killed}};
  app.add_option("--daemon", o.trial.absence, "what hanetd does at the fault, and until it is over")
      ->transform(CLI::CheckedTransformer(absences));
  app.add_option_function<std::uint32_t>(
         "--starve-ms", [&o](std::uint32_t ms) { o.trial.starved = std::chrono::milliseconds(ms); },
         "every processor is held so long by a SCHED_FIFO loop, the fault comes in the middle; "
         "with --fault none: all the time, if it is not 0")
      ->check(CLI::Range(0, 60'000));
  app.add_option(
         "--lost-before", o.trial.lost_before,
         "trunk of four: the fault hits the port that frames come in by, and so many of the others "
         "are lost already")
      ->check(CLI::Range(0, 3));
  app.add_flag("--self-test", o.self_test,
               "no daemon: cuts of known length, and what the meter says of each");
  app.add_option("--duration", o.duration_s, "seconds, for --fault none")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--rate", o.trial.packets_per_second, "packets/s per direction")
      ->check(CLI::Range(100, 200'000));
  app.add_option("--json", o.json_file, "write the report and every trial to this file");
}

json settings_of(const Options& o) {
  return {{"topology", o.topology},
          {"fault", o.trial.fault},
          {"family", o.lab.family},
          {"mode", o.lab.mode},
          {"lost_before", o.trial.lost_before ? json(*o.trial.lost_before) : json()},
          {"heartbeat", o.lab.heartbeat},
          {"bridging", o.lab.bridging == "true"},
          {"interval_us", o.lab.interval_us},
          {"multiplier", o.lab.multiplier},
          {"daemon", o.trial.absence == Absence::None     ? "runs"
                     : o.trial.absence == Absence::Frozen ? "frozen"
                                                          : "killed"},
          {"starved_ms", o.trial.starved.count()},
          {"hanet", !o.no_hanet},
          {"packets_per_second", o.trial.packets_per_second}};
}

std::vector<TrialResult> run_trials(LabSession& lab, const Options& options) {
  TrialRunner runner(lab, options.trial);
  std::vector<TrialResult> results;
  int failed_in_a_row = 0;
  while (results.size() < options.trials && !hanet::bench::interrupted()) {
    results.push_back(runner.run());
    const TrialResult& last = results.back();
    fmt::print(stderr, "{}\n", trial_line(results.size(), last));
    failed_in_a_row = last.error.empty() ? 0 : failed_in_a_row + 1;
    if (failed_in_a_row < kGiveUpAfter) continue;
    fmt::print(stderr, "outage_bench: {} failed trials in a row, giving up\n", failed_in_a_row);
    break;
  }
  return results;
}

std::vector<TrialResult> watch(LabSession& lab, const Options& options) {
  TrialRunner runner(lab, options.trial);
  std::vector<TrialResult> results;
  results.push_back(runner.watch(std::chrono::seconds(options.duration_s)));
  fmt::print("{}", explain_text(results.back()));
  if (!results.back().error.empty()) {
    fmt::print(stderr, "outage_bench: {}\n", results.back().error);
  }
  return results;
}

bool write_json(const std::string& file, const json& report) {
  std::ofstream stream(file);
  stream << report.dump(2) << '\n';
  if (stream.flush()) return true;
  fmt::print(stderr, "outage_bench: cannot write {}\n", file);
  return false;
}

/// By how much the meter says more than the cut was: its resolution.
int self_test(LabSession& lab, const Options& options) {
  const hanet::Result<std::vector<KnownCut>> cuts =
      cut_and_measure(lab, options.trials, options.trial.packets_per_second);
  if (!cuts) {
    fmt::print(stderr, "outage_bench: {}\n", cuts.error().message);
    return 1;
  }
  std::vector<double> more;
  for (const KnownCut& cut : *cuts) more.push_back(cut.measured_us - cut.real_us);
  const Distribution d = summarise(std::move(more));
  fmt::print(
      "{} cuts of 1 to 10 ms, {} packets a second: measured more than the cut, microseconds:\n"
      "min {:.1f}, p50 {:.1f}, p95 {:.1f}, p99 {:.1f}, max {:.1f}\n",
      d.count, options.trial.packets_per_second, d.min, d.p50, d.p95, d.p99, d.max);
  return d.count == options.trials ? 0 : 1;
}

int bench(const Options& options) {
  const bool quiet = options.trial.fault == "none";
  hanet::Result<std::unique_ptr<LabSession>> lab = LabSession::open(options.lab);
  if (!lab) {
    fmt::print(stderr, "outage_bench: {}\n", lab.error().message);
    return 1;
  }
  if (options.self_test) return self_test(**lab, options);
  const std::vector<TrialResult> results =
      quiet ? watch(**lab, options) : run_trials(**lab, options);
  const json report = make_report(settings_of(options), results);
  fmt::print("{}", report_text(report));
  if (!options.json_file.empty() && !write_json(options.json_file, report)) return 1;
  const bool complete = quiet || results.size() == options.trials;
  bool good = complete && report.at("failed") == 0;
  if (quiet) good = good && report.at("false_verdicts") == 0 && report.at("extra_switchovers") == 0;
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures outages of a network in namespaces, with and without hanet.");
  app.option_defaults()->always_capture_default();
  add_lab_options(app, options);
  add_trial_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.lab.topology = options.topology == "switch"      ? Topology::Switch
                         : options.topology == "crossover" ? Topology::Crossover
                                                           : Topology::Trunk;
  // The lab's threshold is 50 %: the second lost port of four is too much, the first is not.
  options.trial.stays = options.trial.lost_before == 0U;
  if (options.trial.lost_before && options.lab.topology != Topology::Trunk) {
    fmt::print(stderr, "outage_bench: --lost-before is for --topology trunk\n");
    return 2;
  }
  options.lab.with_hanet = !options.no_hanet && !options.self_test;
  // A cold port has to be plumbed and may have to negotiate.
  if (options.lab.mode == "cold") options.trial.switch_limit = std::chrono::seconds(5);
  catch_interrupts();
  return bench(options);
}
