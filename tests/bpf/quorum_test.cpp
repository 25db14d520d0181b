// SPDX-License-Identifier: Apache-2.0
//
// Several targets of one port (M9): whose request and reply a frame is, and when their sessions
// together are a verdict on the port.
#include <chrono>
#include <thread>

#include "engine/echo_payload.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr net::Ipv4Bytes kSecondIpv4{192, 0, 2, 11};
constexpr net::Ipv6Bytes kSecondIpv6{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11};

/// Port 0 asks the targets of sessions 0 and 1.
class Quorum : public Scene {
 protected:
  void ask_two(Beat beat, std::uint32_t quorum = 1) {
    watch(beat);
    hanet_session& two = session(1);
    two = hanet_session{};
    two.id = 0x5e550001;
    two.cookie = 0xc00c1e0000000001;
    two.family = session(0).family;
    two.kind = session(0).kind;
    std::ranges::copy(session(0).source, two.source);
    const auto set = [&](auto& field) {
      if (is_ipv6(beat))
        std::ranges::copy(kSecondIpv6, field);
      else
        std::ranges::copy(kSecondIpv4, field);
    };
    set(two.target);
    set(two.next_hop);
    engine::store(two.in_use, 1);
    port(0).quorum = quorum;
    engine::store(port(0).targets, 2);
    ASSERT_EQ(p->control(HANET_CONTROL_START_SESSION, 1), 0U);
  }
  /// To the second target, as hanetd prepares it.
  net::Frame second_request(Beat beat) {
    switch (beat) {
      case Beat::EchoIpv4:
        return net::echo_request(kTargetMac, kProbeMac, kProbeIpv4, kSecondIpv4, 1,
                                 engine::echo_payload(1, session(1)));
      case Beat::EchoIpv6:
        return net::echo_request(kTargetMac, kProbeMac, kProbeIpv6, kSecondIpv6, 1,
                                 engine::echo_payload(1, session(1)));
      case Beat::Arp:
        return net::arp_request(kTargetMac, kProbeMac, kProbeIpv4, kSecondIpv4);
      case Beat::Solicitation:
        return net::neighbour_solicitation(kTargetMac, kProbeMac, kProbeIpv6, kSecondIpv6);
    }
    return {};
  }
  net::Frame send_second(Beat beat) { return p->tc_egress(second_request(beat)).frame; }
  bool answer(const net::Frame& request, Beat beat) {
    return p->xdp(reply_to(request, beat)).verdict == kXdpDrop;
  }
  [[nodiscard]] std::uint32_t state(std::uint32_t index) { return load(session(index).state); }
};

class QuorumOf : public Quorum, public testing::WithParamInterface<Beat> {};

TEST_P(QuorumOf, M9_ARequestAndItsReplyBelongToTheTargetThatIsAsked) {
  const Beat beat = GetParam();
  ask_two(beat);
  const net::Frame second = send_second(beat);
  EXPECT_EQ(load(session(1).sent), 1U);
  EXPECT_EQ(load(session(0).sent), 0U);
  const net::Frame first = send(beat);
  EXPECT_EQ(load(session(0).sent), 1U);
  EXPECT_TRUE(answer(second, beat));
  EXPECT_EQ(progress(1).replies, 1U);
  EXPECT_EQ(progress(0).replies, 0U);
  EXPECT_TRUE(answer(first, beat));
  EXPECT_EQ(progress(0).replies, 1U);
  EXPECT_EQ(progress(1).replies, 1U);
}

TEST_P(QuorumOf, M9_S1_NobodyElseIsAskedAndNobodyElseAnswers) {
  const Beat beat = GetParam();
  ask_two(beat);
  port(0).targets = 1;  // the second one is no longer the port's
  const net::Frame second = send_second(beat);
  EXPECT_EQ(load(session(0).sent), 0U);
  EXPECT_EQ(load(session(1).sent), 0U);
  send(beat);
  EXPECT_FALSE(answer(second, beat));
  EXPECT_EQ(progress(0).replies, 0U);
}

INSTANTIATE_TEST_SUITE_P(Beats, QuorumOf,
                         testing::Values(Beat::Arp, Beat::Solicitation, Beat::EchoIpv4,
                                         Beat::EchoIpv6),
                         [](const auto& cell) { return to_text(cell.param); });

/// Port 0 is active and armed, port 1 its standby with the sessions 2 and 3.
class QuorumVerdict : public Quorum {
 protected:
  void prepare(std::uint32_t quorum) {
    set_params(0, 1000, 3, 1);
    ask_two(Beat::Arp, quorum);
    for (const std::uint32_t index : {0U, 1U})
      engine::store(session(index).state, HANET_SESSION_UP);
    hanet_port& standby = port(1);
    standby = hanet_port{};
    standby.session = 2;
    standby.targets = 2;
    standby.quorum = quorum;
    standby.carrier = HANET_CARRIER_UP;
    for (const std::uint32_t index : {2U, 3U}) {
      session(index) = hanet_session{};
      session(index).port = 1;
      session(index).state = HANET_SESSION_UP;
      session(index).last_reply_ns = UINT64_MAX;
      engine::store(session(index).in_use, 1);
    }
    engine::store(standby.in_use, 1);
    p->steer[0].peer_port = 1;
    p->steer[0].armed = 1;
    p->steer[1].mode = HANET_STEER_IDLE;
  }
  void fall_silent(std::uint32_t index) {
    for (int i = 0; i < 3; ++i) index == 0 ? send(Beat::Arp) : send_second(Beat::Arp);
    ASSERT_TRUE(await([&] { return state(index) == HANET_SESSION_DOWN; }));
    ASSERT_TRUE(await([&] { return load(p->accounts[0].events_submitted) > told_; }));
    told_ = load(p->accounts[0].events_submitted);
  }
  bool bridges() { return load(p->steer[0].mode) == HANET_STEER_BRIDGE_OUT; }

 private:
  std::uint64_t told_ = 0;
};

TEST_F(QuorumVerdict, M9_OneSilentTargetIsNoVerdictAndTheLastOneIs) {
  prepare(1);
  ASSERT_NO_FATAL_FAILURE(fall_silent(0));
  EXPECT_FALSE(bridges());
  ASSERT_NO_FATAL_FAILURE(fall_silent(1));
  EXPECT_TRUE(bridges());
}

TEST_F(QuorumVerdict, M9_WithoutAQuorumThePortHasFailed) {
  prepare(2);
  ASSERT_NO_FATAL_FAILURE(fall_silent(1));
  EXPECT_TRUE(bridges());
}

TEST_F(QuorumVerdict, M6_M9_AStandbyIsProvedByAQuorumOfAnswers) {
  prepare(2);
  engine::store(session(3).last_reply_ns, 1);
  ASSERT_NO_FATAL_FAILURE(fall_silent(1));
  EXPECT_FALSE(bridges());
  engine::store(session(3).last_reply_ns, UINT64_MAX);
  ASSERT_EQ(p->control(HANET_CONTROL_BRIDGE, 0), 0U);
  EXPECT_TRUE(bridges()) << "the witness";
}

TEST_F(QuorumVerdict, M9_F12_WhoComesToBridgeLateFindsTheQuorumAsItIs) {
  prepare(1);
  ASSERT_NO_FATAL_FAILURE(fall_silent(0));
  ASSERT_EQ(p->control(HANET_CONTROL_BRIDGE, 0), 0U);
  EXPECT_FALSE(bridges()) << "one of two is no verdict";
}

TEST_F(QuorumVerdict, T2_M9_ATrunksPortIsLostWithItsQuorum) {
  prepare(1);
  hanet_trunk& trunk = p->trunks[0];
  trunk = hanet_trunk{};
  trunk.count = 2;
  trunk.mode = HANET_TRUNK_INDEPENDENT;
  trunk.total = 2;
  trunk.ports[0] = {.port = 0, .ifindex = kLoopback, .weight = 1, .wire_mac = {}, .pad = {}};
  trunk.ports[1] = {.port = 1, .ifindex = kLoopback, .weight = 1, .wire_mac = {}, .pad = {}};
  port(0).trunk = port(1).trunk = 1;
  port(1).trunk_slot = 1;
  ASSERT_NO_FATAL_FAILURE(fall_silent(0));
  EXPECT_EQ(load(trunk.lost) & 1, 0U);
  ASSERT_NO_FATAL_FAILURE(fall_silent(1));
  EXPECT_EQ(load(trunk.lost) & 1, 1U);
}

}  // namespace
}  // namespace hanet::bpf_test
