// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats of kind hanet at the end that asks: signed as they leave, answers that count and those
// that do not (M1, S3). What changes nothing has a witness: exactly one counter moved, or the same
// frame counts where only one thing is different.
#include "signed_scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

// Those of responder_test.cpp as well.
INSTANTIATE_TEST_SUITE_P(Hooks, SignedAt, testing::Values(Hook::Xdp, Hook::Tc),
                         [](const auto& cell) { return cell.param == Hook::Xdp ? "Xdp" : "Tc"; });

TEST_F(Signed, M1_S3_ARequestIsAddressedNumberedAndSignedAsItLeaves) {
  port().claim = HANET_CLAIM_HERE;
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
    const hanet_beat beat = request_that_leaves();
    EXPECT_EQ(load(session().sent), sequence);
    EXPECT_EQ(in_network_order(beat.sequence), sequence);
    EXPECT_TRUE(std::ranges::equal(beat.destination, kTargetMac));
    EXPECT_TRUE(std::ranges::equal(beat.source, kProbeMac));
    EXPECT_EQ(beat.cookie, session().cookie);
    EXPECT_EQ(beat.claim, HANET_CLAIM_HERE);
    EXPECT_EQ(beat.state, load(session().state));
    EXPECT_EQ(in_network_order(beat.key), kKey.id);
    EXPECT_EQ(beat.tag, tag_of(beat, kKey));
  }
  set_keys({kKey, kNextKey}, 1);
  const hanet_beat beat = request_that_leaves();
  EXPECT_EQ(in_network_order(beat.key), kNextKey.id) << "the other key signs";
  EXPECT_EQ(beat.tag, tag_of(beat, kNextKey));
}

TEST_F(Signed, S3_WithoutAKeyNothingIsARequest) {
  set_keys({});
  EXPECT_EQ(p->tc_egress(engine::signed_request(0, session(), kProbeMac)).verdict,
            used_up(Hook::Tc));
  EXPECT_EQ(load(session().sent), 0U);
  set_keys({kKey});
  request_that_leaves();
  EXPECT_EQ(load(session().sent), 1U) << "the witness: with one it is";
}

TEST_F(Signed, S3_OnlyTheRequestOfTheSessionItselfIsSigned) {
  const hanet_beat good = beat_of(engine::signed_request(0, session(), kProbeMac));
  const auto leaves_unsigned = [&](auto change) {
    hanet_beat beat = good;
    change(beat);
    EXPECT_EQ(p->tc_egress(frame_of(beat)).verdict, used_up(Hook::Tc))
        << "the other end would wonder";
    EXPECT_EQ(load(session().sent), 0U);
  };
  leaves_unsigned([](hanet_beat& beat) { beat.id ^= 1; });
  leaves_unsigned([](hanet_beat& beat) { beat.session = 1; });
  leaves_unsigned([](hanet_beat& beat) { beat.session = HANET_MAX_SESSIONS; });
  session().state = HANET_SESSION_PAUSED;
  leaves_unsigned([](hanet_beat&) {});
  session().state = HANET_SESSION_UNKNOWN;
  session().target_mac_known = HANET_MAC_UNKNOWN;
  leaves_unsigned([](hanet_beat&) {});
  session().target_mac_known = HANET_MAC_CONFIGURED;
  EXPECT_NE(p->tc_egress(frame_of(good)).frame, frame_of(good)) << "the witness";
}

TEST_P(SignedAt, M1_AnAnswerCountsAndMakesThePathUp) {
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
    const hanet_beat answer =
        answer_to(request_that_leaves(), sequence == 2 ? kNextKey : kKey);  // either is taken
    EXPECT_EQ(run(GetParam(), frame_of(answer)).verdict, used_up(GetParam()));
    EXPECT_EQ(progress().answered, sequence);
  }
  EXPECT_EQ(progress().state, std::uint32_t{HANET_SESSION_UP});
  EXPECT_EQ(progress().replies, 3U);
  EXPECT_EQ(rejects(), Rejects{});
}

TEST_P(SignedAt, S3_AnAnswerThatIsReplayedOrOutOfPlaceChangesNothing) {
  const hanet_beat first = answer_to(request_that_leaves());
  const hanet_beat second = answer_to(request_that_leaves());
  EXPECT_EQ(run(GetParam(), frame_of(second)).verdict, used_up(GetParam()));
  expect_refused(GetParam(), frame_of(second), HANET_REJECT_DUPLICATE);
  expect_refused(GetParam(), frame_of(first), HANET_REJECT_LATE);
  // Signed as they are, what they say of the other end is as old as they.
  session().other_end = 1;
  for (hanet_beat old : {first, second}) {
    const std::uint8_t said = session().peer_claim;
    old.claim = said == HANET_CLAIM_HERE ? HANET_CLAIM_ELSEWHERE : HANET_CLAIM_HERE;
    std::ranges::copy(kOtherMac, std::begin(old.source));
    seal(old, kKey);
    session().state = HANET_SESSION_DOWN;
    EXPECT_EQ(run(GetParam(), frame_of(old)).verdict, passed(GetParam()));
    EXPECT_EQ(session().peer_claim, said);
    EXPECT_FALSE(std::ranges::equal(session().target_mac, kOtherMac));
  }
  const auto refused = [&](hanet_reject reason, auto change) {
    hanet_beat beat = answer_to(request_that_leaves());
    change(beat);
    seal(beat, kKey);
    expect_refused(GetParam(), frame_of(beat), reason);
  };
  refused(HANET_REJECT_FUTURE,
          [](hanet_beat& beat) { beat.sequence = in_network_order(std::uint64_t{1000}); });
  refused(HANET_REJECT_WRONG_SESSION, [](hanet_beat& beat) { beat.id ^= 1; });
  refused(HANET_REJECT_WRONG_SESSION, [](hanet_beat& beat) { beat.session = 12345; });
  refused(HANET_REJECT_WRONG_COOKIE, [](hanet_beat& beat) { beat.cookie ^= 1; });
  refused(HANET_REJECT_WRONG_MAC,
          [](hanet_beat& beat) { std::ranges::copy(kOtherMac, std::begin(beat.source)); });
  const hanet_beat newest = answer_to(request_that_leaves());
  session().port = 5;
  expect_refused(GetParam(), frame_of(newest), HANET_REJECT_WRONG_PORT);
  session().port = 0;
  session().kind = HANET_HEARTBEAT_ECHO;
  expect_refused(GetParam(), frame_of(second), HANET_REJECT_WRONG_SESSION);
}

TEST_P(SignedAt, S3_ARequestIsNoAnswerHoweverItIsTurnedRound) {
  const hanet_beat request = request_that_leaves();
  hanet_beat reflected = request;
  std::swap(reflected.destination, reflected.source);
  expect_refused(GetParam(), frame_of(reflected), HANET_REJECT_WRONG_TAG);
  reflected.kind = HANET_BEAT_ANSWER;
  expect_refused(GetParam(), frame_of(reflected), HANET_REJECT_WRONG_TAG);
  EXPECT_EQ(run(GetParam(), frame_of(answer_to(request))).verdict, used_up(GetParam()));
}

TEST_P(SignedAt, S3_ABitThatIsChangedAnywhereMakesItNoAnswerAndNoRequest) {
  const net::Frame answer = frame_of(answer_to(request_that_leaves()));
  const net::Frame request = frame_of(request_of_other(1));
  for (const net::Frame& good : {answer, request})
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      net::Frame frame = good;
      frame[bit / 8] = static_cast<std::uint8_t>(frame[bit / 8] ^ 1U << bit % 8);
      const Progress before = progress();
      EXPECT_EQ(run(GetParam(), frame).verdict, passed(GetParam())) << "bit " << bit;
      EXPECT_EQ(progress(), before) << "bit " << bit;
      EXPECT_EQ(port().answered_beats, 0U) << "bit " << bit;
    }
  EXPECT_GT(rejects().at(HANET_REJECT_WRONG_TAG), 700U);
  EXPECT_EQ(run(GetParam(), answer).verdict, used_up(GetParam())) << "the witness";
  EXPECT_EQ(run(GetParam(), request).verdict, sent_back(GetParam())) << "the witness";
}

TEST_P(SignedAt, S3_KeysThatAreNotKnownAndTagsWithoutAKeyAreCounted) {
  for (hanet_beat beat : {answer_to(request_that_leaves()), request_of_other(1)}) {
    seal(beat, kForeignKey);
    expect_refused(GetParam(), frame_of(beat), HANET_REJECT_UNKNOWN_KEY);
    beat.key = in_network_order(kKey.id);
    expect_refused(GetParam(), frame_of(beat), HANET_REJECT_WRONG_TAG);
    beat.key = 0;
    expect_refused(GetParam(), frame_of(beat), HANET_REJECT_UNKNOWN_KEY);
    seal(beat, kKey);
    set_keys({kNextKey});
    expect_refused(GetParam(), frame_of(beat), HANET_REJECT_UNKNOWN_KEY);
    set_keys({kKey, kNextKey});
  }
}

TEST_P(SignedAt, M1_S3_OtherVersionsAndFormsAreCountedAndIgnored) {
  for (const hanet_beat& good : {answer_to(request_that_leaves()), request_of_other(1)}) {
    const auto refused = [&](hanet_reject reason, auto change) {
      hanet_beat beat = good;
      change(beat);
      seal(beat, kKey);
      expect_refused(GetParam(), frame_of(beat), reason);
    };
    for (const unsigned version : {0U, 2U, 255U})
      refused(HANET_REJECT_UNKNOWN_VERSION,
              [&](hanet_beat& beat) { beat.version = static_cast<std::uint8_t>(version); });
    for (const unsigned kind : {0U, 3U, 255U})
      refused(HANET_REJECT_MALFORMED,
              [&](hanet_beat& beat) { beat.kind = static_cast<std::uint8_t>(kind); });
    refused(HANET_REJECT_MALFORMED, [](hanet_beat& beat) { beat.source[0] |= 1; });
    net::Frame longer = frame_of(good);
    longer.resize(longer.size() + 1);
    expect_refused(GetParam(), longer, HANET_REJECT_MALFORMED);
  }
}

TEST_P(SignedAt, D6_ChangesNothingWhereverItIsCut) {
  for (const hanet_beat& good : {answer_to(request_that_leaves()), request_of_other(1)})
    for (std::size_t length = kEthernetBytes; length < sizeof(good); ++length) {
      net::Frame frame = frame_of(good);
      frame.resize(length);
      SCOPED_TRACE(length);
      expect_refused(GetParam(), frame, HANET_REJECT_TRUNCATED);
    }
}

TEST_F(Signed, M1_EachFrameIsLookedAtInOnePlaceOnly) {
  port().replies_at_xdp = 1;
  port().answers_at_xdp = 0;
  hanet_beat forged = request_of_other(1);
  forged.tag ^= 1;
  expect_refused(Hook::Xdp, frame_of(forged), HANET_REJECT_COUNT);
  expect_refused(Hook::Tc, frame_of(forged), HANET_REJECT_WRONG_TAG);
  const net::Frame request = frame_of(request_of_other(1));
  expect_refused(Hook::Xdp, request, HANET_REJECT_COUNT);
  EXPECT_EQ(p->tc_ingress(request).verdict, kTcRedirect);
  hanet_beat answer = answer_to(request_that_leaves());
  answer.tag ^= 1;
  expect_refused(Hook::Tc, frame_of(answer), HANET_REJECT_COUNT);
  expect_refused(Hook::Xdp, frame_of(answer), HANET_REJECT_WRONG_TAG);
  answer.tag ^= 1;
  expect_refused(Hook::Tc, frame_of(answer), HANET_REJECT_COUNT);
  EXPECT_EQ(p->xdp(frame_of(answer)).verdict, kXdpDrop);
}

TEST_F(Signed, S3_AnAnswerThatLeavesIsNotSignedAgain) {
  const net::Frame answer = p->xdp(frame_of(request_of_other(1))).frame;
  const Outcome leaves = p->tc_egress(answer);
  EXPECT_EQ(leaves.verdict, kTcSent);
  EXPECT_EQ(leaves.frame, answer);
  EXPECT_EQ(load(session().sent), 0U);
}

TEST_F(Signed, S1_S3_APlaceIsBelievedInAnswersOnlyAndWhereAnotherEndIsConfigured) {
  const auto answer = [&](hanet_claim claim) {
    hanet_beat beat = answer_to(request_that_leaves());
    beat.claim = static_cast<std::uint8_t>(claim);
    seal(beat, kKey);
    EXPECT_EQ(p->xdp(frame_of(beat)).verdict, kXdpDrop);
    return session().peer_claim;
  };
  EXPECT_EQ(answer(HANET_CLAIM_HERE), HANET_CLAIM_UNKNOWN);
  session().other_end = 1;
  EXPECT_EQ(answer(HANET_CLAIM_HERE), HANET_CLAIM_HERE);
  EXPECT_EQ(answer(HANET_CLAIM_ELSEWHERE), HANET_CLAIM_ELSEWHERE);
  EXPECT_EQ(p->xdp(frame_of(request_of_other(1))).verdict, kXdpSent);
  EXPECT_EQ(session().peer_claim, HANET_CLAIM_ELSEWHERE)
      << "a request says HERE, and moves nothing";
}

// Anybody can answer for an address; only the address is learned.
TEST_F(Signed, S3_AnArpReplyKeepsNoPathAlive) {
  session().family = AF_INET;
  session().target_mac_known = HANET_MAC_UNKNOWN;
  session().other_end = 1;
  const net::Frame search =
      p->tc_egress(net::arp_request(net::kBroadcast, kProbeMac, kProbeIpv4, kTargetIpv4)).frame;
  EXPECT_EQ(load(session().sent), 1U) << "nothing else can be asked yet";
  net::Frame reply = reply_to(search, Beat::Arp);
  std::ranges::copy(kProbeMac, reply.begin());
  EXPECT_EQ(p->xdp(reply).verdict, kXdpDrop);
  EXPECT_TRUE(std::ranges::equal(session().target_mac, kTargetMac)) << "the witness: it is learned";
  EXPECT_EQ(progress(), (Progress{}));
  EXPECT_EQ(
      p->tc_egress(net::arp_request(net::kBroadcast, kProbeMac, kProbeIpv4, kTargetIpv4)).verdict,
      kTcSent);
  EXPECT_EQ(load(session().sent), 1U) << "a look, beside the heartbeat";
  EXPECT_EQ(p->xdp(reply).verdict, kXdpDrop);
  EXPECT_EQ(progress(), (Progress{}));
  const hanet_beat request = request_that_leaves();
  EXPECT_EQ(p->xdp(frame_of(answer_to(request))).verdict, kXdpDrop);
  EXPECT_EQ(progress().replies, 1U);
}

}  // namespace
}  // namespace hanet::bpf_test
