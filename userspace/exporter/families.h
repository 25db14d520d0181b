// SPDX-License-Identifier: Apache-2.0
//
// What is counted, as families of metrics: hanet-exporter(8) lists them, and what they mean.
//
// Pure: memory in, values out. Names follow Prometheus's conventions (base units, `_total`); words
// in labels are those of hanetctl. Every counter of a group that exists is there from the start,
// with 0, because a rate can not be taken of a series that begins with 1.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "report/metrics_page.h"

namespace hanet::exporter {

using Families = std::vector<prometheus::MetricFamily>;
using Labels = std::vector<prometheus::ClientMetric::Label>;

[[nodiscard]] Families families_of(const report::Metrics& metrics);
/// While no hanetd answers for anything.
[[nodiscard]] Families families_without_hanetd();

/// What hanetd itself counts, and what the kernel side does.
void add_group_families(Families& families, const report::Metrics& metrics);
void add_wire_families(Families& families, const report::Metrics& metrics);

/// A family that grows by samples.
class Family {
 public:
  static Family counter(std::string name, std::string help);
  static Family gauge(std::string name, std::string help);
  static Family histogram(std::string name, std::string help);

  void add(Labels labels, double value);
  /// `bounds_ns`: upper bounds; `counts`: of each bucket alone, the last one above all bounds.
  void add(Labels labels, std::span<const std::uint64_t> bounds_ns,
           std::span<const std::uint64_t> counts, std::uint64_t sum_ns);
  void move_to(Families& families) && { families.push_back(std::move(family_)); }

 private:
  explicit Family(prometheus::MetricFamily family) : family_(std::move(family)) {}
  prometheus::MetricFamily family_;
};

}  // namespace hanet::exporter
