// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats of kind hanet as UDP datagrams, at both ends, of both families, at XDP and at TC (M1,
// S3). Tags and checksums are made here a second time, from the RFCs and from what abi.h says.
#include <bpf/bpf.h>

#include "signed_scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr std::uint16_t kPort = 34997;
constexpr net::Ipv6Bytes kOtherEnd{0x20, 0x01, 0x0d, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10};
constexpr net::Ipv6Bytes kHere{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1};
constexpr net::Ipv4Bytes kOtherEndIpv4{198, 51, 100, 10};
constexpr std::size_t kUdpBytes = 8;

struct Cell {
  Hook hook;
  int family;
};
void PrintTo(const Cell& cell, std::ostream* out) {
  *out << (cell.hook == Hook::Xdp ? "Xdp" : "Tc") << (cell.family == AF_INET ? "Ipv4" : "Ipv6");
}

/// RFC 1071.
std::uint16_t checksum(std::span<const std::uint8_t> bytes, std::uint32_t sum) {
  for (std::size_t at = 0; at < bytes.size(); ++at)
    sum += static_cast<std::uint32_t>(bytes[at]) << (at % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

class Datagram : public Signed, public testing::WithParamInterface<Cell> {
 protected:
  void SetUp() override {
    Signed::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    hook_ = GetParam().hook;
    work_at(hook_);
    port().beat_port = htons(kPort);
    std::ranges::copy(kHere, std::begin(port().probe_ipv6));
    session().family = static_cast<std::uint16_t>(GetParam().family);
    if (is_ipv4()) {
      std::ranges::copy(kOtherEndIpv4, std::begin(session().target));
      std::ranges::copy(kProbeIpv4, std::begin(session().source));
    } else {
      std::ranges::copy(kOtherEnd, std::begin(session().target));
      std::ranges::copy(kHere, std::begin(session().source));
    }
  }
  static bool is_ipv4() { return GetParam().family == AF_INET; }
  static std::size_t udp_at() { return kEthernetBytes + (is_ipv4() ? 20 : 40); }
  static std::size_t payload_at() { return udp_at() + kUdpBytes; }
  static std::size_t whole() { return payload_at() + HANET_BEAT_PAYLOAD; }
  static std::size_t address_bytes() { return is_ipv4() ? 4 : 16; }
  static std::size_t source_at() { return kEthernetBytes + (is_ipv4() ? 12 : 8); }
  static std::size_t destination_at() { return source_at() + address_bytes(); }
  static std::span<const std::uint8_t> bytes(const net::Frame& frame, std::size_t at,
                                             std::size_t count) {
    return std::span(frame).subspan(at, count);
  }

  static hanet_beat beat_in(const net::Frame& frame) {
    hanet_beat beat{};
    std::memcpy(&beat.version, &frame.at(payload_at()), HANET_BEAT_PAYLOAD);
    return beat;
  }
  static net::Frame with(net::Frame frame, const hanet_beat& beat) {
    std::memcpy(&frame.at(payload_at()), &beat.version, HANET_BEAT_PAYLOAD);
    return frame;
  }
  static std::uint64_t datagram_tag(const net::Frame& frame, const hanet_key& key) {
    std::array<std::uint8_t, 8 * HANET_DATAGRAM_WORDS> covered{};
    const auto put_address = [&](std::size_t at, std::size_t from) {
      if (is_ipv4()) covered[at + 10] = covered[at + 11] = 0xff;
      std::ranges::copy(bytes(frame, from, address_bytes()),
                        covered.begin() + static_cast<std::ptrdiff_t>(at + 16 - address_bytes()));
    };
    put_address(0, source_at());
    put_address(16, destination_at());
    // All from the version to the tag; the six bytes before it, behind the addresses, are 0.
    std::ranges::copy(bytes(frame, payload_at(), HANET_BEAT_PAYLOAD - 8), covered.begin() + 32 + 6);
    std::array<__u64, HANET_DATAGRAM_WORDS> words{};
    std::memcpy(words.data(), covered.data(), sizeof(words));
    return hanet_siphash(key.half, words.data(), HANET_DATAGRAM_WORDS);
  }
  static net::Frame sealed(net::Frame frame, const hanet_key& key) {
    hanet_beat beat = beat_in(frame);
    beat.key = in_network_order(key.id);
    frame = with(std::move(frame), beat);
    beat.tag = datagram_tag(frame, key);
    return with(std::move(frame), beat);
  }
  /// Sealed again behind a change of what is inside.
  template <typename Change>
  static net::Frame changed(const net::Frame& frame, Change change) {
    hanet_beat beat = beat_in(frame);
    change(beat);
    return sealed(with(frame, beat), kKey);
  }

  net::Frame request_that_leaves() {
    const Outcome run = p->tc_egress(engine::signed_datagram(0, session(), kProbeMac, kPort));
    EXPECT_EQ(run.verdict, kTcSent);
    return run.frame;
  }
  static net::Frame turned(net::Frame frame) {
    std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
    const auto source = frame.begin() + static_cast<std::ptrdiff_t>(source_at());
    const auto bytes_each = static_cast<std::ptrdiff_t>(address_bytes());
    std::swap_ranges(source, source + bytes_each, source + bytes_each);
    return frame;
  }
  /// By the router, whose MAC address is another one on the way back.
  static net::Frame answer_to(const net::Frame& request, const hanet_key& key = kKey) {
    net::Frame answer = turned(request);
    std::ranges::copy(kOtherMac, answer.begin() + 6);
    hanet_beat beat = beat_in(answer);
    beat.kind = HANET_BEAT_ANSWER;
    return sealed(with(answer, beat), key);
  }
  /// Of another host, behind the router.
  net::Frame request_of_other_host(std::uint64_t sequence) const {
    net::Frame frame = turned(engine::signed_datagram(99, session(0), kProbeMac, kPort));
    std::ranges::copy(kAsker, frame.begin() + 6);
    return changed(frame, [&](hanet_beat& beat) {
      beat.id = 7;
      beat.cookie = asker_cookie_;
      beat.sequence = in_network_order(sequence);
    });
  }
  [[nodiscard]] const hanet_session& session(std::uint32_t index) const {
    return p->sessions[index];
  }
  using Signed::session;

  /// As every host behind it checks them.
  static void expect_right_checksums(const net::Frame& frame) {
    if (is_ipv4()) {
      EXPECT_EQ(checksum(bytes(frame, kEthernetBytes, 20), 0), 0);
    }
    const std::size_t length = whole() - udp_at();
    const std::uint32_t pseudo =
        static_cast<std::uint16_t>(~checksum(bytes(frame, source_at(), 2 * address_bytes()), 0));
    EXPECT_NE(frame[udp_at() + 6] << 8 | frame[udp_at() + 7], 0) << "there is one";
    EXPECT_EQ(checksum(bytes(frame, udp_at(), length),
                       pseudo + static_cast<std::uint32_t>(length) + IPPROTO_UDP),
              0);
  }

  Hook hook_ = Hook::Xdp;
};

TEST_P(Datagram, M1_S3_ARequestIsNumberedSignedAndOfTheRightChecksumsAsItLeaves) {
  port().claim = HANET_CLAIM_HERE;
  for (std::uint64_t sequence = 1; sequence <= 20; ++sequence) {
    const net::Frame frame = request_that_leaves();
    ASSERT_EQ(frame.size(), whole());
    EXPECT_TRUE(std::ranges::equal(bytes(frame, 0, 6), kTargetMac)) << "the router's";
    EXPECT_TRUE(std::ranges::equal(bytes(frame, 6, 6), kProbeMac));
    const hanet_beat beat = beat_in(frame);
    EXPECT_EQ(in_network_order(beat.sequence), sequence);
    EXPECT_EQ(beat.claim, HANET_CLAIM_HERE);
    EXPECT_EQ(in_network_order(beat.key), kKey.id);
    EXPECT_EQ(beat.tag, datagram_tag(frame, kKey));
    expect_right_checksums(frame);
  }
}

TEST_P(Datagram, S3_OnlyTheRequestOfTheSessionItselfLeaves) {
  net::Frame foreign = engine::signed_datagram(0, session(), kProbeMac, kPort);
  hanet_beat beat = beat_in(foreign);
  beat.id ^= 1;
  EXPECT_EQ(p->tc_egress(with(foreign, beat)).verdict, used_up(Hook::Tc));
  set_keys({});
  EXPECT_EQ(p->tc_egress(foreign).verdict, used_up(Hook::Tc));
  EXPECT_EQ(load(session().sent), 0U);
  set_keys({kKey});
  request_that_leaves();
  EXPECT_EQ(load(session().sent), 1U) << "the witness";
}

TEST_P(Datagram, M1_AnAnswerCountsWhicheverRouterItComesFrom) {
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
    const net::Frame answer = answer_to(request_that_leaves(), sequence == 2 ? kNextKey : kKey);
    EXPECT_EQ(run(hook_, answer).verdict, used_up(hook_));
    EXPECT_EQ(progress().answered, sequence);
  }
  EXPECT_EQ(progress().state, std::uint32_t{HANET_SESSION_UP});
  EXPECT_TRUE(std::ranges::equal(session().target_mac, kTargetMac)) << "ARP tells it, not this";
  EXPECT_EQ(rejects(), Rejects{});
}

TEST_P(Datagram, M1_ARequestIsAnsweredInPlaceByADatagramAsLongAsItself) {
  port().claim = HANET_CLAIM_ELSEWHERE;
  net::Frame request = request_of_other_host(1);
  request[kEthernetBytes + (is_ipv4() ? 8 : 7)] = 3;  // hops that are left
  if (is_ipv4()) {
    put16(request, kEthernetBytes + 10, 0);
    put16(request, kEthernetBytes + 10, checksum(bytes(request, kEthernetBytes, 20), 0));
  }
  const Outcome result = run(hook_, request);
  EXPECT_EQ(result.verdict, sent_back(hook_));
  ASSERT_EQ(result.frame.size(), whole());
  EXPECT_TRUE(std::ranges::equal(bytes(result.frame, 0, 6), kAsker));
  EXPECT_TRUE(std::ranges::equal(bytes(result.frame, 6, 6), kProbeMac));
  const auto same = [&](std::size_t at, std::size_t from) {
    return std::ranges::equal(bytes(result.frame, at, address_bytes()),
                              bytes(request, from, address_bytes()));
  };
  EXPECT_TRUE(same(source_at(), destination_at()));
  EXPECT_TRUE(same(destination_at(), source_at()));
  EXPECT_EQ(result.frame[kEthernetBytes + (is_ipv4() ? 8 : 7)], 64);
  const hanet_beat answer = beat_in(result.frame);
  EXPECT_EQ(answer.kind, HANET_BEAT_ANSWER);
  EXPECT_EQ(answer.cookie, asker_cookie_);
  EXPECT_EQ(answer.claim, HANET_CLAIM_ELSEWHERE);
  EXPECT_EQ(answer.tag, datagram_tag(result.frame, kKey));
  expect_right_checksums(result.frame);
  EXPECT_EQ(port().answered_beats, 1U);
  EXPECT_EQ(p->tc_egress(result.frame).frame, result.frame) << "it is not signed again";
  expect_refused(hook_, request, HANET_REJECT_REPLAYED);
}

TEST_P(Datagram, M1_WhatIsForAnotherHostIsPassedOn) {
  const auto to = [&](std::uint8_t last) {
    net::Frame frame = request_of_other_host(1);
    frame[destination_at() + address_bytes() - 1] = last;
    return sealed(frame, kKey);
  };
  expect_refused(hook_, to(77), HANET_REJECT_NOT_A_REPLY);
  net::Frame routed = to(77);
  std::ranges::copy(kOtherMac, std::begin(port().own_mac));
  std::ranges::copy(kOtherMac, routed.begin());
  expect_refused(hook_, routed, HANET_REJECT_COUNT);
  std::ranges::fill(port().own_mac, std::uint8_t{0});
  hanet_beat_address own{.address = {}, .port = 0};
  const net::Frame frame = to(77);
  if (is_ipv4()) own.address[10] = own.address[11] = 0xff;
  std::ranges::copy(bytes(frame, destination_at(), address_bytes()),
                    std::end(own.address) - static_cast<std::ptrdiff_t>(address_bytes()));
  const std::uint32_t present = 1;
  const int map = bpf_map__fd(p->skeleton()->maps.beat_addresses);
  ASSERT_EQ(bpf_map_update_elem(map, &own, &present, BPF_ANY), 0);
  EXPECT_EQ(run(hook_, frame).verdict, sent_back(hook_)) << "the witness: it is an own one now";
  ASSERT_EQ(bpf_map_delete_elem(map, &own), 0);
  net::Frame other_mac = request_of_other_host(2);
  std::ranges::copy(kOtherMac, other_mac.begin());
  expect_refused(hook_, other_mac, HANET_REJECT_COUNT);
}

TEST_P(Datagram, S3_ABitThatIsChangedInAddressesOrPayloadMakesItNone) {
  const net::Frame answer = answer_to(request_that_leaves());
  const net::Frame request = request_of_other_host(1);
  for (const net::Frame& good : {answer, request})
    for (std::size_t at = source_at(); at < good.size(); ++at) {
      if (at >= udp_at() && at < payload_at()) continue;  // ports and checksum prove nothing
      for (unsigned bit = 0; bit < 8; ++bit) {
        net::Frame frame = good;
        frame[at] = static_cast<std::uint8_t>(frame[at] ^ 1U << bit);
        const Progress before = progress();
        EXPECT_EQ(run(hook_, frame).verdict, passed(hook_)) << "byte " << at << " bit " << bit;
        EXPECT_EQ(progress(), before);
        EXPECT_EQ(port().answered_beats, 0U);
      }
    }
  EXPECT_GT(rejects().at(HANET_REJECT_WRONG_TAG), 500U);
  EXPECT_EQ(run(hook_, answer).verdict, used_up(hook_)) << "the witness";
  EXPECT_EQ(run(hook_, request).verdict, sent_back(hook_)) << "the witness";
}

TEST_P(Datagram, S3_AnAnswerOfAnotherAddressOrToAnotherRequestChangesNothing) {
  const net::Frame good = answer_to(request_that_leaves());
  session().target[is_ipv4() ? 3 : 15] ^= 1;
  expect_refused(hook_, good, HANET_REJECT_WRONG_SOURCE);
  session().target[is_ipv4() ? 3 : 15] ^= 1;
  expect_refused(hook_, changed(good, [](hanet_beat& beat) { beat.cookie ^= 1; }),
                 HANET_REJECT_WRONG_COOKIE);
  expect_refused(
      hook_,
      changed(good,
              [](hanet_beat& beat) { beat.sequence = in_network_order(std::uint64_t{1000}); }),
      HANET_REJECT_FUTURE);
  expect_refused(hook_, sealed(good, kForeignKey), HANET_REJECT_UNKNOWN_KEY);
  expect_refused(hook_, turned(request_that_leaves()), HANET_REJECT_WRONG_TAG);
  EXPECT_EQ(run(hook_, good).verdict, used_up(hook_)) << "the witness";
  expect_refused(hook_, good, HANET_REJECT_DUPLICATE);
}

// Anybody can send them, from afar; an alarm would be his to raise.
TEST_P(Datagram, S4_AForgedOneThatIsFromNoTargetIsCountedAsAStrangers) {
  net::Frame stranger = request_of_other_host(1);
  stranger[source_at() + address_bytes() - 1] ^= 1;
  expect_refused(hook_, sealed(stranger, kForeignKey), HANET_REJECT_WRONG_SOURCE);
  expect_refused(hook_, stranger, HANET_REJECT_WRONG_SOURCE);
  expect_refused(hook_, sealed(request_of_other_host(1), kForeignKey), HANET_REJECT_UNKNOWN_KEY);
  EXPECT_EQ(run(hook_, sealed(stranger, kKey)).verdict, sent_back(hook_))
      << "the witness: who has the key may ask from anywhere";
}

TEST_P(Datagram, S3_WhatHasOtherPortsOptionsOrIsAFragmentIsNone) {
  const net::Frame good = request_of_other_host(1);
  const auto passes = [&](auto change) {
    net::Frame frame = good;
    change(frame);
    const Progress before = progress();
    EXPECT_EQ(run(hook_, frame).verdict, passed(hook_));
    EXPECT_EQ(progress(), before);
    EXPECT_EQ(port().answered_beats, 0U);
  };
  passes([](net::Frame& frame) { put16(frame, udp_at(), kPort + 1); });
  passes([](net::Frame& frame) { put16(frame, udp_at() + 2, kPort + 1); });
  if (is_ipv4()) {
    passes([](net::Frame& frame) {
      frame[kEthernetBytes] = 0x46;
      frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(udp_at()), 4, 1);
    });
    for (const unsigned offset : {0x2000U, 0x0001U})
      passes([&](net::Frame& frame) { put16(frame, kEthernetBytes + 6, offset); });
  } else {
    passes([](net::Frame& frame) {
      const std::array<std::uint8_t, 8> options{IPPROTO_UDP, 0, 1, 4, 0, 0, 0, 0};
      frame[kEthernetBytes + 6] = IPPROTO_DSTOPTS;
      frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(udp_at()), options.begin(),
                   options.end());
    });
    passes([](net::Frame& frame) {  // an IPv4 one that somebody has rewritten
      const std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
      for (const std::size_t at : {source_at(), destination_at()})
        std::ranges::copy(mapped, frame.begin() + static_cast<std::ptrdiff_t>(at));
      frame = sealed(frame, kKey);
    });
  }
  EXPECT_EQ(run(hook_, good).verdict, sent_back(hook_)) << "the witness";
}

TEST_P(Datagram, S3_ARequestFromNoSingleHostIsNotAnswered) {
  const auto from = [&](std::initializer_list<std::uint8_t> first) {
    net::Frame frame = request_of_other_host(1);
    std::ranges::fill_n(frame.begin() + static_cast<std::ptrdiff_t>(source_at()),
                        static_cast<std::ptrdiff_t>(address_bytes()), std::uint8_t{0});
    std::ranges::copy(first, frame.begin() + static_cast<std::ptrdiff_t>(source_at()));
    return sealed(frame, kKey);
  };
  expect_refused(hook_, from({}), HANET_REJECT_MALFORMED);
  expect_refused(hook_, from({0xff, 0x02, 0, 1}), HANET_REJECT_MALFORMED);
  if (is_ipv4())
    for (const unsigned first : {127U, 224U, 239U, 255U})
      expect_refused(hook_, from({static_cast<std::uint8_t>(first), 0, 0, 1}),
                     HANET_REJECT_MALFORMED);
  EXPECT_EQ(run(hook_, request_of_other_host(1)).verdict, sent_back(hook_)) << "the witness";
}

TEST_P(Datagram, D6_ChangesNothingWhereverItIsCutAndHoweverLongItSaysItIs) {
  for (const net::Frame& good : {answer_to(request_that_leaves()), request_of_other_host(1)}) {
    for (std::size_t length = payload_at(); length < whole(); ++length) {
      SCOPED_TRACE(length);
      net::Frame frame = good;
      frame.resize(length);
      expect_refused(hook_, frame, HANET_REJECT_TRUNCATED);
    }
    const auto saying = [&](unsigned bytes) {
      net::Frame frame = good;
      put16(frame, udp_at() + 4, bytes);
      return frame;
    };
    expect_refused(hook_, saying(0), HANET_REJECT_TRUNCATED);
    expect_refused(hook_, saying(kUdpBytes + HANET_BEAT_PAYLOAD - 1), HANET_REJECT_TRUNCATED);
    expect_refused(hook_, saying(kUdpBytes + HANET_BEAT_PAYLOAD + 1), HANET_REJECT_MALFORMED);
    expect_refused(hook_, saying(0xffff), HANET_REJECT_MALFORMED);
  }
}

INSTANTIATE_TEST_SUITE_P(At, Datagram,
                         testing::Values(Cell{Hook::Xdp, AF_INET}, Cell{Hook::Xdp, AF_INET6},
                                         Cell{Hook::Tc, AF_INET}, Cell{Hook::Tc, AF_INET6}),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace hanet::bpf_test
