// SPDX-License-Identifier: Apache-2.0
//
// A session that asks nobody: what counts as a sign of life, and what its absence means (M5).
//
// The table says of each frame whether it is one; each is looked at where XDP listens and where TC
// does. Deadlines run for real: what must not happen has a witness in a second session whose
// verdict came meanwhile.
#include "core/clock.h"
#include "scene.h"
#include "stall_witness.h"

namespace hanet::bpf_test {
namespace {

using engine::load;
using namespace std::chrono_literals;

constexpr net::MacAddress kIdentityMac{0x52, 0x54, 0x00, 0x00, 0x00, 0x99};
constexpr std::uint32_t kShortUs = 2000;

net::Frame frame_of(const net::MacAddress& to, const net::MacAddress& from, unsigned type,
                    std::size_t payload = 46) {
  net::Frame frame(kEthernetBytes + payload);
  std::copy(to.begin(), to.end(), frame.begin());
  std::copy(from.begin(), from.end(), frame.begin() + 6);
  put16(frame, 12, type);
  return frame;
}

class Silence : public Scene {
 protected:
  [[nodiscard]] Stage stage() const override { return {.silence = true}; }
  /// A silent session; its peer is the target's MAC address.
  void listen(std::uint32_t index = 0, bool at_xdp = true) {
    watch(Beat::Arp, index);
    session(index).kind = HANET_HEARTBEAT_SILENCE;
    session(index).heard_at_xdp = at_xdp ? 1 : 0;
    std::copy(kTargetMac.begin(), kTargetMac.end(), session(index).target_mac);
    session(index).target_mac_known = HANET_MAC_CONFIGURED;
    port(index).replies_at_xdp = at_xdp ? 1 : 0;
    ASSERT_EQ(p->control(HANET_CONTROL_START_SESSION, index), 0U);
  }
  /// One frame from the peer, at the port that loopback stands for.
  void hear() { ASSERT_EQ(p->xdp(frame_of(kIdentityMac, kTargetMac, 0x0800)).verdict, kXdpPass); }
  /// Signs of life until the session is up.
  void become_up(std::uint32_t index = 0) {
    p->loopback_is(index);
    ASSERT_TRUE(await([&] {
      hear();
      return load(session(index).state) == HANET_SESSION_UP;
    }));
  }
  /// Heard once, and then its detection time passed.
  void witness_goes_down(std::uint32_t interval_us = kShortUs) {
    set_params(1, interval_us, 5, 1);
    ASSERT_NO_FATAL_FAILURE(listen(1));
    p->loopback_is(1);
    ASSERT_NO_FATAL_FAILURE(hear());
    ASSERT_TRUE(await([&] { return load(session(1).down_verdicts) == 1; })) << "the witness";
    p->loopback_is(0);
  }

  test::StallWitness stall;
};

struct Sign {
  const char* name;
  net::Frame frame;
  bool of_the_peer;
};

void PrintTo(const Sign& sign, std::ostream* out) { *out << sign.name; }

std::vector<Sign> signs() {
  constexpr net::MacAddress kMulticast{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12};
  return {
      {"Ipv4ToTheIdentity", frame_of(kIdentityMac, kTargetMac, 0x0800), true},
      {"Ipv6ToTheIdentity", frame_of(kIdentityMac, kTargetMac, 0x86dd), true},
      {"ArpToTheProbeAddress", frame_of(kProbeMac, kTargetMac, 0x0806), true},
      {"ABroadcast", frame_of(net::kBroadcast, kTargetMac, 0x0800), true},
      {"AMulticast", frame_of(kMulticast, kTargetMac, 0x0800), true},
      {"AFloodedFrameToAnother", frame_of(kOtherMac, kTargetMac, 0x0800), true},
      {"ATaggedFrame", frame_of(kIdentityMac, kTargetMac, 0x8100), true},
      {"ADoublyTaggedFrame", frame_of(kIdentityMac, kTargetMac, 0x88a8), true},
      {"AProtocolThatNobodyKnows", frame_of(kIdentityMac, kTargetMac, 0x1234), true},
      {"AShortFrame", frame_of(kIdentityMac, kTargetMac, 0x1234, 2), true},
      {"AJumboFrame", frame_of(kIdentityMac, kTargetMac, 0x0800, 3000), true},
      {"OthersFrame", frame_of(kIdentityMac, kOtherMac, 0x0800), false},
      {"OthersBroadcast", frame_of(net::kBroadcast, kOtherMac, 0x0806), false},
      {"OthersMulticast", frame_of(kMulticast, kOtherMac, 0x0800), false},
      {"OthersTaggedFrame", frame_of(net::kBroadcast, kOtherMac, 0x8100), false},
      {"OthersFrameToThePeer", frame_of(kTargetMac, kOtherMac, 0x0800), false},
      {"OwnFrameFromTheIdentity", frame_of(net::kBroadcast, kIdentityMac, 0x0800), false},
      {"OwnFrameFromTheProbeAddress", frame_of(net::kBroadcast, kProbeMac, 0x0806), false},
      {"AnAddressThatDiffersInTheLastBit",
       frame_of(kIdentityMac, {0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcd}, 0x0800), false},
      {"AnAddressThatDiffersInTheFirstByte",
       frame_of(kIdentityMac, {0x50, 0x54, 0x00, 0xaa, 0xbb, 0xcc}, 0x0800), false},
  };
}

class SignOfLife : public Silence, public testing::WithParamInterface<Sign> {
 protected:
  [[nodiscard]] Stage stage() const override { return {.silence = true, .shared = true}; }
  /// Did the frame count? The peer's own, which follows, is the witness that another could have.
  bool counts(const std::function<void(const net::Frame&)>& receive) {
    receive(GetParam().frame);
    const std::uint64_t heard = load(session().last_reply_ns), replies = load(session().replies);
    EXPECT_EQ(heard != 0, replies == 1);
    receive(frame_of(kIdentityMac, kTargetMac, 0x0800));
    EXPECT_GT(load(session().last_reply_ns), heard) << "the witness";
    EXPECT_EQ(load(session().replies), 1U) << "two within an interval count once";
    return heard != 0;
  }
};

TEST_P(SignOfLife, M5_IsAFrameOfThePeerAndNoOther) {
  ASSERT_NO_FATAL_FAILURE(listen(0, true));
  EXPECT_EQ(counts([&](const net::Frame& frame) {
              EXPECT_EQ(p->xdp(frame).verdict, kXdpPass) << "a listener takes nothing away";
            }),
            GetParam().of_the_peer);
}

TEST_P(SignOfLife, M5_IsTheSameWhereOnlyTcListens) {
  ASSERT_NO_FATAL_FAILURE(listen(0, false));
  EXPECT_EQ(counts([&](const net::Frame& frame) {
              EXPECT_EQ(p->tc_ingress(frame).verdict, kTcPass) << "a listener takes nothing away";
            }),
            GetParam().of_the_peer);
}

INSTANTIATE_TEST_SUITE_P(PacketTable, SignOfLife, testing::ValuesIn(signs()),
                         [](const auto& cell) { return std::string(cell.param.name); });

TEST_F(Silence, M5_EachFrameIsHeardInOnePlace) {
  ASSERT_NO_FATAL_FAILURE(listen(0, true));
  const net::Frame frame = frame_of(kIdentityMac, kTargetMac, 0x0800);
  EXPECT_EQ(p->tc_ingress(frame).verdict, kTcPass);
  EXPECT_EQ(load(session().last_reply_ns), 0U) << "XDP listens here";
  session().heard_at_xdp = 0;
  EXPECT_EQ(p->xdp(frame).verdict, kXdpPass);
  EXPECT_EQ(load(session().last_reply_ns), 0U) << "TC listens here";
  EXPECT_EQ(p->tc_ingress(frame).verdict, kTcPass);
  EXPECT_NE(load(session().last_reply_ns), 0U);
}

TEST_F(Silence, M5_WhatBridgingHandsToAFailedPortIsNoSignOfItsLife) {
  ASSERT_NO_FATAL_FAILURE(listen(0, false));
  p->steer[0].mode = HANET_STEER_BRIDGE_OUT;
  const net::Frame frame = frame_of(kIdentityMac, kTargetMac, 0x0800);
  EXPECT_EQ(p->tc_ingress(frame, HANET_STEER_MARK).verdict, kTcPass);
  EXPECT_EQ(load(session().last_reply_ns), 0U);
  EXPECT_EQ(p->tc_ingress(frame).verdict, kTcDrop) << "what comes by the failed path itself";
  EXPECT_NE(load(session().last_reply_ns), 0U);
}

TEST_F(Silence, M5_AsksNobodyAndAnAnswerToASearchIsNoReply) {
  ASSERT_NO_FATAL_FAILURE(listen());
  session().target_mac_known = HANET_MAC_UNKNOWN;
  net::Frame search = net::arp_request(net::kBroadcast, kProbeMac, {}, kTargetIpv4);
  EXPECT_EQ(p->tc_egress(search).verdict, kTcSent);
  EXPECT_EQ(load(session().sent), 0U) << "a search owes no answer";
  const net::Frame answer = reply_to(search, Beat::Arp);
  EXPECT_EQ(p->xdp(answer).verdict, kXdpDrop);
  EXPECT_EQ(load(session().target_mac_known), std::uint8_t{HANET_MAC_LEARNED});
  EXPECT_TRUE(std::equal(kTargetMac.begin(), kTargetMac.end(), session().target_mac));
  EXPECT_EQ(load(session().replies), 0U);
  ASSERT_NO_FATAL_FAILURE(hear());
  EXPECT_EQ(load(session().replies), 1U);
}

TEST_F(Silence, M5_LearnsWhatThePeerAnnouncesUnlessItsAddressIsConfigured) {
  set_params(0, 1'000, 3,
             3);  // it has been silent for longer than that, also where a machine just booted
  for (const auto origin : {HANET_MAC_LEARNED, HANET_MAC_CONFIGURED}) {
    ASSERT_NO_FATAL_FAILURE(listen());
    session().target_mac_known = origin;
    EXPECT_EQ(p->tc_ingress(net::gratuitous_arp(kOtherMac, kTargetIpv4)).verdict, kTcPass);
    EXPECT_EQ(std::equal(kOtherMac.begin(), kOtherMac.end(), session().target_mac),
              origin == HANET_MAC_LEARNED);
    EXPECT_EQ(session().target_mac_known, origin);
  }
}

TEST_F(Silence, M5_ABurstIsOneSignAndUpNeedsSeveralIntervals) {
  set_params(0, 50'000, 50, 3);
  ASSERT_NO_FATAL_FAILURE(listen());
  stall.forget();
  for (int i = 0; i < 100; ++i) ASSERT_NO_FATAL_FAILURE(hear());
  if (load(session().replies) >= 3)
    EXCUSE_OR_FAIL(stall, 40ms, "a hundred frames took more than two intervals of 50 ms");
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UNKNOWN});
  ASSERT_NO_FATAL_FAILURE(become_up());
  EXPECT_EQ(load(session().replies), 3U);
  EXPECT_EQ(load(session().up_verdicts), 1U);
}

TEST_F(Silence, M5_ThePathIsDownWhenNothingCameForTheDetectionTime) {
  set_params(0, kShortUs, 3, 1);
  ASSERT_NO_FATAL_FAILURE(listen());
  ASSERT_NO_FATAL_FAILURE(become_up());
  ASSERT_TRUE(await([&] { return load(p->accounts[0].events_submitted) == 2; }));
  const hanet_session& one = session();
  EXPECT_EQ(load(one.state), std::uint32_t{HANET_SESSION_DOWN});
  EXPECT_EQ(one.deadline_ns, one.last_reply_ns + 3 * kShortUs * 1000ULL);
  EXPECT_EQ(one.first_lost_ns, one.last_reply_ns + kShortUs * 1000ULL);
  EXPECT_GE(one.verdict_ns, one.deadline_ns) << "never early";
  EXPECT_EQ(one.sent, 0U);
}

TEST_F(Silence, M5_ASignMovesTheDeadlineAlthoughNobodyMovesTheTimer) {
  set_params(0, 10 * kShortUs, 5, 1);
  ASSERT_NO_FATAL_FAILURE(listen());
  ASSERT_NO_FATAL_FAILURE(become_up());
  stall.forget();
  const MonotonicTime begun = monotonic_now();
  MonotonicTime last = begun;
  // Many detection times; a pause of one of them is the machine's.
  while (monotonic_now() < begun + std::chrono::milliseconds(600)) {
    ASSERT_NO_FATAL_FAILURE(hear());
    const MonotonicTime now = monotonic_now();
    if (now > last + 50ms) EXCUSE_OR_FAIL(stall, 30ms, "the peer itself was silent for too long");
    last = now;
  }
  EXPECT_EQ(load(session().down_verdicts), 0U);
  EXPECT_GE(load(session().replies), 15U);
  ASSERT_TRUE(await([&] { return load(session().down_verdicts) == 1; }))
      << "the witness: the timer still ran";
}

TEST_F(Silence, M5_AnAddressThatWasNeverHeardIsUnknownAndNotDown) {
  set_params(0, kShortUs, 1, 1);
  ASSERT_NO_FATAL_FAILURE(listen());
  EXPECT_EQ(p->xdp(frame_of(net::kBroadcast, kOtherMac, 0x0800)).verdict, kXdpPass);
  ASSERT_NO_FATAL_FAILURE(witness_goes_down());
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UNKNOWN});
  EXPECT_EQ(load(session().down_verdicts), 0U);
}

TEST_F(Silence, M5_WhatWasHeardBeforeARestartSaysNothingAfterIt) {
  set_params(0, kShortUs, 3, 1);
  ASSERT_NO_FATAL_FAILURE(listen());
  ASSERT_NO_FATAL_FAILURE(hear());
  ASSERT_EQ(p->control(HANET_CONTROL_START_SESSION, 0), 0U);
  const std::uint64_t verdicts = load(session().down_verdicts);
  ASSERT_NO_FATAL_FAILURE(witness_goes_down());
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UNKNOWN});
  EXPECT_EQ(load(session().down_verdicts), verdicts) << "the timer from before fired meanwhile";
}

TEST_F(Silence, M5_APausedSessionHearsNothingAndHasNoVerdict) {
  set_params(0, 50 * kShortUs, 3, 1);
  ASSERT_NO_FATAL_FAILURE(listen());
  ASSERT_NO_FATAL_FAILURE(become_up());
  engine::store(session().state, HANET_SESSION_PAUSED);
  if (load(session().down_verdicts) != 0)
    EXCUSE_OR_FAIL(stall, 50ms, "the verdict came before the test had done its part");
  const std::uint64_t heard = load(session().last_reply_ns);
  ASSERT_NO_FATAL_FAILURE(hear());
  EXPECT_EQ(load(session().last_reply_ns), heard);
  ASSERT_NO_FATAL_FAILURE(witness_goes_down(40 * kShortUs));
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_PAUSED});
  EXPECT_EQ(load(session().down_verdicts), 0U);
}

TEST_F(Silence, M5_D4_AShorterDetectionTimeHoldsFromTheNextSignOn) {
  set_params(0, 10'000, 50, 1);
  ASSERT_NO_FATAL_FAILURE(listen());
  ASSERT_NO_FATAL_FAILURE(become_up());
  set_params(0, kShortUs, 3, 1);
  ASSERT_TRUE(await([&] {
    if (load(session().interval_us) != kShortUs) hear();
    return load(session().down_verdicts) == 1;
  }));
  EXPECT_EQ(session().deadline_ns, session().last_reply_ns + 3 * kShortUs * 1000ULL);
}

TEST_F(Silence, M5_M3_ACpuThatStandsStillDefersTheVerdict) {
  set_params(0, kShortUs, 3, 1);
  ASSERT_NO_FATAL_FAILURE(listen());
  p->receiver_owes(kWatchedCpus - 1, 1);
  ASSERT_NO_FATAL_FAILURE(become_up());
  ASSERT_TRUE(await([&] { return load(session().down_verdicts) == 1; }));
  EXPECT_EQ(session().stall_deferrals, 1U);
  EXPECT_GE(session().verdict_ns, session().deadline_ns + HANET_STALL_MAX_NS);
}

TEST_F(Silence, M5_APathThatIsHeardAgainComesUpAndMayFailAgain) {
  set_params(0, kShortUs, 4, 2);
  ASSERT_NO_FATAL_FAILURE(listen());
  for (std::uint64_t round = 1; round <= 3; ++round) {
    ASSERT_NO_FATAL_FAILURE(become_up());
    // On a slow machine it may have been down and up before in this round.
    ASSERT_TRUE(await([&] {
      return load(session().state) == HANET_SESSION_DOWN && load(session().down_verdicts) >= round;
    }));
  }
}

class SilenceSteer : public Silence {
 protected:
  /// Port 1 is armed to stand in for port 0; both have just heard the same frame.
  void both_up() {
    set_params(0, 20 * kShortUs, 5, 1);
    set_params(1, 10'000, 50, 1);
    stall.forget();
    ASSERT_NO_FATAL_FAILURE(listen(0));
    ASSERT_NO_FATAL_FAILURE(listen(1));
    p->steer[0].armed = 1;
    p->steer[1].mode = HANET_STEER_IDLE;
    p->steer[0].peer_port = 1;
    p->steer[1].peer_port = 0;
    ASSERT_NO_FATAL_FAILURE(become_up(0));
    ASSERT_NO_FATAL_FAILURE(become_up(1));
  }
};

TEST_F(SilenceSteer, M5_ASignThatReachedBothPathsDoesNotProveTheStandby) {
  ASSERT_NO_FATAL_FAILURE(both_up());
  ASSERT_TRUE(await([&] { return load(session(0).down_verdicts) == 1; }));
  if (session(1).last_reply_ns > session(0).last_reply_ns + 20 * kShortUs * 1000ULL)
    EXCUSE_OR_FAIL(stall, 20ms, "the standby was heard later than the active path");
  EXPECT_EQ(load(p->steer[0].mode), std::uint32_t{HANET_STEER_NONE});
}

TEST_F(SilenceSteer, M5_AStandbyThatIsHeardStillIsBridgedTo) {
  ASSERT_NO_FATAL_FAILURE(both_up());
  p->loopback_is(1);
  ASSERT_TRUE(await([&] {
    hear();
    return load(session(0).down_verdicts) == 1;
  }));
  EXPECT_EQ(load(p->steer[0].mode), std::uint32_t{HANET_STEER_BRIDGE_OUT});
  EXPECT_EQ(load(p->steer[1].mode), std::uint32_t{HANET_STEER_BRIDGE_IN});
}

// The switch is decided before loading, so that no other host pays for it.
TEST_F(Scene, M5_WhereNoSessionIsSilentNobodyListens) {
  watch(Beat::Arp);
  session().kind = HANET_HEARTBEAT_SILENCE;
  session().heard_at_xdp = 1;
  std::copy(kTargetMac.begin(), kTargetMac.end(), session().target_mac);
  session().target_mac_known = HANET_MAC_CONFIGURED;
  EXPECT_EQ(p->xdp(frame_of(kIdentityMac, kTargetMac, 0x0800)).verdict, kXdpPass);
  EXPECT_EQ(load(session().last_reply_ns), 0U);
}

}  // namespace
}  // namespace hanet::bpf_test
