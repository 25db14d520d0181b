// SPDX-License-Identifier: Apache-2.0
//
// At which MAC address the target is, and who is not believed (S1, S2, M11).
//
// Everything here may be forged by anybody on the LAN who has seen one search. So each test lets
// somebody else speak, with the target's address and another MAC address, and looks at what was
// learned and counted.
#include <algorithm>
#include <chrono>
#include <thread>

#include "scene.h"

namespace hanet::bpf_test {
namespace {

using net::Frame;

constexpr std::chrono::seconds kLimit{15};

class Target : public Scene, public testing::WithParamInterface<Beat> {
 protected:
  void SetUp() override {
    Scene::SetUp();
    if (IsSkipped()) return;
    watch(beat());
    answer();
    ASSERT_TRUE(target_is(kTargetMac));
  }
  static Beat beat() { return GetParam(); }
  /// A request leaves, and its reply counts.
  void answer() { EXPECT_EQ(p->xdp(reply_to(send(beat()), beat())).verdict, kXdpDrop); }
  /// The reply to `sent` with another MAC address in it.
  Frame forged(const Frame& sent) {
    Frame reply = reply_to(sent, beat());
    const std::ptrdiff_t at = is_ipv6(beat()) ? kIcmpv6At + 26 : 22;
    std::ranges::copy(kOtherMac, reply.begin() + at);
    return reply;
  }
  Frame announcement() {
    return is_ipv6(beat()) ? net::unsolicited_advertisement(kOtherMac, kTargetIpv6, false)
                           : net::gratuitous_arp(kOtherMac, kTargetIpv4);
  }
  bool target_is(const net::MacAddress& mac) {
    return session().target_mac_known != HANET_MAC_UNKNOWN &&
           std::equal(mac.begin(), mac.end(), session().target_mac);
  }
  bool rival_is(const net::MacAddress& mac) {
    return std::equal(mac.begin(), mac.end(), session().rival_mac);
  }
  /// A request stays unanswered for half of the detection time; no verdict comes before 50 do.
  Frame fall_silent() {
    set_params(0, 2'000, 50, 3);
    return send(beat());
  }
  static bool goes_to(const Frame& frame, const net::MacAddress& mac) {
    return std::equal(mac.begin(), mac.end(), frame.begin());
  }
  static bool in_time(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (!done())
      if (std::chrono::steady_clock::now() > end) return false;
    return true;
  }
};

TEST_P(Target, S2_AForgedReplyFromAnotherMacAddressIsCountedAndChangesNothing) {
  const Frame sent = send(beat());
  const Progress before = progress();
  for (std::uint64_t count = 1; count <= 3; ++count) {
    EXPECT_EQ(p->xdp(forged(sent)).verdict, kXdpPass);
    EXPECT_EQ(rejects()[HANET_REJECT_WRONG_MAC], count);
    EXPECT_EQ(session().rival_claims, count);
  }
  EXPECT_EQ(progress(), before);
  EXPECT_TRUE(target_is(kTargetMac));
  EXPECT_TRUE(rival_is(kOtherMac));
  EXPECT_EQ(p->xdp(reply_to(sent, beat())).verdict, kXdpDrop) << "the target's own reply counts";
  EXPECT_EQ(session().replies, 2U);
}

TEST_P(Target, S2_AnAnnouncementDoesNotReplaceAMacAddressThatAnswers) {
  const Frame sent = send(beat());
  EXPECT_EQ(p->tc_ingress(announcement()).verdict, kTcPass);
  EXPECT_TRUE(target_is(kTargetMac));
  EXPECT_EQ(session().rival_claims, 1U);
  EXPECT_TRUE(goes_to(send(beat()), kTargetMac));
  EXPECT_EQ(p->xdp(reply_to(sent, beat())).verdict, kXdpDrop);
}

TEST_P(Target, S2_M11_ATargetThatFellSilentIsFoundAtTheMacAddressThatAnswers) {
  const Frame sent = fall_silent();
  EXPECT_TRUE(
      in_time([&] { return p->xdp(forged(sent)).verdict == kXdpDrop && target_is(kOtherMac); }));
  EXPECT_NE(session().state, std::uint32_t{HANET_SESSION_DOWN}) << "in time before the verdict";
  EXPECT_EQ(session().replies, 2U) << "it is an answer as well";
  EXPECT_GT(session().target_mac_learned_ns, 0U);
}

TEST_P(Target, M11_RequestsFollowAnAnnouncementWhenTheOldMacAddressFallsSilent) {
  EXPECT_EQ(p->tc_ingress(announcement()).verdict, kTcPass);
  EXPECT_TRUE(goes_to(fall_silent(), kTargetMac)) << "nobody is missing yet";
  EXPECT_TRUE(in_time([&] {
    // The window holds 64 requests.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return goes_to(send(beat()), kOtherMac);
  }));
  EXPECT_TRUE(target_is(kOtherMac));
  EXPECT_EQ(session().rival_heard_ns, 0U) << "there is one again";
}

TEST_P(Target, S2_AMacAddressOfTheConfigurationIsNeverReplaced) {
  session().target_mac_known = HANET_MAC_CONFIGURED;
  session().state = HANET_SESSION_DOWN;
  const Frame sent = send(beat());
  EXPECT_EQ(p->tc_ingress(announcement()).verdict, kTcPass);
  EXPECT_EQ(p->xdp(forged(sent)).verdict, kXdpPass);
  EXPECT_TRUE(target_is(kTargetMac));
  EXPECT_TRUE(goes_to(send(beat()), kTargetMac));
  EXPECT_EQ(session().rival_claims, 2U);
  session().target_mac_known = HANET_MAC_LEARNED;
  EXPECT_EQ(p->tc_ingress(announcement()).verdict, kTcPass);
  EXPECT_TRUE(target_is(kOtherMac)) << "the witness: of one that was learned it is";
}

TEST_P(Target, M11_AskingEverybodyWhileTheTargetAnswersIsNoHeartbeat) {
  session().state = HANET_SESSION_UP;
  Frame look = request(beat());
  std::ranges::copy(is_ipv6(beat()) ? net::solicited_node_mac(kTargetIpv6) : net::kBroadcast,
                    look.begin());
  const Progress before = progress();
  EXPECT_EQ(p->tc_egress(look).verdict, kTcSent);
  EXPECT_EQ(session().sent, 1U);
  EXPECT_EQ(p->xdp(forged(look)).verdict, kXdpPass) << "a rival answers";
  EXPECT_EQ(session().rival_claims, 1U);
  EXPECT_EQ(p->xdp(reply_to(look, beat())).verdict, kXdpDrop) << "and so does the target";
  EXPECT_EQ(progress(), before);
  EXPECT_EQ(p->xdp(reply_to(look, beat())).verdict, kXdpPass) << "but once";
  EXPECT_EQ(rejects()[HANET_REJECT_DUPLICATE], 1U);
  answer();
  const Frame sent = send(beat());
  EXPECT_EQ(p->tc_egress(look).verdict, kTcSent);
  EXPECT_EQ(session().sent, 4U) << "a search for one that is missing counts";
}

TEST_P(Target, S1_WhatAReplySaysOfTheOtherEndIsNotBelievedUnlessOneIsConfigured) {
  const auto hear = [&](std::uint8_t claim) {
    Frame reply = reply_to(send(beat()), beat());
    if (is_ipv6(beat())) {
      reply[kIcmpv6At + 7] = claim;
    } else {
      reply.resize(42);
      reply.insert(reply.end(), {0x48, 0x61, 0x4e, 0x67, claim, 0});
      reply.resize(60);
    }
    EXPECT_EQ(p->xdp(reply).verdict, kXdpDrop);
  };
  hear(HANET_CLAIM_ELSEWHERE);
  EXPECT_EQ(session().peer_claim, HANET_CLAIM_UNKNOWN);
  EXPECT_TRUE(p->events().empty());
  session().other_end = 1;
  hear(HANET_CLAIM_ELSEWHERE);
  EXPECT_EQ(session().peer_claim, HANET_CLAIM_ELSEWHERE) << "the witness";
}

INSTANTIATE_TEST_SUITE_P(By, Target, testing::Values(Beat::Arp, Beat::Solicitation),
                         [](const auto& cell) { return to_text(cell.param); });

}  // namespace
}  // namespace hanet::bpf_test
