// SPDX-License-Identifier: Apache-2.0
//
// See families.h: what the kernel side counts, port by port and session by session.
#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <utility>

#include "exporter/families.h"
#include "report/maps.h"

namespace hanet::exporter {
namespace {

using report::get;
using report::Metrics;
using report::PortMetrics;
using report::SessionMetrics;

/// Where a port is: its group and its path, by their indexes.
struct Place {
  std::size_t group = 0;
  std::size_t path = 0;
};

/// Round-trip times are counted by powers of two; what is below 8 us or above 1 s is in the first
/// bucket and in the last.
constexpr std::size_t kFirstRtt = 13, kLastRtt = 31;
constexpr std::size_t kRttBounds = kLastRtt - kFirstRtt;

constexpr std::array<std::uint64_t, kRttBounds> rtt_bounds() {
  std::array<std::uint64_t, kRttBounds> bounds{};
  for (std::size_t at = 0; at < kRttBounds; ++at) bounds[at] = std::uint64_t{1} << (kFirstRtt + at);
  return bounds;
}
constexpr std::array<std::uint64_t, kRttBounds> kRttBoundsNs = rtt_bounds();

std::array<std::uint64_t, kRttBounds + 1> rtt_counts(const SessionMetrics& session) {
  std::array<std::uint64_t, kRttBounds + 1> counts{};
  for (std::size_t bucket = 0; bucket < HANET_RTT_BUCKETS; ++bucket) {
    // Bucket i ends at 2^(i+1).
    const std::size_t at = std::clamp<std::size_t>(bucket + 1, kFirstRtt, kLastRtt) - kFirstRtt;
    counts[at] += session.rtt_log2_ns[bucket];
  }
  return counts;
}

std::string text(const Metrics& metrics, Place place, bool of_path) {
  return std::string(of_path ? get(metrics.paths.at(place.path).name)
                             : get(metrics.groups.at(place.group).name));
}

Labels of_path(const Metrics& metrics, Place place) {
  return {{"group", text(metrics, place, false)}, {"path", text(metrics, place, true)}};
}

Place place_of(const Metrics& metrics, const PortMetrics& port) {
  return {.group = metrics.paths.at(port.path).group, .path = port.path};
}

Labels of_port(const Metrics& metrics, const PortMetrics& port) {
  Labels labels = of_path(metrics, place_of(metrics, port));
  labels.push_back({"port", std::string(get(port.name))});
  return labels;
}

/// Those of ports that hanetd names.
void each_session(const Metrics& metrics,
                  const std::function<void(const SessionMetrics&, const PortMetrics&)>& use) {
  for (const SessionMetrics& session : metrics.sessions)
    if (session.in_use != 0 && !get(metrics.ports.at(session.port).name).empty())
      use(session, metrics.ports.at(session.port));
}

void add_heartbeats(Families& families, const Metrics& metrics) {
  Family sent = Family::counter("hanet_heartbeats_sent_total", "Requests that left.");
  Family answered = Family::counter("hanet_heartbeats_answered_total",
                                    "Replies that were matched; signs of life of a silent peer.");
  Family lost = Family::counter("hanet_heartbeats_lost_total", "Requests that were given up.");
  Family rtt =
      Family::histogram("hanet_round_trip_seconds",
                        "From a request that left to its reply, both stamped in the kernel.");
  each_session(metrics, [&](const SessionMetrics& session, const PortMetrics& port) {
    Labels labels = of_port(metrics, port);
    labels.push_back({"target", std::string(get(session.target))});
    sent.add(labels, static_cast<double>(session.sent));
    answered.add(labels, static_cast<double>(session.replies));
    lost.add(labels, static_cast<double>(session.lost));
    rtt.add(labels, kRttBoundsNs, rtt_counts(session), session.rtt_sum_ns);
  });
  for (Family* family : {&sent, &answered, &lost, &rtt}) std::move(*family).move_to(families);
}

void add_verdicts(Families& families, const Metrics& metrics) {
  struct Sums {
    std::uint64_t down = 0;
    std::uint64_t up = 0;
  };
  std::array<Sums, HANET_MAX_PORTS> by_path{};
  std::array<std::uint64_t, HANET_MAX_GROUPS> deferred{};
  each_session(metrics, [&](const SessionMetrics& session, const PortMetrics& port) {
    const Place place = place_of(metrics, port);
    by_path.at(place.path).down += session.down_verdicts;
    by_path.at(place.path).up += session.up_verdicts;
    deferred.at(place.group) += session.stall_deferrals;
  });
  Family verdicts = Family::counter("hanet_verdicts_total",
                                    "The kernel side's decisions on heartbeats, of all targets.");
  for (std::size_t at = 0; at < by_path.size(); ++at) {
    if (get(metrics.paths[at].name).empty()) continue;
    Labels labels = of_path(metrics, {.group = metrics.paths[at].group, .path = at});
    labels.push_back({"verdict", "down"});
    verdicts.add(labels, static_cast<double>(by_path[at].down));
    labels.back().value = "up";
    verdicts.add(labels, static_cast<double>(by_path[at].up));
  }
  Family waited = Family::counter(
      "hanet_verdicts_waited_total",
      "Verdicts that waited: for a CPU that stood still, or because the path was given time.");
  for (std::size_t at = 0; at < deferred.size(); ++at) {
    const std::string group(get(metrics.groups[at].name));
    if (group.empty()) continue;
    waited.add({{"group", group}, {"reason", "cpu stood still"}},
               static_cast<double>(deferred[at]));
    waited.add({{"group", group}, {"reason", "path given time"}},
               static_cast<double>(metrics.groups[at].verdicts_waited));
  }
  std::move(verdicts).move_to(families);
  std::move(waited).move_to(families);
}

void add_links(Families& families, const Metrics& metrics) {
  Family links = Family::counter("hanet_link_events_total", "Edges of the carrier, each of them.");
  std::array<std::array<std::uint64_t, HANET_REJECT_COUNT>, HANET_MAX_PORTS> rejected{};
  for (const PortMetrics& port : metrics.ports) {
    if (get(port.name).empty()) continue;
    Labels labels = of_port(metrics, port);
    labels.push_back({"event", "down"});
    links.add(labels, static_cast<double>(port.carrier_down_events));
    labels.back().value = "up";
    links.add(labels, static_cast<double>(port.carrier_up_events));
    for (std::size_t reason = 0; reason < HANET_REJECT_COUNT; ++reason)
      rejected.at(port.path)[reason] += port.rejected[reason];
  }
  Family frames = Family::counter("hanet_frames_rejected_total",
                                  "Frames to a probe address that changed nothing, by reason.");
  for (std::size_t at = 0; at < rejected.size(); ++at) {
    if (get(metrics.paths[at].name).empty()) continue;
    Labels labels = of_path(metrics, {.group = metrics.paths[at].group, .path = at});
    labels.push_back({"reason", {}});
    for (std::size_t reason = 0; reason < HANET_REJECT_COUNT; ++reason) {
      labels.back().value = report::reject_name(reason);
      frames.add(labels, static_cast<double>(rejected[at][reason]));
    }
  }
  std::move(links).move_to(families);
  std::move(frames).move_to(families);
}

void add_ring(Families& families, const Metrics& metrics) {
  Family events =
      Family::counter("hanet_events_total", "Records that the kernel side sent to hanetd.");
  Family dropped = Family::counter(
      "hanet_events_dropped_total",
      "Records that found the ring full; nothing is decided by them, hanetd looks at the maps.");
  events.add({}, static_cast<double>(metrics.events_submitted));
  dropped.add({}, static_cast<double>(metrics.events_dropped));
  std::move(events).move_to(families);
  std::move(dropped).move_to(families);
}

}  // namespace

void add_wire_families(Families& families, const Metrics& metrics) {
  add_heartbeats(families, metrics);
  add_verdicts(families, metrics);
  add_links(families, metrics);
  add_ring(families, metrics);
}

}  // namespace hanet::exporter
