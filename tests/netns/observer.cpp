// SPDX-License-Identifier: Apache-2.0
//
// See observer.h.
#include "netns/observer.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <stdexcept>

#include "netns/inside.h"

namespace hanet::test {
namespace {

constexpr unsigned kGroups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;

template <typename Header>
net::NetlinkMessage dump_of(std::uint16_t type) {
  return net::MessageBuilder(type, NLM_F_REQUEST | NLM_F_DUMP).header(Header{}).take();
}

void must(const Status& done) {
  if (!done) throw std::runtime_error("observer: " + done.error().message);
}

}  // namespace

Observer::Observer(const std::string& netns) {
  net::NetlinkSocket requests;
  inside(netns, [&] {
    Result<net::NetlinkSocket> listening = net::NetlinkSocket::open(kGroups);
    Result<net::NetlinkSocket> asking = net::NetlinkSocket::open();
    if (!listening || !asking) throw std::runtime_error("observer: no netlink socket");
    notifications_ = std::move(*listening);
    requests = std::move(*asking);
  });
  must(requests.dump(dump_of<ifinfomsg>(RTM_GETLINK), [&](const nlmsghdr& m) { hear_link(m); }));
  must(requests.dump(dump_of<ifaddrmsg>(RTM_GETADDR), [&](const nlmsghdr& m) { hear_address(m); }));
  look();
  watching_ = true;
}

void Observer::hear_link(const nlmsghdr& message) {
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  if (header->ifi_family != AF_UNSPEC) return;
  const net::LinkInfo link = net::link_of(message);
  if (link.interface.name == "lo") return;
  const unsigned index = link.interface.index;
  if (message.nlmsg_type == RTM_DELLINK) {
    violations_.insert(link.interface.name + " was removed");
    seen_.erase(index);
    return;
  }
  const auto [one, is_new] = seen_.try_emplace(index);
  if (watching_ && is_new) violations_.insert(link.interface.name + " was created");
  if (watching_ && !is_new && one->second.link.interface.name != link.interface.name)
    violations_.insert(
        fmt::format("{} was renamed to {}", one->second.link.interface.name, link.interface.name));
  one->second.link = link;
}

void Observer::hear_address(const nlmsghdr& message) {
  const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
  const auto one = seen_.find(header->ifa_index);
  if (one == seen_.end()) return;
  std::string address;
  net::for_each_attribute(net::attributes_of(message, sizeof(ifaddrmsg)),
                          [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                            const bool own = type == IFA_LOCAL || (type == IFA_ADDRESS &&
                                                                   header->ifa_family == AF_INET6);
                            if (own) address = fmt::format("{:02x}", fmt::join(value, ""));
                          });
  if (message.nlmsg_type == RTM_NEWADDR)
    one->second.addresses.insert(address);
  else
    one->second.addresses.erase(address);
}

void Observer::look() {
  for (auto left = seen_.begin(); left != seen_.end(); ++left)
    for (auto right = std::next(left); right != seen_.end(); ++right) {
      const Seen& one = left->second;
      const Seen& other = right->second;
      if (!one.link.admin_up || !other.link.admin_up) continue;
      const std::string both = one.link.interface.name + " and " + other.link.interface.name;
      if (one.link.mac == other.link.mac)
        violations_.insert(both + " are up with the MAC address " + net::to_text(one.link.mac));
      for (const std::string& address : one.addresses)
        if (other.addresses.contains(address))
          violations_.insert(both + " are up with the address " + address);
    }
}

void Observer::hear(const nlmsghdr& message) {
  ++messages_;
  if (message.nlmsg_type == RTM_NEWLINK || message.nlmsg_type == RTM_DELLINK) hear_link(message);
  if (message.nlmsg_type == RTM_NEWADDR || message.nlmsg_type == RTM_DELADDR) hear_address(message);
  look();
}

void Observer::catch_up() {
  const Result<bool> complete =
      notifications_.read_notifications([&](const nlmsghdr& message) { hear(message); });
  if (!complete || !*complete) violations_.insert("messages were lost");
}

std::vector<std::string> Observer::violations_so_far() {
  catch_up();
  return {violations_.begin(), violations_.end()};
}

std::vector<std::string> Observer::violations() {
  std::vector<std::string> found = violations_so_far();
  if (messages_ == 0) found.emplace_back("nothing happened");
  return found;
}

std::set<std::string> Observer::addresses_of(const std::string& interface) {
  catch_up();
  for (const auto& [index, seen] : seen_)
    if (seen.link.interface.name == interface) return seen.addresses;
  return {};
}

}  // namespace hanet::test
