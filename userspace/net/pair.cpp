// SPDX-License-Identifier: Apache-2.0
//
// See pair.h. Layouts: net/core/rtnetlink.c, drivers/net/veth.c, net/sched/sch_tbf.c.
#include "net/pair.h"

#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <algorithm>
#include <fstream>

#include "net/link.h"

namespace hanet::net {
namespace {

constexpr std::uint32_t kBytesPerSecond = 1'000'000;

ifinfomsg quiet_link() {
  ifinfomsg header{};
  header.ifi_flags = IFF_NOARP;
  header.ifi_change = IFF_NOARP;
  return header;
}

ifinfomsg link_with(unsigned ifindex) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifindex);
  return header;
}

MessageBuilder queue_of(unsigned ifindex, std::string_view kind) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = static_cast<int>(ifindex);
  header.tcm_parent = TC_H_ROOT;
  MessageBuilder message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
  message.header(header).attribute_text(TCA_KIND, kind);
  return message;
}

}  // namespace

NetlinkMessage make_pair_of_links(const Pair& pair, unsigned mtu) {
  MessageBuilder message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 512);
  message.header(quiet_link());
  message.attribute_text(IFLA_IFNAME, pair.near).attribute_u32(IFLA_MTU, mtu);
  message.begin(IFLA_LINKINFO).attribute_text(IFLA_INFO_KIND, "veth");
  message.begin(IFLA_INFO_DATA).begin(VETH_INFO_PEER).header(quiet_link());
  message.attribute_text(IFLA_IFNAME, pair.far).attribute_u32(IFLA_MTU, mtu);
  return message.end().end().end().take();
}

NetlinkMessage make_device(const Pair& pair, const DeviceSettings& settings) {
  MessageBuilder message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 512);
  message.header(ifinfomsg{});
  message.attribute_text(IFLA_IFNAME, pair.near).attribute_u32(IFLA_MTU, settings.mtu);
  message.attribute(IFLA_ADDRESS, settings.mac);
  message.begin(IFLA_LINKINFO).attribute_text(IFLA_INFO_KIND, "veth");
  message.begin(IFLA_INFO_DATA).begin(VETH_INFO_PEER).header(quiet_link());
  message.attribute_text(IFLA_IFNAME, pair.far).attribute_u32(IFLA_MTU, settings.mtu);
  return message.end().end().end().take();
}

std::string free_name(NetlinkSocket& socket, std::string_view stem) {
  int number = 0;
  while (index_of_name(socket, fmt::format("{}{}", stem, number)) != 0) ++number;
  return fmt::format("{}{}", stem, number);
}

NetlinkMessage set_link_text(unsigned ifindex, std::string_view text) {
  return MessageBuilder(RTM_NEWLINK, 0)
      .header(link_with(ifindex))
      .attribute_text(IFLA_IFALIAS, text)
      .take();
}

std::string link_text(NetlinkSocket& socket, unsigned ifindex) {
  std::string text;
  const Status read =
      socket.get(MessageBuilder(RTM_GETLINK, 0).header(link_with(ifindex)).take(),
                 [&](const nlmsghdr& message) {
                   for_each_attribute(attributes_of(message, sizeof(ifinfomsg)),
                                      [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                                        if (type == IFLA_IFALIAS)
                                          text.assign(value.begin(), std::ranges::find(value, 0));
                                      });
                 });
  return read ? text : std::string();
}

NetlinkMessage remove_link(unsigned ifindex) {
  return MessageBuilder(RTM_DELLINK, 0).header(link_with(ifindex)).take();
}

NetlinkMessage delay_by_fq(unsigned ifindex) { return queue_of(ifindex, "fq").take(); }

NetlinkMessage delay_by_tbf(unsigned ifindex, unsigned most) {
  tc_tbf_qopt options{};
  options.rate.rate = kBytesPerSecond;
  // Or else a table of the rates of all lengths is asked for (tbf_change).
  options.rate.linklayer = TC_LINKLAYER_ETHERNET;
  options.limit = 4 * most;
  MessageBuilder message = queue_of(ifindex, "tbf");
  message.begin(TCA_OPTIONS);
  message.attribute(TCA_TBF_PARMS,
                    std::span(reinterpret_cast<const std::uint8_t*>(&options), sizeof(options)));
  return message.attribute_u32(TCA_TBF_BURST, most).end().take();
}

namespace {

void set_ipv6_forbidden(const std::string& interface, bool forbidden) {
  std::ofstream(fmt::format("/proc/sys/net/ipv6/conf/{}/disable_ipv6", interface))
      << (forbidden ? "1\n" : "0\n");
}

}  // namespace

void forbid_ipv6(const std::string& interface) { set_ipv6_forbidden(interface, true); }
void allow_ipv6(const std::string& interface) { set_ipv6_forbidden(interface, false); }

}  // namespace hanet::net
