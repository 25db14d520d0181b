// SPDX-License-Identifier: Apache-2.0
//
// Devices that come on top of a port while its group runs; see group_runner.h.
//
// A VLAN that both ports have is a part of the identity and moves. Everything else that is built on
// a port, a macvlan, a bridge, a bond, a VLAN that the other port has not, hangs on that interface
// and not on the identity: a switchover moves the addresses and leaves it behind, on a path that is
// dead. At the start and at `hanetctl add` such a port is refused (config/interfaces.cpp). Later
// nobody can be refused any more, so it is said aloud while nothing has failed yet, and for as long
// as it lasts: never silently left behind.
//
// Each rtnetlink message about a device has all that is needed. Only when messages were lost, and
// once at the start for what came since the check, all devices are read.
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>

#include "core/log.h"
#include "group/group_runner.h"

namespace hanet::group {
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

/// What a message about `link` says of devices on top of `below`; empty if nothing.
std::optional<Upper> upper_in(const net::LinkInfo& link, const net::InterfaceName& below) {
  // Members of a VRF keep their addresses.
  if (link.interface.index == below.index && link.master != 0 && link.master_kind != "vrf")
    return Upper{.index = link.master,
                 .below = below,
                 .name = name_of(link.master),
                 .kind = link.master_kind,
                 .is_master = true};
  // A veth names its peer in the same place.
  if (link.interface.index != below.index && link.lower == below.index && link.kind != "veth")
    return Upper{.index = link.interface.index,
                 .below = below,
                 .name = link.interface.name,
                 .kind = link.kind,
                 .is_master = false};
  return std::nullopt;
}

/// Is `upper` something that a message about `link` is the news of?
bool is_about(const Upper& upper, const net::LinkInfo& link, unsigned below) {
  return upper.vlan_tag == 0 && upper.below.index == below &&
         link.interface.index == (upper.is_master ? below : upper.index);
}

std::vector<net::InterfaceName> interfaces_of(const RunningPort& port) {
  std::vector<net::InterfaceName> interfaces{port.interface};
  for (const net::Vlan& vlan : port.vlans) interfaces.push_back(vlan.on);
  return interfaces;
}

}  // namespace

void GroupRunner::follow_uppers(const net::LinkInfo& link, bool removed) {
  for (RunningPort& port : ports_) {
    if (!port.present) continue;
    follow_vlan(port, link, removed);
    for (const net::InterfaceName& below : interfaces_of(port)) {
      const bool is_ours = std::ranges::any_of(port.vlans, [&](const net::Vlan& vlan) {
        return vlan.on.index == link.interface.index && below.index == port.interface.index;
      });
      const std::optional<Upper> found = removed || is_ours ? std::nullopt : upper_in(link, below);
      const auto known = std::ranges::find_if(
          uppers_, [&](const Upper& upper) { return is_about(upper, link, below.index); });
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
}

// A trunk's VLANs are devices like any other: every port of it would need them.
void GroupRunner::follow_vlan(RunningPort& port, const net::LinkInfo& link, bool removed) {
  if (config_.has_trunk()) return;
  const std::optional<net::Vlan> vlan =
      removed ? std::nullopt : net::vlan_on(link, port.interface.index);
  const auto known = std::ranges::find_if(
      port.vlans, [&](const net::Vlan& one) { return one.on.index == link.interface.index; });
  if (known == port.vlans.end() && !vlan) return;
  const bool is_new = known == port.vlans.end();
  if (!is_new && vlan && *vlan == *known) return;
  const bool is_same = !is_new && vlan && vlan->on == known->on;
  if (!is_new) port.vlans.erase(known);
  if (vlan) port.vlans.push_back(*vlan);
  std::ranges::sort(port.vlans, {}, &net::Vlan::tag);
  if (vlan && is_new) welcome_vlan(port, *vlan);
  if (carries(port)) keeper_.mark_stale();
  plan_outdated_ = true;
  if (!is_same) vlans_reviewed_from_ = monotonic_now() + kBurst;
}

// It waits as its port does.
void GroupRunner::welcome_vlan(RunningPort& port, const net::Vlan& vlan) {
  if (!port.before) return;
  if (!carries(port)) {
    if (Status ready = prepare_vlan(around_.requests, vlan, waiting_mode(port), *port.before);
        !ready)
      log::warning("{}: {}", config_.name, ready.error().message);
    return;
  }
  const Result<StandbyBefore> now = remember_standby(around_.requests, vlan.on);
  if (!now) return;  // it is gone again
  port.before->settings[vlan.tag] = first_settings_[vlan.tag] = now->settings.at(0);
}

std::vector<Upper> GroupRunner::lonely_vlans(const RunningPort& port) const {
  std::vector<Upper> lonely;
  for (const net::Vlan& vlan : port.vlans)
    if (std::ranges::any_of(ports_, [&](const RunningPort& other) {
          return other.present && other.place().at(vlan.tag) == nullptr;
        }))
      lonely.push_back({.index = vlan.on.index,
                        .below = port.interface,
                        .name = vlan.on.name,
                        .kind = "vlan",
                        .is_master = false,
                        .vlan_tag = vlan.tag});
  return lonely;
}

void GroupRunner::review_vlans() {
  for (const RunningPort& port : ports_) {
    const std::vector<Upper> lonely = port.present ? lonely_vlans(port) : std::vector<Upper>();
    const auto is_in = [](const std::vector<Upper>& list, const Upper& wanted) {
      return std::ranges::any_of(list, [&](const Upper& upper) {
        return upper.vlan_tag == wanted.vlan_tag && upper.index == wanted.index;
      });
    };
    std::erase_if(uppers_, [&](const Upper& upper) {
      if (upper.vlan_tag == 0 || upper.below.index != port.interface.index || is_in(lonely, upper))
        return false;
      const bool other_has_gone = std::ranges::none_of(
          ports_, [&](const RunningPort& other) { return &other != &port && other.present; });
      if (port.place().has(upper.index) && other_has_gone) return true;  // there is nothing to tell
      if (port.place().has(upper.index))
        publish("alarm-cleared", port.path,
                fmt::format("the vlan '{}' moves with the identity now", upper.name));
      else
        tell_upper_gone(upper, port);
      return true;
    });
    for (const Upper& upper : lonely) {
      if (is_in(uppers_, upper)) continue;
      tell_upper(upper, port);
      uppers_.push_back(upper);
    }
  }
}

void GroupRunner::tell_upper(const Upper& upper, const RunningPort& port) {
  std::string text;
  if (upper.vlan_tag != 0) {
    const auto other = std::ranges::find_if(ports_, [&](const RunningPort& one) {
      return one.present && one.place().at(upper.vlan_tag) == nullptr;
    });
    const std::string& name = other->interface.name;
    text = fmt::format(
        "{} carries the vlan '{}' and {} has none with its tag, so hanet would leave "
        "it behind at a switchover; make one: {}",
        port.interface.name, upper.name, name, net::command_for_twin(upper.vlan_tag, name));
  } else if (upper.is_master) {
    text = fmt::format(
        "{0} is a member of the {1} now, and its packets are for that one: the identity does not "
        "work on it, and a switchover would leave the {1} behind; take it out: ip link set {0} "
        "nomaster",
        upper.below.name, described(upper));
  } else {
    text = fmt::format(
        "{} carries the {} now, which hanet would leave behind at a switchover; "
        "remove it: ip link del {}",
        upper.below.name, described(upper), upper.name);
  }
  publish("alarm", port.path, std::move(text));
}

void GroupRunner::tell_upper_gone(const Upper& upper, const RunningPort& port) {
  publish("alarm-cleared", port.path,
          fmt::format("{} {} the {} any more", upper.below.name,
                      upper.is_master ? "is not a member of" : "does not carry", described(upper)));
}

// What is on a card that is gone, or that a person took out, is none of the group's.
void GroupRunner::forget_uppers_of_absent_ports() {
  for (const RunningPort& port : ports_)
    if (!port.present)
      std::erase_if(uppers_, [&](const Upper& upper) {
        if (!port.place().has(upper.below.index)) return false;
        tell_upper_gone(upper, port);
        return true;
      });
}

// Not while a switchover runs: it can wait.
void GroupRunner::review_uppers(MonotonicTime now) {
  forget_uppers_of_absent_ports();
  // A card that goes takes its VLANs along, one by one and before itself.
  if (now >= vlans_reviewed_from_) review_vlans();
  if (!uppers_unread_ || state_.running) return;
  const Result<std::vector<net::LinkInfo>> links = net::read_links(around_.requests);
  if (!links) return;  // EINTR: the next tick asks again
  uppers_unread_ = false;
  const auto is_gone = [&](unsigned ifindex) {
    return std::ranges::none_of(
        *links, [&](const net::LinkInfo& link) { return link.interface.index == ifindex; });
  };
  std::vector<net::InterfaceName> gone;
  for (const Upper& upper : uppers_)
    if (const unsigned told_by = upper.is_master ? upper.below.index : upper.index;
        is_gone(told_by))
      gone.push_back({.name = upper.name, .index = told_by});
  for (const RunningPort& port : ports_)
    for (const net::Vlan& vlan : port.vlans)
      if (is_gone(vlan.on.index)) gone.push_back(vlan.on);
  for (const net::InterfaceName& one : gone) follow_uppers({.interface = one}, true);
  for (const net::LinkInfo& link : *links) follow_uppers(link, false);
}

}  // namespace hanet::group
