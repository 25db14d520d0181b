// SPDX-License-Identifier: Apache-2.0
//
// What replies tell: round-trip times, loss, jitter, and when a path counts as up (M1, M2, M3).
#include "hanet/abi.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

class SessionReply : public Scene {
 protected:
  void answer(const net::Frame& sent, Beat beat = Beat::EchoIpv4) {
    ASSERT_EQ(p->xdp(reply_to(sent, beat)).verdict, kXdpDrop);
  }
  void exchange(int count) {
    for (int i = 0; i < count; ++i) answer(send(Beat::EchoIpv4));
  }
};

TEST_F(SessionReply, M2_MeasuresTheRoundTripInTheKernel) {
  watch(Beat::EchoIpv4);
  std::uint64_t sum = 0;
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  std::array<std::uint64_t, HANET_RTT_BUCKETS> buckets{};
  for (std::uint64_t sequence = 1; sequence <= 200; ++sequence) {
    exchange(1);
    const std::uint64_t rtt = session().rtt_last_ns;
    ASSERT_EQ(rtt, session().last_reply_ns - session().window[sequence % HANET_WINDOW].sent_ns);
    ASSERT_GT(rtt, 0U);
    sum += rtt;
    least = std::min(least, rtt);
    most = std::max(most, rtt);
    std::size_t bucket = 0;
    while (rtt >> (bucket + 1) != 0 && bucket + 1 < buckets.size()) ++bucket;
    ++buckets[bucket];
  }
  EXPECT_EQ(session().replies, 200U);
  EXPECT_EQ(session().rtt_sum_ns, sum);
  EXPECT_EQ(session().rtt_min_ns, least);
  EXPECT_EQ(session().rtt_max_ns, most);
  for (std::size_t at = 0; at < buckets.size(); ++at)
    EXPECT_EQ(session().rtt_log2_ns[at], buckets[at]) << "bucket " << at;
}

TEST_F(SessionReply, M2_KeepsJitterAsRfc3550Does) {
  watch(Beat::EchoIpv4);
  exchange(1);
  EXPECT_EQ(session().jitter_ns, 0U) << "one reply has no difference to another";
  std::uint64_t jitter = 0;
  std::uint64_t before = session().rtt_last_ns;
  for (int i = 0; i < 100; ++i) {
    exchange(1);
    const std::uint64_t rtt = session().rtt_last_ns;
    const std::uint64_t difference = rtt > before ? rtt - before : before - rtt;
    jitter = jitter + difference / 16 - jitter / 16;
    ASSERT_EQ(session().jitter_ns, jitter) << "reply " << i;
    before = rtt;
  }
  EXPECT_GT(jitter, 0U);
}

TEST_F(SessionReply, M2_CountsWhatWasLostInBetween) {
  watch(Beat::EchoIpv4);
  exchange(2);
  send(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  exchange(1);
  EXPECT_EQ(session().lost, 3U);
  EXPECT_EQ(session().gaps, 1U);
  EXPECT_EQ(session().replies, 3U);
  EXPECT_EQ(session().answered, 6U) << "a reply answers everything before it";
}

TEST_F(SessionReply, M3_APathIsUpAfterUpCountRepliesInARow) {
  watch(Beat::EchoIpv4);
  set_params(0, 10000, 50, 4);
  exchange(3);
  EXPECT_EQ(session().state, std::uint32_t{HANET_SESSION_UNKNOWN});
  EXPECT_EQ(p->events().size(), 0U);
  exchange(1);
  EXPECT_EQ(session().state, std::uint32_t{HANET_SESSION_UP});
  EXPECT_EQ(session().up_verdicts, 1U);
  const std::vector<hanet_event> events = p->events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, std::uint32_t{HANET_EVENT_SESSION_UP});
  EXPECT_EQ(events[0].group, 0U);
  EXPECT_EQ(session().state_since_ns, session().last_reply_ns);
}

TEST_F(SessionReply, M3_AGapStartsTheCountingAnew) {
  watch(Beat::EchoIpv4);
  set_params(0, 10000, 50, 4);
  exchange(3);
  send(Beat::EchoIpv4);
  exchange(3);
  EXPECT_EQ(session().state, std::uint32_t{HANET_SESSION_UNKNOWN})
      << "six replies, not four in a row";
  EXPECT_EQ(session().replies, 6U);
  exchange(1);
  EXPECT_EQ(session().state, std::uint32_t{HANET_SESSION_UP});
}

TEST_F(SessionReply, M1_AnyNeighbourAnswersForItselfByArpAndDiscovery) {
  for (const Beat beat : {Beat::Arp, Beat::Solicitation}) {
    watch(beat);
    answer(send(beat), beat);
    EXPECT_EQ(session().answered, 1U) << to_text(beat);
    EXPECT_EQ(session().target_mac_known, 1);
    EXPECT_TRUE(std::equal(kTargetMac.begin(), kTargetMac.end(), session().target_mac));
    EXPECT_GT(session().target_mac_learned_ns, 0U);
  }
}

TEST_F(SessionReply, M1_AReplyNeedsARequest) {
  for (const Beat beat : {Beat::Arp, Beat::Solicitation}) {
    watch(beat);
    EXPECT_EQ(p->xdp(reply_to(request(beat), beat)).verdict, kXdpPass);
    EXPECT_EQ(rejects()[HANET_REJECT_FUTURE], 1U);
    EXPECT_EQ(session().answered, 0U);
  }
}

TEST_F(SessionReply, M1_ARequestIsAnsweredOnce) {
  watch(Beat::EchoIpv4);
  const net::Frame reply = reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4);
  EXPECT_EQ(p->xdp(reply).verdict, kXdpDrop);
  EXPECT_EQ(p->xdp(reply).verdict, kXdpPass);
  EXPECT_EQ(rejects()[HANET_REJECT_DUPLICATE], 1U);
  EXPECT_EQ(session().replies, 1U);
}

TEST_F(SessionReply, M1_AReplyFromBeyondTheWindowIsLate) {
  watch(Beat::EchoIpv4);
  const net::Frame first = reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4);
  for (int i = 0; i < int{HANET_WINDOW}; ++i) send(Beat::EchoIpv4);
  EXPECT_EQ(p->xdp(first).verdict, kXdpPass);
  EXPECT_EQ(rejects()[HANET_REJECT_LATE], 1U);
  EXPECT_EQ(session().answered, 0U);
}

TEST_F(SessionReply, M1_OldRepliesDoNotCountAfterARestart) {
  watch(Beat::EchoIpv4);
  const net::Frame old = reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4);
  ASSERT_EQ(p->control(HANET_CONTROL_START_SESSION, 0), 0U);
  EXPECT_EQ(session().answered, 1U) << "nothing is owed by a session that starts";
  EXPECT_EQ(p->xdp(old).verdict, kXdpPass);
  EXPECT_EQ(rejects()[HANET_REJECT_LATE], 1U);
  EXPECT_EQ(session().replies, 0U);
}

class Control : public Scene {};

TEST_F(Control, M4_ACarrierThatUserSpaceTellsIsAnEdgeLikeAnyOther) {
  watch(Beat::Arp);
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_UP, 0), 0U);
  EXPECT_EQ(port().carrier, std::uint32_t{HANET_CARRIER_UP});
  EXPECT_EQ(p->events().size(), 0U) << "where it begins is no edge";
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 0), 0U);
  ASSERT_EQ(p->control(HANET_CONTROL_CARRIER_DOWN, 0), 0U);
  EXPECT_EQ(port().carrier_down_events, 1U);
  const std::vector<hanet_event> events = p->events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, std::uint32_t{HANET_EVENT_CARRIER_DOWN});
  EXPECT_GT(port().carrier_changed_ns, 0U);
}

TEST_F(Control, D6_RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(p->control(HANET_CONTROL_START_SESSION, HANET_MAX_SESSIONS), 1U);
  EXPECT_EQ(p->control(HANET_CONTROL_START_PORT, HANET_NONE), 1U);
  EXPECT_EQ(p->control(0, 0), 1U);
  EXPECT_EQ(p->control(99, 0), 1U);
  EXPECT_EQ(p->control_with(net::Frame(14)), 1U) << "no command";
  EXPECT_EQ(p->control_with(net::Frame(21)), 1U) << "half a command";
  EXPECT_EQ(p->control(HANET_CONTROL_START_SESSION, 0), 0U);
  EXPECT_EQ(p->control(HANET_CONTROL_START_SESSION, 0), 0U) << "starting again is no error";
}

}  // namespace
}  // namespace hanet::bpf_test
