// SPDX-License-Identifier: Apache-2.0
//
// See families.h: what all families have in common.
#include "exporter/families.h"

#include <utility>

namespace hanet::exporter {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;

double seconds(std::uint64_t ns) { return static_cast<double>(ns) / kNanosecondsPerSecond; }

void add_up(Families& families, bool up) {
  Family answered = Family::gauge("hanet_up", "Whether hanetd runs and could be read.");
  answered.add({}, up ? 1 : 0);
  std::move(answered).move_to(families);
  Family build = Family::gauge("hanet_exporter_build_info", "The version of this exporter.");
  build.add({{"version", HANET_VERSION}}, 1);
  std::move(build).move_to(families);
}

}  // namespace

Family Family::counter(std::string name, std::string help) {
  return Family({.name = std::move(name),
                 .help = std::move(help),
                 .type = prometheus::MetricType::Counter,
                 .metric = {}});
}

Family Family::gauge(std::string name, std::string help) {
  return Family({.name = std::move(name),
                 .help = std::move(help),
                 .type = prometheus::MetricType::Gauge,
                 .metric = {}});
}

Family Family::histogram(std::string name, std::string help) {
  return Family({.name = std::move(name),
                 .help = std::move(help),
                 .type = prometheus::MetricType::Histogram,
                 .metric = {}});
}

void Family::add(Labels labels, double value) {
  prometheus::ClientMetric& metric = family_.metric.emplace_back();
  metric.label = std::move(labels);
  if (family_.type == prometheus::MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
}

// The sum of the buckets is the count: one that is kept beside them may be of another moment.
void Family::add(Labels labels, std::span<const std::uint64_t> bounds_ns,
                 std::span<const std::uint64_t> counts, std::uint64_t sum_ns) {
  prometheus::ClientMetric& metric = family_.metric.emplace_back();
  metric.label = std::move(labels);
  prometheus::ClientMetric::Histogram& histogram = metric.histogram;
  histogram.bucket.reserve(bounds_ns.size());
  for (std::size_t at = 0; at < bounds_ns.size(); ++at) {
    histogram.sample_count += counts[at];
    histogram.bucket.push_back(
        {.cumulative_count = histogram.sample_count, .upper_bound = seconds(bounds_ns[at])});
  }
  histogram.sample_count += counts.back();
  histogram.sample_sum = seconds(sum_ns);
}

Families families_of(const report::Metrics& metrics) {
  Families families;
  add_up(families, true);
  add_group_families(families, metrics);
  add_wire_families(families, metrics);
  return families;
}

Families families_without_hanetd() {
  Families families;
  add_up(families, false);
  return families;
}

}  // namespace hanet::exporter
