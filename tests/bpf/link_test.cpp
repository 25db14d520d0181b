// SPDX-License-Identifier: Apache-2.0
//
// The link poll sees the carrier from inside the kernel (M4), at a period that can be set (D4).
//
// The device is the loopback interface, whose carrier never changes; edges of a carrier are in
// tests/netns.
#include "engine/probe.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

class LinkPoll : public Scene {
 protected:
  void SetUp() override {
    if (!engine::KernelTypes().have_link_poll())
      GTEST_SKIP() << "skipped: no link poll (kfuncs of Linux 6.2)";
    Scene::SetUp();
  }
  [[nodiscard]] Stage stage() const override { return {.link_poll = true}; }
  bool polls_again() {
    const std::uint64_t before = load(port().link_polls);
    return await([&] { return load(port().link_polls) > before + 1; });
  }
};

TEST_F(LinkPoll, M4_TellsTheCarrierOfTheDeviceThatAHeartbeatLeftBy) {
  watch(Beat::EchoIpv4);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  EXPECT_EQ(port().net_device, 0U);
  EXPECT_EQ(port().carrier, std::uint32_t{HANET_CARRIER_UNKNOWN});
  send(Beat::EchoIpv4);
  EXPECT_NE(port().net_device, 0U);
  EXPECT_TRUE(await([&] { return load(port().carrier) == HANET_CARRIER_UP; }));
  EXPECT_TRUE(polls_again()) << "it goes on";
  EXPECT_EQ(port().carrier_up_events, 0U) << "the first look is no edge";
  EXPECT_EQ(p->events().size(), 0U);
}

TEST_F(LinkPoll, M4_ReportsAnEdgeOnce) {
  watch(Beat::EchoIpv4);
  port().carrier = HANET_CARRIER_DOWN;
  send(Beat::EchoIpv4);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  EXPECT_TRUE(await([&] { return load(p->accounts[0].events_submitted) == 1; }));
  EXPECT_TRUE(polls_again());
  EXPECT_EQ(port().carrier_up_events, 1U);
  EXPECT_EQ(port().carrier_down_events, 0U);
  const std::vector<hanet_event> events = p->events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, std::uint32_t{HANET_EVENT_CARRIER_UP});
  EXPECT_EQ(events[0].group, 0U);
}

TEST_F(LinkPoll, M4_NeverBelievesTheMemoryOfAnotherDevice) {
  watch(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  port().ifindex = 77;
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  EXPECT_TRUE(polls_again());
  EXPECT_EQ(port().carrier, std::uint32_t{HANET_CARRIER_UNKNOWN});
}

TEST_F(LinkPoll, D4_ItsPeriodIsClampedAndReported) {
  watch(Beat::EchoIpv4);
  engine::store(p->params[0].link_poll_us, 1);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  EXPECT_TRUE(await([&] { return load(p->accounts[0].events_submitted) == 1; }));
  EXPECT_EQ(port().link_poll_us, std::uint32_t{HANET_LINK_POLL_MIN_US});
  engine::store(p->params[0].link_poll_us, 2000);
  EXPECT_TRUE(await([&] { return load(port().link_poll_us) == 2000; }));
  engine::store(p->params[0].link_poll_us, UINT32_MAX);
  EXPECT_TRUE(await([&] { return load(port().link_poll_us) == HANET_LINK_POLL_MAX_US; }));
  EXPECT_TRUE(await([&] { return load(p->accounts[0].events_submitted) == 2; }));
  EXPECT_EQ(p->params[0].clamped, 2U);
}

TEST_F(LinkPoll, F10_EndsWithThePort) {
  watch(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  ASSERT_TRUE(polls_again());
  engine::store(port().in_use, 0);
  // The witness: the poll of another port makes several rounds meanwhile.
  watch(Beat::EchoIpv4, 1);
  send(Beat::EchoIpv4, 1);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 1), 0U);
  ASSERT_TRUE(await([&] { return load(port(1).link_polls) > 2; }));
  const std::uint64_t polls = load(port().link_polls);
  const std::uint64_t others = load(port(1).link_polls);
  ASSERT_TRUE(await([&] { return load(port(1).link_polls) > others + 5; }));
  EXPECT_EQ(load(port().link_polls), polls);
}

class LinkReview : public Scene {};

TEST_F(LinkReview, M4_WhereAnotherSourceTellsOfLinksThePollWakesNobodyMoreOftenThanNeeded) {
  watch(Beat::EchoIpv4);
  engine::store(p->params[0].link_poll_us, HANET_LINK_POLL_MIN_US);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  ASSERT_TRUE(await([&] { return load(port().link_polls) >= 1; }));
  const std::uint64_t first = load(port().last_link_poll_ns);
  ASSERT_TRUE(await([&] { return load(port().link_polls) >= 12; })) << "it goes on";
  EXPECT_EQ(load(port().link_poll_us), std::uint32_t{HANET_LINK_POLL_MIN_US}) << "as asked for";
  // Each time may be that of one poll more or less; a timer is late, never early.
  EXPECT_GE(load(port().last_link_poll_ns) - first, 9 * HANET_REVIEW_US * 1000ULL);
}

// Nobody tells the trunk of what these stores change: two CPUs that came at once, or a trunk that
// rehashes no longer.
TEST_F(LinkReview, M4_T3_ThePollTellsATrunkWhatItsPortIsWorth) {
  watch(Beat::EchoIpv4);
  hanet_trunk& trunk = p->trunks[0];
  trunk.mode = HANET_TRUNK_INDEPENDENT;
  trunk.total = 1;
  trunk.ports[0] = {.port = 0, .ifindex = kLoopback, .weight = 1, .wire_mac = {}, .pad = {}};
  trunk.count = 1;
  port().trunk = 1;
  engine::store(session().state, HANET_SESSION_UP);
  ASSERT_EQ(load(trunk.working), 0U);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  EXPECT_TRUE(await([&] { return load(trunk.working) == 1; }));
  engine::store(session().state, HANET_SESSION_DOWN);
  EXPECT_TRUE(await([&] { return load(trunk.lost) == 1 && load(trunk.working) == 0; }));
}

}  // namespace
}  // namespace hanet::bpf_test
