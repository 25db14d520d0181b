// SPDX-License-Identifier: Apache-2.0
//
// See observer.h.
#include "netns/observer.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <iterator>

namespace hanet::test {
namespace {

constexpr unsigned kGroups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;

}  // namespace

Observer::Observer(const std::string& netns) : rtnetlink_(netns, kGroups) {
  rtnetlink_.dump(RTM_GETLINK, [&](const nlmsghdr& message) { hear_link(message); });
  rtnetlink_.dump(RTM_GETADDR, [&](const nlmsghdr& message) { hear_address(message); });
  look();
  watching_ = true;
}

void Observer::hear_link(const nlmsghdr& message) {
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  if (header->ifi_family != AF_UNSPEC) return;
  const HeardLink link = link_in(message);
  if (link.name == "lo" || (expects_pacer_ && link.name.starts_with("hanet-pace"))) return;
  if (message.nlmsg_type == RTM_DELLINK) {
    violations_.insert(link.name + " was removed");
    seen_.erase(link.index);
    return;
  }
  const auto [one, is_new] = seen_.try_emplace(link.index);
  if (watching_ && is_new) violations_.insert(link.name + " was created");
  if (watching_ && !is_new && one->second.link.name != link.name)
    violations_.insert(fmt::format("{} was renamed to {}", one->second.link.name, link.name));
  one->second.link = link;
}

void Observer::hear_address(const nlmsghdr& message) {
  const HeardAddress heard = address_in(message);
  const auto one = seen_.find(heard.index);
  if (one == seen_.end()) return;
  if (message.nlmsg_type == RTM_NEWADDR)
    one->second.addresses.insert(heard.address);
  else
    one->second.addresses.erase(heard.address);
}

void Observer::look() {
  for (auto left = seen_.begin(); left != seen_.end(); ++left)
    for (auto right = std::next(left); right != seen_.end(); ++right) {
      const Seen& one = left->second;
      const Seen& other = right->second;
      if (!one.link.admin_up || !other.link.admin_up) continue;
      const std::string both = one.link.name + " and " + other.link.name;
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
  if (!rtnetlink_.hear([&](const nlmsghdr& message) { hear(message); }))
    violations_.insert("messages were lost");
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
    if (seen.link.name == interface) return seen.addresses;
  return {};
}

}  // namespace hanet::test
