// SPDX-License-Identifier: Apache-2.0
//
// Percentiles of a set of measurements.
//
// A failover is judged by its tail, so no mean is kept. Percentiles are nearest-rank (ISO 3534-1):
// the smallest sample that at least p percent of the samples do not exceed. Each is a value that
// was really measured; with few samples p99 simply is the maximum, and nothing is interpolated into
// a number that never happened.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace hanet::bench {

/// All zero when there are no samples; the unit is that of the samples.
struct Distribution {
  std::size_t count = 0;
  double min = 0;
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  double max = 0;
  bool operator==(const Distribution&) const = default;
};

/// Nearest-rank percentile; `sorted` is ascending and not empty, 0 < percent <= 100.
[[nodiscard]] inline double percentile(const std::vector<double>& sorted, double percent) {
  const auto rank =
      static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

[[nodiscard]] inline Distribution summarise(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  return {.count = samples.size(),
          .min = samples.front(),
          .p50 = percentile(samples, 50),
          .p95 = percentile(samples, 95),
          .p99 = percentile(samples, 99),
          .max = samples.back()};
}

}  // namespace hanet::bench
