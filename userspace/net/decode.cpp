// SPDX-License-Identifier: Apache-2.0
//
// See decode.h.
#include "net/decode.h"

#include <linux/if_addr.h>

#include <algorithm>

#include "net/bytes.h"

namespace hanet::net {
namespace {

// Computed by the kernel, not set by anybody.
constexpr std::uint32_t kComputedFlags = IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_SECONDARY |
                                         IFA_F_DEPRECATED | IFA_F_OPTIMISTIC | IFA_F_NODAD |
                                         IFA_F_TEMPORARY | IFA_F_STABLE_PRIVACY;
constexpr std::uint16_t kIfaProto = 11;  // IFA_PROTO, Linux 5.18

void read_address_attribute(Address& address, std::uint16_t type,
                            std::span<const std::uint8_t> value) {
  switch (type) {
    case IFA_ADDRESS:
      return address.peer.assign(value.begin(), value.end());
    case IFA_LOCAL:
      return address.local.assign(value.begin(), value.end());
    case IFA_BROADCAST:
      return address.broadcast.assign(value.begin(), value.end());
    case IFA_LABEL:
      return void(address.label.assign(value.begin(), value.end() - (value.empty() ? 0 : 1)));
    case IFA_FLAGS:
      address.flags = read_as<std::uint32_t>(value) & ~kComputedFlags;
      break;
    case IFA_CACHEINFO: {
      const auto life = read_as<ifa_cacheinfo>(value);
      address.preferred_seconds = life.ifa_prefered;
      address.valid_seconds = life.ifa_valid;
      break;
    }
    case IFA_RT_PRIORITY:
      address.priority = read_as<std::uint32_t>(value);
      break;
    case kIfaProto:
      address.protocol = read_as<std::uint8_t>(value);
      break;
    default:
      break;  // IFA_TARGET_NETNSID and what later kernels add
  }
}

}  // namespace

Address address_of(const nlmsghdr& message) {
  const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
  Address address;
  address.family = header->ifa_family;
  address.prefix_length = header->ifa_prefixlen;
  address.scope = header->ifa_scope;
  for_each_attribute(attributes_of(message, sizeof(ifaddrmsg)),
                     [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                       read_address_attribute(address, type, value);
                     });
  if (address.local.empty()) address.local = address.peer;
  return address;
}

bool is_duplicate(const nlmsghdr& message) {
  const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
  return header->ifa_family == AF_INET6 && (header->ifa_flags & IFA_F_DADFAILED) != 0;
}

}  // namespace hanet::net
