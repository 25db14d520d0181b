// SPDX-License-Identifier: Apache-2.0
//
// See families.h: what hanetd knows of its groups and paths.
#include <sys/utsname.h>

#include <functional>
#include <string>
#include <utility>

#include "exporter/families.h"

namespace hanet::exporter {
namespace {

using report::get;
using report::GroupMetrics;
using report::Metrics;
using report::PathMetrics;

Labels of_group(const GroupMetrics& group) { return {{"group", std::string(get(group.name))}}; }

Labels with(Labels labels, std::string name, std::string_view value) {
  labels.push_back({std::move(name), std::string(value)});
  return labels;
}

void each_group(const Metrics& metrics, const std::function<void(const GroupMetrics&)>& use) {
  for (const GroupMetrics& group : metrics.groups)
    if (!get(group.name).empty()) use(group);
}

/// `index`: in `paths`.
void each_path(const Metrics& metrics,
               const std::function<void(Labels, const PathMetrics&, std::size_t index)>& use) {
  for (std::size_t at = 0; at < metrics.paths.size(); ++at) {
    const PathMetrics& path = metrics.paths[at];
    if (get(path.name).empty()) continue;
    use(with(of_group(metrics.groups.at(path.group)), "path", get(path.name)), path, at);
  }
}

void add_facts(Families& families, const Metrics& metrics) {
  Family build = Family::gauge("hanet_build_info", "The version of hanetd.");
  build.add({{"version", std::string(get(metrics.version))}}, 1);
  std::move(build).move_to(families);
  utsname name{};
  ::uname(&name);
  Family kernel = Family::gauge(
      "hanet_kernel_info", "The kernel, and what of it hanet uses for link events and deadlines.");
  kernel.add({{"release", name.release},
              {"link_source", std::string(get(metrics.link_source))},
              {"deadlines", std::string(get(metrics.deadlines))}},
             1);
  std::move(kernel).move_to(families);
  Family started =
      Family::gauge("hanet_start_time_seconds", "When hanetd started, since 1970 (UTC).");
  started.add({}, static_cast<double>(metrics.started_unix_ns) / 1e9);
  std::move(started).move_to(families);
}

void add_states(Families& families, const Metrics& metrics) {
  Family is_protected = Family::gauge(
      "hanet_group_protected", "Whether the next failure would be survived, by a check just made.");
  Family condition =
      Family::gauge("hanet_group_condition", "1 for the condition that the group is in.");
  Family incomplete = Family::gauge(
      "hanet_identity_incomplete", "Whether a part of the identity is missing on the active path.");
  each_group(metrics, [&](const GroupMetrics& group) {
    is_protected.add(of_group(group), static_cast<double>(group.is_protected));
    incomplete.add(of_group(group), static_cast<double>(group.is_incomplete));
    for (std::size_t at = 0; at < report::kConditions; ++at)
      condition.add(with(of_group(group), "condition", to_text(static_cast<policy::Condition>(at))),
                    group.condition == at ? 1 : 0);
  });
  Family active = Family::gauge("hanet_group_active", "1 for the path that carries the identity.");
  Family up =
      Family::gauge("hanet_path_up", "Whether the path is proved to work; 0: down, or not known.");
  Family watched =
      Family::gauge("hanet_path_watched", "0 for a cold standby that is down until it is needed.");
  each_path(metrics, [&](const Labels& labels, const PathMetrics& path, std::size_t index) {
    active.add(labels, metrics.groups.at(path.group).active == index ? 1 : 0);
    up.add(labels, path.health == static_cast<std::uint64_t>(policy::Health::Up) ? 1 : 0);
    watched.add(labels, static_cast<double>(path.is_watched));
  });
  for (Family* family : {&is_protected, &condition, &incomplete, &active, &up, &watched})
    std::move(*family).move_to(families);
}

void add_events(Families& families, const Metrics& metrics) {
  Family switchovers =
      Family::counter("hanet_switchovers_total", "Changes of the active path, by cause.");
  Family rolled_back = Family::counter("hanet_switchovers_rolled_back_total",
                                       "Switchovers that left the identity where it was.");
  Family alarms = Family::counter("hanet_alarms_total", "Alarms that were raised, by kind.");
  const auto add_alarms = [&](const Labels& labels, const auto& raised) {
    for (std::size_t at = 0; at < group::kAlarmKinds; ++at)
      alarms.add(with(labels, "kind", to_text(static_cast<group::AlarmKind>(at))),
                 static_cast<double>(raised[at]));
  };
  add_alarms({{"group", group::kOfHanetd}}, metrics.alarms);
  each_group(metrics, [&](const GroupMetrics& group) {
    for (std::size_t at = 0; at < report::kCauses; ++at)
      switchovers.add(with(of_group(group), "cause", to_text(static_cast<policy::Cause>(at))),
                      static_cast<double>(group.switchovers[at]));
    rolled_back.add(of_group(group), static_cast<double>(group.rolled_back));
    add_alarms(of_group(group), group.alarms);
  });
  for (Family* family : {&switchovers, &rolled_back, &alarms}) std::move(*family).move_to(families);
}

void add_durations(Families& families, const Metrics& metrics) {
  Family detection = Family::histogram(
      "hanet_detection_seconds",
      "From the first unanswered request to the verdict that nobody answers there.");
  Family overshoot = Family::histogram("hanet_detection_overshoot_seconds",
                                       "How late such a verdict was after the detection time.");
  Family switchover =
      Family::histogram("hanet_switchover_seconds",
                        "From the verdict or the command until the identity was on the new path.");
  each_group(metrics, [&](const GroupMetrics& group) {
    detection.add(of_group(group), report::kDetectionBounds, group.detection.counts,
                  group.detection.sum_ns);
    overshoot.add(of_group(group), report::kOvershootBounds, group.overshoot.counts,
                  group.overshoot.sum_ns);
    switchover.add(of_group(group), report::kSwitchoverBounds, group.switchover.counts,
                   group.switchover.sum_ns);
  });
  for (Family* family : {&detection, &overshoot, &switchover}) std::move(*family).move_to(families);
}

}  // namespace

void add_group_families(Families& families, const Metrics& metrics) {
  add_facts(families, metrics);
  add_states(families, metrics);
  add_events(families, metrics);
  add_durations(families, metrics);
}

}  // namespace hanet::exporter
