// SPDX-License-Identifier: Apache-2.0
//
// See route.h.
#include "net/route.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <ranges>

#include "net/bytes.h"
#include "net/netlink.h"

namespace hanet::net {
namespace {

constexpr unsigned char kConfiguredNexthopFlags = RTNH_F_ONLINK | RTNH_F_PERVASIVE;
// The kernel takes a nest only with its mark (NL_VALIDATE_STRICT).
constexpr std::uint16_t kResilience = NHA_RES_GROUP | NLA_F_NESTED;

// RTA_MULTIPATH is a row of struct rtnexthop, each followed by its own attributes.
template <typename Change>
void change_hops(KernelObject& route, const Change& change) {
  const auto found = route.attributes.find(RTA_MULTIPATH);
  if (!found) return;
  std::vector<std::uint8_t> bytes(found->begin(), found->end());
  for (std::size_t at = 0; at + sizeof(rtnexthop) <= bytes.size();) {
    rtnexthop hop{};
    std::memcpy(&hop, bytes.data() + at, sizeof(hop));
    change(hop);
    std::memcpy(bytes.data() + at, &hop, sizeof(hop));
    if (hop.rtnh_len < sizeof(hop)) break;
    at += (hop.rtnh_len + 3U) & ~3U;
  }
  route.attributes.set(RTA_MULTIPATH, bytes);
}

// What a route by number shows of its object.
constexpr std::array<std::uint16_t, 7> kOfNexthop{RTA_OIF,   RTA_GATEWAY,    RTA_VIA, RTA_MULTIPATH,
                                                  RTA_ENCAP, RTA_ENCAP_TYPE, RTA_FLOW};

std::optional<std::uint32_t> number_in(const KernelObject& object, std::uint16_t attribute) {
  const auto found = object.attributes.find(attribute);
  if (!found) return std::nullopt;
  return read_as<std::uint32_t>(*found);
}

std::vector<nexthop_grp> members_of(const KernelObject& group) {
  std::vector<nexthop_grp> members;
  const auto found = group.attributes.find(NHA_GROUP);
  if (!found) return members;
  members.resize(found->size() / sizeof(nexthop_grp));
  std::memcpy(members.data(), found->data(), members.size() * sizeof(nexthop_grp));
  return members;
}

}  // namespace

bool leaves_by(const KernelObject& route, unsigned ifindex) {
  if (number_in(route, RTA_OIF) == ifindex) return true;
  const Attributes::Value bytes =
      route.attributes.find(RTA_MULTIPATH).value_or(Attributes::Value());
  for (std::size_t at = 0; at + sizeof(rtnexthop) <= bytes.size();) {
    rtnexthop hop{};
    std::memcpy(&hop, bytes.data() + at, sizeof(hop));
    if (hop.rtnh_ifindex == static_cast<int>(ifindex)) return true;
    if (hop.rtnh_len < sizeof(hop)) return false;
    at += (hop.rtnh_len + 3U) & ~3U;
  }
  return false;
}

bool through_gateway(const KernelObject& route) {
  return route.attributes.contains(RTA_NH_ID) || route.attributes.contains(RTA_GATEWAY) ||
         route.attributes.contains(RTA_VIA) || route.attributes.contains(RTA_MULTIPATH);
}

bool is_default(const KernelObject& route) { return read_as<rtmsg>(route.header).rtm_dst_len == 0; }

std::optional<std::uint32_t> nexthop_of(const KernelObject& route) {
  return number_in(route, RTA_NH_ID);
}

void keep_configured_part(KernelObject& route) {
  auto header = read_as<rtmsg>(route.header);
  header.rtm_flags &= kConfiguredNexthopFlags;
  std::memcpy(route.header.data(), &header, sizeof(header));
  if (const auto cache = route.attributes.find(RTA_CACHEINFO)) {
    const auto info = read_as<rta_cacheinfo>(*cache);
    constexpr int kUserHz = 100;  // clock_t of every architecture that hanet supports
    if (info.rta_expires > 0) {
      route.attributes.set(RTA_EXPIRES,
                           bytes_of(static_cast<std::uint32_t>(info.rta_expires / kUserHz)));
    }
    route.attributes.erase(RTA_CACHEINFO);
  }
  if (route.attributes.contains(RTA_NH_ID)) {
    for (const std::uint16_t attribute : kOfNexthop) route.attributes.erase(attribute);
    header.rtm_flags = 0;
    std::memcpy(route.header.data(), &header, sizeof(header));
  }
  change_hops(route, [](rtnexthop& hop) { hop.rtnh_flags &= kConfiguredNexthopFlags; });
}

void retarget_route(KernelObject& route, unsigned from, unsigned to) {
  if (number_in(route, RTA_OIF) == from)
    route.attributes.set(RTA_OIF, bytes_of(static_cast<std::uint32_t>(to)));
  change_hops(route, [&](rtnexthop& hop) {
    if (hop.rtnh_ifindex == static_cast<int>(from)) hop.rtnh_ifindex = static_cast<int>(to);
  });
}

bool may_replace(const KernelObject& route, const KernelObject& other) {
  const auto left = read_as<rtmsg>(route.header);
  const auto right = read_as<rtmsg>(other.header);
  if (left.rtm_family != right.rtm_family || left.rtm_dst_len != right.rtm_dst_len) return false;
  const auto same = [&](std::uint16_t type) {
    const auto mine = route.attributes.find(type);
    const auto theirs = other.attributes.find(type);
    if (mine.has_value() != theirs.has_value()) return false;
    return !mine || std::ranges::equal(*mine, *theirs);
  };
  return same(RTA_DST) && same(RTA_TABLE) && same(RTA_PRIORITY);
}

std::string describe_route(const KernelObject& route) {
  const auto header = read_as<rtmsg>(route.header);
  const auto destination = route.attributes.find(RTA_DST);
  const auto gateway = route.attributes.find(RTA_GATEWAY);
  std::string text = "route ";
  text += destination ? fmt::format("{}/{}", address_text(header.rtm_family, *destination),
                                    header.rtm_dst_len)
                      : "default";
  if (gateway) text += " via " + address_text(header.rtm_family, *gateway);
  if (const auto id = nexthop_of(route)) text += fmt::format(" nhid {}", *id);
  if (const auto table = number_in(route, RTA_TABLE)) text += fmt::format(" table {}", *table);
  return text;
}

std::uint32_t id_of(const KernelObject& nexthop) { return number_in(nexthop, NHA_ID).value_or(0); }

bool is_group(const KernelObject& nexthop) { return nexthop.attributes.contains(NHA_GROUP); }

bool is_on(const KernelObject& nexthop, unsigned ifindex) {
  return number_in(nexthop, NHA_OIF) == ifindex;
}

bool has_nexthop(std::span<const KernelObject> nexthops, std::uint32_t id) {
  return std::ranges::any_of(nexthops,
                             [&](const KernelObject& nexthop) { return id_of(nexthop) == id; });
}

std::vector<std::uint32_t> member_ids(const KernelObject& group) {
  std::vector<std::uint32_t> ids;
  for (const nexthop_grp& member : members_of(group)) ids.push_back(member.id);
  return ids;
}

bool has_member(const KernelObject& group, std::uint32_t id) {
  const std::vector<nexthop_grp> members = members_of(group);
  return std::ranges::find(members, id, &nexthop_grp::id) != members.end();
}

bool remove_member(KernelObject& group, std::uint32_t id) {
  std::vector<nexthop_grp> members = members_of(group);
  std::erase_if(members, [&](const nexthop_grp& member) { return member.id == id; });
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(members.data());
  group.attributes.set(NHA_GROUP, {bytes, members.size() * sizeof(nexthop_grp)});
  return !members.empty();
}

// net/ipv4/nexthop.c, rtm_to_nh_config: only this much may be given.
void keep_configured_nexthop(KernelObject& nexthop) {
  auto header = read_as<nhmsg>(nexthop.header);
  header.nh_scope = 0;
  header.nh_flags &= RTNH_F_ONLINK;
  nexthop.header = bytes_of(header);
  Attributes kept;
  for (const std::uint16_t attribute :
       {NHA_ID, NHA_GROUP, NHA_GROUP_TYPE, NHA_OIF, NHA_GATEWAY, NHA_ENCAP_TYPE, NHA_ENCAP})
    if (const auto found = nexthop.attributes.find(attribute)) kept.set(attribute, *found);
  if (const auto found = nexthop.attributes.find(NHA_RES_GROUP)) {
    MessageBuilder nest(0, 0);
    for_each_attribute(*found, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
      if (type != NHA_RES_GROUP_PAD && type != NHA_RES_GROUP_UNBALANCED_TIME)
        nest.attribute(type, value);
    });
    const NetlinkMessage bytes = nest.take();
    kept.set(kResilience, std::span(bytes).subspan(NLMSG_HDRLEN));
  }
  nexthop.attributes = std::move(kept);
}

void retarget_nexthop(KernelObject& nexthop, unsigned from, unsigned to) {
  if (is_on(nexthop, from)) nexthop.attributes.set(NHA_OIF, bytes_of(std::uint32_t{to}));
}

std::string describe_nexthop(const KernelObject& nexthop) {
  if (!is_group(nexthop)) return fmt::format("nexthop id {}", id_of(nexthop));
  return fmt::format("nexthop id {} group {}", id_of(nexthop),
                     fmt::join(members_of(nexthop) | std::views::transform(&nexthop_grp::id), "/"));
}

}  // namespace hanet::net
