// SPDX-License-Identifier: Apache-2.0
//
// See bench_report.h. Times that hanet reports are taken from the records of all nodes of a trial;
// a record without a value (overshoot of a carrier loss, which has no deadline) adds no sample.
#include "bench/bench_report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "bench/distribution.h"

namespace hanet::bench {
namespace {

using nlohmann::json;

// A sender that paused this long within the outage makes the outage look longer than it was.
constexpr std::chrono::milliseconds kSuspiciousStall{1};

double to_us(nanoseconds time) { return static_cast<double>(time.count()) / 1e3; }

json to_json(const Distribution& d) {
  return {{"count", d.count}, {"min", d.min}, {"p50", d.p50},
          {"p95", d.p95},     {"p99", d.p99}, {"max", d.max}};
}

bool lossless(const TrialResult& trial) { return trial.meter && trial.meter->lossless(); }

template <typename Value>
json distribution_of(const std::vector<TrialResult>& trials, Value value) {
  std::vector<double> samples;
  for (const TrialResult& trial : trials) {
    if (trial.meter) samples.push_back(value(*trial.meter));
  }
  return to_json(summarise(std::move(samples)));
}

json distribution_of_records(const std::vector<TrialResult>& trials, const char* key) {
  std::vector<double> samples;
  for (const TrialResult& trial : trials) {
    for (const auto& [node, record] : trial.record) {
      const auto found = record.find(key);
      if (found != record.end() && found->is_number()) samples.push_back(found->get<double>());
    }
  }
  return to_json(summarise(std::move(samples)));
}

json distribution_of(const std::vector<TrialResult>& trials,
                     std::optional<double> TrialResult::* value) {
  std::vector<double> samples;
  for (const TrialResult& trial : trials) {
    if (trial.*value) samples.push_back(*(trial.*value));
  }
  return to_json(summarise(std::move(samples)));
}

json timer_lateness_of(const std::vector<TrialResult>& trials) {
  std::vector<double> samples;
  for (const TrialResult& trial : trials)
    samples.insert(samples.end(), trial.timer_late_us.begin(), trial.timer_late_us.end());
  return to_json(summarise(std::move(samples)));
}

/// Packets a second and direction that were really sent.
double rate_of(const MeterReport& meter) {
  const double seconds = to_us(meter.duration) / 1e6;
  return seconds > 0 ? static_cast<double>(meter.a_to_b.sent) / seconds : 0;
}

json to_json(const TrialResult& trial) {
  json result{{"switched", trial.switched},
              {"error", trial.error},
              {"lossless", lossless(trial)},
              {"false_verdicts", trial.false_verdicts},
              {"extra_switchovers", trial.extra_switchovers},
              {"explanations", trial.explanations},
              {"detection_us", nullptr},
              {"meter", nullptr},
              {"switchovers", trial.record}};
  if (trial.detection_us) result["detection_us"] = *trial.detection_us;
  if (trial.fault_to_verdict_us) result["fault_to_verdict_us"] = *trial.fault_to_verdict_us;
  if (trial.meter) result["meter"] = to_json(*trial.meter);
  return result;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "unknown";
}

bool sender_stalled(const TrialResult& trial) {
  if (!trial.meter) return false;
  return trial.meter->a_to_b.gap_sender_stall > kSuspiciousStall ||
         trial.meter->b_to_a.gap_sender_stall > kSuspiciousStall;
}

void add_totals(json& report, const std::vector<TrialResult>& trials) {
  std::uint64_t failed = 0;
  std::uint64_t stalled = 0;
  std::uint64_t without_loss = 0;
  std::uint64_t false_verdicts = 0;
  std::uint64_t extra_switchovers = 0;
  DirectionReport sum;
  for (const TrialResult& trial : trials) {
    failed += trial.error.empty() ? 0U : 1U;
    stalled += sender_stalled(trial) ? 1U : 0U;
    without_loss += lossless(trial) ? 1U : 0U;
    false_verdicts += trial.false_verdicts;
    extra_switchovers += trial.extra_switchovers;
    if (!trial.meter) continue;
    for (const DirectionReport* part : {&trial.meter->a_to_b, &trial.meter->b_to_a}) {
      sum.sent += part->sent;
      sum.lost += part->lost;
      sum.duplicates += part->duplicates;
      sum.reordered += part->reordered;
    }
  }
  report["failed"] = failed;
  report["sender_stalled_trials"] = stalled;
  report["lossless_trials"] = without_loss;
  report["false_verdicts"] = false_verdicts;
  report["extra_switchovers"] = extra_switchovers;
  report["sent"] = sum.sent;
  report["lost"] = sum.lost;
  report["duplicates"] = sum.duplicates;
  report["reordered"] = sum.reordered;
}

}  // namespace

json make_report(const json& settings, const std::vector<TrialResult>& trials) {
  json report{{"topology", settings.at("topology")},
              {"fault", settings.at("fault")},
              {"trials", trials.size()},
              {"kernel", kernel_release()},
              {"cpu", cpu_model()},
              {"settings", settings}};
  const auto us = [](const DirectionReport& direction) { return to_us(direction.outage()); };
  report["outage_us"] = distribution_of(trials, [](const auto& m) { return to_us(m.outage()); });
  report["outage_a_to_b_us"] = distribution_of(trials, [&](const auto& m) { return us(m.a_to_b); });
  report["outage_b_to_a_us"] = distribution_of(trials, [&](const auto& m) { return us(m.b_to_a); });
  report["detection_us"] = distribution_of(trials, &TrialResult::detection_us);
  report["fault_to_verdict_us"] = distribution_of(trials, &TrialResult::fault_to_verdict_us);
  report["timer_lateness_us"] = timer_lateness_of(trials);
  report["packets_per_second"] = distribution_of(trials, rate_of);
  for (const char* key : {"overshoot_us", "event_to_user_us", "reconfiguration_us", "total_us"}) {
    report[key] = distribution_of_records(trials, key);
  }
  add_totals(report, trials);
  report["each"] = json::array();
  for (const TrialResult& trial : trials) report["each"].push_back(to_json(trial));
  return report;
}

std::string report_text(const json& report) {
  std::string text = fmt::format(
      "{} on {}, {} trials, {} failed; kernel {}, {}\n{:<28}{:>6}{:>11}{:>11}{:>11}{:>11}{:>11}\n",
      report.at("fault").get<std::string>(), report.at("topology").get<std::string>(),
      report.at("trials").get<std::size_t>(), report.at("failed").get<std::size_t>(),
      report.at("kernel").get<std::string>(), report.at("cpu").get<std::string>(), "microseconds",
      "n", "min", "p50", "p95", "p99", "max");
  const auto row = [&](const char* title, const char* key) {
    const json& d = report.at(key);
    text += fmt::format("{:<28}{:>6}", title, d.at("count").get<std::size_t>());
    for (const char* column : {"min", "p50", "p95", "p99", "max"}) {
      text += d.at("count") == 0 ? fmt::format("{:>11}", "-")
                                 : fmt::format("{:>11.1f}", d.at(column).get<double>());
    }
    text += '\n';
  };
  row("outage (longer direction)", "outage_us");
  row("outage a -> b", "outage_a_to_b_us");
  row("outage b -> a", "outage_b_to_a_us");
  row("last packet to verdict", "detection_us");
  row("fault to verdict", "fault_to_verdict_us");
  row("detection overshoot", "overshoot_us");
  row("event to user space", "event_to_user_us");
  row("reconfiguration", "reconfiguration_us");
  row("switchover in total", "total_us");
  row("this machine's timers, late", "timer_lateness_us");
  text += fmt::format(
      "packets: sent {}, {:.0f} a second each way (p50; asked for {}), lost {}, duplicates {}, "
      "reordered {}\nfalse verdicts {}, extra "
      "switchovers {}, trials whose sender stalled during the outage {}\n",
      report.at("sent").get<std::uint64_t>(),
      report.at("packets_per_second").at("p50").get<double>(),
      report.at("settings").at("packets_per_second").get<std::uint64_t>(),
      report.at("lost").get<std::uint64_t>(), report.at("duplicates").get<std::uint64_t>(),
      report.at("reordered").get<std::uint64_t>(), report.at("false_verdicts").get<std::uint64_t>(),
      report.at("extra_switchovers").get<std::uint64_t>(),
      report.at("sender_stalled_trials").get<std::uint64_t>());
  if (const auto without_loss = report.at("lossless_trials").get<std::uint64_t>(); without_loss > 0)
    text += fmt::format(
        "{} trials lost nothing: their outage is at most the sender's longest pause, which "
        "counts\n",
        without_loss);
  return text;
}

std::string trial_line(std::size_t number, const TrialResult& trial) {
  std::string line = fmt::format("trial {}: ", number);
  if (lossless(trial)) {
    line += fmt::format("outage at most {:.1f} us, nothing lost", to_us(trial.meter->outage()));
  } else if (trial.meter) {
    line += fmt::format("outage {:.1f} us, lost {} + {}{}", to_us(trial.meter->outage()),
                        trial.meter->a_to_b.lost, trial.meter->b_to_a.lost,
                        sender_stalled(trial) ? ", sender stalled" : "");
  }
  if (trial.false_verdicts > 0) line += fmt::format(", {} FALSE VERDICTS", trial.false_verdicts);
  if (!trial.error.empty()) line += fmt::format(", FAILED: {}", trial.error);
  return line;
}

std::string explain_text(const TrialResult& trial) {
  std::string text;
  for (const std::string& line : trial.explanations) text += fmt::format("down: {}\n", line);
  for (const auto& [node, record] : trial.record) {
    text += fmt::format("{}: {} -> {} because {}\n", node, record.value("from", "?"),
                        record.value("to", "?"), record.value("cause", "?"));
    for (const json& step : record.value("steps", json::array())) {
      text += fmt::format("  {:>10.1f} us  {:<24} took {:.1f} us: {}\n", step.value("at_us", 0.0),
                          step.value("name", "?"), step.value("duration_us", 0.0),
                          step.value("result", "?"));
    }
  }
  return text;
}

}  // namespace hanet::bench
