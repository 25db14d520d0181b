// SPDX-License-Identifier: Apache-2.0
//
// See encode.h.
#include "net/encode.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

namespace hanet::net {
namespace {

constexpr std::uint16_t kIfaProto = 11;  // IFA_PROTO, Linux 5.18

NetlinkMessage object_message(std::uint16_t type, std::uint16_t flags, const KernelObject& object) {
  MessageBuilder message(type, static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                         object.header.size() + object.attributes.bytes().size());
  message.header_bytes(object.header).header_bytes(object.attributes.bytes());
  return message.take();
}

MessageBuilder address_message(std::uint16_t type, std::uint16_t flags, const Address& address,
                               unsigned ifindex) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(address.family);
  header.ifa_prefixlen = address.prefix_length;
  header.ifa_scope = address.scope;
  header.ifa_index = ifindex;
  MessageBuilder message(type, static_cast<std::uint16_t>(NLM_F_REQUEST | flags));
  message.header(header).attribute(IFA_LOCAL, address.local).attribute(IFA_ADDRESS, address.peer);
  return message;
}

}  // namespace

NetlinkMessage add_address(const Address& address, unsigned ifindex) {
  MessageBuilder message =
      address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address, ifindex);
  if (!address.broadcast.empty()) message.attribute(IFA_BROADCAST, address.broadcast);
  if (!address.label.empty()) message.attribute_text(IFA_LABEL, address.label);
  const std::uint32_t no_wait = address.family == AF_INET6 ? IFA_F_NODAD : 0U;
  message.attribute_u32(IFA_FLAGS, address.flags | no_wait);
  ifa_cacheinfo life{};
  life.ifa_prefered = address.preferred_seconds;
  life.ifa_valid = address.valid_seconds;
  message.attribute(IFA_CACHEINFO,
                    std::span(reinterpret_cast<const std::uint8_t*>(&life), sizeof(life)));
  if (address.priority) message.attribute_u32(IFA_RT_PRIORITY, *address.priority);
  if (address.protocol != 0) message.attribute_u8(kIfaProto, address.protocol);
  return message.take();
}

NetlinkMessage remove_address(const Address& address, unsigned ifindex) {
  return address_message(RTM_DELADDR, 0, address, ifindex).take();
}

NetlinkMessage remove_prefix_route(const Address& address, unsigned ifindex) {
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_dst_len = address.prefix_length;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_KERNEL;
  header.rtm_type = RTN_UNICAST;
  std::vector<std::uint8_t> prefix = address.peer;
  for (std::size_t bit = address.prefix_length; bit < 8 * prefix.size(); ++bit)
    prefix[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
  return MessageBuilder(RTM_DELROUTE, NLM_F_REQUEST)
      .header(header)
      .attribute(RTA_DST, prefix)
      .attribute_u32(RTA_OIF, ifindex)
      .take();
}

NetlinkMessage add_route(const KernelObject& route) {
  // IPv4 keeps equal routes side by side only when told to append; for IPv6 the flag would merge
  // them into one multipath route.
  const bool ipv4 = route.header.front() == AF_INET;
  return object_message(
      RTM_NEWROUTE, static_cast<std::uint16_t>(NLM_F_CREATE | (ipv4 ? NLM_F_APPEND : 0)), route);
}

NetlinkMessage remove_route(const KernelObject& route) {
  return object_message(RTM_DELROUTE, 0, route);
}

namespace {

NetlinkMessage local_delivery(std::uint16_t type, std::uint16_t flags, const Address& address,
                              unsigned ifindex) {
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_dst_len = 128;
  header.rtm_table = RT_TABLE_LOCAL;
  header.rtm_protocol = kRouteProtocol;
  header.rtm_type = RTN_LOCAL;
  return MessageBuilder(type, static_cast<std::uint16_t>(NLM_F_REQUEST | flags))
      .header(header)
      .attribute(RTA_DST, address.local)
      .attribute_u32(RTA_OIF, ifindex)
      .take();
}

}  // namespace

NetlinkMessage add_local_delivery(const Address& address, unsigned ifindex) {
  return local_delivery(RTM_NEWROUTE, NLM_F_CREATE, address, ifindex);
}

NetlinkMessage remove_local_delivery(const Address& address, unsigned ifindex) {
  return local_delivery(RTM_DELROUTE, 0, address, ifindex);
}

NetlinkMessage give_nexthop(const KernelObject& nexthop) {
  return object_message(RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE, nexthop);
}

NetlinkMessage add_rule(const KernelObject& rule) {
  return object_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

NetlinkMessage remove_rule(const KernelObject& rule) {
  return object_message(RTM_DELRULE, 0, rule);
}

NetlinkMessage add_neighbour(const KernelObject& neighbour) {
  return object_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, neighbour);
}

NetlinkMessage remove_neighbour(const KernelObject& neighbour) {
  return object_message(RTM_DELNEIGH, 0, neighbour);
}

bool must_be_removed(const KernelObject& route, bool has_ipv4_addresses) {
  if (route.attributes.contains(RTA_NH_ID)) return false;  // it follows its nexthop object
  const bool ipv4 = route.header.front() == AF_INET;
  return !ipv4 || !has_ipv4_addresses || route.attributes.contains(RTA_MULTIPATH);
}

}  // namespace hanet::net
