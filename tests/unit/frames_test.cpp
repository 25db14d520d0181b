// SPDX-License-Identifier: Apache-2.0
//
// Frames, byte for byte as the RFCs draw them (M1, F5).
//
// The expected bytes are written out from the pictures of the RFCs. Checksums are verified by
// code that shares nothing with the product.
#include "net/frames.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "checksum.h"
#include "hanet/abi.h"

namespace hanet::net {
namespace {

constexpr MacAddress kOurs{0x02, 0x68, 0x6e, 0x00, 0x00, 0x01};
constexpr MacAddress kTheirs{0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc};
constexpr Ipv4Bytes kOurIpv4{192, 0, 2, 1};
constexpr Ipv4Bytes kTheirIpv4{192, 0, 2, 10};
constexpr Ipv6Bytes kOurIpv6{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x68, 0x6e, 0xff, 0xfe, 0, 0, 0x01};
constexpr Ipv6Bytes kTheirIpv6{0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,
                               0,    0,    0,    0,    0x11, 0x22, 0x33, 0x44};

Frame padded(Frame frame) {
  frame.resize(60, 0);
  return frame;
}

Frame echo_payload(std::uint64_t cookie) {
  hanet_echo_payload payload{};
  payload.magic = HANET_ECHO_MAGIC;
  payload.session = 3;
  payload.id = 0x12345678;
  payload.cookie = cookie;
  payload.sequence_complement = ~std::uint64_t{0};
  payload.echo_sequence_complement = 0xffff;
  Frame bytes(sizeof(payload));
  std::memcpy(bytes.data(), &payload, sizeof(payload));
  return bytes;
}

/// What bpf/request.bpf.h stores into an echo request that leaves. `at` is where ICMP begins.
void number(Frame& frame, std::size_t at, std::uint64_t sequence) {
  hanet_echo_payload payload{};
  std::memcpy(&payload, frame.data() + at + 8, sizeof(payload));
  payload.sequence = sequence;
  payload.sequence_complement = ~sequence;
  payload.echo_sequence_complement = __builtin_bswap16(static_cast<std::uint16_t>(~sequence));
  std::memcpy(frame.data() + at + 8, &payload, sizeof(payload));
  frame[at + 6] = static_cast<std::uint8_t>(sequence >> 8);
  frame[at + 7] = static_cast<std::uint8_t>(sequence);
}

TEST(Frames, M1_AnArpRequestIsWhatRfc826Draws) {
  EXPECT_EQ(arp_request(kTheirs, kOurs, kOurIpv4, kTheirIpv4),
            padded({0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc, 0x02, 0x68, 0x6e, 0x00,
                    0x00, 0x01, 0x08, 0x06,                          // ARP
                    0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x01,  // Ethernet, IPv4, request
                    0x02, 0x68, 0x6e, 0x00, 0x00, 0x01, 192,  0,    2,    1,  // sender
                    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 192,  0,    2,    10}));
}

TEST(Frames, M1_AnArpProbeNamesNoSender) {
  const Frame frame = arp_request(kBroadcast, kOurs, {}, kTheirIpv4);
  EXPECT_EQ(Frame(frame.begin() + 28, frame.begin() + 32), (Frame{0, 0, 0, 0}));
  EXPECT_EQ(Frame(frame.begin(), frame.begin() + 6), Frame(6, 0xff));
}

TEST(Frames, F5_AGratuitousArpAsksEverybodyForItsOwnAddress) {
  EXPECT_EQ(
      gratuitous_arp(kOurs, kOurIpv4),
      padded({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x68, 0x6e, 0x00, 0x00, 0x01, 0x08, 0x06,
              0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x01, 0x02, 0x68, 0x6e, 0x00, 0x00, 0x01,
              192,  0,    2,    1,    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 192,  0,    2,    1}));
}

TEST(Frames, A3_AReverseArpShowsWhereAnAddressIsAndNothingElse) {
  const Frame frame = reverse_arp(kOurs);
  EXPECT_EQ(frame, padded({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x68, 0x6e, 0x00,
                           0x00, 0x01, 0x80, 0x35,                                   // RARP
                           0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x03,           // who am I?
                           0x02, 0x68, 0x6e, 0x00, 0x00, 0x01, 0,    0,    0,    0,  // sender
                           0x02, 0x68, 0x6e, 0x00, 0x00, 0x01, 0,    0,    0,    0}));
  EXPECT_EQ(as_reply(frame), frame);
}

TEST(Frames, A3_AQueryForIpv4GroupsIsWhatRfc3376Draws) {
  const Frame frame = igmp_query();
  EXPECT_EQ(Frame(frame.begin(), frame.begin() + 6), (Frame{0x01, 0, 0x5e, 0, 0, 1}));
  EXPECT_EQ(frame[14], 0x46) << "with a router alert";
  EXPECT_EQ(frame[22], 1) << "time to live";
  EXPECT_EQ(checksum::sum_of(std::span(frame).subspan(14, 24)), 0xffff);
  const std::span message = std::span(frame).subspan(38, 12);
  EXPECT_EQ(message[0], 0x11);
  EXPECT_EQ(message[1], 0) << "no time to wait";
  EXPECT_EQ(checksum::sum_of(message), 0xffff);
}

TEST(Frames, A3_AQueryForIpv6GroupsIsWhatRfc3810Draws) {
  Frame frame = mld_query();
  EXPECT_EQ(Frame(frame.begin(), frame.begin() + 6), (Frame{0x33, 0x33, 0, 0, 0, 1}));
  EXPECT_EQ(frame[20], 0) << "options first";
  EXPECT_EQ(frame[21], 1) << "hop limit";
  EXPECT_EQ(Frame(frame.begin() + 22, frame.begin() + 24), (Frame{0xfe, 0x80}));
  EXPECT_EQ(Frame(frame.begin() + 54, frame.begin() + 62), (Frame{58, 0, 5, 2, 0, 0, 1, 0}));
  frame.erase(frame.begin() + 54, frame.begin() + 62);
  frame[19] = 28;
  EXPECT_EQ(frame[54], 130);
  EXPECT_TRUE(checksum::icmpv6_is_right(frame));
}

TEST(Frames, F5_AnAnnouncementAsAReplyDiffersInItsOperationAndTarget) {
  const Frame request = gratuitous_arp(kOurs, kOurIpv4);
  Frame expected = request;
  expected[21] = 2;
  std::ranges::copy(kOurs, expected.begin() + 32);
  EXPECT_EQ(as_reply(request), expected);
  EXPECT_EQ(as_reply(tagged(request, 0x81000005)), tagged(expected, 0x81000005));
  const Frame advertisement = unsolicited_advertisement(kOurs, kOurIpv6, false);
  EXPECT_EQ(as_reply(advertisement), advertisement);
}

TEST(Frames, M1_ASolicitationIsWhatRfc4861Draws) {
  Frame frame = neighbour_solicitation(kTheirs, kOurs, kOurIpv6, kTheirIpv6);
  EXPECT_TRUE(checksum::icmpv6_is_right(frame));
  frame[56] = frame[57] = 0;
  Frame expected{0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc, 0x02, 0x68, 0x6e, 0x00, 0x00,
                 0x01, 0x86, 0xdd, 0x60, 0,    0,    0,    0,    32,   58,   255};
  expected.insert(expected.end(), kOurIpv6.begin(), kOurIpv6.end());
  expected.insert(expected.end(), kTheirIpv6.begin(), kTheirIpv6.end());
  expected.insert(expected.end(), {135, 0, 0, 0, 0, 0, 0, 0});
  expected.insert(expected.end(), kTheirIpv6.begin(), kTheirIpv6.end());
  expected.insert(expected.end(), {1, 1, 0x02, 0x68, 0x6e, 0x00, 0x00, 0x01});
  EXPECT_EQ(frame, expected);
}

TEST(Frames, M1_ASearchGoesToTheSolicitedNodeGroup) {
  const Frame frame = neighbour_solicitation({}, kOurs, kOurIpv6, kTheirIpv6);
  EXPECT_TRUE(checksum::icmpv6_is_right(frame));
  EXPECT_EQ(Frame(frame.begin(), frame.begin() + 6), (Frame{0x33, 0x33, 0xff, 0x22, 0x33, 0x44}));
  EXPECT_EQ(Frame(frame.begin() + 38, frame.begin() + 54),
            (Frame{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, 0x22, 0x33, 0x44}));
  EXPECT_EQ(solicited_node_mac(kTheirIpv6), (MacAddress{0x33, 0x33, 0xff, 0x22, 0x33, 0x44}));
}

TEST(Frames, F5_AnUnsolicitedAdvertisementOverridesAtEveryNode) {
  for (const bool router : {false, true}) {
    Frame frame = unsolicited_advertisement(kOurs, kTheirIpv6, router);
    EXPECT_TRUE(checksum::icmpv6_is_right(frame));
    frame[56] = frame[57] = 0;
    Frame expected{0x33, 0x33, 0,    0,    0, 1, 0x02, 0x68, 0x6e, 0x00, 0x00,
                   0x01, 0x86, 0xdd, 0x60, 0, 0, 0,    0,    32,   58,   255};
    expected.insert(expected.end(), kTheirIpv6.begin(), kTheirIpv6.end());
    expected.insert(expected.end(), {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    expected.insert(expected.end(),
                    {136, 0, 0, 0, static_cast<std::uint8_t>(router ? 0xa0 : 0x20), 0, 0, 0});
    expected.insert(expected.end(), kTheirIpv6.begin(), kTheirIpv6.end());
    expected.insert(expected.end(), {2, 1, 0x02, 0x68, 0x6e, 0x00, 0x00, 0x01});
    EXPECT_EQ(frame, expected);
  }
}

TEST(Frames, M1_AnEchoRequestIsWhatRfc792Draws) {
  const Frame payload{1, 2, 3, 4, 5};
  Frame frame = echo_request(kTheirs, kOurs, kOurIpv4, kTheirIpv4, 0xabcd, payload);
  ASSERT_EQ(frame.size(), 60U) << "padded to the smallest frame";
  EXPECT_TRUE(checksum::ipv4_header_is_right(frame));
  EXPECT_TRUE(checksum::icmp_is_right(frame));
  frame[24] = frame[25] = frame[36] = frame[37] = 0;
  EXPECT_EQ(frame, padded({0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc, 0x02, 0x68,
                           0x6e, 0x00, 0x00, 0x01, 0x08, 0x00,  // IPv4
                           0x45, 0xc0, 0,    33,   0,    0,    0x40, 0,
                           64,   1,    0,    0,  // DF, TTL 64, ICMP
                           192,  0,    2,    1,    192,  0,    2,    10,
                           8,    0,    0,    0,    0xab, 0xcd, 0,    0,  // echo, id, sequence 0
                           1,    2,    3,    4,    5}));
}

TEST(Frames, M1_AnIpv6EchoRequestIsWhatRfc4443Draws) {
  Frame frame = echo_request(kTheirs, kOurs, kOurIpv6, kTheirIpv6, 0xabcd, Frame{1, 2, 3, 4, 5});
  EXPECT_TRUE(checksum::icmpv6_is_right(frame));
  frame[56] = frame[57] = 0;
  Frame expected{0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc, 0x02, 0x68, 0x6e, 0x00, 0x00,
                 0x01, 0x86, 0xdd, 0x60, 0,    0,    0,    0,    13,   58,   255};
  expected.insert(expected.end(), kOurIpv6.begin(), kOurIpv6.end());
  expected.insert(expected.end(), kTheirIpv6.begin(), kTheirIpv6.end());
  expected.insert(expected.end(), {128, 0, 0, 0, 0xab, 0xcd, 0, 0, 1, 2, 3, 4, 5});
  EXPECT_EQ(frame, expected);
}

TEST(Frames, M2_TheEchoChecksumHoldsForEverySequenceThatTheKernelWrites) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    // The edges first: carries between the words are where a sum goes wrong.
    const std::uint64_t sequence = round < 64 ? (std::uint64_t{1} << round) - 1 : random();
    const Frame payload = echo_payload(random());
    Frame ipv4 = echo_request(kTheirs, kOurs, kOurIpv4, kTheirIpv4, 0x5678, payload);
    Frame ipv6 = echo_request(kTheirs, kOurs, kOurIpv6, kTheirIpv6, 0x5678, payload);
    number(ipv4, 34, sequence);
    number(ipv6, 54, sequence);
    ASSERT_TRUE(checksum::icmp_is_right(ipv4)) << "sequence " << sequence;
    ASSERT_TRUE(checksum::icmpv6_is_right(ipv6)) << "sequence " << sequence;
  }
}

TEST(Frames, M1_ANewDestinationTouchesNothingElse) {
  Frame frame = arp_request(kBroadcast, kOurs, kOurIpv4, kTheirIpv4);
  const Frame before = frame;
  set_destination(frame, kTheirs);
  EXPECT_EQ(Frame(frame.begin(), frame.begin() + 6), Frame(kTheirs.begin(), kTheirs.end()));
  EXPECT_EQ(Frame(frame.begin() + 6, frame.end()), Frame(before.begin() + 6, before.end()));
}

TEST(ProbeAddress, M1_IsLocalUnicastAndRandom) {
  const MacAddress one = random_local_mac();
  const MacAddress other = random_local_mac();
  EXPECT_EQ(one[0] & 3, 2);
  EXPECT_EQ(other[0] & 3, 2);
  EXPECT_NE(one, other);
}

TEST(ProbeAddress, M1_ItsLinkLocalAddressIsTheOneOfRfc4291) {
  EXPECT_EQ(
      link_local_of(MacAddress{0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde}),
      (Ipv6Bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x36, 0x56, 0x78, 0xff, 0xfe, 0x9a, 0xbc, 0xde}));
}

TEST(ProbeAddress, O3_IsWrittenAsPeopleWriteIt) { EXPECT_EQ(to_text(kOurs), "02:68:6e:00:00:01"); }

}  // namespace
}  // namespace hanet::net
