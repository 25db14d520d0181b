// SPDX-License-Identifier: Apache-2.0
//
// See scene.h.
#include "scene.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <ostream>

#include "engine/echo_payload.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

// x 50: beyond any test's patience
constexpr std::uint32_t kNeverUs = HANET_DETECTION_MAX_US / 50;

template <typename T, std::size_t N, std::size_t M>
void copy_into(T (&to)[N], const std::array<T, M>& from) {
  static_assert(M <= N);
  std::copy(from.begin(), from.end(), to);
}

std::uint32_t network_order(const net::Ipv4Bytes& address) {
  std::uint32_t value = 0;
  std::memcpy(&value, address.data(), sizeof(value));
  return value;
}

void swap_bytes(net::Frame& frame, std::size_t one, std::size_t other, std::size_t count) {
  const auto at = [&](std::size_t offset) {
    return frame.begin() + static_cast<std::ptrdiff_t>(offset);
  };
  std::swap_ranges(at(one), at(one + count), at(other));
}

net::Frame arp_reply(net::Frame frame) {
  frame[21] = 2;
  swap_bytes(frame, 22, 32, 10);
  std::copy(kTargetMac.begin(), kTargetMac.end(), frame.begin() + 22);
  frame.resize(42);  // without the padding
  return frame;
}

net::Frame advertisement(net::Frame frame) {
  swap_bytes(frame, 22, 38, 16);
  std::copy(kTargetIpv6.begin(), kTargetIpv6.end(), frame.begin() + 22);
  frame[kIcmpv6At] = 136;
  frame[kIcmpv6At + 4] = 0x60;  // solicited, override
  frame[kIcmpv6At + 24] = 2;    // target link-layer address
  std::copy(kTargetMac.begin(), kTargetMac.end(), frame.begin() + kIcmpv6At + 26);
  return frame;
}

}  // namespace

std::string to_text(Beat beat) {
  switch (beat) {
    case Beat::EchoIpv4:
      return "EchoIpv4";
    case Beat::EchoIpv6:
      return "EchoIpv6";
    case Beat::Arp:
      return "Arp";
    case Beat::Solicitation:
      return "Solicitation";
  }
  return "?";
}

void PrintTo(Beat beat, std::ostream* out) { *out << to_text(beat); }

bool is_echo(Beat beat) { return beat == Beat::EchoIpv4 || beat == Beat::EchoIpv6; }
bool is_ipv6(Beat beat) { return beat == Beat::EchoIpv6 || beat == Beat::Solicitation; }

void PrintTo(const Progress& progress, std::ostream* out) {
  *out << "state " << progress.state << ", answered " << progress.answered << ", replies "
       << progress.replies << ", lost " << progress.lost << ", in a row " << progress.in_row;
}

void Scene::SetUp() {
  const Stage wanted = stage();
  static std::shared_ptr<Programs> kept;
  static bool kept_silence = false;
  if (wanted.shared && kept && kept_silence == wanted.silence) {
    p = kept;
    p->clear();
    return;
  }
  kept.reset();
  Result<std::unique_ptr<Programs>> loaded = Programs::load(wanted.link_poll, wanted.silence);
  if (!loaded && bpf_is_refused())
    GTEST_SKIP() << "skipped: BPF is refused here: " << loaded.error().message;
  ASSERT_TRUE(loaded) << loaded.error().message;
  p = std::move(*loaded);
  if (!wanted.shared) return;
  kept = p;
  kept_silence = wanted.silence;
}

void Scene::set_params(std::uint32_t group, std::uint32_t interval_us, std::uint32_t multiplier,
                       std::uint32_t up_count) {
  hanet_params& params = p->params[group];
  engine::store(params.interval_us, interval_us);
  engine::store(params.multiplier, multiplier);
  engine::store(params.up_count, up_count);
  engine::store(params.link_poll_us, 1000);
  engine::store(params.threshold_percent, 50);
  engine::store(params.on_daemon_loss, HANET_LOSS_STEER);
  engine::store(params.daemon_loss_ms, 10'000);
  engine::store(params.enabled, 1);
}

void Scene::watch(Beat beat, std::uint32_t index) {
  hanet_port& watched = p->ports[index];
  watched = hanet_port{};
  watched.ifindex = kLoopback;
  watched.group = index;
  watched.session = index;
  watched.targets = 1;
  watched.quorum = 1;
  copy_into(watched.probe_mac, kProbeMac);
  watched.beat_type = htons(HANET_BEAT_TYPE);
  watched.probe_ipv4 = network_order(kProbeIpv4);
  copy_into(watched.probe_ipv6, kProbeIpv6);
  hanet_session& one = p->sessions[index];
  one = hanet_session{};
  one.id = 0x5e550000 + index;
  one.cookie = 0xc00c1e0000000000 + index;
  one.port = index;
  one.group = index;
  one.family = is_ipv6(beat) ? AF_INET6 : AF_INET;
  one.kind = is_echo(beat) ? HANET_HEARTBEAT_ECHO : HANET_HEARTBEAT_NEIGHBOUR;
  const auto set = [&](auto& field, const net::Ipv4Bytes& ipv4, const net::Ipv6Bytes& ipv6) {
    if (is_ipv6(beat))
      copy_into(field, ipv6);
    else
      copy_into(field, ipv4);
  };
  set(one.target, kTargetIpv4, kTargetIpv6);
  set(one.next_hop, kTargetIpv4, kTargetIpv6);
  set(one.source, kProbeIpv4, kProbeIpv6);
  if (p->params[index].interval_us == 0) set_params(index, kNeverUs, 50, 3);
  engine::store(one.in_use, 1);
  engine::store(watched.in_use, 1);
  p->loopback_is(index);
  ASSERT_EQ(p->control(HANET_CONTROL_START_SESSION, index), 0U);
}

net::Frame Scene::request(Beat beat, std::uint32_t index) {
  const hanet_session& one = p->sessions[index];
  const auto id = static_cast<std::uint16_t>(one.id & 0xffff);
  switch (beat) {
    case Beat::EchoIpv4:
      return net::echo_request(kTargetMac, kProbeMac, kProbeIpv4, kTargetIpv4, id,
                               engine::echo_payload(index, one));
    case Beat::EchoIpv6:
      return net::echo_request(kTargetMac, kProbeMac, kProbeIpv6, kTargetIpv6, id,
                               engine::echo_payload(index, one));
    case Beat::Arp:
      return net::arp_request(kTargetMac, kProbeMac, kProbeIpv4, kTargetIpv4);
    case Beat::Solicitation:
      return net::neighbour_solicitation(kTargetMac, kProbeMac, kProbeIpv6, kTargetIpv6);
  }
  return {};
}

net::Frame Scene::send(Beat beat, std::uint32_t index) {
  const std::uint64_t before = load(p->sessions[index].sent);
  Outcome run = p->tc_egress(request(beat, index));
  EXPECT_EQ(run.verdict, kTcSent);
  EXPECT_EQ(load(p->sessions[index].sent), before + 1) << "the request was numbered";
  return run.frame;
}

net::Frame Scene::reply_to(const net::Frame& request, Beat beat) {
  net::Frame frame = request;
  swap_bytes(frame, 0, 6, 6);
  switch (beat) {
    case Beat::EchoIpv4:
      swap_bytes(frame, 26, 30, 4);
      frame[kIcmpAt] = 0;
      return frame;
    case Beat::EchoIpv6:
      swap_bytes(frame, 22, 38, 16);
      frame[kIcmpv6At] = 129;
      return frame;
    case Beat::Arp:
      return arp_reply(frame);
    case Beat::Solicitation:
      return advertisement(frame);
  }
  return frame;
}

Progress Scene::progress(std::uint32_t index) {
  const hanet_session& one = p->sessions[index];
  return {.state = load(one.state),
          .answered = load(one.answered),
          .replies = load(one.replies),
          .lost = load(one.lost),
          .in_row = load(one.replies_in_row),
          .rtt_sum = load(one.rtt_sum_ns)};
}

Rejects Scene::rejects(std::uint32_t index) {
  Rejects counted{};
  for (std::size_t at = 0; at < counted.size(); ++at)
    counted[at] = load(p->ports[index].rejected[at]);
  return counted;
}

std::uint64_t packed(const net::MacAddress& mac) {
  std::uint64_t value = 0;
  std::memcpy(&value, mac.data(), mac.size());
  return value;
}

void put16(net::Frame& frame, std::size_t at, unsigned value) {
  frame.at(at) = static_cast<std::uint8_t>(value >> 8 & 0xff);
  frame.at(at + 1) = static_cast<std::uint8_t>(value & 0xff);
}

hanet_echo_payload payload_of(const net::Frame& frame, std::size_t icmp) {
  hanet_echo_payload payload{};
  std::memcpy(&payload, frame.data() + icmp + 8, sizeof(payload));
  return payload;
}

void set_payload(net::Frame& frame, std::size_t icmp, const hanet_echo_payload& payload) {
  std::memcpy(frame.data() + icmp + 8, &payload, sizeof(payload));
}

}  // namespace hanet::bpf_test
