// SPDX-License-Identifier: Apache-2.0
//
// Nexthop objects and groups as values: what of them can be given to the kernel, and what is left
// on a port without some of the VLANs (F13).
#include <gtest/gtest.h>
#include <linux/nexthop.h>

#include "identity_samples.h"
#include "net/encode.h"
#include "net/route.h"

namespace hanet::net {
namespace {

using samples::Bytes;
using samples::bytes_of;

KernelObject object(std::uint32_t id, std::uint32_t oif) {
  nhmsg header{};
  header.nh_family = AF_INET;
  return {.header = bytes_of(header),
          .attributes = {{NHA_ID, bytes_of(id)}, {NHA_OIF, bytes_of(oif)}}};
}

KernelObject group(std::uint32_t id, const std::vector<std::uint32_t>& members) {
  Bytes bytes;
  for (const std::uint32_t member : members) {
    nexthop_grp entry{};
    entry.id = member;
    const Bytes one = bytes_of(entry);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return {.header = bytes_of(nhmsg{}),
          .attributes = {{NHA_ID, bytes_of(id)}, {NHA_GROUP, std::move(bytes)}}};
}

KernelObject route_by(std::uint32_t id) {
  KernelObject route = samples::route(2, {10, 0, static_cast<std::uint8_t>(id), 0});
  route.attributes.set(RTA_NH_ID, bytes_of(id));
  keep_configured_part(route);
  return route;
}

std::vector<std::string> texts_of(const std::vector<KernelObject>& nexthops) {
  std::vector<std::string> texts;
  for (const KernelObject& nexthop : nexthops) texts.push_back(describe_nexthop(nexthop));
  return texts;
}

TEST(Nexthops, F13_OfARouteByNumberOnlyTheNumberIsConfigured) {
  const KernelObject route = route_by(10);
  EXPECT_FALSE(route.attributes.contains(RTA_OIF));
  EXPECT_EQ(nexthop_of(route), 10U);
  EXPECT_TRUE(through_gateway(route)) << "it must be added behind its object";
  EXPECT_FALSE(must_be_removed(route, false)) << "it follows its object";
  EXPECT_EQ(describe_route(route), "route 10.0.10.0/24 nhid 10");
}

TEST(Nexthops, F13_WhatTheKernelComputesIsNotGivenBack) {
  KernelObject nexthop = object(10, 2);
  auto header = samples::header_of<nhmsg>(nexthop);
  header.nh_scope = RT_SCOPE_LINK;
  header.nh_protocol = RTPROT_STATIC;
  header.nh_flags = RTNH_F_LINKDOWN | RTNH_F_DEAD | RTNH_F_ONLINK;
  nexthop.header = bytes_of(header);
  nexthop.attributes.set(77, Bytes{1});
  keep_configured_nexthop(nexthop);
  header = samples::header_of<nhmsg>(nexthop);
  EXPECT_EQ(header.nh_scope, 0);
  EXPECT_EQ(header.nh_flags, unsigned{RTNH_F_ONLINK});
  EXPECT_EQ(header.nh_protocol, RTPROT_STATIC);
  EXPECT_FALSE(nexthop.attributes.contains(77));
}

TEST(Nexthops, F13_OnAPortWithoutAVlanItsObjectsAndWhatIsEmptyWithoutThemAreLeftOut) {
  Identity identity = samples::identity();
  identity.on = {"eth0", 2};
  identity.vlans = {{.tag = 0x81000005, .on = {"eth0.5", 5}, .mac = {}}};
  identity.nexthops = {object(10, 2), object(15, 5), group(20, {10, 15}), group(25, {15})};
  identity.routes = {route_by(10), route_by(15), route_by(20), route_by(25), route_by(99)};
  const Identity moved = retarget(identity, InterfaceName{"eth1", 3});
  EXPECT_EQ(texts_of(moved.nexthops),
            (std::vector<std::string>{"nexthop id 10", "nexthop id 20 group 10"}));
  EXPECT_TRUE(is_on(moved.nexthops.front(), 3));
  std::vector<std::uint32_t> routes;
  for (const KernelObject& route : moved.routes) routes.push_back(nexthop_of(route).value_or(0));
  EXPECT_EQ(routes, (std::vector<std::uint32_t>{10, 20, 99}));
}

TEST(Nexthops, F14_OneThatLeadsElsewhereIsMissing) {
  Identity expected = samples::identity();
  expected.nexthops = {object(10, 2), group(20, {10})};
  Identity found = expected;
  EXPECT_TRUE(missing_from(found, expected, true).empty());
  found.nexthops = {object(10, 3), group(20, {10})};
  EXPECT_EQ(missing_from(found, expected, true), (std::vector<std::string>{"nexthop id 10"}));
  found.nexthops = {object(10, 2)};
  EXPECT_EQ(missing_from(found, expected, true),
            (std::vector<std::string>{"nexthop id 20 group 10"}));
}

TEST(United, F15_NobodysRemovalCountsAndWhatCameIsThereToo) {
  Identity held = samples::identity();
  held.nexthops = {object(10, held.on.index), group(20, {10})};
  Identity there;
  there.on = held.on;
  there.mac = held.mac;
  there.nexthops = {object(11, held.on.index)};
  there.addresses = {samples::ipv4(77)};
  const Identity whole = united(held, there);
  EXPECT_TRUE(missing_from(whole, held, true).empty());
  EXPECT_TRUE(missing_from(whole, there, true).empty());
  EXPECT_EQ(texts_of(whole.nexthops),
            (std::vector<std::string>{"nexthop id 10", "nexthop id 11", "nexthop id 20 group 10"}))
      << "groups behind what they are made of";
}

}  // namespace
}  // namespace hanet::net
