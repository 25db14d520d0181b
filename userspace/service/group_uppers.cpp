// SPDX-License-Identifier: Apache-2.0
//
// Devices that come on top of a port while its group runs; see group_runner.h.
//
// A VLAN, a macvlan, a bridge or a bond that is built on a port hangs on that interface and not on
// the identity: a switchover moves the addresses and leaves it behind, on a path that is dead. At
// the start and at `hanetctl add` such a port is refused (config_interfaces.cpp). Later nobody can
// be refused any more, so it is said aloud while nothing has failed yet, and for as long as it
// lasts: never silently left behind.
//
// Each rtnetlink message about a device has all that is needed. Only when messages were lost, and
// once at the start for what came since the check, all devices are read.
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>

#include "service/group_runner.h"

namespace hanet::service {
namespace {

/// Empty if it went meanwhile: a message is older than this look.
std::string name_of(unsigned ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(ifindex, name.data()) == nullptr ? std::string() : name.data();
}

std::string described(const Upper& upper) {
  const std::string name =
      upper.name.empty() ? fmt::format("interface {}", upper.index) : upper.name;
  return fmt::format("{} '{}'", upper.kind.empty() ? "device" : upper.kind, name);
}

/// What a message about `link` says of devices on top of `port`; empty if nothing.
std::optional<Upper> upper_in(const net::LinkInfo& link, unsigned port) {
  // Members of a VRF keep their addresses.
  if (link.interface.index == port && link.master != 0 && link.master_kind != "vrf")
    return Upper{.index = link.master,
                 .port = port,
                 .name = name_of(link.master),
                 .kind = link.master_kind,
                 .is_master = true};
  // A veth names its peer in the same place.
  if (link.interface.index != port && link.lower == port && link.kind != "veth")
    return Upper{.index = link.interface.index,
                 .port = port,
                 .name = link.interface.name,
                 .kind = link.kind,
                 .is_master = false};
  return std::nullopt;
}

/// Is `upper` something that a message about `link` is the news of?
bool is_about(const Upper& upper, const net::LinkInfo& link, unsigned port) {
  return upper.port == port && link.interface.index == (upper.is_master ? upper.port : upper.index);
}

}  // namespace

void GroupRunner::follow_uppers(const net::LinkInfo& link, bool removed) {
  for (const RunningPort& port : ports_) {
    if (!port.present) continue;
    const std::optional<Upper> found =
        removed ? std::nullopt : upper_in(link, port.interface.index);
    const auto known = std::ranges::find_if(
        uppers_, [&](const Upper& upper) { return is_about(upper, link, port.interface.index); });
    if (known != uppers_.end() && found && found->index == known->index) {
      if (!found->name.empty()) known->name = found->name;  // it may have been renamed
      continue;
    }
    if (known != uppers_.end()) {
      tell_upper_gone(*known, port);
      uppers_.erase(known);
    }
    if (found) {
      tell_upper(*found, port);
      uppers_.push_back(*found);
    }
  }
}

void GroupRunner::tell_upper(const Upper& upper, const RunningPort& port) {
  if (upper.is_master)
    publish("alarm", port.path,
            fmt::format("{0} is a member of the {1} now, and its packets are for that one: the "
                        "identity does not work on it, and a switchover would leave the {1} "
                        "behind; take it out: ip link set {0} nomaster",
                        port.interface.name, described(upper)));
  else
    publish("alarm", port.path,
            fmt::format("{} carries the {} now, which hanet would leave behind at a switchover; "
                        "remove it: ip link del {}",
                        port.interface.name, described(upper), upper.name));
}

void GroupRunner::tell_upper_gone(const Upper& upper, const RunningPort& port) {
  publish("alarm-cleared", port.path,
          fmt::format("{} {} the {} any more", port.interface.name,
                      upper.is_master ? "is not a member of" : "does not carry", described(upper)));
}

// What is on a card that is gone, or that a person took out, is none of the group's.
void GroupRunner::forget_uppers_of_absent_ports() {
  for (const RunningPort& port : ports_)
    if (!port.present)
      std::erase_if(uppers_, [&](const Upper& upper) {
        if (upper.port != port.interface.index) return false;
        tell_upper_gone(upper, port);
        return true;
      });
}

// Not while a switchover runs: it can wait.
void GroupRunner::review_uppers() {
  forget_uppers_of_absent_ports();
  if (!uppers_unread_ || state_.running) return;
  std::vector<net::LinkInfo> links;
  const Status read = around_.requests.dump(
      net::MessageBuilder(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP).header(ifinfomsg{}).take(),
      [&](const nlmsghdr& message) { links.push_back(net::link_of(message)); });
  if (!read) return;  // EINTR: the next tick asks again
  uppers_unread_ = false;
  for (const Upper& upper : std::vector<Upper>(uppers_))
    if (std::ranges::none_of(links, [&](const net::LinkInfo& link) {
          return link.interface.index == (upper.is_master ? upper.port : upper.index);
        }))
      follow_uppers({.interface = {.name = upper.name, .index = upper.index}}, true);
  for (const net::LinkInfo& link : links) follow_uppers(link, false);
}

}  // namespace hanet::service
