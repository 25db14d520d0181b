// SPDX-License-Identifier: Apache-2.0
//
// See frames.h. Bytes are appended in wire order; lengths and checksums are filled in at the end,
// so each builder reads like the picture in its RFC.
#include "net/frames.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <charconv>

namespace hanet::net {
namespace {

constexpr std::uint16_t kEtherTypeArp = 0x0806;
constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
constexpr std::uint16_t kEtherTypeReverseArp = 0x8035;
constexpr std::size_t kMinimumFrame = 60;  // without the frame check sequence
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIgmp = 2;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kHopByHop = 0;
// Nobody's: queries stay within the host.
constexpr MacAddress kQuerierMac{0x02, 0x68, 0x6e, 0xff, 0xff, 0xfe};
constexpr std::uint8_t kIcmpv6 = 58;

void put8(Frame& frame, unsigned value) { frame.push_back(static_cast<std::uint8_t>(value)); }
void put16(Frame& frame, unsigned value) {
  put8(frame, value >> 8 & 0xff);
  put8(frame, value & 0xff);
}
void put(Frame& frame, std::span<const std::uint8_t> bytes) {
  frame.insert(frame.end(), bytes.begin(), bytes.end());
}

void put_ethernet(Frame& frame, const MacAddress& to, const MacAddress& from, std::uint16_t type) {
  frame.reserve(128);
  put(frame, to);
  put(frame, from);
  put16(frame, type);
}

void pad(Frame& frame) {
  if (frame.size() < kMinimumFrame) frame.resize(kMinimumFrame, 0);
}

// RFC 1071.
std::uint32_t sum16(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8) + (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  return sum;
}
std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum & 0xffff);
}
void store16(Frame& frame, std::size_t at, std::uint16_t value) {
  frame[at] = static_cast<std::uint8_t>(value >> 8);
  frame[at + 1] = static_cast<std::uint8_t>(value & 0xff);
}

// Precedence of network control (RFC 791); hanet's frames are no fragments. `length`: behind it.
void put_ipv4(Frame& frame, Ipv4Bytes source, Ipv4Bytes target, std::uint8_t protocol,
              std::size_t length) {
  const std::size_t at = frame.size();
  put(frame, std::array<std::uint8_t, 2>{0x45, 0xc0});
  put16(frame, static_cast<unsigned>(20 + length));
  put(frame, std::array<std::uint8_t, 8>{0, 0, 0x40, 0, 64, protocol, 0, 0});
  put(frame, source);
  put(frame, target);
  store16(frame, at + 10, fold(sum16(std::span(frame).subspan(at, 20))));
}

// What neighbour discovery requires (RFC 4861 section 7.1), and what does not harm an echo.
constexpr std::uint8_t kNeighbourHops = 255;

void put_ipv6(Frame& frame, const Ipv6Bytes& source, const Ipv6Bytes& target, std::size_t length,
              std::uint8_t protocol = kIcmpv6, std::uint8_t hops = kNeighbourHops) {
  put(frame, std::array<std::uint8_t, 4>{0x60, 0, 0, 0});
  put16(frame, static_cast<unsigned>(length));
  put8(frame, protocol);
  put8(frame, hops);
  put(frame, source);
  put(frame, target);
}

constexpr std::size_t kUdpHeader = 8;

void put_udp(Frame& frame, std::uint16_t port, std::span<const std::uint8_t> payload) {
  put16(frame, port);
  put16(frame, port);
  put16(frame, static_cast<unsigned>(kUdpHeader + payload.size()));
  put16(frame, 0);
  put(frame, payload);
}

// RFC 4443 section 2.3: the checksum of ICMPv6 covers the addresses. `at` is where ICMPv6 begins.
void finish_icmpv6(Frame& frame, std::size_t at) {
  const std::size_t length = frame.size() - at;
  std::uint32_t sum = sum16(std::span(frame).subspan(at - 32, 32));
  sum += static_cast<std::uint32_t>(length) + kIcmpv6;
  store16(frame, at + 2, fold(sum16(std::span(frame).subspan(at), sum)));
}

Ipv6Bytes solicited_node(const Ipv6Bytes& address) {
  Ipv6Bytes group{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};
  std::copy(address.begin() + 13, address.end(), group.begin() + 13);
  return group;
}

constexpr std::size_t kIcmpv6At = 14 + 40;

}  // namespace

std::string address_text(int family, std::span<const std::uint8_t> bytes) {
  char text[INET6_ADDRSTRLEN] = "?";
  std::array<std::uint8_t, 16> whole{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), whole.size()), whole.begin());
  ::inet_ntop(family, whole.data(), text, sizeof(text));
  return text;
}

std::string to_text(const MacAddress& mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3],
                     mac[4], mac[5]);
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  MacAddress mac{};
  if (text.size() != 3 * mac.size() - 1) return std::nullopt;
  for (std::size_t at = 0; at < mac.size(); ++at) {
    const char* begin = text.data() + 3 * at;
    const auto [end, failed] = std::from_chars(begin, begin + 2, mac[at], 16);
    if (failed != std::errc() || end != begin + 2) return std::nullopt;
    if (at + 1 < mac.size() && *end != ':') return std::nullopt;
  }
  if ((mac[0] & 1) != 0 || mac == MacAddress{}) return std::nullopt;
  return mac;
}

MacAddress random_local_mac() {
  MacAddress mac{};
  [[maybe_unused]] const ssize_t got = ::getrandom(mac.data(), mac.size(), 0);
  mac[0] = static_cast<std::uint8_t>((mac[0] & 0xfc) | 0x02);
  return mac;
}

Ipv6Bytes link_local_of(const MacAddress& mac) {
  return {
      0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<std::uint8_t>(mac[0] ^ 2),
      mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
}

Frame arp_request(const MacAddress& to, const MacAddress& from, Ipv4Bytes source,
                  Ipv4Bytes target) {
  Frame frame;
  put_ethernet(frame, to, from, kEtherTypeArp);
  put16(frame, 1);
  put16(frame, kEtherTypeIpv4);
  put8(frame, 6);
  put8(frame, 4);
  put16(frame, 1);
  put(frame, from);
  put(frame, source);
  put(frame, MacAddress{});
  put(frame, target);
  pad(frame);
  return frame;
}

Frame gratuitous_arp(const MacAddress& owner, Ipv4Bytes address) {
  return arp_request(kBroadcast, owner, address, address);
}

Frame reverse_arp(const MacAddress& owner) {
  Frame frame;
  put_ethernet(frame, kBroadcast, owner, kEtherTypeReverseArp);
  put(frame, std::array<std::uint8_t, 8>{0, 1, 8, 0, 6, 4, 0, 3});
  put(frame, owner);
  put(frame, Ipv4Bytes{});
  put(frame, owner);
  put(frame, Ipv4Bytes{});
  pad(frame);
  return frame;
}

// With the router alert option; version 3, and no time to answer (net/ipv4/igmp.c,
// igmp_heard_query: version 2 with none would be taken for version 1, and remembered).
Frame igmp_query() {
  constexpr std::size_t kIpAt = 14, kHeader = 24, kIgmpAt = kIpAt + kHeader;
  constexpr MacAddress kAllHostsMac{0x01, 0x00, 0x5e, 0, 0, 1};
  Frame frame;
  put_ethernet(frame, kAllHostsMac, kQuerierMac, kEtherTypeIpv4);
  put(frame,
      std::array<std::uint8_t, 12>{0x46, 0xc0, 0, kHeader + 12, 0, 0, 0x40, 0, 1, kIgmp, 0, 0});
  put(frame, std::array<std::uint8_t, 12>{0, 0, 0, 0, 224, 0, 0, 1, 0x94, 4, 0, 0});
  put(frame, std::array<std::uint8_t, 12>{0x11, 0, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0});
  store16(frame, kIpAt + 10, fold(sum16(std::span(frame).subspan(kIpAt, kHeader))));
  store16(frame, kIgmpAt + 2, fold(sum16(std::span(frame).subspan(kIgmpAt, 12))));
  pad(frame);
  return frame;
}

// With the router alert option, from a link-local address, as RFC 3810 section 5.1.14 demands it;
// from the last one, so that no multicast router on this host takes the sender for the better
// querier.
Frame mld_query() {
  constexpr MacAddress kAllNodesMac{0x33, 0x33, 0, 0, 0, 1};
  constexpr Ipv6Bytes kAllNodes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr Ipv6Bytes kLastLinkLocal{0xfe, 0x80, 0,    0,    0,    0,    0,    0,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
  constexpr std::size_t kOptions = 8, kMld = 28;
  Frame frame;
  put_ethernet(frame, kAllNodesMac, kQuerierMac, kEtherTypeIpv6);
  put_ipv6(frame, kLastLinkLocal, kAllNodes, kOptions + kMld, kHopByHop, 1);
  put(frame, std::array<std::uint8_t, kOptions>{kIcmpv6, 0, 5, 2, 0, 0, 1, 0});
  const std::size_t at = frame.size();
  put(frame, std::array<std::uint8_t, 4>{130, 0, 0, 0});
  put(frame, std::array<std::uint8_t, 4>{0, 0, 0, 0});
  put(frame, Ipv6Bytes{});
  put(frame, std::array<std::uint8_t, 4>{2, 125, 0, 0});
  // The checksum leaves the option out (RFC 8200 section 8.1).
  const std::size_t addresses = at - kOptions - 32;
  std::uint32_t sum = sum16(std::span(frame).subspan(addresses, 32));
  sum += kMld + kIcmpv6;
  store16(frame, at + 2, fold(sum16(std::span(frame).subspan(at), sum)));
  return frame;
}

Frame as_reply(Frame announcement) {
  constexpr std::size_t kTag = 4, kTypeAt = 12, kOperationAt = 20, kSenderAt = 22, kTargetAt = 32;
  const auto is_arp = [&](std::size_t tag) {
    return announcement[kTypeAt + tag] == kEtherTypeArp >> 8 &&
           announcement[kTypeAt + tag + 1] == (kEtherTypeArp & 0xff);
  };
  const std::size_t tag = is_arp(0) ? 0 : kTag;
  if (!is_arp(tag)) return announcement;
  announcement[kOperationAt + tag + 1] = 2;
  const auto at = [&](std::size_t offset) {
    return announcement.begin() + static_cast<std::ptrdiff_t>(offset + tag);
  };
  std::copy_n(at(kSenderAt), sizeof(MacAddress), at(kTargetAt));
  return announcement;
}

Frame neighbour_solicitation(const MacAddress& to, const MacAddress& from, const Ipv6Bytes& source,
                             const Ipv6Bytes& target) {
  Frame frame;
  const bool search = to == MacAddress{};
  put_ethernet(frame, search ? solicited_node_mac(target) : to, from, kEtherTypeIpv6);
  put_ipv6(frame, source, search ? solicited_node(target) : target, 32);
  put(frame, std::array<std::uint8_t, 8>{135, 0, 0, 0, 0, 0, 0, 0});
  put(frame, target);
  put(frame, std::array<std::uint8_t, 2>{1, 1});
  put(frame, from);
  finish_icmpv6(frame, kIcmpv6At);
  return frame;
}

Frame unsolicited_advertisement(const MacAddress& owner, const Ipv6Bytes& address, bool router) {
  constexpr Ipv6Bytes kAllNodes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr MacAddress kAllNodesMac{0x33, 0x33, 0, 0, 0, 1};
  Frame frame;
  put_ethernet(frame, kAllNodesMac, owner, kEtherTypeIpv6);
  put_ipv6(frame, address, kAllNodes, 32);
  const std::uint8_t flags = router ? 0xa0 : 0x20;  // R and O; S stays clear, nobody asked
  put(frame, std::array<std::uint8_t, 8>{136, 0, 0, 0, flags, 0, 0, 0});
  put(frame, address);
  put(frame, std::array<std::uint8_t, 2>{2, 1});
  put(frame, owner);
  finish_icmpv6(frame, kIcmpv6At);
  return frame;
}

Frame echo_request(const MacAddress& to, const MacAddress& from, Ipv4Bytes source, Ipv4Bytes target,
                   std::uint16_t id, std::span<const std::uint8_t> payload) {
  constexpr std::size_t kIcmpAt = 14 + 20;
  Frame frame;
  put_ethernet(frame, to, from, kEtherTypeIpv4);
  put_ipv4(frame, source, target, kIcmp, 8 + payload.size());
  put(frame, std::array<std::uint8_t, 4>{8, 0, 0, 0});
  put16(frame, id);
  put16(frame, 0);
  put(frame, payload);
  store16(frame, kIcmpAt + 2, fold(sum16(std::span(frame).subspan(kIcmpAt))));
  pad(frame);
  return frame;
}

Frame echo_request(const MacAddress& to, const MacAddress& from, const Ipv6Bytes& source,
                   const Ipv6Bytes& target, std::uint16_t id,
                   std::span<const std::uint8_t> payload) {
  Frame frame;
  put_ethernet(frame, to, from, kEtherTypeIpv6);
  put_ipv6(frame, source, target, 8 + payload.size());
  put(frame, std::array<std::uint8_t, 4>{128, 0, 0, 0});
  put16(frame, id);
  put16(frame, 0);
  put(frame, payload);
  finish_icmpv6(frame, kIcmpv6At);
  return frame;
}

Frame datagram(const MacAddress& to, const MacAddress& from, Ipv4Bytes source, Ipv4Bytes target,
               std::uint16_t port, std::span<const std::uint8_t> payload) {
  Frame frame;
  put_ethernet(frame, to, from, kEtherTypeIpv4);
  put_ipv4(frame, source, target, kUdp, kUdpHeader + payload.size());
  put_udp(frame, port, payload);
  return frame;
}

Frame datagram(const MacAddress& to, const MacAddress& from, const Ipv6Bytes& source,
               const Ipv6Bytes& target, std::uint16_t port, std::span<const std::uint8_t> payload) {
  Frame frame;
  put_ethernet(frame, to, from, kEtherTypeIpv6);
  put_ipv6(frame, source, target, kUdpHeader + payload.size(), kUdp, 64);
  put_udp(frame, port, payload);
  return frame;
}

Frame tagged(Frame frame, std::uint32_t tag) {
  constexpr std::ptrdiff_t kBehindAddresses = 12;
  const std::array<std::uint8_t, 4> bytes{
      static_cast<std::uint8_t>(tag >> 24), static_cast<std::uint8_t>(tag >> 16),
      static_cast<std::uint8_t>(tag >> 8), static_cast<std::uint8_t>(tag)};
  frame.insert(frame.begin() + kBehindAddresses, bytes.begin(), bytes.end());
  return frame;
}

void set_destination(Frame& frame, const MacAddress& to) {
  std::copy(to.begin(), to.end(), frame.begin());
}

MacAddress solicited_node_mac(const Ipv6Bytes& address) {
  return {0x33, 0x33, 0xff, address[13], address[14], address[15]};
}

}  // namespace hanet::net
