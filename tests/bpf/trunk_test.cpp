// SPDX-License-Identifier: Apache-2.0
//
// Trunks in the kernel side: which port a frame leaves by, what comes in where, and when the trunk
// is down (T1 to T5).
//
// By which port a frame leaves is read from its source address: in independent mode each port has
// one of its own.
#include <functional>
#include <map>
#include <set>

#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr net::MacAddress kIdentityMac{0x52, 0x54, 0x00, 0x00, 0x00, 0x07};
constexpr std::uint32_t kPorts = 4;
constexpr std::uint32_t kStandby = kPorts;  // index of a fifth port, alone on its path
constexpr std::uint16_t kFlows = 256;
constexpr unsigned kMoreFragments = 0x2000;

net::MacAddress wire_mac(std::uint32_t slot) {
  return {0x02, 0xaa, 0, 0, 0, static_cast<std::uint8_t>(slot)};
}

net::MacAddress source_of(const net::Frame& frame) {
  net::MacAddress mac{};
  std::copy_n(frame.begin() + 6, mac.size(), mac.begin());
  return mac;
}

net::MacAddress destination_of(const net::Frame& frame) {
  net::MacAddress mac{};
  std::copy_n(frame.begin(), mac.size(), mac.begin());
  return mac;
}

/// UDP of the identity, 192.0.2.1:port to 192.0.2.10:9.
net::Frame udp(std::uint16_t port, unsigned fragment = 0) {
  net::Frame frame(14 + 20 + 8 + 8);
  std::copy(kTargetMac.begin(), kTargetMac.end(), frame.begin());
  std::copy(kIdentityMac.begin(), kIdentityMac.end(), frame.begin() + 6);
  put16(frame, 12, 0x0800);
  frame[14] = 0x45;
  put16(frame, 16, 36);
  put16(frame, 20, fragment);
  frame[22] = 64;
  frame[23] = 17;
  const std::array<std::uint8_t, 8> addresses{192, 0, 2, 1, 192, 0, 2, 10};
  std::copy(addresses.begin(), addresses.end(), frame.begin() + 26);
  put16(frame, 34, port);
  put16(frame, 36, 9);
  return frame;
}

/// The same over IPv6, with any upper layer.
net::Frame ipv6(std::uint8_t protocol, std::uint16_t port) {
  net::Frame frame(14 + 40 + 8);
  std::copy(kTargetMac.begin(), kTargetMac.end(), frame.begin());
  std::copy(kIdentityMac.begin(), kIdentityMac.end(), frame.begin() + 6);
  put16(frame, 12, 0x86dd);
  frame[14] = 0x60;
  put16(frame, 18, 8);
  frame[20] = protocol;
  frame[21] = 64;
  frame[22] = frame[38] = 0x20;
  frame[37] = 1;
  frame[53] = 10;
  put16(frame, 54, port);
  return frame;
}

net::Frame arrival(const net::MacAddress& to) {
  net::Frame frame = udp(1);
  std::copy(to.begin(), to.end(), frame.begin());
  std::copy(kTargetMac.begin(), kTargetMac.end(), frame.begin() + 6);
  return frame;
}

class Trunk : public Scene {
 protected:
  void SetUp() override {
    Scene::SetUp();
    if (IsSkipped()) return;
    for (std::uint32_t at = 0; at < kPorts; ++at) {
      set_params(at, 1000, 3, 1);
      watch(Beat::EchoIpv4, at);
      session(at).group = 0;
    }
    make_trunk(HANET_TRUNK_INDEPENDENT);
    p->loopback_is(0);  // the lead
  }

  void make_trunk(hanet_trunk_mode mode) {
    hanet_trunk& made = trunk();
    made = hanet_trunk{};
    made.mode = mode;
    made.total = kPorts;
    for (std::uint32_t at = 0; at < kPorts; ++at) {
      // Interfaces that differ from the one that tests run on, but for the lead.
      made.ports[at] = {
          .port = at, .ifindex = kLoopback + at, .weight = 1, .wire_mac = {}, .pad = {}};
      const net::MacAddress mac = wire_mac(at);
      std::copy(mac.begin(), mac.end(), made.ports[at].wire_mac);
      p->steer[at].mode = at == 0 ? HANET_STEER_LEAD : HANET_STEER_MEMBER;
      p->steer[at].identity_mac = packed(kIdentityMac);
      port(at).trunk = 1;
      port(at).trunk_slot = at;
      port(at).probe_mac[5] = static_cast<std::uint8_t>(at + 1);
    }
    made.count = kPorts;
    for (std::uint32_t at = 0; at < kPorts; ++at) becomes(at, HANET_SESSION_UP);
  }

  hanet_trunk& trunk() { return p->trunks[0]; }
  void becomes(std::uint32_t at, hanet_session_state state,
               hanet_carrier carrier = HANET_CARRIER_UP) {
    engine::store(session(at).state, state);
    engine::store(port(at).carrier, carrier);
    ASSERT_EQ(p->control(HANET_CONTROL_REVIEW_PORT, at), 0U);
  }
  /// The slot that a frame of the identity leaves by.
  std::uint32_t way_of(const net::Frame& frame) {
    const Outcome sent = p->tc_egress(frame);
    const net::MacAddress source = source_of(sent.frame);
    const std::uint32_t slot = source == kIdentityMac ? load(trunk().speaker) : source[5];
    EXPECT_EQ(sent.verdict, slot == 0 ? kTcPass : kTcRedirect);
    return slot;
  }
  std::map<std::uint16_t, std::uint32_t> ways() {
    std::map<std::uint16_t, std::uint32_t> ways;
    for (std::uint16_t flow = 0; flow < kFlows; ++flow) ways[flow] = way_of(udp(flow));
    return ways;
  }
};

TEST_F(Trunk, M1_F1_ASinglePortThatBridgesKeepsWhatIsForTheProbeAddressesOfAStaticTrunk) {
  make_trunk(HANET_TRUNK_STATIC);
  watch(Beat::EchoIpv4, kPorts);
  p->loopback_is(kPorts);
  p->steer[kPorts].peer_port = 0;
  p->steer[kPorts].mode = HANET_STEER_BRIDGE_IN;
  for (std::uint32_t at = 0; at < kPorts; ++at) {
    net::MacAddress probe{};
    std::copy(std::begin(port(at).probe_mac), std::end(port(at).probe_mac), probe.begin());
    EXPECT_EQ(p->tc_ingress(arrival(probe)).verdict, kTcPass) << at;
  }
  EXPECT_EQ(p->tc_ingress(arrival(kIdentityMac)).verdict, kTcRedirect) << "the witness";
}

TEST_F(Trunk, T3_EachFlowHasOnePortAndTheFlowsSpreadOverAll) {
  const auto first = ways();
  EXPECT_EQ(ways(), first) << "a flow changed its port";
  std::map<std::uint32_t, int> uses;
  for (const auto& [flow, slot] : first) ++uses[slot];
  ASSERT_EQ(uses.size(), kPorts);
  for (const auto& [slot, count] : uses) EXPECT_GT(count, kFlows / kPorts / 2) << slot;
}

TEST_F(Trunk, T3_AVerdictMovesTheFlowsOfTheLostPortAndNoOther) {
  const auto before = ways();
  becomes(2, HANET_SESSION_DOWN);
  const auto without = ways();
  for (const auto& [flow, slot] : before) {
    EXPECT_NE(without.at(flow), 2U);
    if (slot != 2) {
      EXPECT_EQ(without.at(flow), slot) << flow;
    }
  }
  becomes(2, HANET_SESSION_UP);
  EXPECT_EQ(ways(), before) << "with the port its flows come back";
}

TEST_F(Trunk, T3_ALeadWithoutCarrierSendsByTheOthers) {
  becomes(0, HANET_SESSION_UP, HANET_CARRIER_DOWN);
  for (const auto& [flow, slot] : ways()) EXPECT_NE(slot, 0U) << flow;
  EXPECT_NE(trunk().speaker, 0U);
  EXPECT_EQ(p->tc_egress(arrival(net::kBroadcast)).verdict, kTcRedirect);
}

TEST_F(Trunk, T3_FragmentsOfOnePacketTakeOneWay) {
  for (std::uint16_t flow = 0; flow < 64; ++flow) {
    const std::uint32_t first = way_of(udp(flow, kMoreFragments));
    net::Frame rest = udp(flow, 185);
    put16(rest, 34, 0xabcd);  // payload, where the first one has its ports
    EXPECT_EQ(way_of(rest), first);
  }
}

TEST_F(Trunk, T3_Ipv6FlowsSpreadAndNeighbourDiscoveryLeavesByTheSpeaker) {
  std::set<std::uint32_t> used;
  for (std::uint16_t flow = 0; flow < 64; ++flow) used.insert(way_of(ipv6(17, flow)));
  EXPECT_EQ(used.size(), kPorts);
  for (std::uint16_t kind = 0; kind < 64; ++kind)
    EXPECT_EQ(source_of(p->tc_egress(ipv6(58, kind)).frame), kIdentityMac);
}

TEST_F(Trunk, T3_WhatIsNoFlowLeavesByTheSpeakerAsTheIdentity) {
  becomes(0, HANET_SESSION_DOWN);
  const net::Frame arp = net::arp_request(kTargetMac, kIdentityMac, {192, 0, 2, 1}, {192, 0, 2, 9});
  for (const net::Frame& frame : {arp, arrival(net::kBroadcast), arrival({1, 0, 0x5e, 0, 0, 1})}) {
    const Outcome sent = p->tc_egress(frame);
    EXPECT_EQ(source_of(sent.frame), source_of(frame));
    EXPECT_EQ(sent.verdict, kTcRedirect) << "not by the lead";
  }
}

TEST_F(Trunk, T3_WhoSpeaksStaysUntilItIsLost) {
  EXPECT_EQ(trunk().speaker, 0U);
  becomes(0, HANET_SESSION_DOWN);
  const std::uint32_t speaker = trunk().speaker;
  EXPECT_NE(speaker, 0U);
  becomes(0, HANET_SESSION_UP);
  EXPECT_EQ(trunk().speaker, speaker) << "a move costs the switch's memory";
  EXPECT_EQ(trunk().speaker_changes, 1U);
}

TEST_F(Trunk, T3_AtAPlainSwitchOnlyTheSpeakerTakesBroadcastsIn) {
  p->loopback_is(1);
  EXPECT_EQ(p->tc_ingress(arrival(net::kBroadcast)).verdict, kTcDrop);
  EXPECT_EQ(p->tc_ingress(arrival(kIdentityMac)).verdict, kTcDrop) << "flooded";
  EXPECT_EQ(trunk().second_copies, 2U);
  becomes(0, HANET_SESSION_DOWN);
  ASSERT_EQ(trunk().speaker, 1U);
  EXPECT_EQ(p->tc_ingress(arrival(net::kBroadcast)).verdict, kTcPass) << "the loopback is port 1's";
  p->loopback_is(0);
  EXPECT_EQ(p->tc_ingress(arrival(net::kBroadcast)).verdict, kTcDrop) << "the lead is deaf now";
}

TEST_F(Trunk, T3_AnAnswerToAPortsOwnAddressIsTheIdentitys) {
  trunk().ports[0].ifindex = kLoopback + 9;  // the lead is elsewhere
  p->loopback_is(2);
  const Outcome came = p->tc_ingress(arrival(wire_mac(2)));
  EXPECT_EQ(came.verdict, kTcRedirect);
  EXPECT_EQ(destination_of(came.frame), kIdentityMac);
  EXPECT_EQ(came.mark, std::uint32_t{HANET_STEER_MARK});
  EXPECT_EQ(trunk().gathered_in, 1U);
  EXPECT_EQ(p->tc_ingress(arrival(kOtherMac)).verdict, kTcPass) << "somebody else's";
}

TEST_F(Trunk, T3_AnAggregateTakesInAtEveryPort) {
  make_trunk(HANET_TRUNK_STATIC);
  trunk().ports[0].ifindex = kLoopback + 9;
  p->loopback_is(3);
  EXPECT_EQ(p->tc_ingress(arrival(net::kBroadcast)).verdict, kTcRedirect);
  EXPECT_EQ(p->tc_ingress(arrival(kIdentityMac)).verdict, kTcRedirect);
  EXPECT_EQ(trunk().second_copies, 0U);
  p->loopback_is(0);
  for (std::uint16_t flow = 0; flow < 32; ++flow)
    EXPECT_EQ(source_of(p->tc_egress(udp(flow)).frame), kIdentityMac) << "one address for all";
}

TEST_F(Trunk, M7_BehindAnAggregateAReplyCountsAtWhateverPortItComesIn) {
  for (const hanet_trunk_mode mode : {HANET_TRUNK_STATIC, HANET_TRUNK_INDEPENDENT}) {
    make_trunk(mode);
    p->loopback_is(1);
    net::Frame request = this->request(Beat::EchoIpv4, 1);
    request[11] = port(1).probe_mac[5];
    const net::Frame sent = p->tc_egress(request).frame;
    net::Frame reply = reply_to(sent, Beat::EchoIpv4);
    reply[5] = port(1).probe_mac[5];
    const std::uint64_t before = session(1).replies;
    p->loopback_is(3);
    const bool counted = mode == HANET_TRUNK_STATIC;
    EXPECT_EQ(p->xdp(reply).verdict, counted ? kXdpDrop : kXdpPass);
    EXPECT_EQ(session(1).replies, before + (counted ? 1 : 0));
  }
}

TEST_F(Trunk, M7_BehindAnAggregateSilenceOfTheOthersSaysNothingWhileTheSwitchChoosesAnew) {
  make_trunk(HANET_TRUNK_STATIC);
  becomes(0, HANET_SESSION_UP, HANET_CARRIER_DOWN);
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  trunk().carrier_lost_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                            static_cast<std::uint64_t>(now.tv_nsec);
  becomes(1, HANET_SESSION_DOWN);
  EXPECT_EQ(trunk().lost, 1U) << "only the port that lost its carrier";
  EXPECT_EQ(trunk().working, 0b1110U);
  trunk().mode = HANET_TRUNK_INDEPENDENT;
  becomes(1, HANET_SESSION_DOWN);
  EXPECT_EQ(trunk().lost, 0b0011U) << "plain switches choose nothing";
  becomes(1, HANET_SESSION_UP);
  trunk().mode = HANET_TRUNK_STATIC;
  trunk().carrier_lost_ns -= HANET_REHASH_NS;
  becomes(1, HANET_SESSION_DOWN);
  EXPECT_EQ(trunk().lost, 0b0011U);
}

TEST_F(Trunk, F7_APausedPortIsNotJudgedByItsHeartbeats) {
  becomes(1, HANET_SESSION_PAUSED);
  EXPECT_EQ(trunk().working, 0b1111U);
  becomes(1, HANET_SESSION_PAUSED, HANET_CARRIER_DOWN);
  EXPECT_EQ(trunk().working, 0b1101U);
  becomes(1, HANET_SESSION_DOWN);
  becomes(1, HANET_SESSION_PAUSED);
  EXPECT_EQ(trunk().working, 0b1101U) << "what was lost is not proved by a pause";
  becomes(1, HANET_SESSION_UNKNOWN);
  EXPECT_EQ(trunk().working, 0b1101U) << "not proved";
  EXPECT_EQ(trunk().lost, 0U) << "and not lost";
}

TEST_F(Trunk, F10_APortWhoseInterfaceIsGoneIsLostWhateverItsSessionSays) {
  trunk().ports[2].ifindex = 0;
  becomes(2, HANET_SESSION_UP);
  EXPECT_EQ(trunk().lost, 0b0100U);
  EXPECT_EQ(trunk().working, 0b1011U);
}

TEST_F(Trunk, F1_WhileItsLeadBridgesOutAMemberTakesNothingIn) {
  p->loopback_is(1);
  trunk().ports[0].ifindex = kLoopback + 9;
  becomes(0, HANET_SESSION_DOWN);
  ASSERT_EQ(p->tc_ingress(arrival(kIdentityMac)).verdict, kTcRedirect) << "the witness";
  p->steer[0].mode = HANET_STEER_BRIDGE_OUT;
  EXPECT_EQ(p->tc_ingress(arrival(kIdentityMac)).verdict, kTcDrop);
  EXPECT_EQ(p->steer[1].fenced, 1U);
}

TEST_F(Trunk, M7_ALostCarrierBeginsTheTimeInWhichTheSwitchChoosesAnew) {
  make_trunk(HANET_TRUNK_STATIC);
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 1), 0U);
  EXPECT_GT(trunk().carrier_lost_ns, 0U);
  EXPECT_EQ(trunk().carrier_lost_ns, port(1).carrier_changed_ns);
  const std::uint64_t lost = trunk().carrier_lost_ns;
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_UP, 1), 0U);
  EXPECT_EQ(trunk().carrier_lost_ns, lost) << "a carrier that comes back begins nothing";
}

struct Share {
  std::uint32_t threshold;
  std::uint32_t lost_before;  ///< ports, when port 3 gets its verdict
  bool bridges;
  std::uint32_t weight = 1;  ///< of port 3
};

class TrunkVerdict : public Trunk, public testing::WithParamInterface<Share> {};

TEST_P(TrunkVerdict, T2_M3_TheKernelBridgesWhenTheThresholdIsReachedAndNotBefore) {
  set_params(kStandby, 1000, 3, 1);
  watch(Beat::EchoIpv4, kStandby);
  engine::store(session(kStandby).state, HANET_SESSION_UP);
  engine::store(session(kStandby).last_reply_ns, UINT64_MAX);
  port(kStandby).carrier = HANET_CARRIER_UP;
  p->steer[kStandby].mode = HANET_STEER_IDLE;
  p->steer[0].peer_port = kStandby;
  p->steer[0].armed = 1;
  engine::store(p->params[0].threshold_percent, GetParam().threshold);
  trunk().ports[3].weight = GetParam().weight;
  trunk().total = kPorts - 1 + GetParam().weight;
  for (std::uint32_t at = 0; at < GetParam().lost_before; ++at) becomes(at, HANET_SESSION_DOWN);
  engine::store(session(3).state, HANET_SESSION_UP);
  p->loopback_is(3);
  for (int i = 0; i < 3; ++i) {
    net::Frame beat = request(Beat::EchoIpv4, 3);
    beat[11] = port(3).probe_mac[5];
    EXPECT_EQ(p->tc_egress(beat).verdict, kTcSent);
  }
  ASSERT_TRUE(await([&] { return load(session(3).state) == HANET_SESSION_DOWN; }));
  // Where the threshold is out of range that is an event as well.
  const std::uint64_t reports = load(p->params[0].clamped);
  ASSERT_TRUE(await([&] { return load(p->accounts[0].events_submitted) == reports + 1; }));
  EXPECT_EQ(load(p->steer[0].mode),
            std::uint32_t{GetParam().bridges ? HANET_STEER_BRIDGE_OUT : HANET_STEER_LEAD});
  EXPECT_EQ(load(p->steer[kStandby].mode),
            std::uint32_t{GetParam().bridges ? HANET_STEER_BRIDGE_IN : HANET_STEER_IDLE});
}

INSTANTIATE_TEST_SUITE_P(OfFourPorts, TrunkVerdict,
                         testing::Values(Share{1, 0, true}, Share{25, 0, true}, Share{26, 0, false},
                                         Share{50, 0, false}, Share{50, 1, true},
                                         Share{51, 1, false}, Share{75, 2, true},
                                         Share{76, 2, false}, Share{100, 2, false},
                                         Share{100, 3, true}, Share{0, 0, true},
                                         Share{0, 0, false, 0}, Share{101, 3, true},
                                         Share{UINT32_MAX, 3, true}),
                         [](const auto& cell) {
                           return "At" + std::to_string(cell.param.threshold) + "With" +
                                  std::to_string(cell.param.lost_before + 1) + "Lost" +
                                  (cell.param.weight == 0 ? "OfNoWeight" : "");
                         });

}  // namespace
}  // namespace hanet::bpf_test
