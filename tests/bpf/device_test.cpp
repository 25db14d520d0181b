// SPDX-License-Identifier: Apache-2.0
//
// The metanetwork device in the kernel side: what is sent and taken in by the path that it uses,
// and which path a verdict makes it use (A3, A5).
//
// A redirect is only the program's return code here; that frames arrive is proved in tests/netns.
#include <functional>

#include "core/clock.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr net::MacAddress kDeviceMac{0x52, 0x54, 0x00, 0x00, 0x00, 0x07};
constexpr net::MacAddress kGuestMac{0x52, 0x54, 0x00, 0x00, 0x00, 0x99};
constexpr std::uint32_t kDeviceIfindex = 77;
constexpr std::uint32_t kPaths = 3;

net::Frame frame_between(const net::MacAddress& from, const net::MacAddress& to) {
  net::Frame frame = net::arp_request(kDeviceMac, kOtherMac, {198, 51, 100, 1}, {198, 51, 100, 2});
  std::copy(to.begin(), to.end(), frame.begin());
  std::copy(from.begin(), from.end(), frame.begin() + 6);
  return frame;
}
net::Frame arrives(const net::MacAddress& to = kDeviceMac) { return frame_between(kOtherMac, to); }
net::Frame leaves() { return frame_between(kDeviceMac, kOtherMac); }

class Device : public Scene {
 protected:
  /// Ports 0, 1 and 2, each a path of group 0, whose device uses the first. Port 0 is the loopback
  /// interface.
  void prepare() {
    for (std::uint32_t at = 0; at < kPaths; ++at) {
      set_params(at, 1000, 3, 1);
      watch(Beat::EchoIpv4, at);
      port(at).group = 0;
      p->steer[at].mode = HANET_STEER_DEVICE;
      port(at).carrier = HANET_CARRIER_UP;
      if (at != 0) prove(at);
    }
    watch(Beat::EchoIpv4, 0);
    port(0).carrier = HANET_CARRIER_UP;
    hanet_device& device = p->devices[0];
    device.ifindex = kDeviceIfindex;
    device.mac = packed(kDeviceMac);
    device.armed = 1;
    device.paths = kPaths;
    for (std::uint32_t at = 0; at < kPaths; ++at) device.leads[at] = at;
    engine::store(device.port, 0);
  }
  /// Later than anything port 0 will lose.
  void prove(std::uint32_t at) {
    engine::store(session(at).state, HANET_SESSION_UP);
    engine::store(session(at).last_reply_ns, UINT64_MAX);
  }
  /// `change` breaks one condition; then port 0 gets its verdict.
  void fail(const std::function<void()>& change = [] {}) {
    prepare();
    change();
    for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
    ASSERT_TRUE(await([&] { return load(p->accounts[0].events_submitted) >= 1; }));
    ASSERT_EQ(load(session().state), std::uint32_t{HANET_SESSION_DOWN}) << "the witness";
  }
  std::uint32_t used() { return load(p->devices[0].port); }
  void hanetd_was_seen_before(std::chrono::nanoseconds time) {
    const MonotonicTime seen = monotonic_now() - time;
    engine::store(p->accounts[0].attended_ns,
                  static_cast<std::uint64_t>(seen.time_since_epoch().count()));
  }
  /// Waits for a number of looks at a port, so that something could have been done.
  void await_looks(std::uint32_t at) {
    ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, at), 0U);
    const std::uint64_t before = load(port(at).link_polls);
    ASSERT_TRUE(await([&] { return load(port(at).link_polls) > before + 3; }));
  }
};

TEST_F(Device, A3_WhatItSendsLeavesByThePathThatItUses) {
  prepare();
  p->loopback_is_device(0);
  EXPECT_EQ(p->tc_device(leaves()).verdict, kTcRedirect);
  EXPECT_EQ(p->devices[0].unsent, 0U);
}

TEST_F(Device, A3_WithoutAPathWhatItSendsIsCountedAndGoesNowhere) {
  prepare();
  p->loopback_is_device(0);
  engine::store(p->devices[0].port, HANET_NONE);
  EXPECT_EQ(p->tc_device(leaves()).verdict, kTcDrop);
  EXPECT_EQ(p->devices[0].unsent, 1U);
}

TEST_F(Device, D7_AnInstanceThatHasNotTakenOverYetPassesItsFramesToTheOneBehind) {
  prepare();
  p->loopback_is_no_port();
  EXPECT_EQ(p->tc_device(leaves()).verdict, kTcPass);
}

TEST_F(Device, A3_WhatComesInByThePathThatItUsesIsItsOwn) {
  prepare();
  EXPECT_EQ(p->tc_ingress(arrives()).verdict, kTcRedirect);
  EXPECT_EQ(p->tc_ingress(arrives(net::kBroadcast)).verdict, kTcRedirect);
  EXPECT_EQ(p->tc_ingress(arrives(kGuestMac)).verdict, kTcRedirect) << "of a bridge above it";
  EXPECT_EQ(p->devices[0].refused, 0U);
}

TEST_F(Device, A3_APathThatWaitsTakesNothingIn) {
  prepare();
  engine::store(p->devices[0].port, 1);
  for (const net::MacAddress& to : {kDeviceMac, net::kBroadcast, kGuestMac})
    EXPECT_EQ(p->tc_ingress(arrives(to)).verdict, kTcDrop);
  EXPECT_EQ(p->devices[0].refused, 3U);
  engine::store(p->devices[0].port, 0);
  EXPECT_EQ(p->tc_ingress(arrives()).verdict, kTcRedirect) << "one store switches both ways";
}

TEST_F(Device, A3_WhatIsAboutTheLinkStaysThePorts) {
  prepare();
  for (std::uint32_t used = 0; used < 2; ++used) {
    engine::store(p->devices[0].port, used);
    EXPECT_EQ(p->tc_ingress(arrives({0x01, 0x80, 0xc2, 0, 0, 0x0e})).verdict, kTcPass) << "LLDP";
    EXPECT_EQ(p->tc_ingress(arrives({0x01, 0x80, 0xc2, 0, 0, 0x02})).verdict, kTcPass) << "LACP";
  }
  EXPECT_EQ(p->tc_ingress(arrives({0x01, 0x80, 0xc2, 0, 0, 0})).verdict, kTcDrop)
      << "spanning tree is about the bridge above the device";
}

TEST_F(Device, A3_M6_HeartbeatsGoOnOnEveryPath) {
  for (std::uint32_t used = 0; used < 2; ++used) {
    prepare();
    engine::store(p->devices[0].port, used);
    const net::Frame sent = send(Beat::EchoIpv4);
    EXPECT_EQ(p->tc_ingress(reply_to(sent, Beat::EchoIpv4)).verdict, kTcDrop) << "used up";
    EXPECT_EQ(session().answered, 1U);
  }
}

TEST_F(Device, D6_ThePortsOwnFramesPass) {
  prepare();
  EXPECT_EQ(p->tc_egress(leaves()).verdict, kTcPass);
  p->devices[0] = {};
  EXPECT_EQ(p->tc_ingress(arrives()).verdict, kTcPass) << "there is no device";
}

TEST_F(Device, A3_AVerdictMakesItUseTheNextProvedPath) {
  fail();
  EXPECT_EQ(used(), 1U);
  EXPECT_EQ(p->devices[0].switches, 1U);
  EXPECT_EQ(p->devices[0].switched_ns, session().verdict_ns);
  EXPECT_GT(p->steer[1].announce, 0U) << "the switches are shown the way";
  EXPECT_EQ(p->steer[0].steered_ns, session().verdict_ns) << "for the next hanetd";
}

TEST_F(Device, A3_M4_ALostCarrierIsAVerdictOfItsOwn) {
  prepare();
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 0), 0U);
  EXPECT_EQ(used(), 1U);
  EXPECT_EQ(p->devices[0].switched_ns, port().carrier_changed_ns);
}

TEST_F(Device, A5_APathThatIsNotProvedIsPassedOver) {
  fail([&] { engine::store(session(1).state, HANET_SESSION_DOWN); });
  EXPECT_EQ(used(), 2U);
}

TEST_F(Device, A5_ThePathThatIsUsedIsChosenInOrder) {
  fail([&] {
    p->devices[0].leads[0] = 2;
    p->devices[0].leads[1] = 0;
    p->devices[0].leads[2] = 1;
  });
  EXPECT_EQ(used(), 2U);
}

TEST_F(Device, M6_WithNoProvedPathItStaysWhereItIs) {
  fail([&] {
    engine::store(session(1).last_reply_ns, 1);  // fell silent with the one that failed
    engine::store(session(2).state, HANET_SESSION_UNKNOWN);
  });
  EXPECT_EQ(used(), 0U);
  EXPECT_EQ(p->devices[0].switches, 0U);
}

TEST_F(Device, F12_AVerdictOnAPathThatWaitsChangesNothing) {
  fail([&] { engine::store(p->devices[0].port, 2); });
  EXPECT_EQ(used(), 2U);
}

TEST_F(Device, D4_NotInAGroupThatIsDisabled) {
  fail([&] { engine::store(p->params[0].enabled, 0); });
  EXPECT_EQ(used(), 0U);
}

TEST_F(Device, F12_NotWithoutBeingArmed) {
  fail([&] { p->devices[0].armed = 0; });
  EXPECT_EQ(used(), 0U);
}

TEST_F(Device, D7_NotWhereOnlyVerdictsAreWantedWithoutHanetd) {
  fail([&] {
    engine::store(p->params[0].on_daemon_loss, HANET_LOSS_DETECT);
    hanetd_was_seen_before(std::chrono::minutes(1));
  });
  EXPECT_EQ(used(), 0U);
}

// At the verdict there was nothing to switch to.
TEST_F(Device, D7_WithoutHanetdThePathThatComesBackFirstIsUsed) {
  fail([&] {
    for (const std::uint32_t at : {1U, 2U}) engine::store(session(at).state, HANET_SESSION_DOWN);
  });
  ASSERT_EQ(used(), 0U);
  hanetd_was_seen_before(std::chrono::minutes(1));
  ASSERT_NO_FATAL_FAILURE(await_looks(0));
  ASSERT_EQ(used(), 0U);
  prove(2);
  EXPECT_TRUE(await([&] { return used() == 2; }));
}

TEST_F(Device, D7_WithHanetdWhatComesBackIsLeftToIt) {
  fail([&] {
    for (const std::uint32_t at : {1U, 2U}) engine::store(session(at).state, HANET_SESSION_DOWN);
  });
  hanetd_was_seen_before(-std::chrono::minutes(1));
  prove(2);
  ASSERT_NO_FATAL_FAILURE(await_looks(0));
  EXPECT_EQ(used(), 0U);
}

/// Path 0 is a trunk of ports 0 and 1 in independent mode, path 1 is port 2.
class DeviceOnTrunk : public Device {
 protected:
  void prepare_trunk() {
    prepare();
    hanet_trunk& trunk = p->trunks[0];
    trunk.mode = HANET_TRUNK_INDEPENDENT;
    trunk.count = trunk.total = 2;
    for (std::uint32_t at = 0; at < 2; ++at) {
      hanet_trunk_port& slot = trunk.ports[at];
      slot.port = at;
      slot.ifindex = kLoopback + at;
      slot.weight = 1;
      const net::MacAddress wire{2, 0xaa, 0, 0, 0, static_cast<std::uint8_t>(at)};
      std::copy(wire.begin(), wire.end(), slot.wire_mac);
      port(at).trunk = 1;
      port(at).trunk_slot = at;
    }
    engine::store(trunk.working, 3U);
    p->devices[0].paths = 2;
    p->devices[0].leads[1] = 2;
  }
};

TEST_F(DeviceOnTrunk, T3_FramesForItComeInByTheSpeakerAlone) {
  prepare_trunk();
  EXPECT_EQ(p->tc_ingress(arrives()).verdict, kTcRedirect);
  EXPECT_EQ(p->tc_ingress(arrives(kGuestMac)).verdict, kTcRedirect);
  p->trunks[0].speaker = 1;
  EXPECT_EQ(p->tc_ingress(arrives()).verdict, kTcDrop) << "a second copy";
  EXPECT_EQ(p->tc_ingress(arrives(kGuestMac)).verdict, kTcDrop) << "flooded by a plain switch";
}

TEST_F(DeviceOnTrunk, T3_AnAnswerToAPortsOwnAddressIsTheDevices) {
  prepare_trunk();
  const Outcome outcome = p->tc_ingress(arrives({2, 0xaa, 0, 0, 0, 0}));
  EXPECT_EQ(outcome.verdict, kTcRedirect);
  net::MacAddress to{};
  std::copy_n(outcome.frame.begin(), to.size(), to.begin());
  EXPECT_EQ(to, kDeviceMac);
}

TEST_F(DeviceOnTrunk, A3_AGuestsFrameKeepsItsAddressOnTheWire) {
  prepare_trunk();
  p->loopback_is_device(0);
  for (std::uint32_t speaker = 0; speaker < 2; ++speaker) {
    p->trunks[0].speaker = speaker;
    const Outcome outcome = p->tc_device(frame_between(kGuestMac, kOtherMac));
    EXPECT_EQ(outcome.verdict, kTcRedirect);
    EXPECT_TRUE(std::equal(kGuestMac.begin(), kGuestMac.end(), outcome.frame.begin() + 6));
  }
}

TEST_F(DeviceOnTrunk, A3_T2_ATrunkThatStandsIsUsedOn) {
  prepare_trunk();
  p->params[0].threshold_percent = 100;
  p->trunks[0].ports[1].weight = 1;
  prove(1);
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 0), 0U);
  EXPECT_EQ(used(), 0U) << "one of two ports is left";
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 1), 0U);
  EXPECT_EQ(used(), 2U) << "none is";
}

TEST_F(DeviceOnTrunk, A3_T3_ThePortThatSpeaksShowsTheWay) {
  prepare_trunk();
  prove(0);
  prove(1);
  p->trunks[0].speaker = 1;
  engine::store(p->devices[0].port, 2);
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 2), 0U);
  ASSERT_EQ(used(), 0U);
  EXPECT_GT(p->steer[1].announce, 0U);
  EXPECT_EQ(p->steer[0].announce, 0U) << "a plain switch would take the address to be there";
}

}  // namespace
}  // namespace hanet::bpf_test
