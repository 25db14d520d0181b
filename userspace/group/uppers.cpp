// SPDX-License-Identifier: Apache-2.0
//
// See uppers.h.
#include "group/uppers.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>

#include "policy/repair.h"
#include "policy/vlans.h"

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

std::vector<net::InterfaceName> interfaces_of(const Port& port) {
  std::vector<net::InterfaceName> interfaces{port.interface};
  for (const net::Vlan& vlan : port.vlans) interfaces.push_back(vlan.on);
  return interfaces;
}

bool is_in(const std::vector<Upper>& list, const Upper& wanted) {
  return std::ranges::any_of(list, [&](const Upper& upper) {
    return upper.vlan_tag == wanted.vlan_tag && upper.index == wanted.index;
  });
}

}  // namespace

void Uppers::link_changed(const net::LinkInfo& link, bool removed) {
  for (const Port& port : ports_.all()) {
    if (!port.present()) continue;
    for (const net::InterfaceName& below : interfaces_of(port))
      follow(port, below, {.link = link, .removed = removed});
  }
}

void Uppers::follow(const Port& port, const net::InterfaceName& below, const LinkUpdate& update) {
  const bool is_ours = std::ranges::any_of(port.vlans, [&](const net::Vlan& vlan) {
    return vlan.on.index == update.link.interface.index && below.index == port.interface.index;
  });
  const std::optional<Upper> found =
      update.removed || is_ours ? std::nullopt : upper_in(update.link, below);
  const auto known = std::ranges::find_if(
      uppers_, [&](const Upper& upper) { return is_about(upper, update.link, below.index); });
  if (known != uppers_.end() && found && found->index == known->index) {
    if (!found->name.empty()) known->name = found->name;  // it may have been renamed
    return;
  }
  if (known != uppers_.end()) {
    tell_gone(*known, port);
    uppers_.erase(known);
  }
  if (!found) return;
  tell(*found, port);
  uppers_.push_back(*found);
}

void Uppers::expect_other_vlans(MonotonicTime now) { vlans_reviewed_from_ = now + policy::kBurst; }

std::optional<MonotonicTime> Uppers::next_deadline(MonotonicTime now) const {
  return vlans_reviewed_from_ > now ? std::optional(vlans_reviewed_from_) : std::nullopt;
}

std::vector<Upper> Uppers::vlans_without_twin(const Port& port) const {
  if (!port.present()) return {};
  const auto tags_of = [](const Port& one) {
    policy::Tags tags;
    for (const net::Vlan& vlan : one.vlans) tags.push_back(vlan.tag);
    return tags;
  };
  std::vector<policy::Tags> others;
  for (const Port& other : ports_.all())
    if (other.present()) others.push_back(tags_of(other));
  std::vector<Upper> without_twin;
  for (const std::uint32_t tag : policy::tags_without_twin(tags_of(port), others)) {
    const auto vlan = std::ranges::find(port.vlans, tag, &net::Vlan::tag);
    without_twin.push_back({.index = vlan->on.index,
                            .below = port.interface,
                            .name = vlan->on.name,
                            .kind = "vlan",
                            .is_master = false,
                            .vlan_tag = tag});
  }
  return without_twin;
}

void Uppers::forget_vlans_with_twin(const Port& port, const std::vector<Upper>& without_twin) {
  std::erase_if(uppers_, [&](const Upper& upper) {
    if (upper.vlan_tag == 0 || upper.below.index != port.interface.index ||
        is_in(without_twin, upper))
      return false;
    const bool is_there = port.place().has(upper.index);
    const bool others_have_gone = std::ranges::none_of(
        ports_.all(), [&](const Port& other) { return &other != &port && other.present(); });
    if (is_there && others_have_gone) return true;  // there is nothing to tell
    if (is_there)
      context_.notices.alarm_cleared(
          AlarmKind::DeviceOnPort, ports_.name(port.path),
          fmt::format("the vlan '{}' moves with the identity now", upper.name));
    else
      tell_gone(upper, port);
    return true;
  });
}

void Uppers::review_vlans() {
  for (const Port& port : ports_.all()) {
    const std::vector<Upper> without_twin = vlans_without_twin(port);
    forget_vlans_with_twin(port, without_twin);
    for (const Upper& upper : without_twin) {
      if (is_in(uppers_, upper)) continue;
      tell(upper, port);
      uppers_.push_back(upper);
    }
  }
}

void Uppers::tell(const Upper& upper, const Port& port) const {
  std::string text;
  if (upper.vlan_tag != 0) {
    const auto other = std::ranges::find_if(ports_.all(), [&](const Port& one) {
      return one.present() && one.place().at(upper.vlan_tag) == nullptr;
    });
    const std::string& name = other->interface.name;
    text = fmt::format(
        "{} has the vlan '{}' and {} has none with its tag, so hanet would leave "
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
        "{} has the {} now, which hanet would leave behind at a switchover; "
        "remove it: ip link del {}",
        upper.below.name, described(upper), upper.name);
  }
  context_.notices.alarm(AlarmKind::DeviceOnPort, ports_.name(port.path), std::move(text));
}

void Uppers::tell_gone(const Upper& upper, const Port& port) const {
  context_.notices.alarm_cleared(
      AlarmKind::DeviceOnPort, ports_.name(port.path),
      fmt::format("{} {} the {} any more", upper.below.name,
                  upper.is_master ? "is not a member of" : "does not have", described(upper)));
}

// What is on a card that is gone, or that a person took out, is none of the group's.
void Uppers::forget_absent_ports() {
  for (const Port& port : ports_.all())
    if (!port.present())
      std::erase_if(uppers_, [&](const Upper& upper) {
        if (!port.place().has(upper.below.index)) return false;
        tell_gone(upper, port);
        return true;
      });
}

void Uppers::tick(MonotonicTime now) {
  forget_absent_ports();
  if (now >= vlans_reviewed_from_) review_vlans();
}

std::vector<LinkUpdate> Uppers::read_anew() {
  if (!unread_ || context_.state.running) return {};
  const Result<std::vector<net::LinkInfo>> links = net::read_links(context_.requests());
  if (!links) return {};  // the next tick asks again
  unread_ = false;
  std::vector<LinkUpdate> updates;
  const auto note_gone = [&](const net::InterfaceName& one) {
    if (std::ranges::none_of(
            *links, [&](const net::LinkInfo& link) { return link.interface.index == one.index; }))
      updates.push_back({.link = {.interface = one}, .removed = true});
  };
  for (const Upper& upper : uppers_)
    note_gone({.name = upper.name, .index = upper.is_master ? upper.below.index : upper.index});
  for (const Port& port : ports_.all())
    for (const net::Vlan& vlan : port.vlans) note_gone(vlan.on);
  for (const net::LinkInfo& link : *links) updates.push_back({.link = link});
  return updates;
}

}  // namespace hanet::group
