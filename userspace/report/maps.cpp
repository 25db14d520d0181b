// SPDX-License-Identifier: Apache-2.0
//
// See maps.h.
#include "report/maps.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "config/parameters.h"
#include "engine/maps.h"
#include "net/types.h"
#include "report/units.h"

namespace hanet::report {
namespace {

constexpr std::array<const char*, HANET_REJECT_COUNT> kRejectNames{
    "truncated",   "tagged",        "fragment",   "not_a_reply",     "wrong_source",
    "wrong_magic", "wrong_session", "wrong_port", "wrong_cookie",    "future",
    "late",        "duplicate",     "wrong_mac",  "unknown_version", "malformed",
    "unknown_key", "wrong_tag",     "replayed",   "too_often"};

std::string mac_text(const __u8 (&bytes)[6]) {
  net::MacAddress mac{};
  std::copy(std::begin(bytes), std::end(bytes), mac.begin());
  return net::to_text(mac);
}

std::string_view kind_text(const hanet_session& session) {
  switch (static_cast<hanet_heartbeat_kind>(session.kind)) {
    case HANET_HEARTBEAT_ECHO:
      return "icmp";
    case HANET_HEARTBEAT_SILENCE:
      return "silence";
    case HANET_HEARTBEAT_HANET:
      return "hanet";
    case HANET_HEARTBEAT_NEIGHBOUR:
      break;
  }
  return session.family == AF_INET ? "arp" : "neighbour solicitation";
}

// How long ago the peer was heard, where that is the heartbeat.
Json heard_ago(const hanet_session& session, MonotonicTime now) {
  const std::uint64_t heard = session.last_reply_ns;
  if (session.kind != HANET_HEARTBEAT_SILENCE || heard == 0) return {};
  return microseconds(now - from_kernel_ns(heard));
}

// Unknown is a state with reasons: nothing resolved, nothing sent, or just begun.
std::string session_state_text(const hanet_session& session, MonotonicTime now) {
  switch (static_cast<hanet_session_state>(session.state)) {
    case HANET_SESSION_PAUSED:
      return "paused";
    case HANET_SESSION_DOWN:
      return "down";
    case HANET_SESSION_UNKNOWN:
      if (session.target_mac_known == 0) return "searching";
      return session.kind == HANET_HEARTBEAT_SILENCE && session.counted_ns == 0 ? "unheard"
                                                                                : "starting";
    case HANET_SESSION_UP:
      break;
  }
  return is_stalled(session, now) ? "blind" : "up";
}

std::string carrier_text(std::uint32_t carrier) {
  switch (static_cast<hanet_carrier>(carrier)) {
    case HANET_CARRIER_UP:
      return "up";
    case HANET_CARRIER_DOWN:
      return "down";
    case HANET_CARRIER_UNKNOWN:
      break;
  }
  return "unknown";
}

std::string_view claim_text(std::uint8_t claim) {
  switch (claim) {
    case HANET_CLAIM_HERE:
      return "here";
    case HANET_CLAIM_HERE_BY_HAND:
      return "here, moved by hand";
    case HANET_CLAIM_ELSEWHERE:
      return "elsewhere";
    default:
      return "not said";
  }
}

std::string_view heard_state_text(std::uint8_t state) {
  switch (state) {
    case HANET_SESSION_UP:
      return "up";
    case HANET_SESSION_DOWN:
      return "down";
    default:
      return "unknown";
  }
}

}  // namespace

bool is_stalled(const hanet_session& session, MonotonicTime now) {
  if (engine::load(session.state) != HANET_SESSION_UP || session.kind == HANET_HEARTBEAT_SILENCE)
    return false;
  const std::uint64_t interval = std::uint64_t{engine::load(session.interval_us)} * 1000;
  return kernel_ns(now) >
         engine::load(session.last_sent_ns) + 2 * interval * engine::load(session.multiplier);
}

std::string_view reject_name(std::size_t reason) { return kRejectNames.at(reason); }

std::string target_text(const hanet_session& session) {
  if (session.kind == HANET_HEARTBEAT_SILENCE && session.target_mac_known == HANET_MAC_CONFIGURED)
    return {};  // nobody asks for an address
  if (session.family == AF_UNSPEC) return mac_text(session.target_mac);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(session.family, session.target, text.data(), text.size());
  return text.data();
}

std::string gateway_text(const hanet_session& session) {
  if (session.family == AF_UNSPEC || std::ranges::equal(session.next_hop, session.target))
    return {};
  return net::address_text(session.family, session.next_hop);
}

/// See hanet_beat_way; empty: it was no datagram.
std::string way_text(const std::uint8_t (&address)[16]) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::ranges::count(address, 0) == 16) return {};
  const std::span<const std::uint8_t> bytes(address);
  return std::ranges::equal(bytes.first(kMapped.size()), kMapped)
             ? net::address_text(AF_INET, bytes.subspan(kMapped.size()))
             : net::address_text(AF_INET6, bytes);
}

Json session_json(const hanet_session& session, MonotonicTime now) {
  const double mean = session.replies != 0
                          ? microseconds(session.rtt_sum_ns) / static_cast<double>(session.replies)
                          : 0.0;
  Json histogram = Json::object();
  for (std::size_t bucket = 0; bucket < HANET_RTT_BUCKETS; ++bucket)
    if (session.rtt_log2_ns[bucket] != 0)
      histogram[fmt::format("{}ns", std::uint64_t{1} << bucket)] = session.rtt_log2_ns[bucket];
  return {
      {"id", fmt::format("{:08x}", session.id)},
      {"state", session_state_text(session, now)},
      {"kind", kind_text(session)},
      {"target", target_text(session)},
      {"gateway", gateway_text(session)},
      {"target_mac", session.target_mac_known != 0 ? mac_text(session.target_mac) : std::string()},
      {"rival_mac", session.rival_claims != 0 ? mac_text(session.rival_mac) : std::string()},
      {"rival_claims", session.rival_claims},
      {config::kInterval.name, session.interval_us},
      {config::kMultiplier.name, session.multiplier},
      {config::kUpCount.name, session.up_count},
      {"clamped", session.clamped != 0},
      {"heard_us_ago", heard_ago(session, now)},
      {"sent", session.sent},
      {"received", session.replies},
      {"lost", session.lost},
      {"unanswered", session.sent - session.answered},
      {"rtt_last_us", microseconds(session.rtt_last_ns)},
      {"rtt_min_us", microseconds(session.rtt_min_ns)},
      {"rtt_mean_us", mean},
      {"rtt_max_us", microseconds(session.rtt_max_ns)},
      {"jitter_us", microseconds(session.jitter_ns)},
      {"rtt_histogram", std::move(histogram)},
      {"down_verdicts", session.down_verdicts},
      {"up_verdicts", session.up_verdicts},
      {"stall_deferrals", session.stall_deferrals},
      {"stalled_cpu", session.stall_deferrals > 0 ? Json(session.stalled_cpu) : Json()}};
}

void put_sessions(Json& json, const hanet_port& port, Json sessions,
                  const engine::PortVerdict& verdict) {
  if (sessions.empty()) return;
  json["session"] = sessions.at(verdict.decider);
  if (sessions.size() == 1) return;
  json["sessions"] = std::move(sessions);
  json["quorum"] = port.quorum;
}

Json asker_json(const hanet_beat_peer& peer, MonotonicTime now) {
  return {{"mac", mac_text(peer.mac)},
          {"address", way_text(peer.address)},
          {"answered", peer.answered},
          {"heard_us_ago", microseconds(now - from_kernel_ns(peer.heard_ns))},
          {"path", heard_state_text(peer.state)},
          {"identity", claim_text(peer.claim)}};
}

Json port_json(const hanet_port& port) {
  Json rejected = Json::object();
  for (std::size_t reason = 0; reason < HANET_REJECT_COUNT; ++reason)
    if (port.rejected[reason] != 0) rejected[kRejectNames[reason]] = port.rejected[reason];
  return {{"ifindex", port.ifindex},
          {"probe_mac", mac_text(port.probe_mac)},
          {"carrier", carrier_text(port.carrier)},
          {"carrier_up_events", port.carrier_up_events},
          {"carrier_down_events", port.carrier_down_events},
          {"link_polls", port.link_polls},
          {config::kLinkPoll.name, port.link_poll_us},
          {"clamped", port.clamped != 0},
          {"answered_for_neighbours", port.answered_for_neighbours},
          {"answered_heartbeats", port.answered_beats},
          {"rejected", std::move(rejected)}};
}

}  // namespace hanet::report
