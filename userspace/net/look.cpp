// SPDX-License-Identifier: Apache-2.0
//
// See look.h.
#include "net/look.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "net/bytes.h"
#include "net/decode.h"
#include "net/encode.h"
#include "net/route.h"

namespace hanet::net {
namespace {

template <typename Each>
Status each_address(NetlinkSocket& socket, int family, const Each& each) {
  ifaddrmsg filter{};
  filter.ifa_family = static_cast<std::uint8_t>(family);
  return socket.dump(dump_request(RTM_GETADDR, filter), [&](const nlmsghdr& message) {
    const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
    if (family == AF_UNSPEC || header->ifa_family == family) each(*header, message);
  });
}

}  // namespace

Result<std::vector<unsigned>> interfaces_with(NetlinkSocket& socket, int family,
                                              const std::vector<std::uint8_t>& local) {
  std::vector<unsigned> holders;
  Status done = each_address(socket, family, [&](const ifaddrmsg& header, const nlmsghdr& message) {
    if (address_of(message).local == local) holders.push_back(header.ifa_index);
  });
  if (!done) return pass_on(done);
  return holders;
}

Result<std::vector<Address>> duplicates_on(NetlinkSocket& socket, const Place& place) {
  std::vector<Address> duplicates;
  Status done =
      each_address(socket, AF_INET6, [&](const ifaddrmsg& header, const nlmsghdr& message) {
        if (place.has(header.ifa_index) && is_duplicate(message))
          duplicates.push_back(address_of(message));
      });
  if (!done) return pass_on(done);
  return duplicates;
}

void remove_helper_routes(NetlinkSocket& socket, const Place& place) {
  std::vector<NetlinkMessage> batch;
  rtmsg filter{};
  filter.rtm_family = AF_INET6;
  filter.rtm_table = RT_TABLE_LOCAL;
  filter.rtm_protocol = kRouteProtocol;
  [[maybe_unused]] const Status ignored =
      socket.dump(dump_request(RTM_GETROUTE, filter), [&](const nlmsghdr& message) {
        const KernelObject route = object_of<rtmsg>(message);
        const auto header = read_as<rtmsg>(route.header);
        const auto oif = route.attributes.find(RTA_OIF);
        if (header.rtm_protocol == kRouteProtocol && header.rtm_type == RTN_LOCAL && oif &&
            place.has(read_as<std::uint32_t>(*oif)))
          batch.push_back(remove_route(route));
      });
  if (!batch.empty()) send_best_effort(socket, place.port.name, batch);
}

bool made_by_kernel(const Address& address) {
  return address.family == AF_INET6 &&
         (address.scope == RT_SCOPE_LINK || address.protocol == IFAPROT_KERNEL_RA);
}

Result<std::vector<Address>> addresses_on(NetlinkSocket& socket, const InterfaceName& interface) {
  std::vector<Address> found;
  Status done =
      each_address(socket, AF_UNSPEC, [&](const ifaddrmsg& header, const nlmsghdr& message) {
        if (header.ifa_index == interface.index) found.push_back(address_of(message));
      });
  if (!done) return pass_on(done);
  return found;
}

Result<Configured> configured_on(NetlinkSocket& socket, const InterfaceName& interface) {
  Configured found;
  Result<std::vector<Address>> addresses = addresses_on(socket, interface);
  if (!addresses) return pass_on(addresses);
  found.addresses = std::move(*addresses);
  std::erase_if(found.addresses, made_by_kernel);
  for (const int family : {AF_INET, AF_INET6}) {
    rtmsg filter{};
    filter.rtm_family = static_cast<std::uint8_t>(family);
    NetlinkMessage request = MessageBuilder(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP)
                                 .header(filter)
                                 .attribute_u32(RTA_OIF, interface.index)
                                 .take();
    Status done = socket.dump(std::move(request), [&](const nlmsghdr& message) {
      KernelObject route = object_of<rtmsg>(message);
      const auto header = read_as<rtmsg>(route.header);
      const bool is_own =
          header.rtm_protocol == RTPROT_KERNEL || header.rtm_protocol == RTPROT_RA ||
          header.rtm_protocol == RTPROT_REDIRECT || header.rtm_protocol == kRouteProtocol;
      if (is_own || !leaves_by(route, interface.index)) return;
      keep_configured_part(route);
      found.routes.push_back(std::move(route));
    });
    if (!done) return pass_on(done);
  }
  return found;
}

}  // namespace hanet::net
