// SPDX-License-Identifier: Apache-2.0
//
// The other end of heartbeats of kind hanet (M1, S3).
//
// It is made here, from the layout in abi.h and from SipHash as its reference vectors have it
// (tests/unit/siphash_test.cpp), so what the programs sign is checked by other eyes.
#pragma once

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

inline constexpr std::uint32_t kXdpSent = 3;  // XDP_TX
inline constexpr net::MacAddress kAsker{0x02, 0x68, 0x6e, 0x00, 0x00, 0x77};

enum class Hook { Xdp, Tc };
inline void PrintTo(Hook hook, std::ostream* out) { *out << (hook == Hook::Xdp ? "XDP" : "TC"); }

inline hanet_key key_with(std::uint64_t low, std::uint64_t high) {
  hanet_key key{.half = {low, high}, .id = 0, .pad = 0};
  key.id = hanet_key_id(key.half);
  return key;
}
inline const hanet_key kKey = key_with(0x0706050403020100, 0x0f0e0d0c0b0a0908);
inline const hanet_key kNextKey = key_with(0x1111111111111111, 0x2222222222222222);
inline const hanet_key kForeignKey = key_with(0x3333333333333333, 0x4444444444444444);

inline hanet_beat beat_of(const net::Frame& frame) {
  hanet_beat beat{};
  std::memcpy(&beat, frame.data(), std::min(frame.size(), sizeof(beat)));
  return beat;
}

inline net::Frame frame_of(const hanet_beat& beat) {
  net::Frame frame(sizeof(beat));
  std::memcpy(frame.data(), &beat, sizeof(beat));
  return frame;
}

inline std::uint64_t tag_of(const hanet_beat& beat, const hanet_key& key) {
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

inline void seal(hanet_beat& beat, const hanet_key& key) {
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

class SignedAt : public Signed, public testing::WithParamInterface<Hook> {
 protected:
  void SetUp() override {
    Signed::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) work_at(GetParam());
  }
};

}  // namespace hanet::bpf_test
