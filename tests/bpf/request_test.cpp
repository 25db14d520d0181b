// SPDX-License-Identifier: Apache-2.0
//
// Requests on their way out: stamped, numbered, still valid (M1, M2).
//
// The number is given where a frame really leaves, so what tc_egress does not see was never sent.
#include <bpf/bpf.h>

#include "core/clock.h"
#include "scene.h"
#include "unit/checksum.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count());
}

std::string name_of(const testing::TestParamInfo<Beat>& info) { return to_text(info.param); }

class Request : public Scene, public testing::WithParamInterface<Beat> {};

TEST_P(Request, M2_IsStampedAndNumberedAsItLeaves) {
  watch(GetParam());
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
    const std::uint64_t before = now_ns();
    send(GetParam());
    const hanet_request& kept = session().window[sequence % HANET_WINDOW];
    EXPECT_EQ(session().sent, sequence);
    EXPECT_EQ(kept.sequence, sequence);
    EXPECT_EQ(kept.replied_ns, 0U);
    EXPECT_GE(kept.sent_ns, before);
    EXPECT_LE(kept.sent_ns, now_ns());
    EXPECT_EQ(session().last_sent_ns, kept.sent_ns);
  }
}

TEST_P(Request, M1_IsNotCountedForAPausedSession) {
  watch(GetParam());
  session().state = HANET_SESSION_PAUSED;
  EXPECT_EQ(p->tc_egress(request(GetParam())).verdict, kTcSent);
  EXPECT_EQ(session().sent, 0U);
  session().state = HANET_SESSION_UNKNOWN;
  send(GetParam());
}

TEST_P(Request, M1_IsOurOwnOnlyFromTheProbeAddress) {
  watch(GetParam());
  net::Frame frame = request(GetParam());
  std::copy(kOtherMac.begin(), kOtherMac.end(), frame.begin() + 6);
  const Outcome outcome = p->tc_egress(frame);
  EXPECT_EQ(outcome.verdict, kTcPass);
  EXPECT_EQ(outcome.frame, frame);
  EXPECT_EQ(session().sent, 0U);
  send(GetParam());
}

TEST_P(Request, D6_PassesWithoutANumberWhereverItIsCut) {
  watch(GetParam());
  const net::Frame whole = request(GetParam());
  const std::size_t first = is_ipv6(GetParam())       ? kIcmpv6At
                            : GetParam() == Beat::Arp ? kEthernetBytes
                                                      : kIcmpAt;
  // An ARP packet ends before the padding; a solicitation is recognised by its type alone.
  std::size_t end = whole.size();
  if (GetParam() == Beat::Arp) end = 42;
  if (GetParam() == Beat::Solicitation) end = kIcmpv6At + 8;
  for (std::size_t length = first; length < end; ++length) {
    const net::Frame cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    const Outcome outcome = p->tc_egress(cut);
    ASSERT_EQ(outcome.verdict, kTcSent) << length;
    ASSERT_EQ(outcome.frame, cut) << length;
    ASSERT_EQ(session().sent, 0U) << length;
  }
  send(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Session, Request,
                         testing::Values(Beat::EchoIpv4, Beat::EchoIpv6, Beat::Arp,
                                         Beat::Solicitation),
                         name_of);

class EchoRequest : public Request {};

TEST_P(EchoRequest, M2_CarriesItsSessionAndSequence) {
  watch(GetParam());
  send(GetParam());
  const net::Frame frame = send(GetParam());
  const std::size_t icmp = is_ipv6(GetParam()) ? kIcmpv6At : kIcmpAt;
  const hanet_echo_payload payload = payload_of(frame, icmp);
  EXPECT_EQ(payload.magic, std::uint32_t{HANET_ECHO_MAGIC});
  EXPECT_EQ(payload.session, 0U);
  EXPECT_EQ(payload.id, session().id);
  EXPECT_EQ(payload.cookie, session().cookie);
  EXPECT_EQ(payload.sequence, 2U);
  EXPECT_EQ(payload.sequence_complement, ~std::uint64_t{2});
  EXPECT_EQ(net::Frame(frame.begin() + static_cast<std::ptrdiff_t>(icmp) + 6,
                       frame.begin() + static_cast<std::ptrdiff_t>(icmp) + 8),
            (net::Frame{0, 2}));
}

TEST_P(EchoRequest, M2_KeepsAValidChecksumAtEverySequence) {
  watch(GetParam());
  for (int bit = 0; bit < 64; ++bit)
    for (const std::uint64_t before : {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit}) {
      session().sent = before;
      session().answered = before;
      const net::Frame frame = send(GetParam());
      ASSERT_TRUE(is_ipv6(GetParam()) ? checksum::icmpv6_is_right(frame)
                                      : checksum::icmp_is_right(frame))
          << "sequence " << before + 1;
    }
}

INSTANTIATE_TEST_SUITE_P(Session, EchoRequest, testing::Values(Beat::EchoIpv4, Beat::EchoIpv6),
                         name_of);

class RequestKind : public Scene {};

TEST_F(RequestKind, M1_OtherFramesFromTheProbeAddressAreNoRequests) {
  watch(Beat::EchoIpv4);
  const std::vector<std::pair<std::size_t, std::uint8_t>> changes{
      {kIcmpAt, 0}, {23, 17}, {14, 0x46}, {13, 0xcc}};
  for (const auto& [at, value] : changes) {
    net::Frame frame = request(Beat::EchoIpv4);
    frame[at] = value;
    const Outcome outcome = p->tc_egress(frame);
    EXPECT_EQ(outcome.verdict, kTcSent);
    EXPECT_EQ(outcome.frame, frame) << "byte " << at;
    EXPECT_EQ(session().sent, 0U) << "byte " << at;
  }
  send(Beat::EchoIpv4);
}

TEST_F(RequestKind, M1_ASearchForTheTargetIsAHeartbeatAndARefreshIsNot) {
  watch(Beat::EchoIpv4);
  EXPECT_EQ(p->tc_egress(request(Beat::Arp)).verdict, kTcSent);
  EXPECT_EQ(session().sent, 0U) << "unicast: only keeps an address fresh";
  net::Frame search = request(Beat::Arp);
  net::set_destination(search, net::kBroadcast);
  EXPECT_EQ(p->tc_egress(search).verdict, kTcSent);
  EXPECT_EQ(session().sent, 1U);
  EXPECT_EQ(session().last_neighbour_sequence, 1U);
  EXPECT_EQ(p->xdp(reply_to(search, Beat::Arp)).verdict, kXdpDrop);
  EXPECT_EQ(session().answered, 1U) << "a search that was answered is a sign of life";
}

TEST_F(RequestKind, M1_AnAnsweredRefreshSaysNothingOfTheTargetsLife) {
  watch(Beat::EchoIpv4);
  net::Frame search = request(Beat::Arp);
  net::set_destination(search, net::kBroadcast);
  EXPECT_EQ(p->tc_egress(search).verdict, kTcSent);
  EXPECT_EQ(p->xdp(reply_to(search, Beat::Arp)).verdict, kXdpDrop);
  send(Beat::EchoIpv4);
  session().target_mac_known = 0;
  EXPECT_EQ(p->xdp(reply_to(request(Beat::Arp), Beat::Arp)).verdict, kXdpDrop);
  EXPECT_EQ(session().target_mac_known, 1) << "the witness: it was read";
  EXPECT_EQ(session().answered, 1U) << "the echo is still owed";
}

}  // namespace
}  // namespace hanet::bpf_test
