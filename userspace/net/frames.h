// SPDX-License-Identifier: Apache-2.0
//
// Every frame that hanet puts on a wire, built ahead.
//
// A heartbeat request is built once and sent again and again: the kernel side numbers it at egress.
// An announcement is built when the identity changes, so that a switchover only hands bytes to a
// socket. All functions are pure; the layouts are those of the RFCs named at each.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "net/types.h"

namespace hanet::net {

using Frame = std::vector<std::uint8_t>;
using Ipv4Bytes = std::array<std::uint8_t, 4>;
using Ipv6Bytes = std::array<std::uint8_t, 16>;

inline constexpr MacAddress kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/// ARP request (RFC 826), 60 bytes. A source of 0.0.0.0 makes it an ARP probe (RFC 5227), which
/// every host answers without remembering the asker. `to` is kBroadcast to search, or the target's
/// address.
[[nodiscard]] Frame arp_request(const MacAddress& to, const MacAddress& from, Ipv4Bytes source,
                                Ipv4Bytes target);

/// Gratuitous ARP: a broadcast request for the address itself (RFC 5944 section 4.6).
[[nodiscard]] Frame gratuitous_arp(const MacAddress& owner, Ipv4Bytes address);

/// RFC 903: shows switches where an address is, and tells nothing to anybody else.
[[nodiscard]] Frame reverse_arp(const MacAddress& owner);
/// General queries (RFC 3376 section 4.1, RFC 3810 section 5.1) as if from a router, to be answered
/// at once: whoever receives one reports its memberships. Never to be sent to a network: a switch
/// would take the sender for its querier.
[[nodiscard]] Frame igmp_query();
[[nodiscard]] Frame mld_query();
/// The same announcement as a reply (RFC 5227 section 3: both forms are in use), also of a tagged
/// one; what is no ARP request stays as it is.
[[nodiscard]] Frame as_reply(Frame announcement);

/// Neighbour solicitation (RFC 4861 section 4.3) with the source link-layer option. `to` empty
/// (all zero) sends it to the solicited-node multicast address.
[[nodiscard]] Frame neighbour_solicitation(const MacAddress& to, const MacAddress& from,
                                           const Ipv6Bytes& source, const Ipv6Bytes& target);

/// Unsolicited neighbour advertisement to all nodes, override set (RFC 4861 section 7.2.6).
[[nodiscard]] Frame unsolicited_advertisement(const MacAddress& owner, const Ipv6Bytes& address,
                                              bool router);

/// ICMP echo request with room for hanet_echo_payload, checksum valid for any sequence.
[[nodiscard]] Frame echo_request(const MacAddress& to, const MacAddress& from, Ipv4Bytes source,
                                 Ipv4Bytes target, std::uint16_t id,
                                 std::span<const std::uint8_t> payload);

/// ICMPv6 echo request, as above.
[[nodiscard]] Frame echo_request(const MacAddress& to, const MacAddress& from,
                                 const Ipv6Bytes& source, const Ipv6Bytes& target, std::uint16_t id,
                                 std::span<const std::uint8_t> payload);

/// UDP datagram (RFC 768) of one port to the same one, checksums not filled in but for that of
/// IPv4: the kernel side writes into the payload, and the checksum that goes with it.
[[nodiscard]] Frame datagram(const MacAddress& to, const MacAddress& from, Ipv4Bytes source,
                             Ipv4Bytes target, std::uint16_t port,
                             std::span<const std::uint8_t> payload);
[[nodiscard]] Frame datagram(const MacAddress& to, const MacAddress& from, const Ipv6Bytes& source,
                             const Ipv6Bytes& target, std::uint16_t port,
                             std::span<const std::uint8_t> payload);

/// The frame with a VLAN tag (IEEE 802.1Q clause 9: behind the addresses).
[[nodiscard]] Frame tagged(Frame frame, std::uint32_t tag);

/// Rewrites the Ethernet destination of a prepared frame.
void set_destination(Frame& frame, const MacAddress& to);

/// Multicast MAC address of an IPv6 address's solicited-node group (RFC 2464 section 7).
[[nodiscard]] MacAddress solicited_node_mac(const Ipv6Bytes& address);

}  // namespace hanet::net
