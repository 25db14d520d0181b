// SPDX-License-Identifier: Apache-2.0
//
// rtnetlink messages, byte for byte: lengths, padding, nesting (F4).
//
// The kernel reads these without mercy: a wrong length field makes it skip or refuse an attribute.
// Expected bytes are written out by hand for a little-endian host, as x86 and ARM are.
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <map>

#include "net/encode.h"
#include "net/link.h"
#include "net/netlink.h"

namespace hanet::net {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Found = std::map<std::uint16_t, Bytes>;

nlmsghdr header_of(const NetlinkMessage& message) {
  nlmsghdr header{};
  std::memcpy(&header, message.data(), sizeof(header));
  return header;
}

Found attributes_behind(const NetlinkMessage& message, std::size_t family_header) {
  Found found;
  for_each_attribute(std::span(message).subspan(sizeof(nlmsghdr) + family_header),
                     [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                       found[type] = Bytes(value.begin(), value.end());
                     });
  return found;
}

Address ipv4_address() {
  return {.family = AF_INET,
          .prefix_length = 24,
          .scope = 0,
          .flags = IFA_F_PERMANENT,
          .local = {192, 0, 2, 1},
          .peer = {192, 0, 2, 1},
          .broadcast = {192, 0, 2, 255},
          .label = "eth0:web",
          .preferred_seconds = UINT32_MAX,
          .valid_seconds = UINT32_MAX,
          .priority = 100U,
          .protocol = 3};
}

TEST(MessageBuilder, F4_PadsEveryAttributeToFourBytes) {
  const NetlinkMessage message = MessageBuilder(0x0102, 0x0304)
                                     .attribute_u8(5, 0xaa)
                                     .attribute_text(6, "abc")
                                     .attribute_u32(7, 0x11223344)
                                     .take();
  EXPECT_EQ(message, (Bytes{40, 0, 0, 0, 2,    1,    4,    3,   0, 0, 0, 0, 0, 0, 0, 0,  // header
                            5,  0, 5, 0, 0xaa, 0,    0,    0,  // u8, padded
                            8,  0, 6, 0, 'a',  'b',  'c',  0,  // text with its NUL
                            8,  0, 7, 0, 0x44, 0x33, 0x22, 0x11}));
}

TEST(MessageBuilder, F4_NestedAttributesCountTheirContents) {
  const NetlinkMessage message = MessageBuilder(1, 0)
                                     .begin(26)
                                     .begin(10)
                                     .attribute_u8(8, 1)
                                     .end()
                                     .end()
                                     .attribute_u8(9, 2)
                                     .take();
  EXPECT_EQ(Bytes(message.begin() + 16, message.end()),
            (Bytes{16, 0, 26, 0x80, 12, 0, 10, 0x80, 5, 0, 8, 0, 1, 0, 0, 0,  //
                   5,  0, 9,  0,    2,  0, 0,  0}));
  EXPECT_EQ(header_of(message).nlmsg_len, message.size());
}

TEST(MessageBuilder, F4_AnEmptyAttributeIsAHeaderOnly) {
  const NetlinkMessage message = MessageBuilder(1, 0).attribute(3, {}).take();
  EXPECT_EQ(Bytes(message.begin() + 16, message.end()), (Bytes{4, 0, 3, 0}));
}

TEST(Attributes, F4_AreReadBackAsTheyWereWritten) {
  const NetlinkMessage message =
      MessageBuilder(1, 0).attribute_text(3, "x").attribute_u32(4, 7).take();
  EXPECT_EQ(attributes_behind(message, 0), (Found{{3, {'x', 0}}, {4, {7, 0, 0, 0}}}));
}

TEST(Attributes, F4_ABrokenLengthEndsTheReadingAndNothingElse) {
  for (const Bytes& broken : {Bytes{8, 0, 1, 0, 1, 2, 3, 4, 3, 0, 2, 0},   // shorter than a header
                              Bytes{8, 0, 1, 0, 1, 2, 3, 4, 99, 0, 2, 0},  // longer than the rest
                              Bytes{8, 0, 1, 0, 1, 2, 3, 4, 4, 0, 2}}) {   // cut in the header
    int seen = 0;
    for_each_attribute(broken, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
      EXPECT_EQ(type, 1);
      EXPECT_EQ(value.size(), 4U);
      ++seen;
    });
    EXPECT_EQ(seen, 1);
  }
}

TEST(AddressMessage, F2_CarriesEverythingThatAnAddressIs) {
  const NetlinkMessage message = add_address(ipv4_address(), 7);
  EXPECT_EQ(header_of(message).nlmsg_type, RTM_NEWADDR);
  EXPECT_EQ(header_of(message).nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
  EXPECT_EQ(Bytes(message.begin() + 16, message.begin() + 24),
            (Bytes{AF_INET, 24, 0, 0, 7, 0, 0, 0}));
  const Found found = attributes_behind(message, sizeof(ifaddrmsg));
  EXPECT_EQ(found.at(IFA_LOCAL), (Bytes{192, 0, 2, 1}));
  EXPECT_EQ(found.at(IFA_ADDRESS), (Bytes{192, 0, 2, 1}));
  EXPECT_EQ(found.at(IFA_BROADCAST), (Bytes{192, 0, 2, 255}));
  EXPECT_EQ(found.at(IFA_LABEL), (Bytes{'e', 't', 'h', '0', ':', 'w', 'e', 'b', 0}));
  EXPECT_EQ(found.at(IFA_FLAGS), (Bytes{IFA_F_PERMANENT, 0, 0, 0}));
  EXPECT_EQ(found.at(IFA_RT_PRIORITY), (Bytes{100, 0, 0, 0}));
  EXPECT_EQ(found.at(11), Bytes{3}) << "IFA_PROTO";
  EXPECT_EQ(found.at(IFA_CACHEINFO),
            (Bytes{255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(AddressMessage, F4_AnIpv6AddressSkipsDuplicateDetection) {
  Address address = ipv4_address();
  address.family = AF_INET6;
  address.local = address.peer = Bytes(16, 0x20);
  address.broadcast.clear();
  address.label.clear();
  const Found found = attributes_behind(add_address(address, 7), sizeof(ifaddrmsg));
  EXPECT_EQ(found.at(IFA_FLAGS), (Bytes{IFA_F_PERMANENT | IFA_F_NODAD, 0, 0, 0}));
  EXPECT_FALSE(found.contains(IFA_LABEL));
  EXPECT_FALSE(found.contains(IFA_BROADCAST));
}

TEST(AddressMessage, F2_ARemovalNamesTheAddressAndItsPeer) {
  const NetlinkMessage message = remove_address(ipv4_address(), 7);
  EXPECT_EQ(header_of(message).nlmsg_type, RTM_DELADDR);
  const Found found = attributes_behind(message, sizeof(ifaddrmsg));
  EXPECT_EQ(found, (Found{{IFA_LOCAL, {192, 0, 2, 1}}, {IFA_ADDRESS, {192, 0, 2, 1}}}));
}

TEST(RouteMessage, F4_IsTheCapturedObjectAgain) {
  KernelObject route;
  route.header = {AF_INET, 24, 0, 0, 254, 3, 253, 1, 0, 0, 0, 0};
  route.attributes = {{RTA_DST, {198, 51, 100, 0}}, {RTA_OIF, {7, 0, 0, 0}}};
  const NetlinkMessage message = add_route(route);
  EXPECT_EQ(header_of(message).nlmsg_type, RTM_NEWROUTE);
  EXPECT_EQ(header_of(message).nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND);
  EXPECT_EQ(Bytes(message.begin() + 16, message.begin() + 28), route.header);
  EXPECT_EQ(attributes_behind(message, sizeof(rtmsg)),
            (Found{{RTA_DST, {198, 51, 100, 0}}, {RTA_OIF, {7, 0, 0, 0}}}));

  route.header[0] = AF_INET6;
  EXPECT_EQ(header_of(add_route(route)).nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE)
      << "appending would merge equal IPv6 routes into one";
  EXPECT_EQ(header_of(remove_route(route)).nlmsg_type, RTM_DELROUTE);
}

TEST(LinkMessage, F1_SetsOneFlagAndMasksTheOthers) {
  const NetlinkMessage up = set_admin_state(7, true);
  ifinfomsg header{};
  std::memcpy(&header, up.data() + sizeof(nlmsghdr), sizeof(header));
  EXPECT_EQ(header.ifi_index, 7);
  EXPECT_EQ(header.ifi_flags, unsigned{IFF_UP});
  EXPECT_EQ(header.ifi_change, unsigned{IFF_UP});
  const NetlinkMessage down = set_admin_state(7, false);
  std::memcpy(&header, down.data() + sizeof(nlmsghdr), sizeof(header));
  EXPECT_EQ(header.ifi_flags, 0U);
  EXPECT_EQ(header.ifi_change, unsigned{IFF_UP});
}

TEST(LinkMessage, F2_AMacAddressIsOneAttribute) {
  const NetlinkMessage message = set_mac(7, MacAddress{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(attributes_behind(message, sizeof(ifinfomsg)),
            (Found{{IFLA_ADDRESS, {1, 2, 3, 4, 5, 6}}}));
}

}  // namespace
}  // namespace hanet::net
