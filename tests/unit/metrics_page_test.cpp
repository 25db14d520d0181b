// SPDX-License-Identifier: Apache-2.0
//
// The page that hanetd shares: what a reader finds, whenever it looks (O5, D2).
#include "report/metrics_page.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace hanet::report {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<MetricsPage> fresh_page() {
  auto page = std::make_unique<MetricsPage>();
  begin(*page);
  return page;
}

/// Metrics whose fields at both ends have one number.
Metrics numbered(std::uint64_t number) {
  Metrics metrics{};
  metrics.started_unix_ns = number;
  metrics.groups.at(HANET_MAX_GROUPS / 2).alarms.at(0) = number;
  metrics.ports.back().path = number;
  return metrics;
}

TEST(MetricsPage, O5_AReaderFindsWhatWasWritten) {
  const auto page = fresh_page();
  Metrics written = numbered(7);
  put(written.groups.at(0).name, "mether0");
  publish(*page, written);
  Metrics read{};
  ASSERT_TRUE(copy(*page, read));
  EXPECT_EQ(get(read.groups.at(0).name), "mether0");
  EXPECT_EQ(read.ports.back().path, 7U);
  publish(*page, numbered(8));
  ASSERT_TRUE(copy(*page, read));
  EXPECT_EQ(get(read.groups.at(0).name), "") << "what is no longer so is gone";
  EXPECT_EQ(read.started_unix_ns, 8U);
}

TEST(MetricsPage, O5_AReaderNeverFindsHalfOfAChange) {
  const auto page = fresh_page();
  publish(*page, numbered(1));
  const std::jthread writer([&](const std::stop_token& stop) {
    for (std::uint64_t number = 2; !stop.stop_requested(); ++number) {
      const MonotonicTime begun = monotonic_now();
      publish(*page, numbered(number));
      // A reader that is as slow (a sanitizer's) finds a moment as well.
      sleep_until(monotonic_now() + 100us + 4 * (monotonic_now() - begun));
    }
  });
  const MonotonicTime end = monotonic_now() + 3s;
  std::uint64_t last = 0, changes = 0;
  while (changes < 300 && monotonic_now() < end) {
    Metrics read{};
    if (!copy(*page, read)) continue;
    const std::uint64_t number = read.started_unix_ns;
    ASSERT_EQ(read.groups.at(HANET_MAX_GROUPS / 2).alarms.at(0), number);
    ASSERT_EQ(read.ports.back().path, number);
    ASSERT_GE(number, last);
    changes += number != last ? 1 : 0;
    last = number;
  }
  EXPECT_GT(changes, 1U) << "nothing was written meanwhile";
}

TEST(MetricsPage, O5_AWriterThatStoppedInTheMiddleIsNotRead) {
  const auto page = fresh_page();
  publish(*page, numbered(7));
  ++page->sequence;
  Metrics read{};
  EXPECT_FALSE(copy(*page, read));
}

TEST(MetricsPage, O5_ANameThatIsTooLongIsCutOffAndOneThatFitsIsWhole) {
  Text<16> text{};
  put(text, "fifteen-letters");
  EXPECT_EQ(get(text), "fifteen-letters");
  put(text, "a name of more than that");
  EXPECT_EQ(get(text), "a name of more ");
  put(text, "short");
  EXPECT_EQ(get(text), "short");
}

TEST(MetricsPage, O5_ADurationIsInTheBucketWhoseBoundItDoesNotExceed) {
  Durations<kSwitchoverBounds> durations{};
  durations.observe(0ns);
  durations.observe(100us);
  durations.observe(100us + 1ns);
  durations.observe(1h);
  durations.observe(-1ns);
  EXPECT_EQ(durations.counts.at(0), 2U);
  EXPECT_EQ(durations.counts.at(1), 1U);
  EXPECT_EQ(durations.counts.back(), 1U) << "above all bounds";
  EXPECT_EQ(durations.sum_ns, 3'600'000'200'001U) << "what can not be is not counted";
}

}  // namespace
}  // namespace hanet::report
