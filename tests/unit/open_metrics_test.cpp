// SPDX-License-Identifier: Apache-2.0
//
// The text of OpenMetrics 1.0.0, and who gets it (O5).
#include "exporter/open_metrics.h"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include <string>

#include "exporter/families.h"

namespace hanet::exporter {
namespace {

std::string text_of(Family family) {
  Families families;
  std::move(family).move_to(families);
  return OpenMetricsSerializer().Serialize(families);
}

TEST(OpenMetrics, O5_ACountersFamilyHasNoSuffixAndItsSamplesDo) {
  Family counter = Family::counter("hanet_switchovers_total", "Changes.");
  counter.add({{"group", "mether0"}, {"cause", "carrier lost"}}, 3);
  EXPECT_EQ(text_of(counter),
            "# TYPE hanet_switchovers counter\n"
            "# HELP hanet_switchovers Changes.\n"
            "hanet_switchovers_total{group=\"mether0\",cause=\"carrier lost\"} 3\n"
            "# EOF\n");
}

TEST(OpenMetrics, O5_AnInfoIsOneAndAUnitIsSaid) {
  Family info = Family::gauge("hanet_build_info", "Version.");
  info.add({{"version", "0.1.0"}}, 1);
  EXPECT_EQ(text_of(info),
            "# TYPE hanet_build info\n# HELP hanet_build Version.\n"
            "hanet_build_info{version=\"0.1.0\"} 1\n# EOF\n");
  Family start = Family::gauge("hanet_start_time_seconds", "Start.");
  start.add({}, 1764370000.25);
  EXPECT_EQ(text_of(start),
            "# TYPE hanet_start_time_seconds gauge\n# UNIT hanet_start_time_seconds seconds\n"
            "# HELP hanet_start_time_seconds Start.\n"
            "hanet_start_time_seconds 1764370000.25\n# EOF\n");
}

TEST(OpenMetrics, O5_AHistogramEndsWithInfinityAndBoundsLookLikeNumbers) {
  constexpr std::array<std::uint64_t, 3> kBounds{10'000, 500'000'000, 1'000'000'000};
  constexpr std::array<std::uint64_t, 4> kCounts{1, 2, 0, 4};
  Family histogram = Family::histogram("hanet_detection_seconds", "Detection.");
  histogram.add({{"group", "g"}}, kBounds, kCounts, 1'500'000'000);
  EXPECT_EQ(text_of(histogram),
            "# TYPE hanet_detection_seconds histogram\n"
            "# UNIT hanet_detection_seconds seconds\n"
            "# HELP hanet_detection_seconds Detection.\n"
            "hanet_detection_seconds_bucket{group=\"g\",le=\"1e-05\"} 1\n"
            "hanet_detection_seconds_bucket{group=\"g\",le=\"0.5\"} 3\n"
            "hanet_detection_seconds_bucket{group=\"g\",le=\"1.0\"} 3\n"
            "hanet_detection_seconds_bucket{group=\"g\",le=\"+Inf\"} 7\n"
            "hanet_detection_seconds_count{group=\"g\"} 7\n"
            "hanet_detection_seconds_sum{group=\"g\"} 1.5\n"
            "# EOF\n");
}

TEST(OpenMetrics, O5_TextOfOthersCanNotEndALabel) {
  Family gauge = Family::gauge("hanet_up", "One\nline.");
  gauge.add({{"path", "a\"} 1\n\\"}}, 0);
  EXPECT_EQ(text_of(gauge),
            "# TYPE hanet_up gauge\n# HELP hanet_up One\\nline.\n"
            "hanet_up{path=\"a\\\"} 1\\n\\\\\"} 0\n# EOF\n");
}

TEST(OpenMetrics, O5_WhoeverPrefersItGetsItAndNobodyElse) {
  // Prometheus 2.42's own.
  EXPECT_EQ(preferred_format("application/openmetrics-text;version=1.0.0,"
                             "application/openmetrics-text;version=0.0.1;q=0.75,"
                             "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            Format::OpenMetrics);
  EXPECT_EQ(preferred_format("Application/OpenMetrics-Text"), Format::OpenMetrics);
  EXPECT_EQ(preferred_format("text/plain;q=0.5, application/openmetrics-text ; q=0.5"),
            Format::OpenMetrics);
  EXPECT_EQ(preferred_format(""), Format::Text);
  EXPECT_EQ(preferred_format("*/*"), Format::Text);
  EXPECT_EQ(preferred_format("text/plain, application/openmetrics-text;q=0.9"), Format::Text);
  EXPECT_EQ(preferred_format("application/openmetrics-text;q=0"), Format::Text);
  EXPECT_EQ(preferred_format("application/openmetrics-text;q=x"), Format::Text);
  EXPECT_EQ(preferred_format(",;,=;q=,"), Format::Text);
}

}  // namespace
}  // namespace hanet::exporter
