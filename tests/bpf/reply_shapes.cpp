// SPDX-License-Identifier: Apache-2.0
//
// Replies of every shape: tags, fragments, options, extension headers, other protocols.
//
// Headers are inserted into a valid reply where a router or a host would put them, so that all the
// rest of the frame stays right.
#include "reply_cases.h"

namespace hanet::bpf_test {
namespace {

using Frame = net::Frame;
using Bytes = std::vector<std::uint8_t>;
using Change = std::function<void(Frame&)>;

constexpr std::size_t kTypeAt = 12;
constexpr std::size_t kIpv6NextAt = 20;
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kIcmpv6 = 58;
constexpr std::uint8_t kDestination = 60;

void insert(Frame& frame, std::size_t at, const Bytes& bytes) {
  frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin(), bytes.end());
}

Change tagged(const std::vector<unsigned>& types) {
  return [types](Frame& frame) {
    for (const unsigned type : types) {
      insert(frame, kTypeAt, {0, 0, 0, 7});
      put16(frame, kTypeAt, type);
    }
  };
}

Change ether_type(unsigned type) {
  return [type](Frame& frame) { put16(frame, kTypeAt, type); };
}

Change byte(std::size_t at, unsigned value) {
  return [at, value](Frame& frame) { frame.at(at) = static_cast<std::uint8_t>(value); };
}

Change fragment_field(unsigned value) {
  return [value](Frame& frame) { put16(frame, 20, value); };
}

/// IPv4 options of `words` words that are really there.
Change options(std::size_t words) {
  return [words](Frame& frame) {
    insert(frame, kIcmpAt, Bytes(words * 4, 1));  // no-operation, RFC 791
    frame[14] = static_cast<std::uint8_t>(0x45 + words);
    put16(frame, 16, static_cast<unsigned>(frame.size() - kEthernetBytes));
  };
}

struct Extension {
  std::uint8_t type;
  std::size_t units = 0;  // of 8 bytes, beyond the first
};

/// Extension headers between the IPv6 header and ICMPv6, in this order.
Change extensions(const std::vector<Extension>& chain) {
  return [chain](Frame& frame) {
    std::size_t at = kIcmpv6At;
    std::size_t next_at = kIpv6NextAt;
    for (const Extension& one : chain) {
      Bytes header(8 + one.units * 8, 0);
      header[1] = static_cast<std::uint8_t>(one.type == kFragment ? 0 : one.units);
      insert(frame, at, header);
      frame[next_at] = one.type;
      next_at = at;
      at += header.size();
    }
    frame[next_at] = kIcmpv6;
    put16(frame, 18, static_cast<unsigned>(frame.size() - kIcmpv6At));
  };
}

void nothing(Frame&) {}

std::vector<ReplyCase> ipv4_cases() {
  const Beat v4 = Beat::EchoIpv4;
  return {
      {"Ipv4DontFragment", v4, kCounts, fragment_field(0x4000)},
      {"Ipv4FirstFragment", v4, HANET_REJECT_FRAGMENT, fragment_field(0x2000)},
      {"Ipv4MiddleFragment", v4, HANET_REJECT_FRAGMENT, fragment_field(0x2001)},
      {"Ipv4LastFragment", v4, HANET_REJECT_FRAGMENT, fragment_field(0x0001)},
      {"Ipv4LargestOffset", v4, HANET_REJECT_FRAGMENT, fragment_field(0x1fff)},
      {"Ipv4OneOptionWord", v4, kCounts, options(1)},
      {"Ipv4FiveOptionWords", v4, kCounts, options(5)},
      {"Ipv4TenOptionWords", v4, kCounts, options(10)},
      {"Ipv4OptionsThatAreNotThere", v4, HANET_REJECT_TRUNCATED, byte(14, 0x46)},
      {"Ipv4HeaderOfFourWords", v4, HANET_REJECT_TRUNCATED, byte(14, 0x44)},
      {"Ipv4HeaderOfNoWords", v4, HANET_REJECT_TRUNCATED, byte(14, 0x40)},
      {"Ipv4Udp", v4, HANET_REJECT_NOT_A_REPLY, byte(23, 17)},
      {"Ipv4Tcp", v4, HANET_REJECT_NOT_A_REPLY, byte(23, 6)},
      {"Ipv4Icmpv6", v4, HANET_REJECT_NOT_A_REPLY, byte(23, 58)},
      {"Ipv4EchoRequest", v4, HANET_REJECT_NOT_A_REPLY, byte(kIcmpAt, 8)},
      {"Ipv4Unreachable", v4, HANET_REJECT_NOT_A_REPLY, byte(kIcmpAt, 3)},
      {"Ipv4TimeExceeded", v4, HANET_REJECT_NOT_A_REPLY, byte(kIcmpAt, 11)},
      {"Ipv4LongerThanExpected", v4, kCounts, [](Frame& f) { f.resize(f.size() + 100); }},
  };
}

std::vector<ReplyCase> ipv6_cases() {
  const Beat v6 = Beat::EchoIpv6;
  const Beat na = Beat::Solicitation;
  const Extension fragment{.type = kFragment};
  const Extension hop{.type = kHopByHop};
  const Extension destination{.type = kDestination};
  return {
      {"Ipv6HopByHop", v6, kCounts, extensions({hop})},
      {"Ipv6Destination", v6, kCounts, extensions({destination})},
      {"Ipv6Routing", v6, kCounts, extensions({{.type = kRouting}})},
      {"Ipv6LongOption", v6, kCounts, extensions({{.type = kDestination, .units = 20}})},
      {"Ipv6ChainOfTwo", v6, kCounts, extensions({hop, destination})},
      {"Ipv6ChainOfFour", v6, kCounts,
       extensions({hop, destination, {.type = kRouting}, destination})},
      {"Ipv6ChainOfFive", v6, HANET_REJECT_NOT_A_REPLY,
       extensions({hop, destination, {.type = kRouting}, destination, destination})},
      {"Ipv6Fragment", v6, HANET_REJECT_FRAGMENT, extensions({fragment})},
      {"Ipv6FragmentBehindOptions", v6, HANET_REJECT_FRAGMENT, extensions({hop, fragment})},
      {"Ipv6OptionBeyondTheEnd", v6, HANET_REJECT_TRUNCATED,
       [](Frame& f) {
         extensions({{.type = kHopByHop}})(f);
         f[kIcmpv6At + 1] = 255;
       }},
      {"Ipv6NoNextHeader", v6, HANET_REJECT_NOT_A_REPLY, byte(kIpv6NextAt, 59)},
      {"Ipv6Esp", v6, HANET_REJECT_NOT_A_REPLY, byte(kIpv6NextAt, 50)},
      {"Ipv6Udp", v6, HANET_REJECT_NOT_A_REPLY, byte(kIpv6NextAt, 17)},
      {"Ipv6EchoRequest", v6, HANET_REJECT_NOT_A_REPLY, byte(kIcmpv6At, 128)},
      {"Ipv6Unreachable", v6, HANET_REJECT_NOT_A_REPLY, byte(kIcmpv6At, 1)},
      {"Ipv6Solicitation", v6, HANET_REJECT_NOT_A_REPLY, byte(kIcmpv6At, 135)},
      {"Ipv6ListenerReport", v6, HANET_REJECT_NOT_A_REPLY, byte(kIcmpv6At, 143)},
      {"AdvertisementBehindOptions", na, kCounts, extensions({hop})},
      {"AdvertisementInFragments", na, HANET_REJECT_FRAGMENT, extensions({fragment})},
  };
}

std::vector<ReplyCase> link_cases() {
  std::vector<ReplyCase> cases;
  for (const Beat beat : {Beat::EchoIpv4, Beat::EchoIpv6, Beat::Arp, Beat::Solicitation}) {
    const std::string name = to_text(beat);
    cases.push_back({name + "Vlan", beat, HANET_REJECT_TAGGED, tagged({0x8100})});
    cases.push_back({name + "ServiceVlan", beat, HANET_REJECT_TAGGED, tagged({0x88a8})});
    cases.push_back({name + "OtherType", beat, HANET_REJECT_NOT_A_REPLY, ether_type(0x88cc)});
  }
  cases.insert(cases.end(),
               {{"DoubleVlan", Beat::EchoIpv4, HANET_REJECT_TAGGED, tagged({0x8100, 0x88a8})},
                {"LengthField", Beat::EchoIpv4, HANET_REJECT_NOT_A_REPLY, ether_type(0x0026)},
                {"Mpls", Beat::EchoIpv4, HANET_REJECT_NOT_A_REPLY, ether_type(0x8847)},
                {"Ipv6InIpv4Type", Beat::EchoIpv6, HANET_REJECT_NOT_A_REPLY, ether_type(0x0806)},
                {"ArpAsIpv4", Beat::Arp, HANET_REJECT_TRUNCATED, ether_type(0x0800)}});
  return cases;
}

}  // namespace

std::vector<ReplyCase> valid_cases() {
  return {{"ValidEchoIpv4", Beat::EchoIpv4, kCounts, nothing},
          {"ValidEchoIpv6", Beat::EchoIpv6, kCounts, nothing},
          {"ValidArp", Beat::Arp, kCounts, nothing},
          {"ValidAdvertisement", Beat::Solicitation, kCounts, nothing}};
}

std::vector<ReplyCase> shape_cases() {
  std::vector<ReplyCase> cases = link_cases();
  for (const auto& more : {ipv4_cases(), ipv6_cases()})
    cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

}  // namespace hanet::bpf_test
