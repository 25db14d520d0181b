// SPDX-License-Identifier: Apache-2.0
//
// Redirection: what a port does with the host's frames in each mode, and who may start it (D6,
// F12).
//
// A redirect is only the program's return code here; that frames arrive is proved in tests/netns.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <functional>

#include "core/clock.h"
#include "hanet.skel.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr net::MacAddress kIdentityMac{0x52, 0x54, 0x00, 0x00, 0x00, 0x07};

/// A frame of the host's own traffic, from or to the identity.
net::Frame host_frame(const net::MacAddress& to = kIdentityMac) {
  return net::arp_request(to, kOtherMac, {198, 51, 100, 1}, {198, 51, 100, 2});
}

class Steer : public Scene {
 protected:
  void steer_to(hanet_steer_mode mode) {
    watch(Beat::EchoIpv4);
    hanet_steer& way = p->steer[0];
    way.peer_port = 1;
    port(1).ifindex = kLoopback;
    way.identity_mac = packed(kIdentityMac);
    engine::store(way.mode, mode);
  }
};

TEST_F(Steer, D6_WithoutAModeEverythingPasses) {
  steer_to(HANET_STEER_NONE);
  EXPECT_EQ(p->tc_egress(host_frame()).verdict, kTcPass);
  EXPECT_EQ(p->tc_ingress(host_frame()).verdict, kTcPass);
}

TEST_F(Steer, F1_AFailedPortSendsByThePeerAndTakesNothingIn) {
  steer_to(HANET_STEER_BRIDGE_OUT);
  EXPECT_EQ(p->tc_egress(host_frame()).verdict, kTcRedirect);
  EXPECT_EQ(p->steer[0].redirected_out, 1U);
  EXPECT_EQ(p->tc_ingress(host_frame()).verdict, kTcDrop);
  EXPECT_EQ(p->steer[0].fenced, 1U);
}

TEST_F(Steer, F1_AFailedPortTakesWhatThePeerHandsOver) {
  steer_to(HANET_STEER_BRIDGE_OUT);
  const Outcome outcome = p->tc_ingress(host_frame(), HANET_STEER_MARK);
  EXPECT_EQ(outcome.verdict, kTcPass);
  EXPECT_EQ(outcome.mark, 0U) << "the host sees no mark of ours";
  EXPECT_EQ(p->steer[0].fenced, 0U);
}

TEST_F(Steer, F1_TheStandbyHandsOverWhatComesIn) {
  steer_to(HANET_STEER_BRIDGE_IN);
  const Outcome outcome = p->tc_ingress(host_frame());
  EXPECT_EQ(outcome.verdict, kTcRedirect);
  EXPECT_EQ(outcome.mark, std::uint32_t{HANET_STEER_MARK});
  EXPECT_EQ(p->steer[0].redirected_in, 1U);
  EXPECT_EQ(p->tc_egress(host_frame()).verdict, kTcPass);
}

TEST_F(Steer, M1_F1_TheStandbyKeepsRepliesForTheFailedPortToItself) {
  steer_to(HANET_STEER_BRIDGE_IN);
  constexpr net::MacAddress kFailedProbe{0x02, 0x68, 0x61, 0x00, 0x00, 0x01};
  std::copy(kFailedProbe.begin(), kFailedProbe.end(), port(1).probe_mac);
  const Outcome outcome = p->tc_ingress(host_frame(kFailedProbe));
  EXPECT_EQ(outcome.verdict, kTcPass);
  EXPECT_EQ(outcome.mark, 0U);
  EXPECT_EQ(p->steer[0].redirected_in, 0U);
  EXPECT_EQ(p->tc_ingress(host_frame()).verdict, kTcRedirect) << "the witness";
}

TEST_F(Steer, F1_AnAdoptingPortReceivesFramesToTheIdentity) {
  steer_to(HANET_STEER_ADOPT);
  EXPECT_EQ(p->tc_ingress(host_frame()).verdict, kTcPass);
  EXPECT_EQ(p->steer[0].redirected_in, 1U);
  EXPECT_EQ(p->tc_ingress(host_frame(kOtherMac)).verdict, kTcPass);
  EXPECT_EQ(p->steer[0].redirected_in, 1U) << "only its own";
  EXPECT_EQ(p->tc_egress(host_frame()).verdict, kTcPass);
}

TEST_F(Steer, D6_AModeThatNobodyKnowsPassesEverything) {
  steer_to(HANET_STEER_NONE);
  engine::store(p->steer[0].mode, std::uint32_t{HANET_STEER_DEVICE + 1});
  EXPECT_EQ(p->tc_egress(host_frame()).verdict, kTcPass);
  EXPECT_EQ(p->tc_ingress(host_frame()).verdict, kTcPass);
}

TEST_F(Steer, M6_HeartbeatsPassInEveryMode) {
  for (const hanet_steer_mode mode : {HANET_STEER_NONE, HANET_STEER_BRIDGE_OUT,
                                      HANET_STEER_BRIDGE_IN, HANET_STEER_ADOPT, HANET_STEER_IDLE}) {
    SCOPED_TRACE(mode);
    steer_to(mode);
    const net::Frame sent = send(Beat::EchoIpv4);
    EXPECT_EQ(p->tc_ingress(reply_to(sent, Beat::EchoIpv4)).verdict, kTcDrop) << "used up";
    EXPECT_EQ(session().answered, 1U);
  }
  EXPECT_EQ(p->steer[0].fenced, 0U);
}

TEST_F(Steer, M6_APortThatWaitsTakesNoBroadcastInThatTheActiveOneHasAsWell) {
  steer_to(HANET_STEER_IDLE);
  EXPECT_EQ(p->tc_ingress(host_frame(net::kBroadcast)).verdict, kTcDrop);
  EXPECT_EQ(p->tc_ingress(host_frame({0x33, 0x33, 0, 0, 0, 1})).verdict, kTcDrop);
  EXPECT_EQ(p->steer[0].fenced, 2U);
  EXPECT_EQ(p->tc_ingress(host_frame()).verdict, kTcPass) << "to one host only";
  EXPECT_EQ(p->tc_egress(host_frame(net::kBroadcast)).verdict, kTcPass);
}

/// The kernel side knows that 198.51.100.1 is the identity's, at kIdentityMac.
class Muted : public Steer {
 protected:
  void TearDown() override {
    if (p) bpf_map_delete_elem(names(), &key_);  // not where there is no BPF
    Steer::TearDown();
  }
  void steer_to_named(hanet_steer_mode mode) {
    steer_to(mode);
    hanet_identity_mac value{};
    std::ranges::copy(kIdentityMac, value.mac);
    ASSERT_EQ(bpf_map_update_elem(names(), &key_, &value, BPF_ANY), 0);
  }
  std::uint32_t egress_of(const net::MacAddress& from, net::Ipv4Bytes sender) {
    return p->tc_egress(net::arp_request(net::kBroadcast, from, sender, {198, 51, 100, 2})).verdict;
  }
  int names() { return bpf_map__fd(p->skeleton()->maps.identity_ipv4); }

 private:
  const hanet_identity_ipv4 key_{.group = 0, .vlan = 0, .address = inet_addr("198.51.100.1")};
};

TEST_F(Muted, F5_APortWithoutTheIdentityDoesNotSayThatItIsThere) {
  for (const hanet_steer_mode mode :
       {HANET_STEER_IDLE, HANET_STEER_BRIDGE_OUT, HANET_STEER_BRIDGE_IN, HANET_STEER_MEMBER}) {
    SCOPED_TRACE(mode);
    steer_to_named(mode);
    p->steer[0].muted = 0;
    EXPECT_EQ(egress_of(kOtherMac, {198, 51, 100, 1}), kTcDrop);
    EXPECT_EQ(p->steer[0].muted, 1U);
    EXPECT_NE(egress_of(kOtherMac, {198, 51, 100, 3}), kTcDrop) << "an address of its own";
    EXPECT_EQ(p->steer[0].muted, 1U);
  }
}

TEST_F(Muted, F5_WhatBridgingAndTrunksSendByAnotherPortIsTrue) {
  for (const hanet_steer_mode mode :
       {HANET_STEER_BRIDGE_OUT, HANET_STEER_BRIDGE_IN, HANET_STEER_MEMBER}) {
    SCOPED_TRACE(mode);
    steer_to_named(mode);
    EXPECT_NE(egress_of(kIdentityMac, {198, 51, 100, 1}), kTcDrop);
  }
}

TEST_F(Muted, F2_M6_APortThatWaitsWithTheIdentitysOwnMacAddressIsMutedAsWell) {
  steer_to_named(HANET_STEER_IDLE);
  EXPECT_EQ(egress_of(kIdentityMac, {198, 51, 100, 1}), kTcDrop);
  EXPECT_EQ(egress_of(kIdentityMac, {198, 51, 100, 3}), kTcPass) << "the witness";
}

TEST_F(Muted, F5_ThePortThatCarriesTheIdentitySpeaksFreely) {
  for (const hanet_steer_mode mode : {HANET_STEER_NONE, HANET_STEER_ADOPT, HANET_STEER_LEAD}) {
    SCOPED_TRACE(mode);
    steer_to_named(mode);
    EXPECT_EQ(egress_of(kOtherMac, {198, 51, 100, 1}), kTcPass);
  }
  steer_to_named(HANET_STEER_IDLE);
  EXPECT_EQ(egress_of(kOtherMac, {198, 51, 100, 1}), kTcDrop) << "the witness";
}

TEST_F(Muted, F5_APortThatWaitsSpeaksForNoOtherGroupEither) {
  steer_to_named(HANET_STEER_IDLE);
  port(0).group = HANET_MAX_GROUPS - 1;
  EXPECT_EQ(egress_of(kOtherMac, {198, 51, 100, 1}), kTcDrop);
  steer_to_named(HANET_STEER_BRIDGE_OUT);
  port(0).group = HANET_MAX_GROUPS - 1;
  EXPECT_EQ(egress_of(kOtherMac, {198, 51, 100, 1}), kTcRedirect)
      << "one that works does, on Linux";
}

TEST_F(Muted, D6_ATruncatedRequestPasses) {
  steer_to_named(HANET_STEER_IDLE);
  net::Frame frame = net::arp_request(net::kBroadcast, kOtherMac, {198, 51, 100, 1}, {});
  frame.resize(42);
  EXPECT_EQ(p->tc_egress(frame).verdict, kTcDrop) << "the witness";
  frame.resize(41);
  EXPECT_EQ(p->tc_egress(frame).verdict, kTcPass);
}

class SteerOnVerdict : public Scene {
 protected:
  /// Port 0 active and about to fail, port 1 its proved standby.
  void prepare() {
    set_params(1, 1000, 3, 1);
    watch(Beat::EchoIpv4, 1);
    engine::store(session(1).state, HANET_SESSION_UP);
    engine::store(session(1).last_reply_ns, UINT64_MAX);  // later than anything port 0 will lose
    port(1).carrier = HANET_CARRIER_UP;
    set_params(0, 1000, 3, 1);
    watch(Beat::EchoIpv4, 0);
    p->steer[0].peer_port = 1;
    p->steer[1].peer_port = 0;
    p->steer[0].armed = 1;
    p->steer[1].mode = HANET_STEER_IDLE;
  }
  /// `change` breaks one condition.
  void fail(const std::function<void()>& change = [] {}) {
    prepare();
    change();
    for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
    ASSERT_TRUE(await([&] { return load(p->accounts[0].events_submitted) == 1; }));
    ASSERT_EQ(load(session().state), std::uint32_t{HANET_SESSION_DOWN});
  }
  /// For a minute, and the group wants that then.
  void hanetd_is_gone(hanet_on_daemon_loss what) {
    engine::store(p->params[1].on_daemon_loss, what);
    const MonotonicTime seen = monotonic_now() - std::chrono::minutes(1);
    engine::store(p->accounts[0].attended_ns,
                  static_cast<std::uint64_t>(seen.time_since_epoch().count()));
  }
  void expect_no_steering() {
    EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_NONE});
    EXPECT_EQ(p->steer[1].mode, std::uint32_t{HANET_STEER_IDLE});
    EXPECT_EQ(p->steer[0].steered_ns, 0U);
    EXPECT_EQ(p->events().size(), 1U) << "the witness";
  }
};

TEST_F(SteerOnVerdict, M3_TheKernelBridgesToAProvedStandbyByItself) {
  fail();
  EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_BRIDGE_OUT});
  EXPECT_EQ(p->steer[1].mode, std::uint32_t{HANET_STEER_BRIDGE_IN});
  EXPECT_EQ(p->steer[0].steered_ns, session().verdict_ns);
  EXPECT_GT(p->steer[1].announce, 0U);
  EXPECT_EQ(p->events().size(), 1U);
}

TEST_F(SteerOnVerdict, M4_ALostCarrierIsAVerdictOfItsOwn) {
  prepare();
  port().carrier = HANET_CARRIER_UP;
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 0), 0U);
  EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_BRIDGE_OUT});
  EXPECT_EQ(p->steer[1].mode, std::uint32_t{HANET_STEER_BRIDGE_IN});
  EXPECT_EQ(p->steer[0].steered_ns, port().carrier_changed_ns);
}

TEST_F(SteerOnVerdict, M6_NotToAStandbyThatIsNotProved) {
  fail([&] { engine::store(session(1).state, HANET_SESSION_UNKNOWN); });
  expect_no_steering();
}

TEST_F(SteerOnVerdict, M6_NotToAStandbyThatFellSilentWithTheActivePath) {
  fail([&] { engine::store(session(1).last_reply_ns, 1); });
  expect_no_steering();
}

TEST_F(SteerOnVerdict, M6_NotToAStandbyWithoutASession) {
  fail([&] { port(1).targets = 0; });
  expect_no_steering();
}

TEST_F(SteerOnVerdict, M4_NotToAStandbyWithoutCarrier) {
  fail([&] { port(1).carrier = HANET_CARRIER_DOWN; });
  expect_no_steering();
}

TEST_F(SteerOnVerdict, D4_NotInAGroupThatIsDisabled) {
  fail([&] { engine::store(p->params[1].enabled, 0); });
  expect_no_steering();
}

TEST_F(SteerOnVerdict, D7_NotInAGroupThatWantsOnlyVerdictsWithoutHanetd) {
  fail([&] { hanetd_is_gone(HANET_LOSS_DETECT); });
  expect_no_steering();
}

TEST_F(SteerOnVerdict, D7_NotInAGroupThatIsReleasedWithoutHanetd) {
  fail([&] { hanetd_is_gone(HANET_LOSS_RELEASE); });
  expect_no_steering();
}

TEST_F(SteerOnVerdict, D7_InAGroupThatWantsOnlyVerdictsWithoutHanetdWhileHanetdRuns) {
  fail([&] {
    engine::store(p->params[1].on_daemon_loss, HANET_LOSS_DETECT);
    engine::store(p->accounts[0].attended_ns,
                  static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count()));
  });
  EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_BRIDGE_OUT});
}

TEST_F(SteerOnVerdict, F12_NotWithoutBeingArmed) {
  fail([&] { p->steer[0].armed = 0; });
  expect_no_steering();
}

// As if the one that made the verdict had been preempted before it came to bridge.
TEST_F(SteerOnVerdict, M3_HanetdThatSeesTheVerdictFirstLetsTheKernelBridge) {
  fail([&] { p->steer[0].armed = 0; });
  ASSERT_NO_FATAL_FAILURE(expect_no_steering());
  p->steer[0].armed = 1;
  ASSERT_EQ(p->control(HANET_CONTROL_BRIDGE, 0), 0U);
  EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_BRIDGE_OUT});
  EXPECT_EQ(p->steer[1].mode, std::uint32_t{HANET_STEER_BRIDGE_IN});
}

TEST_F(SteerOnVerdict, M6_NotForHanetdEitherToAStandbyThatFellSilent) {
  fail([&] { p->steer[0].armed = 0; });
  p->steer[0].armed = 1;
  engine::store(session(1).last_reply_ns, 1);
  ASSERT_EQ(p->control(HANET_CONTROL_BRIDGE, 0), 0U);
  EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_NONE});
}

TEST_F(SteerOnVerdict, M3_NotForHanetdEitherWithoutAVerdict) {
  fail([&] { p->steer[0].armed = 0; });
  p->steer[0].armed = 1;
  engine::store(session(0).state, HANET_SESSION_UP);
  ASSERT_EQ(p->control(HANET_CONTROL_BRIDGE, 0), 0U);
  EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_NONE});
}

// The kernel has bridged, and the path works again.
class SteerBack : public SteerOnVerdict {
 protected:
  void return_after(const std::function<void()>& change = [] {}) {
    ASSERT_NO_FATAL_FAILURE(fail());
    ASSERT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_BRIDGE_OUT});
    engine::store(session().state, HANET_SESSION_UP);
    change();
    ASSERT_NO_FATAL_FAILURE(look());
  }
  /// A whole look at the port from now on.
  void look() {
    const std::uint64_t before = load(port().link_polls);
    ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
    ASSERT_TRUE(await([&] { return load(port().link_polls) >= before + 2; }));
  }
  void expect_bridging() {
    EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_BRIDGE_OUT});
    EXPECT_EQ(p->steer[1].mode, std::uint32_t{HANET_STEER_BRIDGE_IN});
  }
};

TEST_F(SteerBack, D7_WithoutHanetdTheKernelReturnsToAPathThatWorksAgain) {
  return_after();
  EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_NONE});
  EXPECT_EQ(p->steer[1].mode, std::uint32_t{HANET_STEER_IDLE});
  EXPECT_GT(p->steer[0].announce, 0U);
}

TEST_F(SteerBack, D7_ItIsArmedAgain) {
  return_after();
  ASSERT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_NONE});
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_UP, 0), 0U);
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 0), 0U);
  expect_bridging();
}

TEST_F(SteerBack, D7_NotWhileHanetdRuns) {
  return_after([&] {
    engine::store(p->accounts[0].attended_ns,
                  static_cast<std::uint64_t>(
                      (monotonic_now() + std::chrono::hours(1)).time_since_epoch().count()));
  });
  expect_bridging();
}

TEST_F(SteerBack, D7_WithoutHanetdAStandbyThatIsProvedLaterIsBridgedTo) {
  fail([&] { engine::store(session(1).last_reply_ns, 1); });
  ASSERT_NO_FATAL_FAILURE(expect_no_steering());
  ASSERT_NO_FATAL_FAILURE(look());
  ASSERT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_NONE}) << "not before it is";
  engine::store(session(1).last_reply_ns, UINT64_MAX);
  ASSERT_NO_FATAL_FAILURE(look());
  expect_bridging();
}

TEST_F(SteerBack, D7_NotToAPathThatIsStillSilent) {
  return_after([&] { engine::store(session().state, HANET_SESSION_DOWN); });
  expect_bridging();
}

TEST_F(SteerBack, D7_NotToAPathWithoutCarrier) {
  return_after([&] { port().carrier = HANET_CARRIER_DOWN; });
  expect_bridging();
}

// hanetd was killed in the middle of it: half of the identity is there.
TEST_F(SteerBack, D7_F12_NotFromAMoveOfHanetds) {
  return_after([&] { p->steer[0].armed = 0; });
  expect_bridging();
}

}  // namespace
}  // namespace hanet::bpf_test
