// SPDX-License-Identifier: Apache-2.0
//
// See link.h.
#include "net/link.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/fd.h"

namespace hanet::net {
namespace {

constexpr unsigned kIffLowerUp = 1U << 16;  // IFF_LOWER_UP, which <net/if.h> does not have

void read_af_spec(LinkInfo& link, std::span<const std::uint8_t> families) {
  for_each_attribute(families, [&](std::uint16_t family, std::span<const std::uint8_t> settings) {
    if (family != AF_INET6) return;
    for_each_attribute(settings, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
      if (type == IFLA_INET6_ADDR_GEN_MODE && !value.empty()) link.address_generation = value[0];
    });
  });
}

std::string text_in(std::span<const std::uint8_t> value) {
  if (value.empty()) return {};
  return {reinterpret_cast<const char*>(value.data()), value.size() - 1};
}

unsigned number_in(std::span<const std::uint8_t> value) {
  std::uint32_t number = 0;
  if (value.size() == sizeof(number)) std::memcpy(&number, value.data(), sizeof(number));
  return number;
}

/// IFLA_INFO_DATA of a VLAN: the protocol in network order, the id in the host's.
std::uint32_t tag_in(std::span<const std::uint8_t> data) {
  std::uint16_t protocol = 0, id = 0;
  for_each_attribute(data, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
    if (type == IFLA_VLAN_PROTOCOL && value.size() == sizeof(protocol))
      std::memcpy(&protocol, value.data(), sizeof(protocol));
    if (type == IFLA_VLAN_ID && value.size() == sizeof(id))
      std::memcpy(&id, value.data(), sizeof(id));
  });
  return std::uint32_t{ntohs(protocol)} << 16 | id;
}

void read_kinds(LinkInfo& link, std::span<const std::uint8_t> info) {
  for_each_attribute(info, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
    if (type == IFLA_INFO_KIND) link.kind = text_in(value);
    if (type == IFLA_INFO_SLAVE_KIND) link.master_kind = text_in(value);
    if (type == IFLA_INFO_DATA && link.kind == "vlan") link.vlan_tag = tag_in(value);
  });
}

MessageBuilder change(unsigned ifindex, unsigned flags = 0, unsigned mask = 0) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifindex);
  header.ifi_flags = flags;
  header.ifi_change = mask;
  MessageBuilder message(RTM_NEWLINK, NLM_F_REQUEST);
  message.header(header);
  return message;
}

NetlinkMessage name_change(std::uint16_t type, std::uint16_t flags, unsigned ifindex,
                           std::string_view name) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifindex);
  return MessageBuilder(type, static_cast<std::uint16_t>(NLM_F_REQUEST | flags))
      .header(header)
      .begin(IFLA_PROP_LIST)
      .attribute_text(IFLA_ALT_IFNAME, name)
      .end()
      .take();
}

Result<LinkInfo> get_link(NetlinkSocket& socket, NetlinkMessage question, const std::string& what) {
  std::optional<LinkInfo> link;
  Status asked =
      socket.get(std::move(question), [&](const nlmsghdr& message) { link = link_of(message); });
  if (!asked) return errno_error(asked.error().code, what);
  if (!link) return errno_error(ENODEV, what);
  return *link;
}

// `value`: what <linux/ethtool.h> has for its command. False where the driver does not tell.
bool ask_ethtool(const std::string& interface, void* value) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = static_cast<char*>(value);
  return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

struct LinkModes {
  std::uint8_t first;
  std::uint8_t last;
  std::uint32_t speed;  ///< Mbit/s
};

// The bits of enum ethtool_link_mode_bit_indices up to Linux 6.1. Their names could be asked for,
// but only where the kernel has CONFIG_ETHTOOL_NETLINK.
constexpr std::array<LinkModes, 29> kLinkModes{
    {{0, 1, 10},        {2, 3, 100},       {4, 5, 1000},      {12, 12, 10'000},  {15, 15, 2500},
     {17, 17, 1000},    {18, 20, 10'000},  {21, 22, 20'000},  {23, 26, 40'000},  {27, 30, 56'000},
     {31, 33, 25'000},  {34, 35, 50'000},  {36, 39, 100'000}, {40, 40, 50'000},  {41, 41, 1000},
     {42, 46, 10'000},  {47, 47, 2500},    {48, 48, 5000},    {52, 56, 50'000},  {57, 61, 100'000},
     {62, 66, 200'000}, {67, 67, 100},     {68, 68, 1000},    {69, 73, 400'000}, {75, 79, 100'000},
     {80, 84, 200'000}, {85, 89, 400'000}, {90, 91, 100},     {92, 92, 10}}};

}  // namespace

LinkInfo link_of(const nlmsghdr& message) {
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  LinkInfo link;
  link.interface.index = static_cast<unsigned>(header->ifi_index);
  link.type = header->ifi_type;
  link.answers_arp = (header->ifi_flags & IFF_NOARP) == 0;
  link.admin_up = (header->ifi_flags & IFF_UP) != 0;
  link.carrier = (header->ifi_flags & kIffLowerUp) != 0;
  std::string bus, device, port;
  bool elsewhere = false;  // `lower` is a number of another network namespace
  for_each_attribute(attributes_of(message, sizeof(ifinfomsg)),
                     [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                       if (type == IFLA_IFNAME) link.interface.name = text_in(value);
                       if (type == IFLA_ADDRESS && value.size() == link.mac.size())
                         std::copy(value.begin(), value.end(), link.mac.begin());
                       if (type == IFLA_PERM_ADDRESS && value.size() == link.mac.size())
                         std::copy(value.begin(), value.end(),
                                   link.permanent_mac.emplace().begin());
                       if (type == IFLA_PARENT_DEV_BUS_NAME) bus = text_in(value);
                       if (type == IFLA_PARENT_DEV_NAME) device = text_in(value);
                       if (type == IFLA_PHYS_PORT_NAME) port = "/" + text_in(value);
                       if (type == IFLA_AF_SPEC) read_af_spec(link, value);
                       if (type == IFLA_LINKINFO) read_kinds(link, value);
                       if (type == IFLA_LINK) link.lower = number_in(value);
                       if (type == IFLA_LINK_NETNSID) elsewhere = true;
                       if (type == IFLA_CARRIER && !value.empty()) link.carrier_on = value[0] != 0;
                       if (type == IFLA_MTU) link.mtu = number_in(value);
                       if (type == IFLA_GROUP) link.group = number_in(value);
                       if (type == IFLA_PROMISCUITY) link.promiscuity = number_in(value);
                       if (type == IFLA_MASTER) link.master = number_in(value);
                     });
  if (elsewhere) link.lower = 0;
  // A virtio device's name is a number that the next one to come may get.
  if (!device.empty() && bus != "virtio") link.bus_path = bus + "/" + device + port;
  return link;
}

Result<std::vector<LinkInfo>> read_links(NetlinkSocket& socket) {
  std::vector<LinkInfo> links;
  Status done = socket.dump(
      MessageBuilder(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP).header(ifinfomsg{}).take(),
      [&](const nlmsghdr& message) { links.push_back(link_of(message)); });
  if (!done) return pass_on(done);
  return links;
}

Result<LinkInfo> read_link(NetlinkSocket& socket, unsigned ifindex) {
  ifinfomsg which{};
  which.ifi_index = static_cast<int>(ifindex);
  return get_link(socket, MessageBuilder(RTM_GETLINK, 0).header(which).take(),
                  fmt::format("interface {}", ifindex));
}

// Not if_nametoindex(): for a name that nobody has the kernel starts modprobe, twice, and waits
// (net/core/dev_ioctl.c, dev_load). As an alternative name a name of either kind is found
// (net/core/rtnetlink.c, rtnl_dev_get).
Result<LinkInfo> find_link(NetlinkSocket& socket, const std::string& name) {
  return get_link(socket,
                  MessageBuilder(RTM_GETLINK, 0)
                      .header(ifinfomsg{})
                      .attribute_text(IFLA_ALT_IFNAME, name)
                      .take(),
                  fmt::format("interface {}", name));
}

std::unexpected<Error> no_such_interface(unsigned ifindex) {
  return errno_error(ENODEV, fmt::format("interface {}", ifindex));
}

std::optional<Vlan> vlan_on(const LinkInfo& link, unsigned port) {
  if (link.vlan_tag == 0 || link.lower != port) return std::nullopt;
  return Vlan{.tag = link.vlan_tag, .on = link.interface, .mac = link.mac};
}

Result<Place> place_on(NetlinkSocket& socket, const InterfaceName& port) {
  Result<std::vector<LinkInfo>> links = read_links(socket);
  if (!links) return pass_on(links);
  return Place(port, vlans_among(*links, port.index));
}

std::string command_for_twin(std::uint32_t tag, const std::string& port) {
  const unsigned id = id_of({.tag = tag, .on = {}});
  const bool ordinary = tag >> 16 == ETH_P_8021Q;
  std::string name = fmt::format("{}.{}", port, id);
  if (name.size() >= IFNAMSIZ) name = fmt::format("vlan{}", id);
  return fmt::format("ip link add link {} name {} type vlan {}id {}", port, name,
                     ordinary ? "" : "protocol 802.1ad ", id);
}

std::vector<Vlan> vlans_among(const std::vector<LinkInfo>& links, unsigned port) {
  std::vector<Vlan> vlans;
  for (const LinkInfo& link : links)
    if (std::optional<Vlan> vlan = vlan_on(link, port)) vlans.push_back(std::move(*vlan));
  std::ranges::sort(vlans, {}, &Vlan::tag);
  return vlans;
}

std::optional<std::uint32_t> fastest_mode(std::span<const std::uint32_t> mask) {
  std::optional<std::uint32_t> fastest;
  for (const LinkModes& modes : kLinkModes)
    for (std::size_t bit = modes.first; bit <= modes.last && bit / 32 < mask.size(); ++bit)
      if ((mask[bit / 32] >> (bit % 32) & 1) != 0)
        fastest = std::max(fastest.value_or(0), modes.speed);
  return fastest;
}

// The kernel says first how long its masks are (net/ethtool/ioctl.c, ethtool_get_link_ksettings); a
// mask has at most 127 words, and three of them are behind the head: what the card has, what it
// offers, what the other end offers.
LinkSpeeds link_speeds(const std::string& interface) {
  constexpr std::size_t kWords = std::size_t{3} * 127;
  alignas(ethtool_link_settings)
      std::array<std::uint8_t, sizeof(ethtool_link_settings) + kWords * sizeof(std::uint32_t)>
          room{};
  auto* answer = reinterpret_cast<ethtool_link_settings*>(room.data());
  answer->cmd = ETHTOOL_GLINKSETTINGS;
  if (!ask_ethtool(interface, answer) || answer->link_mode_masks_nwords >= 0) return {};
  answer->cmd = ETHTOOL_GLINKSETTINGS;
  answer->link_mode_masks_nwords = static_cast<std::int8_t>(-answer->link_mode_masks_nwords);
  if (!ask_ethtool(interface, answer)) return {};
  LinkSpeeds speeds;
  if (answer->speed != 0 && answer->speed != static_cast<std::uint32_t>(SPEED_UNKNOWN))
    speeds.told = answer->speed;
  const std::size_t words = static_cast<std::uint8_t>(answer->link_mode_masks_nwords);
  std::vector<std::uint32_t> masks(2 * words);
  std::memcpy(masks.data(), answer->link_mode_masks, masks.size() * sizeof(std::uint32_t));
  speeds.possible = fastest_mode(std::span(masks).subspan(words));
  if (!speeds.possible) speeds.possible = fastest_mode(std::span(masks).first(words));
  return speeds;
}

std::string driver_of(unsigned ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(ifindex, name.data()) == nullptr) return {};
  ethtool_drvinfo answer{};
  answer.cmd = ETHTOOL_GDRVINFO;
  if (!ask_ethtool(name.data(), &answer)) return {};
  return {answer.driver, ::strnlen(answer.driver, sizeof(answer.driver))};
}

unsigned index_of_name(NetlinkSocket& socket, const std::string& name) {
  const Result<LinkInfo> link = find_link(socket, name);
  return link ? link->interface.index : 0;
}

NetlinkMessage add_alternative_name(unsigned ifindex, std::string_view name) {
  return name_change(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, ifindex, name);
}

NetlinkMessage remove_alternative_name(unsigned ifindex, std::string_view name) {
  return name_change(RTM_DELLINKPROP, 0, ifindex, name);
}

NetlinkMessage set_admin_state(unsigned ifindex, bool up) {
  return change(ifindex, up ? unsigned{IFF_UP} : 0U, IFF_UP).take();
}

NetlinkMessage set_flags(unsigned ifindex, unsigned flags, bool on) {
  return change(ifindex, on ? flags : 0U, flags).take();
}

NetlinkMessage set_mtu(unsigned ifindex, unsigned mtu) {
  return change(ifindex, 0, 0).attribute_u32(IFLA_MTU, mtu).take();
}

NetlinkMessage set_mac(unsigned ifindex, const MacAddress& mac) {
  return change(ifindex).attribute(IFLA_ADDRESS, mac).take();
}

NetlinkMessage set_address_generation(unsigned ifindex, std::uint8_t mode) {
  return change(ifindex)
      .begin(IFLA_AF_SPEC)
      .begin(AF_INET6)
      .attribute_u8(IFLA_INET6_ADDR_GEN_MODE, mode)
      .end()
      .end()
      .take();
}

}  // namespace hanet::net
