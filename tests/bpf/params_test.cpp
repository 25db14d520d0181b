// SPDX-License-Identifier: Apache-2.0
//
// Live parameters take effect at the next heartbeat, are clamped and reported (D4); a full ring
// loses records, never a decision (D3).
#include <bpf/bpf.h>

#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

class Params : public Scene {
 protected:
  int clamp_reports() {
    int reports = 0;
    for (const hanet_event& event : p->events()) {
      if (event.type != HANET_EVENT_PARAMS_CLAMPED) continue;
      EXPECT_EQ(event.group, 0U);
      ++reports;
    }
    return reports;
  }
};

TEST_F(Params, D4_TakeEffectAtTheNextHeartbeat) {
  set_params(0, 20000, 5, 4);
  watch(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 20000U) << "from the start";
  set_params(0, 30000, 7, 9);
  EXPECT_EQ(session().interval_us, 20000U);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 30000U);
  EXPECT_EQ(session().multiplier, 7U);
  EXPECT_EQ(session().up_count, 9U);
  EXPECT_EQ(clamp_reports(), 0);
  EXPECT_EQ(p->params[0].clamped, 0U);
}

TEST_F(Params, M10_ASessionWithAPaceOfItsOwnAsksNoOftenerAndNothingIsReported) {
  set_params(0, 20000, 5, 4);
  watch(Beat::EchoIpv4);
  session().pace_us = 100000;
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 100000U);
  set_params(0, 300000, 5, 4);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 300000U) << "a person may ask for less";
  session().pace_us = UINT32_MAX;
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, std::uint32_t{HANET_DETECTION_MAX_US / 5});
  session().pace_us = 0;
  set_params(0, 20000, 5, 4);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 20000U);
  EXPECT_EQ(clamp_reports(), 0);
}

TEST_F(Params, D4_AreClampedToTheLimitsOfTheAbi) {
  set_params(0, 1000, 3, 3);
  watch(Beat::EchoIpv4);
  set_params(0, 1, 0, 0);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, std::uint32_t{HANET_INTERVAL_MIN_US});
  EXPECT_EQ(session().multiplier, std::uint32_t{HANET_MULTIPLIER_MIN});
  EXPECT_EQ(session().up_count, std::uint32_t{HANET_UP_COUNT_MIN});
  set_params(0, UINT32_MAX, HANET_MULTIPLIER_MIN, UINT32_MAX);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, std::uint32_t{HANET_INTERVAL_MAX_US});
  set_params(0, UINT32_MAX, UINT32_MAX, UINT32_MAX);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, std::uint32_t{HANET_DETECTION_MAX_US / HANET_MULTIPLIER_MAX});
  EXPECT_EQ(session().multiplier, std::uint32_t{HANET_MULTIPLIER_MAX});
  EXPECT_EQ(session().up_count, std::uint32_t{HANET_UP_COUNT_MAX});
  EXPECT_EQ(p->params[0].interval_us, UINT32_MAX) << "what a person wrote stays";
}

TEST_F(Params, D4_ADetectionTimeThatWatchesNothingIsClampedAndReported) {
  set_params(0, 1'200'000, 50, 3);
  watch(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 1'200'000U);
  EXPECT_EQ(clamp_reports(), 0) << "the limit belongs to the range";
  set_params(0, 10'000'000, 7, 3);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 60'000'000U / 7);
  EXPECT_EQ(session().multiplier, 7U);
  EXPECT_EQ(session().clamped, 1U);
  EXPECT_EQ(clamp_reports(), 1);
}

TEST_F(Params, D4_TakeEffectWithoutARequestAsWell) {
  set_params(0, 1'200'000, 50, 4);
  watch(Beat::EchoIpv4);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  set_params(0, 20'000, 5, 3);
  EXPECT_TRUE(await([&] { return load(session().interval_us) == 20'000U; }));
  EXPECT_EQ(session().sent, 0U);
}

TEST_F(Params, D4_AShorterDetectionTimeHoldsForTheRequestThatIsUnderWay) {
  set_params(0, 1'200'000, 50, 4);
  watch(Beat::EchoIpv4);
  ASSERT_EQ(p->control(HANET_CONTROL_START_PORT, 0), 0U);
  send(Beat::EchoIpv4);
  set_params(0, 1'000, 1, 3);
  EXPECT_TRUE(await([&] { return load(session().state) == HANET_SESSION_DOWN; }));
  EXPECT_EQ(session().sent, 1U);
}

TEST_F(Params, D4_AClampedValueIsReportedOnce) {
  set_params(0, 1000, 3, 3);
  watch(Beat::EchoIpv4);
  set_params(0, 1, 3, 3);
  for (int i = 0; i < 5; ++i) send(Beat::EchoIpv4);
  EXPECT_EQ(p->params[0].clamped, 1U);
  EXPECT_EQ(clamp_reports(), 1);
}

TEST_F(Params, D4_AValueThatIsClampedToWhatIsInForceIsReportedToo) {
  set_params(0, HANET_INTERVAL_MIN_US, 3, 3);
  watch(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  EXPECT_EQ(clamp_reports(), 0);
  set_params(0, 1, 3, 3);
  send(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, std::uint32_t{HANET_INTERVAL_MIN_US});
  EXPECT_EQ(p->params[0].clamped, 1U);
  EXPECT_EQ(clamp_reports(), 1);
}

TEST_F(Params, D4_ASessionOfAGroupThatDoesNotExistKeepsItsParameters) {
  set_params(0, 20000, 5, 4);
  watch(Beat::EchoIpv4);
  session().group = HANET_MAX_GROUPS;
  set_params(0, 30000, 7, 9);
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 20000U);
}

class FullRing : public Params {
 protected:
  /// Each change of an out-of-range value is one record.
  void fill() {
    for (std::uint32_t i = 0; load(p->accounts[0].events_dropped) == 0; ++i) {
      ASSERT_LT(i, 100000U) << "the ring has no end";
      engine::store(p->params[0].interval_us, i % 2 == 0 ? 0 : UINT32_MAX);
      ASSERT_EQ(p->tc_egress(request(Beat::EchoIpv4)).verdict, kTcSent);
    }
  }
};

TEST_F(FullRing, D3_CountsWhatItDropsAndDecidesAllTheSame) {
  set_params(0, 20000, 50, 1);
  watch(Beat::EchoIpv4);
  fill();
  if (HasFatalFailure()) return;
  const std::uint64_t submitted = load(p->accounts[0].events_submitted);
  // Each record has a header of 8 bytes, and one byte of the ring stays free (ringbuf.c).
  EXPECT_EQ(submitted, (std::uint64_t{HANET_EVENT_RING_BYTES} - 1) / (sizeof(hanet_event) + 8));

  set_params(0, 20000, 50, 1);
  const std::uint64_t dropped = load(p->accounts[0].events_dropped);
  ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4)).verdict, kXdpDrop);
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UP}) << "the map holds the truth";
  EXPECT_EQ(load(p->accounts[0].events_dropped), dropped + 1);
  EXPECT_EQ(load(p->accounts[0].events_submitted), submitted);

  set_params(0, 1000, 3, 1);
  for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
  EXPECT_TRUE(await([&] { return load(session().state) == HANET_SESSION_DOWN; }));
  EXPECT_TRUE(await([&] { return load(p->accounts[0].events_dropped) == dropped + 2; }));
  EXPECT_EQ(p->events().size(), submitted) << "the reader gets what was kept";

  ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4)).verdict, kXdpDrop);
  EXPECT_EQ(p->events().size(), 1U) << "and the ring works again";
}

}  // namespace
}  // namespace hanet::bpf_test
