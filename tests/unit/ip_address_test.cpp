// SPDX-License-Identifier: Apache-2.0
//
// What is an address, how it is written, and which addresses cannot be one host (M1).
//
// Parsing and writing are tested against each other and against the examples of RFC 5952, because
// messages compare texts: an address that is written in two ways would be two peers to a person.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>

#include "config/config.h"

namespace hanet::config {
namespace {

std::string rewritten(std::string_view text) {
  const std::optional<IpAddress> address = IpAddress::parse(text);
  return address ? address->text() : "no address";
}

TEST(IpAddress, M1_ReadsIpv4InNetworkByteOrder) {
  const std::optional<IpAddress> address = IpAddress::parse("192.0.2.10");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->family, AF_INET);
  EXPECT_EQ(address->bytes, (std::array<std::uint8_t, 16>{192, 0, 2, 10}));
}

TEST(IpAddress, M1_ReadsIpv6InNetworkByteOrder) {
  const std::optional<IpAddress> address = IpAddress::parse("2001:db8::ff");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->family, AF_INET6);
  EXPECT_EQ(address->bytes, (std::array<std::uint8_t, 16>{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0,
                                                          0, 0, 0, 0, 0, 0xff}));
}

TEST(IpAddress, M1_WritesIpv6AsRfc5952Recommends) {
  EXPECT_EQ(rewritten("2001:0DB8:0:0:0:0:0:0001"), "2001:db8::1");
  EXPECT_EQ(rewritten("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1") << "4.2.2: one group stays";
  EXPECT_EQ(rewritten("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1") << "4.2.3: the longest run";
  EXPECT_EQ(rewritten("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1") << "4.2.3: the first of equals";
  EXPECT_EQ(rewritten("::ffff:c000:0201"), "::ffff:192.0.2.1") << "5: mixed notation";
  EXPECT_EQ(rewritten("0:0:0:0:0:0:0:0"), "::");
  EXPECT_EQ(rewritten("FE80::A"), "fe80::a");
}

TEST(IpAddress, M1_WritesIpv4AsDottedQuad) {
  EXPECT_EQ(rewritten("0.0.0.0"), "0.0.0.0");
  EXPECT_EQ(rewritten("255.255.255.255"), "255.255.255.255");
}

struct Text {
  std::string name;
  std::string_view text;
};

void PrintTo(const Text& text, std::ostream* out) { *out << text.text; }

std::string name_of_text(const testing::TestParamInfo<Text>& info) { return info.param.name; }

class NoAddress : public testing::TestWithParam<Text> {};

TEST_P(NoAddress, M1_IsRefused) { EXPECT_FALSE(IpAddress::parse(GetParam().text).has_value()); }

using namespace std::string_view_literals;
INSTANTIATE_TEST_SUITE_P(
    IpAddress, NoAddress,
    testing::Values(Text{"Nothing", ""}, Text{"ThreeParts", "192.0.2"},
                    Text{"FiveParts", "192.0.2.1.1"}, Text{"APartBeyond255", "192.0.2.256"},
                    Text{"ALeadingZero", "192.0.2.01"}, Text{"Hexadecimal", "0xc0.0.2.1"},
                    Text{"ASpace", "192.0.2.1 "}, Text{"ANewline", "192.0.2.1\n"},
                    Text{"APrefixLength", "192.0.2.1/24"}, Text{"AFinalNul", "192.0.2.1\0"sv},
                    Text{"TextBehindANul", "192.0.2.1\0x"sv}, Text{"AZone", "fe80::1%eth0"},
                    Text{"AnIpv6PrefixLength", "fe80::1/64"}, Text{"TwoGaps", "fe80::1::2"},
                    Text{"SevenGroups", "1:2:3:4:5:6:7"}, Text{"NineGroups", "1:2:3:4:5:6:7:8:9"},
                    Text{"AGroupOfFiveDigits", "12345::"}, Text{"ThreeColons", ":::"},
                    Text{"Brackets", "[fe80::1]"}, Text{"AHostName", "localhost"}),
    name_of_text);

TEST(IpAddress, M1_EqualAddressesAreEqualInEveryNotation) {
  EXPECT_EQ(IpAddress::parse("fe80::a"), IpAddress::parse("FE80:0:0:0:0:0:0:000A"));
  EXPECT_NE(IpAddress::parse("fe80::a"), IpAddress::parse("fe80::b"));
  EXPECT_NE(IpAddress::parse("0.0.0.0"), IpAddress::parse("::")) << "the families differ";
}

TEST(IpAddress, M1_KnowsTheEdgesOfLinkLocal) {
  const auto link_local = [](std::string_view text) {
    return IpAddress::parse(text).value().is_link_local();
  };
  EXPECT_TRUE(link_local("fe80::"));
  EXPECT_TRUE(link_local("febf:ffff::1"));
  EXPECT_FALSE(link_local("fec0::1"));
  EXPECT_FALSE(link_local("fe7f::1"));
  EXPECT_TRUE(link_local("169.254.0.1"));
  EXPECT_FALSE(link_local("169.253.255.255"));
  EXPECT_FALSE(link_local("169.255.0.1"));
}

struct Kind {
  std::string_view text;
  std::string_view why_not;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.text; }

/// The address with what a test name cannot hold replaced.
std::string name_of_kind(const testing::TestParamInfo<Kind>& info) {
  std::string name(info.param.text);
  for (char& c : name) c = c == '.' || c == ':' ? '_' : c;
  return name;
}

class OneHost : public testing::TestWithParam<Kind> {};

TEST_P(OneHost, M1_IsToldFromOtherAddresses) {
  EXPECT_EQ(IpAddress::parse(GetParam().text).value().why_not_a_host(), GetParam().why_not);
}

INSTANTIATE_TEST_SUITE_P(
    IpAddress, OneHost,
    testing::Values(Kind{"1.0.0.0", ""}, Kind{"0.255.255.255", "an unspecified address"},
                    Kind{"0.0.0.0", "an unspecified address"}, Kind{"126.255.255.255", ""},
                    Kind{"127.0.0.0", "a loopback address"},
                    Kind{"127.255.255.255", "a loopback address"}, Kind{"128.0.0.0", ""},
                    Kind{"223.255.255.255", ""}, Kind{"224.0.0.0", "a multicast address"},
                    Kind{"239.255.255.255", "a multicast address"}, Kind{"240.0.0.1", ""},
                    Kind{"255.255.255.254", ""}, Kind{"255.255.255.255", "a broadcast address"},
                    Kind{"::", "an unspecified address"}, Kind{"::1", "a loopback address"},
                    Kind{"::2", ""}, Kind{"feff::1", ""}, Kind{"ff00::", "a multicast address"},
                    Kind{"ff02::1:ff00:1", "a multicast address"},
                    Kind{"::ffff:192.0.2.1", "an IPv4-mapped address"},
                    Kind{"64:ff9b::192.0.2.1", ""}),
    name_of_kind);

}  // namespace
}  // namespace hanet::config
