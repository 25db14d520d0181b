// SPDX-License-Identifier: Apache-2.0
//
// See fdb.h. Layout: net/bridge/br_fdb.c, fdb_fill_info.
#include "net/fdb.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace hanet::net {
namespace {

constexpr std::size_t kMost = 4096;

struct Entry {
  KnownMac known;
  unsigned on = 0;  // port of the bridge, or the bridge
  unsigned bridge = 0;
};

Entry entry_in(const nlmsghdr& message) {
  Entry entry;
  ndmsg header{};
  std::memcpy(&header, NLMSG_DATA(&message), sizeof(header));
  entry.on = static_cast<unsigned>(header.ndm_ifindex);
  entry.bridge = entry.on;
  for_each_attribute(attributes_of(message, sizeof(ndmsg)),
                     [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                       if (type == NDA_LLADDR && value.size() == entry.known.mac.size())
                         std::ranges::copy(value, entry.known.mac.begin());
                       if (type == NDA_MASTER && value.size() == sizeof(entry.bridge))
                         std::memcpy(&entry.bridge, value.data(), sizeof(entry.bridge));
                       std::uint16_t vlan = 0;
                       if (type == NDA_VLAN && value.size() == sizeof(vlan)) {
                         std::memcpy(&vlan, value.data(), sizeof(vlan));
                         entry.known.vlan = vlan;
                       }
                     });
  return entry;
}

// Of the card itself and no bridge (net/core/rtnetlink.c, ndo_dflt_fdb_add).
NetlinkMessage own_entry(std::uint16_t type, std::uint16_t flags, unsigned ifindex,
                         const MacAddress& mac) {
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(ifindex);
  header.ndm_state = NUD_PERMANENT;
  header.ndm_flags = NTF_SELF;
  return MessageBuilder(type, flags).header(header).attribute(NDA_LLADDR, mac).take();
}

}  // namespace

Result<std::vector<KnownMac>> known_beside(NetlinkSocket& socket, unsigned bridge, unsigned port) {
  std::vector<KnownMac> all;
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  const Status dumped =
      socket.dump(MessageBuilder(RTM_GETNEIGH, 0).header(header).take(), [&](const nlmsghdr& one) {
        const Entry entry = entry_in(one);
        const bool is_unicast = (entry.known.mac[0] & 1) == 0 && entry.known.mac != MacAddress{};
        if (entry.bridge == bridge && entry.on != port && is_unicast && all.size() < kMost)
          all.push_back(entry.known);
      });
  if (!dumped) return std::unexpected(dumped.error());
  return all;
}

NetlinkMessage receive_also(unsigned ifindex, const MacAddress& mac) {
  return own_entry(RTM_NEWNEIGH, NLM_F_CREATE, ifindex, mac);
}

NetlinkMessage receive_no_more(unsigned ifindex, const MacAddress& mac) {
  return own_entry(RTM_DELNEIGH, 0, ifindex, mac);
}

}  // namespace hanet::net
