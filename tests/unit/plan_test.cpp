// SPDX-License-Identifier: Apache-2.0
//
// The plan of a switchover: its order, and that nothing is ever in two places (F1, F2, F6).
//
// The messages are played in order into a model of two interfaces that understands just as much
// netlink as a plan uses. After every single message the model is looked at: no address and no MAC
// on two interfaces. At the end the identity is complete on the new one.
#include "failover/plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/neighbour.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "identity_samples.h"
#include "net/encode.h"

namespace hanet::failover {
namespace {

using net::samples::Bytes;

const net::InterfaceName kTo{.name = "eth1", .index = 3};
constexpr net::MacAddress kToMac{2, 0, 0, 0, 0, 2};
constexpr net::MacAddress kSpareMac{2, 0, 0, 0, 0, 3};

struct Interface {
  bool up = true;
  Bytes mac;
  std::set<Bytes> addresses;
  std::size_t others = 0;  // routes, rules and neighbours that were added
};

template <typename T>
T struct_at(const net::NetlinkMessage& message, std::size_t at) {
  T value{};
  std::memcpy(&value, message.data() + at, sizeof(value));
  return value;
}

Bytes attribute_of(const net::NetlinkMessage& message, std::size_t header, std::uint16_t wanted) {
  Bytes found;
  net::for_each_attribute(std::span(message).subspan(sizeof(nlmsghdr) + header),
                          [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                            if (type == wanted) found.assign(value.begin(), value.end());
                          });
  return found;
}

class Model {
 public:
  explicit Model(const net::Identity& identity, bool from_is_there = true) {
    if (from_is_there) {
      Interface& from = at_[identity.on.index];
      from.mac.assign(identity.mac.begin(), identity.mac.end());
      for (const net::Address& address : identity.addresses) from.addresses.insert(address.local);
    }
    at_[kTo.index].mac.assign(kToMac.begin(), kToMac.end());
  }

  void take(const net::NetlinkMessage& message) {
    const auto header = struct_at<nlmsghdr>(message, 0);
    ASSERT_EQ(header.nlmsg_len, message.size());
    switch (header.nlmsg_type) {
      case RTM_NEWADDR:
      case RTM_DELADDR:
        address(message, header.nlmsg_type == RTM_NEWADDR);
        break;
      case RTM_SETLINK:
      case RTM_NEWLINK:
        link(message);
        break;
      case RTM_NEWROUTE:
        // A local delivery of our own bridges time and is no part of the identity.
        if (struct_at<rtmsg>(message, sizeof(nlmsghdr)).rtm_protocol == net::kRouteProtocol) break;
        ++at_[kTo.index].others;
        break;
      case RTM_NEWRULE:
      case RTM_NEWNEIGH:
        ++at_[kTo.index].others;
        break;
      default:
        break;
    }
    nothing_is_in_two_places();
  }

  [[nodiscard]] const Interface& operator[](unsigned index) { return at_[index]; }

 private:
  void address(const net::NetlinkMessage& message, bool add) {
    const auto header = struct_at<ifaddrmsg>(message, sizeof(nlmsghdr));
    ASSERT_TRUE(at_.contains(header.ifa_index)) << "a message to an interface that is gone";
    const Bytes local = attribute_of(message, sizeof(ifaddrmsg), IFA_LOCAL);
    std::set<Bytes>& addresses = at_[header.ifa_index].addresses;
    const bool changed = add ? addresses.insert(local).second : addresses.erase(local) == 1;
    EXPECT_TRUE(changed) << (add ? "added twice" : "removed although it is not there");
  }

  void link(const net::NetlinkMessage& message) {
    const auto header = struct_at<ifinfomsg>(message, sizeof(nlmsghdr));
    const auto index = static_cast<unsigned>(header.ifi_index);
    ASSERT_TRUE(at_.contains(index)) << "a message to an interface that is gone";
    if (header.ifi_change & IFF_UP) at_[index].up = (header.ifi_flags & IFF_UP) != 0;
    const Bytes mac = attribute_of(message, sizeof(ifinfomsg), IFLA_ADDRESS);
    if (!mac.empty()) at_[index].mac = mac;
  }

  void nothing_is_in_two_places() {
    std::set<Bytes> macs;
    std::set<Bytes> addresses;
    for (const auto& [index, interface] : at_) {
      EXPECT_TRUE(macs.insert(interface.mac).second) << "one MAC on two interfaces";
      for (const Bytes& address : interface.addresses)
        EXPECT_TRUE(addresses.insert(address).second) << "one address on two interfaces";
    }
  }

  std::map<unsigned, Interface> at_;
};

std::vector<std::string> names_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const Step& step : plan.steps) names.push_back(step.name);
  return names;
}

PlanSettings settings(bool cold = false, bool move_mac = true, bool from_gone = false) {
  return {.cold = cold, .move_mac = move_mac, .from_gone = from_gone, .spare_mac = kSpareMac};
}

TEST(Plan, F1_AHotStandbyTakesOverAfterTheOldInterfaceGaveEverythingUp) {
  const Plan plan = make_plan(net::samples::identity(), kTo, kToMac, settings());
  EXPECT_EQ(names_of(plan),
            (std::vector<std::string>{
                "deliver IPv6 addresses on eth1", "remove rules, routes and neighbours from eth0",
                "remove addresses from eth0", "set MAC address of eth0", "set MAC address of eth1",
                "add addresses to eth1", "add routes, rules and neighbours to eth1"}));
}

TEST(Plan, F1_AColdStandbyComesUpAfterTheOldInterfaceWentDown) {
  const Plan plan = make_plan(net::samples::identity(), kTo, kToMac, settings(true));
  EXPECT_EQ(names_of(plan),
            (std::vector<std::string>{
                "remove rules, routes and neighbours from eth0", "set eth0 down",
                "remove addresses from eth0", "set MAC address of eth0", "set MAC address of eth1",
                "set eth1 up", "deliver IPv6 addresses on eth1", "add addresses to eth1",
                "add routes, rules and neighbours to eth1"}));
}

TEST(Plan, F3_AnInterfaceThatIsGoneGetsNoMessages) {
  const Plan plan = make_plan(net::samples::identity(), kTo, kToMac, settings(false, true, true));
  EXPECT_EQ(names_of(plan),
            (std::vector<std::string>{"deliver IPv6 addresses on eth1", "set MAC address of eth1",
                                      "add addresses to eth1",
                                      "add routes, rules and neighbours to eth1"}));
}

TEST(Plan, F2_AMacAddressThatNeedNotMoveIsNotTouched) {
  for (const Plan& plan :
       {make_plan(net::samples::identity(), kTo, kToMac, settings(false, false)),
        make_plan(net::samples::identity(), kTo, net::samples::identity().mac, settings())}) {
    EXPECT_FALSE(plan.moves_mac);
    for (const std::string& name : names_of(plan))
      EXPECT_EQ(name.find("MAC"), std::string::npos) << name;
  }
}

TEST(Plan, F6_NoMessageLeavesAMacOrAnAddressInTwoPlaces) {
  for (const bool cold : {false, true})
    for (const bool move_mac : {false, true})
      for (const bool gone : {false, true}) {
        SCOPED_TRACE(fmt::format("cold {}, move_mac {}, gone {}", cold, move_mac, gone));
        const net::Identity identity = net::samples::identity();
        const Plan plan = make_plan(identity, kTo, kToMac, settings(cold, move_mac, gone));
        Model model(identity, !gone);
        for (const Step& step : plan.steps) {
          SCOPED_TRACE(step.name);
          for (const net::NetlinkMessage& message : step.messages) model.take(message);
        }
        const Interface& to = model[kTo.index];
        EXPECT_EQ(to.addresses.size(), identity.addresses.size()) << "the witness: it all moved";
        EXPECT_EQ(to.others,
                  identity.routes.size() + identity.rules.size() + identity.neighbours.size());
        const auto& mac = move_mac ? identity.mac : kToMac;
        EXPECT_EQ(to.mac, Bytes(mac.begin(), mac.end()));
        EXPECT_TRUE(to.up);
        if (!gone) {
          EXPECT_EQ(model[identity.on.index].up, !cold);
        }
      }
}

TEST(Plan, F2_SecondaryAddressesAreRemovedBeforeTheirPrimary) {
  const net::Identity identity = net::samples::identity();
  const Plan plan = make_plan(identity, kTo, kToMac, settings());
  const Step& removal = plan.steps[2];
  ASSERT_EQ(removal.messages.size(), 3U);
  EXPECT_EQ(attribute_of(removal.messages[0], sizeof(ifaddrmsg), IFA_LOCAL),
            identity.addresses[2].local);
  EXPECT_EQ(attribute_of(removal.messages[2], sizeof(ifaddrmsg), IFA_LOCAL),
            identity.addresses[0].local);
}

TEST(Plan, F5_EveryMovedAddressIsAnnouncedFromTheMacItWillHave) {
  const net::Identity identity = net::samples::identity();
  const Plan moved = make_plan(identity, kTo, kToMac, settings());
  ASSERT_EQ(moved.announcements.size(), 3U);
  EXPECT_EQ(moved.announcements[0], net::gratuitous_arp(identity.mac, {192, 0, 2, 1}));
  EXPECT_EQ(moved.announcements[1], net::gratuitous_arp(identity.mac, {192, 0, 2, 2}));
  net::Ipv6Bytes ipv6{};
  std::copy_n(identity.addresses[2].local.begin(), ipv6.size(), ipv6.begin());
  EXPECT_EQ(moved.announcements[2], net::unsolicited_advertisement(identity.mac, ipv6, false));

  const Plan stays = make_plan(identity, kTo, kToMac, settings(false, false));
  EXPECT_EQ(stays.announcements[0], net::gratuitous_arp(kToMac, {192, 0, 2, 1}));
}

TEST(Plan, F5_AnAddressOnAVlanIsAnnouncedWithItsTag) {
  const net::Identity identity = net::samples::identity_with_vlans();
  const Plan plan = make_plan(identity, net::samples::other_port(), kToMac, settings());
  ASSERT_EQ(plan.announcements.size(), identity.addresses.size());
  const net::Frame plain = net::gratuitous_arp(identity.mac, {192, 0, 2, 50});
  EXPECT_EQ(plan.announcements[3], net::tagged(plain, net::samples::kFive));
  ASSERT_EQ(plan.announcements[3].size(), plain.size() + 4);
  const std::vector<std::uint8_t> tag(plan.announcements[3].begin() + 12,
                                      plan.announcements[3].begin() + 18);
  EXPECT_EQ(tag, (std::vector<std::uint8_t>{0x81, 0x00, 0x00, 0x05, 0x08, 0x06}));
  EXPECT_EQ(plan.announcements[5][12], 0x88) << "a provider's tag";
}

TEST(Plan, F5_AnAdvertisementSaysRouterOnTheVlansThatAreRoutedOnly) {
  const net::Identity identity = net::samples::identity_with_vlans();
  PlanSettings routed = settings();
  routed.routers = {net::samples::kFive};
  const Plan plan = make_plan(identity, net::samples::other_port(), kToMac, routed);
  const auto advertisement = [&](std::size_t at, bool router) {
    net::Ipv6Bytes ipv6{};
    std::copy_n(identity.addresses[at].local.begin(), ipv6.size(), ipv6.begin());
    return net::unsolicited_advertisement(identity.mac, ipv6, router);
  };
  EXPECT_EQ(plan.announcements[2], advertisement(2, false));
  EXPECT_EQ(plan.announcements[4], net::tagged(advertisement(4, true), net::samples::kFive));
}

// The kernel drops IPv4 routes with the last address of their interface, not of the identity.
TEST(Plan, F4_TheRoutesOfAVlanWithoutIpv4AddressesAreTakenOff) {
  net::Identity identity = net::samples::identity_with_vlans();
  const auto removals = [&] {
    const Plan plan = make_plan(identity, net::samples::other_port(), kToMac, settings());
    return std::ranges::count_if(plan.steps[1].messages, [](const net::NetlinkMessage& message) {
      return struct_at<nlmsghdr>(message, 0).nlmsg_type == RTM_DELROUTE;
    });
  };
  const auto before = removals();
  std::erase_if(identity.addresses, [](const net::Address& address) {
    return address.vlan == net::samples::kSeven && address.family == AF_INET;
  });
  EXPECT_EQ(removals(), before + 1);
}

TEST(Plan, F5_WhatIsOnAVlanWithoutATwinIsNotTouched) {
  const net::Identity identity = net::samples::identity_with_vlans();
  const auto messages = [&](const net::Place& to) {
    std::size_t sum = 0;
    for (const Step& step : make_plan(identity, to, kToMac, settings()).steps)
      sum += step.messages.size();
    return sum;
  };
  // An address and a rule are taken off and put on; the kernel takes the route off.
  EXPECT_EQ(messages(net::samples::other_port()), messages(net::samples::other_port(false)) + 5);
}

// What the new interface needs must not be refused without a word.
TEST(Plan, F12_OnlyWhatIsTakenOffMayBeGoneAlready) {
  const Plan plan = make_plan(net::samples::identity(), kTo, kToMac, settings(true));
  for (const Step& step : plan.steps)
    if (!step.name.contains("eth1") || step.name.starts_with("deliver")) {
      EXPECT_FALSE(step.tolerated.empty()) << step.name;
    } else {
      EXPECT_EQ(std::ranges::count(step.tolerated, ENODEV), 0) << step.name;
    }
}

TEST(Plan, F4_KnownNeighboursMoveBeforeTheAddressesThatUseThem) {
  const std::vector<net::KernelObject> known = net::samples::identity().neighbours;
  ASSERT_FALSE(known.empty());
  const Plan plan = make_plan(net::samples::identity(), kTo, kToMac, settings(), known);
  const std::vector<std::string> names = names_of(plan);
  const auto carry = std::ranges::find(names, "carry known neighbours to eth1");
  ASSERT_NE(carry, names.end());
  EXPECT_LT(carry, std::ranges::find(names, "add addresses to eth1"));
  const Step& step = plan.steps[static_cast<std::size_t>(carry - names.begin())];
  ASSERT_EQ(step.messages.size(), known.size());
  EXPECT_EQ(struct_at<ndmsg>(step.messages[0], sizeof(nlmsghdr)).ndm_ifindex,
            static_cast<int>(kTo.index));
}

TEST(Plan, F4_WhatOnlyBridgedTheTimeIsRemovedAfterwards) {
  const Plan plan = make_plan(net::samples::identity(), kTo, kToMac, settings());
  ASSERT_EQ(plan.afterwards.size(), 1U);
  EXPECT_EQ(plan.afterwards[0].messages.size(), plan.steps[0].messages.size());
  for (const net::NetlinkMessage& message : plan.afterwards[0].messages)
    EXPECT_EQ(struct_at<nlmsghdr>(message, 0).nlmsg_type, RTM_DELROUTE);
}

TEST(Plan, F12_ASecondAttemptOnlyAdds) {
  const Plan plan = make_plan(net::samples::identity(), kTo, kToMac, settings());
  for (const Step& step : second_attempt(plan, plan.expected))
    EXPECT_TRUE(step.name.starts_with("add ")) << step.name;
  // The order: an address given anew with another metric, then with its own, then what needs it.
  const std::vector<Step> steps = second_attempt(plan, plan.expected);
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[0].name, "add the kernel's own routes to eth1");
  EXPECT_EQ(steps[1].name, "add addresses to eth1");
  EXPECT_EQ(steps[2].name, "add routes, rules and neighbours to eth1");
  net::Identity one = plan.expected;
  one.routes.resize(1);
  const std::vector<Step> few = second_attempt(plan, one);
  EXPECT_EQ(few.at(2).messages.size(), steps[2].messages.size() + 1 - plan.expected.routes.size())
      << "of the routes only what is missing";
  const std::vector<Step> restart = mac_with_restart(plan.to, plan.expected.mac);
  ASSERT_EQ(restart.size(), 3U);
  EXPECT_EQ(restart[0].name, "set eth1 down");
  EXPECT_EQ(restart[1].name, "set MAC address of eth1");
  EXPECT_EQ(restart[2].name, "set eth1 up");
}

TEST(Plan, F2_F18_WhatIsLeftOfTheLifetimesIsRenewedAndNothingElse) {
  net::Identity identity = net::samples::identity();
  identity.addresses[0].valid_seconds = identity.addresses[0].preferred_seconds = 100;
  Plan plan = make_plan(identity, kTo, kToMac, settings());
  identity.addresses[0].valid_seconds = identity.addresses[0].preferred_seconds = 40;
  const Plan wanted = make_plan(identity, kTo, kToMac, settings());
  ASSERT_NE(plan.steps.at(*plan.addresses_at).messages,
            wanted.steps.at(*plan.addresses_at).messages)
      << "the witness";
  renew_lifetimes(plan, identity);
  ASSERT_EQ(plan.steps.size(), wanted.steps.size());
  for (std::size_t at = 0; at < plan.steps.size(); ++at)
    EXPECT_EQ(plan.steps[at].messages, wanted.steps[at].messages) << plan.steps[at].name;
  EXPECT_EQ(plan.expected, wanted.expected);
}

// Behind the first chunk the host is announced, and when it is called away the rest waits.
TEST(Plan, F18_DefaultRoutesOfBothFamiliesAndRulesComeBeforeAFullTable) {
  net::Identity identity = net::samples::identity();
  const unsigned on = identity.on.index;
  identity.routes.clear();
  for (std::uint8_t net = 0; net < 200; ++net)
    identity.routes.push_back(net::samples::route(on, {10, net, 0, 0}, {192, 0, 2, 10}));
  identity.routes.push_back(net::samples::route(on, {}, {192, 0, 2, 10}));
  net::KernelObject ipv6 = net::samples::route(on, {}, Bytes(16, 0xfe));
  ipv6.header[0] = AF_INET6;
  identity.routes.push_back(ipv6);
  identity.rules = {net::samples::rule(FRA_IIFNAME, identity.on.name)};
  const Plan plan = make_plan(identity, kTo, kToMac, settings());
  std::size_t first_far = 0, last_needed = 0, at = 0;
  for (const net::NetlinkMessage& message : plan.steps.at(*plan.routes_at).messages) {
    ++at;
    const auto type = struct_at<nlmsghdr>(message, 0).nlmsg_type;
    const bool is_far =
        type == RTM_NEWROUTE && struct_at<rtmsg>(message, sizeof(nlmsghdr)).rtm_dst_len != 0;
    if (is_far && first_far == 0) first_far = at;
    if (!is_far) last_needed = at;
  }
  EXPECT_EQ(at, 203 + identity.neighbours.size()) << "the witness: all of it";
  EXPECT_LT(last_needed, first_far);
}

TEST(Plan, F2_AnIdentityWithoutAddressesHasNoEmptySteps) {
  net::Identity identity = net::samples::identity();
  identity.addresses.clear();
  identity.routes.clear();
  identity.rules.clear();
  identity.neighbours.clear();
  const Plan plan = make_plan(identity, kTo, kToMac, settings(false, false));
  EXPECT_TRUE(plan.steps.empty());
  EXPECT_TRUE(plan.announcements.empty());
}

}  // namespace
}  // namespace hanet::failover
