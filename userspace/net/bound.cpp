// SPDX-License-Identifier: Apache-2.0
//
// See bound.h.
#include "net/bound.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "core/program.h"
#include "net/bytes.h"
#include "net/decode.h"

namespace hanet::net {
namespace {

// Groups that the kernel joins by itself: all hosts, and on routers all routers.
const std::set<std::string>& everybodys_groups() {
  static const std::set<std::string> kGroups{"224.0.0.1", "224.0.0.2", "ff01::1", "ff02::1",
                                             "ff01::2",   "ff02::2",   "ff05::2"};
  return kGroups;
}

bool is_everybodys(const std::string& group) {
  return everybodys_groups().contains(group) || group.starts_with("ff02::1:ff");
}

std::string text_of(const KernelObject& object, std::uint16_t attribute) {
  const auto found = object.attributes.find(attribute);
  if (!found) return {};
  return {found->begin(), std::ranges::find(*found, std::uint8_t{0})};
}

std::string handle_text(std::uint32_t handle) {
  const std::uint32_t minor = TC_H_MIN(handle);
  return fmt::format("{:x}:{}", handle >> 16, minor == 0 ? "" : fmt::format("{:x}", minor));
}

std::string place_text(std::uint32_t parent) {
  switch (parent) {
    case TC_H_ROOT:
      return "at the root";
    case TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS):
    case TC_H_CLSACT:
      return "at ingress";
    case TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS):
      return "at egress";
    default:
      return "at " + handle_text(parent);
  }
}

Result<std::vector<KernelObject>> traffic_control(NetlinkSocket& socket, std::uint16_t type,
                                                  unsigned ifindex, std::uint32_t parent = 0) {
  tcmsg question{};
  question.tcm_ifindex = static_cast<int>(ifindex);
  question.tcm_parent = parent;
  std::vector<KernelObject> found;
  Status done = socket.dump(dump_request(type, question), [&](const nlmsghdr& message) {
    const auto* header = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(&message));
    if (static_cast<unsigned>(header->tcm_ifindex) == ifindex)
      found.push_back(object_of<tcmsg>(message));
  });
  if (!done) return pass_on(done);
  return found;
}

// The kernel's own disciplines have no number; clsact and ingress are only a place for filters.
bool somebody_set_up(const KernelObject& discipline) {
  return read_as<tcmsg>(discipline.header).tcm_handle != 0;
}
bool only_has_filters(const KernelObject& discipline) {
  return read_as<tcmsg>(discipline.header).tcm_parent == TC_H_CLSACT;
}

// Other disciplines make their classes by themselves.
bool has_classes(const std::string& discipline) {
  static const std::set<std::string> kKinds{"htb", "hfsc", "drr", "qfq"};
  return kKinds.contains(discipline);
}

// htb counts packets among its options.
std::string options_of(const KernelObject& discipline) {
  const auto options = discipline.attributes.find(TCA_OPTIONS);
  if (!options || text_of(discipline, TCA_KIND) == "htb") return {};
  return {options->begin(), options->end()};
}

using LinkAttribute = std::function<void(std::uint16_t, std::span<const std::uint8_t>)>;

Status each_link_attribute(NetlinkSocket& socket, const InterfaceName& interface,
                           const LinkAttribute& each, unsigned* flags = nullptr) {
  ifinfomsg which{};
  which.ifi_index = static_cast<int>(interface.index);
  return socket.get(
      MessageBuilder(RTM_GETLINK, 0).header(which).take(), [&](const nlmsghdr& message) {
        if (flags != nullptr)
          *flags = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message))->ifi_flags;
        for_each_attribute(attributes_of(message, sizeof(ifinfomsg)), each);
      });
}

std::string hex_bytes(const std::string& text, int family) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t at = 0; at < bytes.size() && 2 * at + 1 < text.size(); ++at)
    bytes[at] = static_cast<std::uint8_t>(std::stoul(text.substr(2 * at, 2), nullptr, 16));
  // /proc/net/igmp shows the address as a number.
  if (family == AF_INET) std::reverse(bytes.begin(), bytes.begin() + 4);
  return address_text(family, std::span(bytes).first(family == AF_INET ? 4 : 16));
}

// net/ipv4/igmp.c, igmp_mc_seq_show: a line for the interface, then one with a tab for each group.
void read_igmp(unsigned ifindex, std::vector<std::string>& groups) {
  std::ifstream file("/proc/net/igmp");
  bool is_ours = false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (!line.starts_with('\t'))
      is_ours = word == std::to_string(ifindex);
    else if (is_ours)
      groups.push_back(hex_bytes(word, AF_INET));
  }
}

// net/ipv6/mcast.c, igmp6_mc_seq_show: "index name address users flags timer".
void read_igmp6(unsigned ifindex, std::vector<std::string>& groups) {
  std::ifstream file("/proc/net/igmp6");
  std::string index, name, group, rest;
  while (file >> index >> name >> group && std::getline(file, rest))
    if (index == std::to_string(ifindex)) groups.push_back(hex_bytes(group, AF_INET6));
}

std::string with_colons(std::string hex) {
  for (std::size_t at = 2; at < hex.size(); at += 3) hex.insert(at, ":");
  return hex;
}

// net/core/net-procfs.c, dev_mc_seq_show: "index name users set-by-hand address".
void read_link_groups(unsigned ifindex, std::vector<std::string>& groups) {
  std::ifstream file("/proc/net/dev_mcast");
  std::string index, name, users, by_hand, address;
  while (file >> index >> name >> users >> by_hand >> address)
    if (index == std::to_string(ifindex) && by_hand != "0")
      groups.push_back(fmt::format("{} (ip maddr)", with_colons(address)));
}

}  // namespace

BoundThings queueing_on(NetlinkSocket& socket, const InterfaceName& interface) {
  std::vector<Bound> things;
  for (const std::uint16_t type : {RTM_GETQDISC, RTM_GETTCLASS}) {
    Result<std::vector<KernelObject>> found = traffic_control(socket, type, interface.index);
    if (!found) return pass_on(found);
    for (const KernelObject& one : *found) {
      if (!somebody_set_up(one) || only_has_filters(one)) continue;
      const auto header = read_as<tcmsg>(one.header);
      const std::string kind = text_of(one, TCA_KIND);
      if (type == RTM_GETTCLASS && !has_classes(kind)) continue;
      const std::string text =
          type == RTM_GETQDISC
              ? fmt::format("{} {}", kind, place_text(header.tcm_parent))
              : fmt::format("class {} of {}", handle_text(header.tcm_handle), kind);
      things.push_back({.text = text, .key = text + options_of(one)});
    }
  }
  return things;
}

BoundThings filters_on(NetlinkSocket& socket, const InterfaceName& interface) {
  Result<std::vector<KernelObject>> disciplines =
      traffic_control(socket, RTM_GETQDISC, interface.index);
  if (!disciplines) return pass_on(disciplines);
  std::set<std::uint32_t> parents;
  for (const KernelObject& one : *disciplines) {
    if (only_has_filters(one))
      parents.insert(
          {TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)});
    else if (somebody_set_up(one))
      parents.insert(read_as<tcmsg>(one.header).tcm_handle);
  }
  std::set<std::string> texts;  // one filter may have several parts
  for (const std::uint32_t parent : parents) {
    Result<std::vector<KernelObject>> filters =
        traffic_control(socket, RTM_GETTFILTER, interface.index, parent);
    if (!filters) return pass_on(filters);
    for (const KernelObject& filter : *filters) {
      const auto header = read_as<tcmsg>(filter.header);
      texts.insert(fmt::format("{} filter {}, priority {}", text_of(filter, TCA_KIND),
                               place_text(header.tcm_parent), header.tcm_info >> 16));
    }
  }
  std::vector<Bound> things;
  for (const std::string& text : texts) things.push_back({.text = text});
  return things;
}

BoundThings multicast_on(const InterfaceName& interface) {
  std::vector<std::string> groups;
  read_igmp(interface.index, groups);
  read_igmp6(interface.index, groups);
  read_link_groups(interface.index, groups);
  std::vector<Bound> things;
  for (const std::string& group : groups)
    if (!is_everybodys(group)) things.push_back({.text = group});
  return things;
}

BoundThings alternative_names_of(NetlinkSocket& socket, const InterfaceName& interface) {
  std::vector<Bound> things;
  Status asked = each_link_attribute(
      socket, interface, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
        if (type != IFLA_PROP_LIST) return;
        for_each_attribute(value, [&](std::uint16_t what, std::span<const std::uint8_t> name) {
          if (what == IFLA_ALT_IFNAME && !name.empty())
            things.push_back({.text = std::string(name.begin(), name.end() - 1)});
        });
      });
  if (!asked) return pass_on(asked);
  return things;
}

BoundThings token_of(NetlinkSocket& socket, const InterfaceName& interface) {
  std::vector<Bound> things;
  const auto read_ipv6 = [&](std::uint16_t type, std::span<const std::uint8_t> value) {
    const bool is_set = std::ranges::any_of(value, [](std::uint8_t byte) { return byte != 0; });
    if (type == IFLA_INET6_TOKEN && is_set)
      things.push_back({.text = address_text(AF_INET6, value)});
  };
  Status asked = each_link_attribute(
      socket, interface, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
        if (type != IFLA_AF_SPEC) return;
        for_each_attribute(value, [&](std::uint16_t family, std::span<const std::uint8_t> of) {
          if (family == AF_INET6) for_each_attribute(of, read_ipv6);
        });
      });
  if (!asked) return pass_on(asked);
  return things;
}

BoundThings modes_of(NetlinkSocket& socket, const InterfaceName& interface) {
  unsigned flags = 0;
  Status asked = each_link_attribute(
      socket, interface, [](std::uint16_t, std::span<const std::uint8_t>) {}, &flags);
  if (!asked) return pass_on(asked);
  std::vector<Bound> things;
  if ((flags & IFF_PROMISC) != 0) things.push_back({.text = "promiscuous"});
  if ((flags & IFF_ALLMULTI) != 0) things.push_back({.text = "all-multicast"});
  return things;
}

Result<std::vector<std::uint32_t>> xdp_on(NetlinkSocket& socket, const InterfaceName& interface) {
  std::vector<std::uint32_t> programs;
  Status asked = each_link_attribute(
      socket, interface, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
        if (type != IFLA_XDP) return;
        for_each_attribute(value, [&](std::uint16_t what, std::span<const std::uint8_t> id) {
          if (what == IFLA_XDP_PROG_ID) programs.push_back(read_as<std::uint32_t>(id));
        });
      });
  if (!asked) return pass_on(asked);
  return programs;
}

BoundThings sockets_on(const InterfaceName& interface) {
  Result<std::string> told = output_of({"ss", "-H", "-a", "-n", "-t", "-u", "-w"});
  if (!told) return pass_on(told);
  std::vector<Bound> things;
  std::istringstream lines(*told);
  std::string kind, state, receive, send, local, rest;
  const std::string mark = fmt::format("%{}:", interface.name);
  while (lines >> kind >> state >> receive >> send >> local && std::getline(lines, rest))
    if (const std::size_t at = local.find(mark); at != std::string::npos)
      things.push_back({.text = fmt::format("{} {}{}", kind, local.substr(0, at),
                                            local.substr(at + mark.size() - 1))});
  return things;
}

}  // namespace hanet::net
