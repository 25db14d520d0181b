// SPDX-License-Identifier: Apache-2.0
//
// From what is counted to what Prometheus is told (O5): names, labels, and numbers.
#include "exporter/families.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>
#include <stdexcept>

namespace hanet::exporter {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

/// One hanetd: the group mether0 with p0 and p1, each with a session, and the trunk p2+p3 in lag0.
class Families : public testing::Test {
 protected:
  Families() {
    name_group(0, "mether0", 0);
    name_group(1, "lag0", 2);
    for (std::uint64_t path = 0; path < 3; ++path) {
      metrics_->paths.at(path).group = path < 2 ? 0 : 1;
      metrics_->paths.at(path).is_watched = 1;
    }
    report::put(metrics_->paths.at(0).name, "p0");
    report::put(metrics_->paths.at(1).name, "p1");
    report::put(metrics_->paths.at(2).name, "p2+p3");
    for (std::uint32_t port = 0; port < 4; ++port) {
      report::put(metrics_->ports.at(port).name, fmt::format("p{}", port));
      metrics_->ports.at(port).path = std::min(port, 2U);
      report::SessionMetrics& session = metrics_->sessions.at(port);
      session.in_use = 1;
      session.port = port;
      report::put(session.target, "192.0.2.10");
    }
  }

  void name_group(std::size_t index, std::string_view name, std::uint64_t active) {
    report::put(metrics_->groups.at(index).name, name);
    metrics_->groups.at(index).active = active;
  }
  [[nodiscard]] exporter::Families families() const { return families_of(*metrics_); }
  static const MetricFamily& family(const exporter::Families& all, const std::string& name) {
    for (const MetricFamily& each : all)
      if (each.name == name) return each;
    throw std::runtime_error("no family " + name);
  }
  /// "group=mether0,path=p0"
  static std::string text_of(const prometheus::ClientMetric& metric) {
    std::string text;
    for (const auto& label : metric.label)
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", label.name, label.value);
    return text;
  }
  static const prometheus::ClientMetric& metric(const MetricFamily& family,
                                                const std::string& labels) {
    for (const prometheus::ClientMetric& each : family.metric)
      if (text_of(each) == labels) return each;
    throw std::runtime_error(fmt::format("no {} with {}", family.name, labels));
  }
  [[nodiscard]] double value(const std::string& name, const std::string& labels) const {
    const exporter::Families all = families();
    const MetricFamily& found = family(all, name);
    const prometheus::ClientMetric& one = metric(found, labels);
    return found.type == MetricType::Counter ? one.counter.value : one.gauge.value;
  }

  /// In one line.
  static std::string manual_page() {
    std::ifstream file(std::filesystem::path(__FILE__).parent_path() /
                       "../../tools/install/hanet-exporter.8");
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_FALSE(text.empty());
    std::ranges::replace(text, '\n', ' ');
    return text;
  }
  /// Its values are of this host, and in no manual.
  static bool is_a_name(const std::string& label) {
    static const std::set<std::string> kNames{"group",  "path",    "port",
                                              "target", "version", "deadlines"};
    return kNames.contains(label);
  }

  std::unique_ptr<report::Metrics> metrics_ = std::make_unique<report::Metrics>();
};

TEST_F(Families, O5_AGroupIsShownAsItIs) {
  report::GroupMetrics& group = metrics_->groups.at(0);
  group.is_protected = 1;
  group.condition = static_cast<std::uint64_t>(policy::Condition::Protected);
  group.active = 1;
  metrics_->paths.at(1).health = static_cast<std::uint64_t>(policy::Health::Up);
  metrics_->paths.at(0).health = static_cast<std::uint64_t>(policy::Health::Down);
  EXPECT_EQ(value("hanet_up", ""), 1);
  EXPECT_EQ(value("hanet_group_protected", "group=mether0"), 1);
  EXPECT_EQ(value("hanet_group_protected", "group=lag0"), 0);
  EXPECT_EQ(value("hanet_group_active", "group=mether0,path=p0"), 0);
  EXPECT_EQ(value("hanet_group_active", "group=mether0,path=p1"), 1);
  EXPECT_EQ(value("hanet_group_active", "group=lag0,path=p2+p3"), 1);
  EXPECT_EQ(value("hanet_path_up", "group=mether0,path=p1"), 1);
  EXPECT_EQ(value("hanet_path_up", "group=mether0,path=p0"), 0);
  EXPECT_EQ(value("hanet_path_up", "group=lag0,path=p2+p3"), 0) << "not known is not up";
  EXPECT_EQ(value("hanet_group_condition", "group=mether0,condition=protected"), 1);
  EXPECT_EQ(value("hanet_group_condition", "group=mether0,condition=no standby"), 0);
}

TEST_F(Families, O5_WhatHappenedIsCountedByItsCauseAndItsKind) {
  report::GroupMetrics& group = metrics_->groups.at(0);
  group.switchovers.at(static_cast<std::size_t>(policy::Cause::CarrierLost)) = 3;
  group.switchovers.at(static_cast<std::size_t>(policy::Cause::PeerElsewhere)) = 4;
  group.alarms.at(static_cast<std::size_t>(group::AlarmKind::TargetContested)) = 5;
  group.verdicts_waited = 6;
  group.rolled_back = 1;
  group.is_incomplete = 1;
  EXPECT_EQ(value("hanet_switchovers_total", "group=mether0,cause=carrier lost"), 3);
  EXPECT_EQ(value("hanet_switchovers_total", "group=mether0,cause=the peer is elsewhere"), 4);
  EXPECT_EQ(value("hanet_switchovers_total", "group=mether0,cause=heartbeat lost"), 0)
      << "there from the start";
  EXPECT_EQ(value("hanet_switchovers_rolled_back_total", "group=mether0"), 1);
  EXPECT_EQ(value("hanet_alarms_total", "group=mether0,kind=target contested"), 5);
  EXPECT_EQ(value("hanet_verdicts_waited_total", "group=mether0,reason=path given time"), 6);
  EXPECT_EQ(value("hanet_identity_incomplete", "group=mether0"), 1);
}

TEST_F(Families, O5_ATrunksPathIsTheSumOfItsPorts) {
  metrics_->sessions.at(2).down_verdicts = 2;
  metrics_->sessions.at(3).down_verdicts = 5;
  metrics_->sessions.at(3).up_verdicts = 4;
  metrics_->sessions.at(2).stall_deferrals = 1;
  metrics_->sessions.at(3).stall_deferrals = 9;
  metrics_->ports.at(2).rejected[HANET_REJECT_WRONG_MAC] = 10;
  metrics_->ports.at(3).rejected[HANET_REJECT_WRONG_MAC] = 20;
  EXPECT_EQ(value("hanet_verdicts_total", "group=lag0,path=p2+p3,verdict=down"), 7);
  EXPECT_EQ(value("hanet_verdicts_total", "group=lag0,path=p2+p3,verdict=up"), 4);
  EXPECT_EQ(value("hanet_verdicts_waited_total", "group=lag0,reason=cpu stood still"), 10);
  EXPECT_EQ(value("hanet_verdicts_total", "group=mether0,path=p0,verdict=down"), 0);
  EXPECT_EQ(value("hanet_frames_rejected_total", "group=lag0,path=p2+p3,reason=wrong_mac"), 30);
}

TEST_F(Families, O5_APortsCountersCarryItsNameOfNow) {
  metrics_->sessions.at(0).sent = 100;
  metrics_->sessions.at(0).replies = 98;
  metrics_->sessions.at(0).lost = 1;
  metrics_->ports.at(0).carrier_down_events = 3;
  metrics_->ports.at(0).carrier_up_events = 2;
  report::put(metrics_->ports.at(0).name, "renamed0");
  const std::string port = "group=mether0,path=p0,port=renamed0";
  EXPECT_EQ(value("hanet_heartbeats_sent_total", port + ",target=192.0.2.10"), 100);
  EXPECT_EQ(value("hanet_heartbeats_answered_total", port + ",target=192.0.2.10"), 98);
  EXPECT_EQ(value("hanet_heartbeats_lost_total", port + ",target=192.0.2.10"), 1);
  EXPECT_EQ(value("hanet_link_events_total", port + ",event=down"), 3);
  EXPECT_EQ(value("hanet_link_events_total", port + ",event=up"), 2);
  metrics_->events_submitted = 11;
  metrics_->events_dropped = 1;
  EXPECT_EQ(value("hanet_events_total", ""), 11);
  EXPECT_EQ(value("hanet_events_dropped_total", ""), 1);
}

TEST_F(Families, O5_SeveralTargetsOfOnePortAreSeveralSeries) {
  report::SessionMetrics& second = metrics_->sessions.at(10);
  second.in_use = 1;
  second.port = 0;
  second.sent = 5;
  report::put(second.target, "192.0.2.12");
  const std::string port = "group=mether0,path=p0,port=p0,target=";
  EXPECT_EQ(value("hanet_heartbeats_sent_total", port + "192.0.2.10"), 0);
  EXPECT_EQ(value("hanet_heartbeats_sent_total", port + "192.0.2.12"), 5);
}

TEST_F(Families, O5_RoundTripTimesAreCumulativeAndNoneIsLost) {
  metrics_->sessions.at(0).rtt_log2_ns[0] = 1;    // below all bounds
  metrics_->sessions.at(0).rtt_log2_ns[12] = 10;  // 4.1 to 8.2 us
  metrics_->sessions.at(0).rtt_log2_ns[16] = 100;
  metrics_->sessions.at(0).rtt_log2_ns[31] = 1000;  // above all bounds
  metrics_->sessions.at(0).rtt_sum_ns = 5'000'000'000;
  const exporter::Families all = families();
  const MetricFamily& rtt = family(all, "hanet_round_trip_seconds");
  const auto& histogram = metric(rtt, "group=mether0,path=p0,port=p0,target=192.0.2.10").histogram;
  EXPECT_EQ(histogram.sample_count, 1111U);
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 5.0);
  EXPECT_DOUBLE_EQ(histogram.bucket.front().upper_bound, 8.192e-6);
  EXPECT_EQ(histogram.bucket.front().cumulative_count, 11U);
  for (const auto& bucket : histogram.bucket)
    EXPECT_EQ(bucket.cumulative_count, bucket.upper_bound < 131e-6 ? 11U : 111U)
        << bucket.upper_bound;
}

TEST_F(Families, O5_HistogramsOfAGroupAreInSeconds) {
  report::GroupMetrics& group = metrics_->groups.at(0);
  group.detection.observe(std::chrono::microseconds(800));
  group.overshoot.observe(std::chrono::microseconds(15));
  group.switchover.observe(std::chrono::milliseconds(2));
  const exporter::Families all = families();
  for (const auto& [name, sum, bound] :
       {std::tuple("hanet_detection_seconds", 0.0008, 0.001),
        std::tuple("hanet_detection_overshoot_seconds", 0.000015, 0.00002),
        std::tuple("hanet_switchover_seconds", 0.002, 0.002)}) {
    SCOPED_TRACE(name);
    const auto& histogram = metric(family(all, name), "group=mether0").histogram;
    EXPECT_EQ(histogram.sample_count, 1U);
    EXPECT_DOUBLE_EQ(histogram.sample_sum, sum);
    for (const auto& bucket : histogram.bucket)
      EXPECT_EQ(bucket.cumulative_count, bucket.upper_bound < bound - 1e-9 ? 0U : 1U)
          << bucket.upper_bound;
  }
}

TEST_F(Families, O5_NamesFollowTheConventions) {
  std::set<std::string> names;
  for (const MetricFamily& each : families()) {
    SCOPED_TRACE(each.name);
    EXPECT_TRUE(names.insert(each.name).second) << "twice";
    EXPECT_TRUE(each.name.starts_with("hanet_"));
    EXPECT_FALSE(each.help.empty());
    EXPECT_FALSE(each.metric.empty());
    EXPECT_EQ(each.type == MetricType::Counter, each.name.ends_with("_total"));
    if (each.type == MetricType::Histogram) {
      EXPECT_TRUE(each.name.ends_with("_seconds"));
    }
    std::set<std::string> series;
    for (const prometheus::ClientMetric& one : each.metric)
      EXPECT_TRUE(series.insert(text_of(one)).second) << text_of(one) << " twice";
  }
}

TEST_F(Families, O5_TheManualHasEachOfThemWithItsLabelsAndNoOther) {
  const std::string manual = manual_page();
  std::set<std::string> names;
  for (const MetricFamily& each : families()) {
    names.insert(each.name);
    std::string labels;
    for (const auto& label : each.metric.front().label)
      labels += (labels.empty() ? "" : ",") + label.name;
    const bool is_own = each.name == "hanet_exporter_build_info";
    EXPECT_TRUE(manual.contains(
        labels.empty() || is_own ? each.name + " " : fmt::format("{}{{{}}}", each.name, labels)))
        << each.name << "{" << labels << "}";
    // Causes, kinds, conditions, reasons: what the last label can be.
    for (const prometheus::ClientMetric& one : each.metric)
      if (!one.label.empty() && !is_a_name(one.label.back().name)) {
        EXPECT_TRUE(manual.contains(one.label.back().value)) << one.label.back().value;
      }
  }
  const std::regex name("hanet_[a-z_]+");
  for (std::sregex_iterator at(manual.begin(), manual.end(), name), end; at != end; ++at)
    EXPECT_TRUE(names.contains(at->str())) << "only hanet-exporter(8) has " << at->str();
}

TEST_F(Families, O5_WithoutHanetdNothingIsClaimed) {
  const exporter::Families all = families_without_hanetd();
  EXPECT_EQ(family(all, "hanet_up").metric.at(0).gauge.value, 0);
  for (const MetricFamily& each : all)
    EXPECT_THAT(each.name, testing::AnyOf("hanet_up", "hanet_exporter_build_info"));
}

}  // namespace
}  // namespace hanet::exporter
