// SPDX-License-Identifier: Apache-2.0
//
// Frames: the packet programs run in this kernel on any bytes (D6, M1).
//
// The first two bytes choose the program, the port, and how it is steered. A frame without the
// cookie of an echo session (64 bits) changes nothing of it; whatever comes in, each program
// answers with an action that there is, and each map stays within its ranges. libFuzzer cannot look
// into the kernel: it steers by the counters of the reasons why a frame was refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "scene.h"

namespace hanet::bpf_test {
namespace {

constexpr std::size_t kLongest = 1500;
constexpr std::array kModes{HANET_STEER_NONE,  HANET_STEER_BRIDGE_OUT, HANET_STEER_BRIDGE_IN,
                            HANET_STEER_ADOPT, HANET_STEER_LEAD,       HANET_STEER_MEMBER,
                            HANET_STEER_IDLE};
constexpr std::array kBeats{Beat::EchoIpv4, Beat::EchoIpv6, Beat::Arp, Beat::Solicitation};

// One counter for each reason and each answer; libFuzzer keeps an input that moves a new one.
__attribute__((section("__libfuzzer_extra_counters"))) std::array<std::uint8_t, 256> seen;

/// BPF_PROG_TEST_RUN makes a socket buffer only of whole headers (net/bpf/test_run.c); XDP takes
/// all.
bool is_taken_by_tc(const net::Frame& frame) {
  const unsigned protocol = static_cast<unsigned>(frame[12]) << 8 | frame[13];
  return (protocol != 0x0800 || frame.size() >= 14 + 20) &&
         (protocol != 0x86dd || frame.size() >= 14 + 40);
}

void require(bool holds) {
  if (!holds) std::abort();
}

/// Four ports, each with a session of another kind, that live as long as the process.
class World : public Scene {
 public:
  World() {
    // What a scene only notes in a test has to end a fuzzer.
    GTEST_FLAG_SET(throw_on_failure, true);
    SetUp();
    require(p != nullptr);
    for (std::uint32_t at = 0; at < kBeats.size(); ++at) {
      watch(kBeats[at], at);
      engine::store(session(at).state, HANET_SESSION_UP);
      static_cast<void>(send(kBeats[at], at));
    }
    hanet_trunk& trunk = p->trunks[0];
    trunk.mode = HANET_TRUNK_INDEPENDENT;
    trunk.total = trunk.count = 2;
    for (std::uint32_t at = 0; at < 2; ++at) {
      trunk.ports[at] = {.port = at, .ifindex = kLoopback, .weight = 1, .wire_mac = {}, .pad = {}};
      port(at).trunk_slot = at;
    }
    trunk.working = 3;
  }
  void TestBody() override {}

  void choose(std::uint8_t choice) {
    at_ = choice % kBeats.size();
    const auto mode = kModes.at(choice / kBeats.size() % kModes.size());
    engine::store(p->steer[at_].mode, mode);
    const bool in_trunk = at_ < 2 && (mode == HANET_STEER_LEAD || mode == HANET_STEER_MEMBER);
    engine::store(port(at_).trunk, in_trunk ? 1 : 0);
    p->loopback_is(at_);
  }

  void run(std::uint8_t program, const net::Frame& frame) {
    if (program % 3 != 0 && !is_taken_by_tc(frame)) return;
    const Progress before = progress(at_);
    const Rejects refused = rejects(at_);
    const std::uint64_t sent = engine::load(session(at_).sent);
    std::uint32_t verdict = 0;
    if (program % 3 == 0) {
      verdict = p->xdp(frame).verdict;
      require(verdict == kXdpPass || verdict == kXdpDrop);
    } else if (program % 3 == 1) {
      verdict = p->tc_ingress(frame).verdict;
      require(is_tc_action(verdict));
    } else {
      verdict = p->tc_egress(frame).verdict;
      require(is_tc_action(verdict));
      require(engine::load(session(at_).sent) - sent <= 1);
    }
    require(progress(at_) == before || may_answer(frame));
    maps_are_sane();
    note(program % 3, verdict, refused);
  }

 private:
  static bool is_tc_action(std::uint32_t verdict) {
    return verdict == kTcPass || verdict == kTcDrop || verdict == kTcRedirect || verdict == kTcSent;
  }
  /// ARP and advertisements have no secret but the probe address.
  bool may_answer(const net::Frame& frame) {
    if (!is_echo(kBeats.at(at_))) return true;
    std::array<std::uint8_t, sizeof(hanet_session::cookie)> cookie{};
    std::memcpy(cookie.data(), &session(at_).cookie, cookie.size());
    return std::ranges::search(frame, cookie).begin() != frame.end();
  }
  void maps_are_sane() {
    const hanet_session& one = session(at_);
    require(one.in_use == 1 && one.port == at_ && one.id == 0x5e550000 + at_);
    require(one.state <= HANET_SESSION_PAUSED && one.answered <= one.sent);
    require(one.peer_claim < HANET_CLAIM_COUNT && (one.target_mac[0] & 1) == 0);
    require(one.interval_us >= HANET_INTERVAL_MIN_US && one.interval_us <= HANET_INTERVAL_MAX_US);
    require(one.multiplier >= HANET_MULTIPLIER_MIN && one.multiplier <= HANET_MULTIPLIER_MAX);
    require(port(at_).in_use == 1 && port(at_).ifindex == kLoopback);
    require(p->steer[at_].mode <= HANET_STEER_IDLE);
  }
  void note(std::uint8_t program, std::uint32_t verdict, const Rejects& before) {
    const Rejects now = rejects(at_);
    const std::size_t base = (program * kBeats.size() + at_) * 20;
    for (std::size_t reason = 0; reason < now.size(); ++reason)
      if (now[reason] != before[reason]) seen[(base + reason) % seen.size()] = 1;
    seen[(base + 12 + (verdict & 7)) % seen.size()] = 1;
  }

  std::uint32_t at_ = 0;
};

}  // namespace
}  // namespace hanet::bpf_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hanet::bpf_test::World;
  static auto* world = new World;
  // BPF_PROG_TEST_RUN takes no frame without a whole Ethernet header.
  if (size < 2 + 14 || size > hanet::bpf_test::kLongest) return 0;
  world->choose(data[1]);
  world->run(data[0], hanet::net::Frame(data + 2, data + size));
  return 0;
}
