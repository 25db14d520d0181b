// SPDX-License-Identifier: Apache-2.0
//
// Messages of rtnetlink as values: the other direction of encode.h.
#pragma once

#include <libmnl/libmnl.h>

#include "net/identity.h"
#include "net/netlink.h"

namespace hanet::net {

template <typename Header>
[[nodiscard]] NetlinkMessage dump_request(std::uint16_t type, const Header& header) {
  return MessageBuilder(type, NLM_F_REQUEST | NLM_F_DUMP).header(header).take();
}

template <typename Header>
[[nodiscard]] KernelObject object_of(const nlmsghdr& message) {
  KernelObject object;
  const auto* header = static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload(&message));
  object.header.assign(header, header + sizeof(Header));
  const std::span<const std::uint8_t> attributes = attributes_of(message, sizeof(Header));
  object.attributes.reserve(attributes.size());
  for_each_attribute(attributes, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
    object.attributes.set(type, value);
  });
  return object;
}

/// RTM_NEWADDR or RTM_DELADDR, without what the kernel computes by itself.
[[nodiscard]] Address address_of(const nlmsghdr& message);
/// An address that another host has: the kernel has found it out and does not use it (RFC 4862
/// section 5.4.5). It is no part of an identity: on another interface it would come alive.
[[nodiscard]] bool is_duplicate(const nlmsghdr& message);

}  // namespace hanet::net
