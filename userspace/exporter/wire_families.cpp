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

using engine::load;
using report::get;
using report::Metrics;

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

std::array<std::uint64_t, kRttBounds + 1> rtt_counts(const hanet_session& session) {
  std::array<std::uint64_t, kRttBounds + 1> counts{};
  for (std::size_t bucket = 0; bucket < HANET_RTT_BUCKETS; ++bucket) {
    // Bucket i ends at 2^(i+1).
    const std::size_t at = std::clamp<std::size_t>(bucket + 1, kFirstRtt, kLastRtt) - kFirstRtt;
    counts[at] += load(session.rtt_log2_ns[bucket]);
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

/// Every port that hanetd names, by its index in the maps.
void each_port(const Counters& counters,
               const std::function<void(std::size_t index, Place, const Labels&)>& use) {
  const Metrics& metrics = counters.metrics;
  for (std::size_t at = 0; at < metrics.ports.size(); ++at) {
    const report::PortMetrics& port = metrics.ports[at];
    if (get(port.name).empty()) continue;
    const Place place{.group = metrics.paths.at(port.path).group, .path = port.path};
    Labels labels = of_path(metrics, place);
    labels.push_back({"port", std::string(get(port.name))});
    use(at, place, labels);
  }
}

std::span<const hanet_session> sessions_of(const Counters& counters, std::size_t port) {
  const std::uint32_t targets = load(counters.ports[port].targets);
  const std::uint32_t first = load(counters.ports[port].session);
  if (targets == 0 || first + targets > counters.sessions.size()) return {};
  return counters.sessions.subspan(first, targets);
}

void each_session(const Counters& counters,
                  const std::function<void(const hanet_session&, Place, const Labels&)>& use) {
  each_port(counters, [&](std::size_t index, Place place, const Labels& port) {
    for (const hanet_session& session : sessions_of(counters, index)) {
      Labels labels = port;
      labels.push_back({"target", report::target_text(session)});
      use(session, place, labels);
    }
  });
}

void add_heartbeats(Families& families, const Counters& counters) {
  Family sent = Family::counter("hanet_heartbeats_sent_total", "Requests that left.");
  Family answered = Family::counter("hanet_heartbeats_answered_total",
                                    "Replies that were matched; signs of life of a silent peer.");
  Family lost = Family::counter("hanet_heartbeats_lost_total", "Requests that were given up.");
  Family rtt =
      Family::histogram("hanet_round_trip_seconds",
                        "From a request that left to its reply, both stamped in the kernel.");
  each_session(counters, [&](const hanet_session& session, Place, const Labels& labels) {
    sent.add(labels, static_cast<double>(load(session.sent)));
    answered.add(labels, static_cast<double>(load(session.replies)));
    lost.add(labels, static_cast<double>(load(session.lost)));
    rtt.add(labels, kRttBoundsNs, rtt_counts(session), load(session.rtt_sum_ns));
  });
  for (Family* family : {&sent, &answered, &lost, &rtt}) std::move(*family).move_to(families);
}

void add_verdicts(Families& families, const Counters& counters) {
  struct Sums {
    std::uint64_t down = 0;
    std::uint64_t up = 0;
  };
  const Metrics& metrics = counters.metrics;
  std::array<Sums, HANET_MAX_PORTS> by_path{};
  std::array<std::uint64_t, HANET_MAX_GROUPS> deferred{};
  each_session(counters, [&](const hanet_session& session, Place place, const Labels&) {
    by_path.at(place.path).down += load(session.down_verdicts);
    by_path.at(place.path).up += load(session.up_verdicts);
    deferred.at(place.group) += load(session.stall_deferrals);
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

void add_links(Families& families, const Counters& counters) {
  Family links = Family::counter("hanet_link_events_total", "Edges of the carrier, each of them.");
  std::array<std::array<std::uint64_t, HANET_REJECT_COUNT>, HANET_MAX_PORTS> rejected{};
  each_port(counters, [&](std::size_t index, Place place, const Labels& port) {
    const hanet_port& counted = counters.ports[index];
    Labels labels = port;
    labels.push_back({"event", "down"});
    links.add(labels, static_cast<double>(load(counted.carrier_down_events)));
    labels.back().value = "up";
    links.add(labels, static_cast<double>(load(counted.carrier_up_events)));
    for (std::size_t reason = 0; reason < HANET_REJECT_COUNT; ++reason)
      rejected.at(place.path)[reason] += load(counted.rejected[reason]);
  });
  Family frames = Family::counter("hanet_frames_rejected_total",
                                  "Frames to a probe address that changed nothing, by reason.");
  const Metrics& metrics = counters.metrics;
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

void add_ring(Families& families, const hanet_engine& engine) {
  Family events =
      Family::counter("hanet_events_total", "Records that the kernel side sent to hanetd.");
  Family dropped = Family::counter(
      "hanet_events_dropped_total",
      "Records that found the ring full; nothing is decided by them, hanetd looks at the maps.");
  events.add({}, static_cast<double>(load(engine.events_submitted)));
  dropped.add({}, static_cast<double>(load(engine.events_dropped)));
  std::move(events).move_to(families);
  std::move(dropped).move_to(families);
}

}  // namespace

void add_wire_families(Families& families, const Counters& counters) {
  add_heartbeats(families, counters);
  add_verdicts(families, counters);
  add_links(families, counters);
  add_ring(families, counters.engine);
}

}  // namespace hanet::exporter
