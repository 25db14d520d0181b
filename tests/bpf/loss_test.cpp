// SPDX-License-Identifier: Apache-2.0
//
// What the kernel side does where hanetd does not show itself any more (D7): what the group asked
// for, from the moment on that it asked for, and no longer than hanetd is away.
#include "core/clock.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr net::MacAddress kIdentityMac{0x52, 0x54, 0x00, 0x00, 0x00, 0x07};
constexpr std::uint32_t kPatienceMs = 60'000;

class Loss : public Scene {
 protected:
  /// hanetd of the group that wants `what` has been away for so long.
  void away(std::uint32_t what, std::uint32_t for_ms = kPatienceMs + 1000) {
    engine::store(p->params[0].on_daemon_loss, what);
    engine::store(p->params[0].daemon_loss_ms, kPatienceMs);
    const MonotonicTime seen = monotonic_now() - std::chrono::milliseconds(for_ms);
    engine::store(p->accounts[0].attended_ns,
                  static_cast<std::uint64_t>(seen.time_since_epoch().count()));
  }
  void steer_to(hanet_steer_mode mode) {
    watch(Beat::EchoIpv4);
    p->steer[0].peer_port = 1;
    port(1).ifindex = kLoopback;
    p->steer[0].identity_mac = packed(kIdentityMac);
    engine::store(p->steer[0].mode, mode);
  }
  static net::Frame to(const net::MacAddress& mac) {
    return net::arp_request(mac, kOtherMac, {198, 51, 100, 1}, {198, 51, 100, 2});
  }
  std::uint32_t broadcast_in() { return p->tc_ingress(to(net::kBroadcast)).verdict; }
};

TEST_F(Loss, D7_D6_APortThatWaitsPassesEverythingOnceItsGroupIsReleased) {
  steer_to(HANET_STEER_IDLE);
  away(HANET_LOSS_RELEASE);
  EXPECT_EQ(broadcast_in(), kTcPass);
  EXPECT_EQ(p->steer[0].fenced, 0U);
}

TEST_F(Loss, D7_NotBeforeItsTime) {
  steer_to(HANET_STEER_IDLE);
  away(HANET_LOSS_RELEASE, kPatienceMs / 2);
  EXPECT_EQ(broadcast_in(), kTcDrop);
}

TEST_F(Loss, D7_HanetdThatGoesOnFindsEverythingAsItWas) {
  steer_to(HANET_STEER_IDLE);
  away(HANET_LOSS_RELEASE);
  ASSERT_EQ(broadcast_in(), kTcPass);
  away(HANET_LOSS_RELEASE, 0);
  EXPECT_EQ(broadcast_in(), kTcDrop);
  EXPECT_EQ(p->steer[0].mode, std::uint32_t{HANET_STEER_IDLE});
}

TEST_F(Loss, D7_AGroupThatWantsSteeringOrVerdictsKeepsItsPortsAsTheyAre) {
  for (const hanet_on_daemon_loss what : {HANET_LOSS_STEER, HANET_LOSS_DETECT}) {
    SCOPED_TRACE(what);
    steer_to(HANET_STEER_IDLE);
    away(what);
    EXPECT_EQ(broadcast_in(), kTcDrop);
    steer_to(HANET_STEER_BRIDGE_OUT);
    EXPECT_EQ(p->tc_egress(to(kOtherMac)).verdict, kTcRedirect);
  }
}

TEST_F(Loss, D7_WhatWasBridgedGoesItsOwnWayAgain) {
  steer_to(HANET_STEER_BRIDGE_OUT);
  p->steer[0].armed = 1;
  away(HANET_LOSS_RELEASE, 0);
  ASSERT_EQ(p->tc_egress(to(kOtherMac)).verdict, kTcRedirect) << "the witness";
  away(HANET_LOSS_RELEASE);
  EXPECT_EQ(p->tc_egress(to(kOtherMac)).verdict, kTcPass);
  EXPECT_EQ(p->tc_ingress(to(kIdentityMac)).verdict, kTcPass);
  steer_to(HANET_STEER_BRIDGE_IN);
  EXPECT_EQ(p->tc_ingress(to(kIdentityMac)).verdict, kTcPass) << "nothing is handed over";
  EXPECT_EQ(p->steer[0].redirected_in, 0U);
}

TEST_F(Loss, D4_ANumberThatMeansNothingIsTheUsualChoiceAndReported) {
  set_params(0, 1000, 3, 1);
  steer_to(HANET_STEER_IDLE);
  away(77);
  EXPECT_EQ(broadcast_in(), kTcDrop);
  send(Beat::EchoIpv4);
  EXPECT_EQ(p->params[0].clamped, 1U);
  EXPECT_EQ(session().clamped, 1U);
}

// Half of the identity is at the other port.
TEST_F(Loss, D7_F12_AMoveOfHanetdsThatWasCutOffStaysAsItIs) {
  steer_to(HANET_STEER_BRIDGE_OUT);
  p->steer[0].armed = 0;
  away(HANET_LOSS_RELEASE);
  EXPECT_EQ(p->tc_egress(to(kOtherMac)).verdict, kTcRedirect);
  EXPECT_EQ(p->tc_ingress(to(kIdentityMac)).verdict, kTcDrop);
}

TEST_F(Loss, D4_ATimeBelowTheRangeIsItsEnd) {
  steer_to(HANET_STEER_IDLE);
  away(HANET_LOSS_RELEASE, HANET_DAEMON_LOSS_MIN_MS / 4);
  engine::store(p->params[0].daemon_loss_ms, 1);
  EXPECT_EQ(broadcast_in(), kTcDrop);
  away(HANET_LOSS_RELEASE);
  engine::store(p->params[0].daemon_loss_ms, 1);
  EXPECT_EQ(broadcast_in(), kTcPass) << "the witness";
}

}  // namespace
}  // namespace hanet::bpf_test
