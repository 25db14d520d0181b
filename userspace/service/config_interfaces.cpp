// SPDX-License-Identifier: Apache-2.0
//
// Do the interfaces of a configuration exist, and can hanet use them?
//
// The answer comes from one RTM_GETLINK dump, never from /sys/class/net: sysfs shows the network
// namespace it was mounted in, and a daemon that was started with `nsenter --net` sees another one
// there than the one it runs in. A dump is also one consistent picture, so a member can be told
// with the name and the kind of its master. A port that belongs to a bridge or bond receives its
// packets for the master; an identity on it would not work. VRF members are the exception: they
// keep their addresses.
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>

#include <algorithm>
#include <map>
#include <memory>

#include "service/config.h"
#include "service/config_text.h"

namespace hanet::config {
namespace {

/// What the dump says about one interface.
struct Link {
  std::string name;
  std::string kind;        ///< IFLA_INFO_KIND: "bridge", "veth"; empty for hardware
  std::uint16_t type = 0;  ///< ARPHRD_*
  int master = 0;          ///< interface index, 0 for none
  bool elsewhere = false;  ///< `lower` is a number of another network namespace
  int lower = 0;           ///< the interface that this one is on top of (a VLAN's), 0 for none
};

using Links = std::map<int, Link>;

constexpr int kDumpAttempts = 5;
constexpr std::string_view kNotHere = "is not here";

/// libmnl's callback for each attribute inside IFLA_LINKINFO.
int remember_kind(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND &&
      mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0) {
    static_cast<Link*>(data)->kind = mnl_attr_get_str(attribute);
  }
  return MNL_CB_OK;
}

/// libmnl's callback for each attribute of one interface.
int remember_attribute(const nlattr* attribute, void* data) {
  Link& link = *static_cast<Link*>(data);
  const int type = mnl_attr_get_type(attribute);
  if (type == IFLA_IFNAME && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0) {
    link.name = mnl_attr_get_str(attribute);
  } else if (type == IFLA_MASTER && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0) {
    link.master = static_cast<int>(mnl_attr_get_u32(attribute));
  } else if (type == IFLA_LINK && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0) {
    link.lower = static_cast<int>(mnl_attr_get_u32(attribute));
  } else if (type == IFLA_LINK_NETNSID) {
    link.elsewhere = true;
  } else if (type == IFLA_LINKINFO) {
    return mnl_attr_parse_nested(attribute, remember_kind, &link);
  }
  return MNL_CB_OK;
}

/// libmnl's callback for each message of the dump.
int remember_link(const nlmsghdr* message, void* data) {
  if (message->nlmsg_type != RTM_NEWLINK) return MNL_CB_OK;
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  Link link;
  link.type = header->ifi_type;
  if (mnl_attr_parse(message, sizeof(ifinfomsg), remember_attribute, &link) < 0)
    return MNL_CB_ERROR;
  static_cast<Links*>(data)->insert_or_assign(header->ifi_index, std::move(link));
  return MNL_CB_OK;
}

using Socket = std::unique_ptr<mnl_socket, decltype([](mnl_socket* s) { mnl_socket_close(s); })>;

/// One dump; EINTR means that the links changed meanwhile and the picture is not consistent.
Result<Links> dump_links_once() {
  const Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
    return errno_error(errno, "open a netlink socket");
  }
  std::vector<char> buffer(32768);  // what the kernel fills per read of a dump at most
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETLINK;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = 1;
  auto* header = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
  header->ifi_family = AF_UNSPEC;
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) {
    return errno_error(errno, "ask the kernel for its interfaces");
  }
  Links links;
  const unsigned int port = mnl_socket_get_portid(socket.get());
  int more = MNL_CB_OK;
  while (more > MNL_CB_STOP) {
    const ssize_t size = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (size < 0) return errno_error(errno, "list the interfaces");
    more =
        mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), 1, port, remember_link, &links);
    if (more < 0) return errno_error(errno, "list the interfaces");
  }
  return links;
}

Result<Links> dump_links() {
  Result<Links> links = dump_links_once();
  for (int i = 1; i < kDumpAttempts && !links && links.error().code == EINTR; ++i) {
    links = dump_links_once();
  }
  return links;
}

/// The master that keeps this link from being a port of its own, or nullptr.
const Link* obstacle(const Link& link, const Links& links) {
  const auto master = links.find(link.master);
  if (master == links.end() || master->second.kind == "vrf") return nullptr;
  return &master->second;
}

/// An interface on top of this one, which would not move with the identity, or nullptr. A veth
/// names its peer in the same place.
const Link* burden(int index, const Links& links) {
  const auto found = std::ranges::find_if(links, [&](const auto& entry) {
    const Link& link = entry.second;
    return link.lower == index && !link.elsewhere && link.kind != "veth" && entry.first != index;
  });
  return found == links.end() ? nullptr : &found->second;
}

/// "one of eth0, eth1".
std::string usable(const Links& links) {
  std::vector<std::string> names;
  for (const auto& [index, link] : links) {
    if (link.type == ARPHRD_ETHER && obstacle(link, links) == nullptr &&
        burden(index, links) == nullptr)
      names.push_back(link.name);
  }
  std::ranges::sort(names);
  if (names.empty()) return "an Ethernet interface, but there is none here";
  return fmt::format("one of {}", listed(names));
}

/// Why the interface cannot be a port; empty if it can.
std::string why_not_a_port(const std::string& interface, const Links& links) {
  const auto found =
      std::ranges::find(links, interface, [](const auto& entry) { return entry.second.name; });
  if (found == links.end()) return std::string(kNotHere);
  const Link& link = found->second;
  if (link.type != ARPHRD_ETHER) {
    return fmt::format("is not an Ethernet device (its ARPHRD type is {})", link.type);
  }
  if (const Link* master = obstacle(link, links)) {
    return fmt::format("is a member of the {} {}", master->kind.empty() ? "device" : master->kind,
                       in_quotes(master->name));
  }
  if (const Link* upper = burden(found->first, links)) {
    return fmt::format("carries the {} {}, which hanet would leave behind at a switchover",
                       upper->kind.empty() ? "device" : upper->kind, in_quotes(upper->name));
  }
  return {};
}

/// May this port be missing, because it was pulled and the group has another one?
bool was_pulled(const GroupConfig& group, const std::string& interface, const Links& links,
                std::span<const std::string> pulled) {
  return std::ranges::count(pulled, interface) != 0 &&
         std::ranges::any_of(group.paths, [&](const PathConfig& path) {
           return std::ranges::any_of(path.ports, [&](const PortConfig& port) {
             return why_not_a_port(port.interface, links) != kNotHere;
           });
         });
}

std::string port_key(const PathConfig& path, std::size_t index, std::size_t place) {
  const std::string key = index == 0 ? "primary" : "standby";
  return path.ports.size() == 1 ? key : fmt::format("{}[{}]", key, place);
}

}  // namespace

Result<std::string> why_not_a_port(const std::string& interface) {
  const Result<Links> links = dump_links();
  if (!links) return std::unexpected(links.error());
  return why_not_a_port(interface, *links);
}

bool is_card(const std::string& interface) {
  const Result<Links> links = dump_links();
  if (!links) return false;
  return std::ranges::any_of(*links, [&](const auto& entry) {
    const Link& link = entry.second;
    return link.name == interface && (link.kind.empty() || link.kind == "veth");
  });
}

Status check_interfaces(const Config& config, std::string_view name,
                        std::span<const std::string> pulled) {
  const Result<Links> links = dump_links();
  if (!links) return std::unexpected(links.error());
  std::vector<std::string> messages;
  for (std::size_t g = 0; g < config.groups.size(); ++g) {
    const GroupConfig& group = config.groups[g];
    if (std::ranges::any_of(*links,
                            [&](const auto& entry) { return entry.second.name == group.name; }))
      messages.push_back(
          fmt::format("{}: key 'group[{}].name': found {}, which is an interface here; allowed: a "
                      "name that no interface has",
                      name, g, in_quotes(group.name)));
    for (std::size_t p = 0; p < group.paths.size(); ++p)
      for (std::size_t at = 0; at < group.paths[p].ports.size(); ++at) {
        const std::string& interface = group.paths[p].ports[at].interface;
        const std::string why_not = why_not_a_port(interface, *links);
        if (why_not.empty() ||
            (why_not == kNotHere && was_pulled(group, interface, *links, pulled)))
          continue;
        messages.push_back(fmt::format("{}: key 'group[{}].{}': found {}, which {}; allowed: {}",
                                       name, g, port_key(group.paths[p], p, at),
                                       in_quotes(interface), why_not, usable(*links)));
      }
  }
  if (messages.empty()) return {};
  return failure(fmt::format("{}", fmt::join(messages, "\n")));
}

}  // namespace hanet::config
