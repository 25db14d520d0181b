// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats of kind hanet in the kernel: signed, answered, refused (M1, S3).
//
// The other end is made here, from the layout in abi.h and from SipHash as its reference vectors
// have it (tests/unit/siphash_test.cpp), so what the programs sign is checked by other eyes. What
// changes nothing has a witness: exactly one counter moved, or the same frame counts where only
// one thing is different.
#include <bpf/bpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/clock.h"
#include "engine/signed_request.h"
#include "hanet.skel.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr std::uint32_t kXdpSent = 3;  // XDP_TX
constexpr net::MacAddress kAsker{0x02, 0x68, 0x6e, 0x00, 0x00, 0x77};

enum class Hook { Xdp, Tc };
void PrintTo(Hook hook, std::ostream* out) { *out << (hook == Hook::Xdp ? "XDP" : "TC"); }

hanet_key key_with(std::uint64_t low, std::uint64_t high) {
  hanet_key key{.half = {low, high}, .id = 0, .pad = 0};
  key.id = hanet_key_id(key.half);
  return key;
}
const hanet_key kKey = key_with(0x0706050403020100, 0x0f0e0d0c0b0a0908);
const hanet_key kNextKey = key_with(0x1111111111111111, 0x2222222222222222);
const hanet_key kForeignKey = key_with(0x3333333333333333, 0x4444444444444444);

hanet_beat beat_of(const net::Frame& frame) {
  hanet_beat beat{};
  std::memcpy(&beat, frame.data(), std::min(frame.size(), sizeof(beat)));
  return beat;
}

net::Frame frame_of(const hanet_beat& beat) {
  net::Frame frame(sizeof(beat));
  std::memcpy(frame.data(), &beat, sizeof(beat));
  return frame;
}

std::uint64_t tag_of(const hanet_beat& beat, const hanet_key& key) {
  std::array<__u64, HANET_BEAT_WORDS> words{};
  std::memcpy(words.data(), &beat, sizeof(words));
  if constexpr (std::endian::native == std::endian::big)
    for (__u64& word : words) word = std::byteswap(word);
  const std::uint64_t tag = hanet_siphash(key.half, words.data(), HANET_BEAT_WORDS);
  return std::endian::native == std::endian::big ? std::byteswap(tag) : tag;
}

template <typename Number>
Number in_network_order(Number value) {
  return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}

void seal(hanet_beat& beat, const hanet_key& key) {
  beat.key = in_network_order(key.id);
  beat.tag = tag_of(beat, key);
}

class Signed : public Scene {
 protected:
  [[nodiscard]] Stage stage() const override { return {.shared = true}; }

  void SetUp() override {
    Scene::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    watch(Beat::Arp);
    session().kind = HANET_HEARTBEAT_HANET;
    session().family = AF_UNSPEC;
    std::ranges::copy(kTargetMac, std::begin(session().target_mac));
    session().target_mac_known = HANET_MAC_CONFIGURED;
    port().replies_at_xdp = port().answers_at_xdp = 1;
    set_keys({kKey, kNextKey});
    static std::uint64_t askers = 0;  // who asked in an earlier test is not known here
    asker_cookie_ = 0xa5ce000000000000 + ++askers;
  }

  void set_keys(std::initializer_list<hanet_key> keys, std::uint32_t signs = 0) {
    hanet_keys ring{};
    std::ranges::copy(keys, std::begin(ring.key));
    ring.signs = signs;
    const std::uint32_t group = 0;
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(p->skeleton()->maps.keys), &group, &ring, BPF_ANY),
              0);
  }

  /// What leaves through tc_egress when hanetd or the pacer sends the prepared request.
  hanet_beat request_that_leaves() {
    const Outcome run = p->tc_egress(engine::signed_request(0, session(), kProbeMac));
    EXPECT_EQ(run.verdict, kTcSent);
    return beat_of(run.frame);
  }
  static hanet_beat answer_to(hanet_beat beat, const hanet_key& key = kKey) {
    std::swap(beat.destination, beat.source);
    beat.kind = HANET_BEAT_ANSWER;
    seal(beat, key);
    return beat;
  }
  /// Of another host, whose session this one does not know.
  hanet_beat request_of_other(std::uint64_t sequence, const hanet_key& key = kKey) const {
    hanet_beat beat{};
    std::ranges::copy(kProbeMac, std::begin(beat.destination));
    std::ranges::copy(kAsker, std::begin(beat.source));
    beat.type = in_network_order(std::uint16_t{HANET_BEAT_TYPE});
    beat.version = HANET_BEAT_VERSION;
    beat.kind = HANET_BEAT_REQUEST;
    beat.session = 99;
    beat.id = 7;
    beat.cookie = asker_cookie_;
    beat.sequence = in_network_order(sequence);
    beat.claim = HANET_CLAIM_HERE;
    beat.state = HANET_SESSION_UP;
    seal(beat, key);
    return beat;
  }

  /// Makes the port do its work at this hook.
  void work_at(Hook hook) {
    port().replies_at_xdp = port().answers_at_xdp = hook == Hook::Xdp ? 1 : 0;
  }
  Outcome run(Hook hook, const net::Frame& frame) {
    return hook == Hook::Xdp ? p->xdp(frame) : p->tc_ingress(frame);
  }
  static std::uint32_t passed(Hook hook) { return hook == Hook::Xdp ? kXdpPass : kTcPass; }
  static std::uint32_t used_up(Hook hook) { return hook == Hook::Xdp ? kXdpDrop : kTcDrop; }
  static std::uint32_t sent_back(Hook hook) { return hook == Hook::Xdp ? kXdpSent : kTcRedirect; }

  /// Passed on as it is, counted under one reason, or under none (HANET_REJECT_COUNT).
  void expect_refused(Hook hook, const net::Frame& frame, hanet_reject reason) {
    const Progress before = progress();
    const std::uint64_t answered = port().answered_beats;
    Rejects expected = rejects();
    if (reason != HANET_REJECT_COUNT) ++expected.at(reason);
    const Outcome result = run(hook, frame);
    EXPECT_EQ(result.verdict, passed(hook));
    EXPECT_EQ(result.frame, frame) << "what is refused passes untouched";
    EXPECT_EQ(progress(), before);
    EXPECT_EQ(rejects(), expected);
    EXPECT_EQ(port().answered_beats, answered);
  }

  std::uint64_t asker_cookie_ = 0;
};

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

class SignedAt : public Signed, public testing::WithParamInterface<Hook> {
 protected:
  void SetUp() override {
    Signed::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) work_at(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Hooks, SignedAt, testing::Values(Hook::Xdp, Hook::Tc),
                         [](const auto& cell) { return cell.param == Hook::Xdp ? "Xdp" : "Tc"; });

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
