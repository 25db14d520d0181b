// SPDX-License-Identifier: Apache-2.0
//
// Requests of kind hanet, as the end that is asked answers them: in place, never longer, to one
// that may ask (M1, S3). A refusal has a witness: the same frame is answered where one thing is
// different.
#include "signed_scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

TEST_P(SignedAt, M1_ARequestIsAnsweredInPlaceByAFrameAsLongAsItself) {
  port().claim = HANET_CLAIM_ELSEWHERE;
  const hanet_beat request = request_of_other(1, kNextKey);
  const Outcome result = run(GetParam(), frame_of(request));
  EXPECT_EQ(result.verdict, sent_back(GetParam()));
  ASSERT_EQ(result.frame.size(), sizeof(hanet_beat)) << "never longer than what was asked";
  const hanet_beat answer = beat_of(result.frame);
  EXPECT_TRUE(std::ranges::equal(answer.destination, kAsker));
  EXPECT_TRUE(std::ranges::equal(answer.source, kProbeMac));
  EXPECT_EQ(answer.kind, HANET_BEAT_ANSWER);
  EXPECT_EQ(answer.session, request.session);
  EXPECT_EQ(answer.id, request.id);
  EXPECT_EQ(answer.cookie, request.cookie);
  EXPECT_EQ(answer.sequence, request.sequence);
  EXPECT_EQ(answer.claim, HANET_CLAIM_ELSEWHERE) << "of who answers";
  EXPECT_EQ(in_network_order(answer.key), kNextKey.id) << "made with the key of the request";
  EXPECT_EQ(answer.tag, tag_of(answer, kNextKey));
  EXPECT_EQ(port().answered_beats, 1U);
  EXPECT_EQ(progress(), (Progress{})) << "a request says nothing of our own heartbeats";
}

TEST_P(SignedAt, S3_ARequestThatIsNotNewerIsNotAnswered) {
  EXPECT_EQ(run(GetParam(), frame_of(request_of_other(5))).verdict, sent_back(GetParam()));
  for (const std::uint64_t sequence : {5U, 4U, 1U, 0U})
    expect_refused(GetParam(), frame_of(request_of_other(sequence)), HANET_REJECT_REPLAYED);
  EXPECT_EQ(run(GetParam(), frame_of(request_of_other(6))).verdict, sent_back(GetParam()));
  asker_cookie_ += 1000;
  EXPECT_EQ(run(GetParam(), frame_of(request_of_other(1))).verdict, sent_back(GetParam()))
      << "another session has its own numbers";
}

TEST_P(SignedAt, M1_OnlyWhatIsSentToThisPortAloneIsAnswered) {
  const auto with_destination = [&](const net::MacAddress& mac) {
    hanet_beat beat = request_of_other(1);
    std::ranges::copy(mac, std::begin(beat.destination));
    seal(beat, kKey);
    return frame_of(beat);
  };
  constexpr net::MacAddress kGroupOfProbe{0x03, 0x68, 0x6e, 0x00, 0x00, 0x01};
  for (const net::MacAddress& mac : {net::kBroadcast, kGroupOfProbe, kOtherMac})
    expect_refused(GetParam(), with_destination(mac), HANET_REJECT_COUNT);
  std::ranges::copy(kOtherMac, std::begin(port().own_mac));
  EXPECT_EQ(run(GetParam(), with_destination(kOtherMac)).verdict, sent_back(GetParam()))
      << "the witness: it is this port's own address now";
}

// What a peer has spent is a time in its account, so the test needs not be fast.
TEST_P(SignedAt, S3_APeerThatAsksWithoutPauseIsAnsweredNoOftenerThanAHeartbeatMayBe) {
  const hanet_beat_asker asker{.cookie = asker_cookie_, .id = 7, .port = 0};
  const int map = bpf_map__fd(p->skeleton()->maps.beat_peers);
  hanet_beat_peer peer{};
  const auto spent = [&] {
    EXPECT_EQ(bpf_map_lookup_elem(map, &asker, &peer), 0);
    return peer.next_ns;
  };
  const auto has_spent = [&](std::uint64_t until) {
    spent();
    peer.next_ns = until;
    ASSERT_EQ(bpf_map_update_elem(map, &asker, &peer, BPF_EXIST), 0);
  };
  const auto now = [] {
    return static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count());
  };
  const std::uint64_t begin = now();
  EXPECT_EQ(run(GetParam(), frame_of(request_of_other(1))).verdict, sent_back(GetParam()));
  EXPECT_GE(spent(), begin + HANET_ANSWER_GAP_NS) << "an answer has its price";
  const std::uint64_t all = now() + std::uint64_t{HANET_ANSWER_BURST} * HANET_ANSWER_GAP_NS;
  has_spent(all);
  EXPECT_EQ(run(GetParam(), frame_of(request_of_other(2))).verdict, sent_back(GetParam()))
      << "so many may come together";
  EXPECT_GE(spent(), all + HANET_ANSWER_GAP_NS);
  constexpr std::uint64_t kMinute = 60'000'000'000;
  has_spent(now() + kMinute);
  expect_refused(GetParam(), frame_of(request_of_other(3)), HANET_REJECT_TOO_OFTEN);
  expect_refused(GetParam(), frame_of(request_of_other(4)), HANET_REJECT_TOO_OFTEN);
  has_spent(begin);
  EXPECT_EQ(run(GetParam(), frame_of(request_of_other(5))).verdict, sent_back(GetParam()));
}

}  // namespace
}  // namespace hanet::bpf_test
