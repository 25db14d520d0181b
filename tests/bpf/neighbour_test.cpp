// SPDX-License-Identifier: Apache-2.0
//
// hanet as a neighbour: answers for its probe addresses, and learns where its target is (M1, M6).
//
// A standby has no address that the kernel would answer for, so a target could not reply to its
// probes. The answers are compared byte for byte.
#include <algorithm>

#include "scene.h"
#include "unit/checksum.h"

namespace hanet::bpf_test {
namespace {

using net::Frame;

/// What the target asks on the wire.
Frame arp_question(net::Ipv4Bytes asked = kProbeIpv4, net::Ipv4Bytes asker = kTargetIpv4) {
  return net::arp_request(net::kBroadcast, kTargetMac, asker, asked);
}
Frame solicitation(const net::Ipv6Bytes& asked = kProbeIpv6) {
  return net::neighbour_solicitation({}, kTargetMac, kTargetIpv6, asked);
}

class Neighbour : public Scene {
 protected:
  void expect_silence(const Frame& question) {
    const std::uint64_t answers = port().answered_for_neighbours;
    const Outcome outcome = p->tc_ingress(question);
    EXPECT_EQ(outcome.verdict, kTcPass);
    EXPECT_EQ(outcome.frame, question);
    EXPECT_EQ(port().answered_for_neighbours, answers);
  }
  static Frame in_padding(std::uint8_t claim) { return {0x48, 0x61, 0x4e, 0x67, claim, 0}; }
  void hear_arp_reply(const Frame& padding) {
    Frame reply = reply_to(send(Beat::Arp), Beat::Arp);
    reply.resize(42);
    reply.insert(reply.end(), padding.begin(), padding.end());
    reply.resize(60);
    EXPECT_EQ(p->xdp(reply).verdict, kXdpDrop);
  }
  std::ptrdiff_t peer_events() {
    const std::vector<hanet_event> events = p->events();
    return std::ranges::count(events, std::uint32_t{HANET_EVENT_PEER_MOVED}, &hanet_event::type);
  }
  bool target_is(const net::MacAddress& mac) {
    return session().target_mac_known == 1 &&
           std::equal(mac.begin(), mac.end(), session().target_mac);
  }
  void forget_target() {
    session().target_mac_known = 0;
    std::ranges::fill(session().target_mac, std::uint8_t{0});
  }
};

TEST_F(Neighbour, M6_AnswersArpForItsProbeAddress) {
  watch(Beat::Arp);
  const Outcome outcome = p->tc_ingress(arp_question());
  EXPECT_EQ(outcome.verdict, kTcRedirect);
  EXPECT_EQ(port().answered_for_neighbours, 1U);
  Frame expected{0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc, 0x02, 0x68, 0x6e, 0x00, 0x00,
                 0x01, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x02,  // reply
                 0x02, 0x68, 0x6e, 0x00, 0x00, 0x01, 192,  0,    2,    201,         // it is us
                 0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc, 192,  0,    2,    10};
  expected.resize(60);
  EXPECT_EQ(outcome.frame, expected);
}

TEST_F(Neighbour, M6_AnswersAProbeForItsAddressSoThatNobodyElseTakesIt) {
  watch(Beat::Arp);
  const Outcome outcome = p->tc_ingress(arp_question(kProbeIpv4, {}));
  EXPECT_EQ(outcome.verdict, kTcRedirect);
  EXPECT_EQ(Frame(outcome.frame.begin() + 38, outcome.frame.begin() + 42), (Frame{0, 0, 0, 0}));
}

TEST_F(Neighbour, M6_AnswersASolicitationForItsProbeAddress) {
  watch(Beat::Solicitation);
  const Outcome outcome = p->tc_ingress(solicitation());
  EXPECT_EQ(outcome.verdict, kTcRedirect);
  EXPECT_EQ(port().answered_for_neighbours, 1U);
  Frame frame = outcome.frame;
  EXPECT_TRUE(checksum::icmpv6_is_right(frame));
  frame[56] = frame[57] = 0;
  Frame expected{0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc, 0x02, 0x68, 0x6e, 0x00, 0x00,
                 0x01, 0x86, 0xdd, 0x60, 0,    0,    0,    0,    32,   58,   255};
  expected.insert(expected.end(), kProbeIpv6.begin(), kProbeIpv6.end());
  expected.insert(expected.end(), kTargetIpv6.begin(), kTargetIpv6.end());
  expected.insert(expected.end(), {136, 0, 0, 0, 0x60, 0, 0, 0});  // solicited, override
  expected.insert(expected.end(), kProbeIpv6.begin(), kProbeIpv6.end());
  expected.insert(expected.end(), {2, 1, 0x02, 0x68, 0x6e, 0x00, 0x00, 0x01});
  EXPECT_EQ(frame, expected);
}

// One's complement sums carry in about half of all cases.
TEST_F(Neighbour, M6_ItsAdvertisementsHaveARightChecksumWhoeverAsks) {
  watch(Beat::Solicitation);
  for (unsigned asker = 1; asker < 0x10000; asker += 509) {
    Frame question = solicitation();
    put16(question, 36, asker);  // the end of the source address
    const Outcome outcome = p->tc_ingress(question);
    ASSERT_EQ(outcome.verdict, kTcRedirect);
    ASSERT_TRUE(checksum::icmpv6_is_right(outcome.frame)) << asker;
  }
}

TEST_F(Neighbour, D6_LeavesQuestionsForOthersToTheHost) {
  watch(Beat::Arp);
  expect_silence(arp_question({192, 0, 2, 202}));
  expect_silence(solicitation(kTargetIpv6));
  Frame reply = arp_question();
  reply[21] = 2;
  expect_silence(reply);
  Frame other_length = arp_question();
  other_length[18] = 8;
  expect_silence(other_length);
  EXPECT_EQ(p->tc_ingress(arp_question()).verdict, kTcRedirect) << "the witness";
}

TEST_F(Neighbour, D6_AnswersNothingWhereItHasNoProbeAddress) {
  watch(Beat::Arp);
  port().probe_ipv4 = 0;
  std::ranges::fill(port().probe_ipv6, std::uint8_t{0});
  expect_silence(arp_question({0, 0, 0, 0}));
  expect_silence(solicitation({}));
  watch(Beat::Arp);
  EXPECT_EQ(p->tc_ingress(arp_question()).verdict, kTcRedirect) << "the witness";
}

TEST_F(Neighbour, D6_DoesNotAnswerSolicitationsThatRfc4861Forbids) {
  watch(Beat::Solicitation);
  Frame routed = solicitation();
  routed[21] = 254;
  expect_silence(routed);
  Frame longer = solicitation();
  put16(longer, 18, 40);
  longer.resize(longer.size() + 8);
  expect_silence(longer);
  Frame without_source = solicitation();
  without_source[kIcmpv6At + 24] = 14;
  expect_silence(without_source);
  Frame unspecified = solicitation();
  std::fill_n(unspecified.begin() + 22, 16, std::uint8_t{0});
  expect_silence(unspecified);
  EXPECT_EQ(p->tc_ingress(solicitation()).verdict, kTcRedirect) << "the witness";
}

TEST_F(Neighbour, D6_CutQuestionsPassUnanswered) {
  watch(Beat::Arp);
  const Frame arp = arp_question();
  for (std::ptrdiff_t length = kEthernetBytes; length < 42; ++length)
    expect_silence(Frame(arp.begin(), arp.begin() + length));
  const Frame question = solicitation();
  for (std::size_t length = kIcmpv6At; length < question.size(); ++length)
    expect_silence(Frame(question.begin(), question.begin() + static_cast<std::ptrdiff_t>(length)));
  EXPECT_EQ(p->tc_ingress(question).verdict, kTcRedirect) << "the witness";
}

TEST_F(Neighbour, F8_LearnsTheTargetsNewMacFromAGratuitousArp) {
  watch(Beat::Arp);
  EXPECT_EQ(p->tc_ingress(net::gratuitous_arp(kOtherMac, kTargetIpv4)).verdict, kTcPass);
  EXPECT_TRUE(target_is(kOtherMac));
  EXPECT_EQ(p->tc_ingress(net::gratuitous_arp(kTargetMac, {192, 0, 2, 99})).verdict, kTcPass);
  EXPECT_TRUE(target_is(kOtherMac)) << "somebody else's announcement";
}

TEST_F(Neighbour, F8_LearnsTheTargetsNewMacFromAnUnsolicitedAdvertisement) {
  watch(Beat::Solicitation);
  const Frame announced = net::unsolicited_advertisement(kOtherMac, kTargetIpv6, false);
  EXPECT_EQ(p->tc_ingress(announced).verdict, kTcPass);
  EXPECT_TRUE(target_is(kOtherMac));
  EXPECT_EQ(p->tc_ingress(net::unsolicited_advertisement(kTargetMac, kProbeIpv6, false)).verdict,
            kTcPass);
  EXPECT_TRUE(target_is(kOtherMac)) << "somebody else's announcement";
}

TEST_F(Neighbour, F8_SaysInItsAnswersWhereTheIdentityIs) {
  watch(Beat::Arp);
  for (const hanet_claim claim :
       {HANET_CLAIM_ELSEWHERE, HANET_CLAIM_HERE, HANET_CLAIM_HERE_BY_HAND}) {
    port().claim = claim;
    const Frame arp = p->tc_ingress(arp_question()).frame;
    EXPECT_EQ(Frame(arp.begin() + 42, arp.begin() + 48), in_padding(claim));
    const Frame advertisement = p->tc_ingress(solicitation()).frame;
    EXPECT_EQ(advertisement[kIcmpv6At + 7], claim);
    EXPECT_TRUE(checksum::icmpv6_is_right(advertisement));
  }
  Frame unpadded = arp_question();
  unpadded.resize(46);
  EXPECT_EQ(p->tc_ingress(unpadded).verdict, kTcRedirect) << "an answer without the place";
}

TEST_F(Neighbour, F8_HearsInArpRepliesWhereThePeersIdentityIs) {
  watch(Beat::Arp);
  session().other_end = 1;
  for (const std::uint8_t claim : {HANET_CLAIM_HERE, HANET_CLAIM_ELSEWHERE}) {
    hear_arp_reply(in_padding(claim));
    EXPECT_EQ(session().peer_claim, claim);
    EXPECT_EQ(peer_events(), 1);
  }
  hear_arp_reply(in_padding(HANET_CLAIM_ELSEWHERE));
  EXPECT_EQ(peer_events(), 0) << "nothing new";
  hear_arp_reply(in_padding(HANET_CLAIM_COUNT));
  EXPECT_EQ(session().peer_claim, HANET_CLAIM_UNKNOWN) << "no place that there is";
  hear_arp_reply(in_padding(HANET_CLAIM_HERE));
  hear_arp_reply({1, 2, 3, 4, HANET_CLAIM_HERE, 0});
  EXPECT_EQ(session().peer_claim, HANET_CLAIM_UNKNOWN) << "what some card leaves in the padding";
  EXPECT_EQ(session().replies, 6U) << "every one of them was an answer";
}

TEST_F(Neighbour, F8_HearsInAdvertisementsWhereThePeersIdentityIs) {
  watch(Beat::Solicitation);
  session().other_end = 1;
  for (const std::uint8_t claim : {HANET_CLAIM_HERE, HANET_CLAIM_ELSEWHERE, HANET_CLAIM_UNKNOWN}) {
    Frame reply = reply_to(send(Beat::Solicitation), Beat::Solicitation);
    reply[kIcmpv6At + 7] = claim;
    EXPECT_EQ(p->xdp(reply).verdict, kXdpDrop);
    EXPECT_EQ(session().peer_claim, claim);
  }
  EXPECT_EQ(session().replies, 3U);
}

TEST_F(Neighbour, F8_NeverLearnsAnAddressOfManyHosts) {
  watch(Beat::Arp);
  forget_target();
  Frame arp = net::gratuitous_arp(kOtherMac, kTargetIpv4);
  arp[22] |= 1;
  EXPECT_EQ(p->tc_ingress(arp).verdict, kTcPass);
  EXPECT_EQ(session().target_mac_known, 0);
  watch(Beat::Solicitation);
  forget_target();
  Frame advertisement = net::unsolicited_advertisement(kOtherMac, kTargetIpv6, false);
  advertisement[kIcmpv6At + 26] |= 1;
  EXPECT_EQ(p->tc_ingress(advertisement).verdict, kTcPass);
  EXPECT_EQ(session().target_mac_known, 0);
  advertisement[kIcmpv6At + 26] &= 0xfe;
  EXPECT_EQ(p->tc_ingress(advertisement).verdict, kTcPass);
  EXPECT_TRUE(target_is(kOtherMac)) << "the witness";
}

}  // namespace
}  // namespace hanet::bpf_test
