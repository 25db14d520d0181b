// SPDX-License-Identifier: Apache-2.0
//
// Interfaces are looked for in the network namespace of the caller (O2).
//
// Each test works in a network namespace of its own, entered by one thread only, so nothing of the
// host is touched or even seen. sysfs is deliberately left alone: it keeps showing the host's
// interfaces, as it does to a daemon that was started with `nsenter --net`, and must not matter.
// Needs root.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config.h"
#include "netns/own_netns.h"

namespace hanet::config {
namespace {

using test::in_new_namespace;
using test::ip;

Config with_ports(std::string_view primary, std::string_view standby) {
  GroupConfig group;
  for (const std::string_view port : {primary, standby}) {
    group.paths.push_back(
        {.ports = {{.interface = std::string(port), .target = {}, .source = {}}}});
  }
  Config config;
  config.groups.push_back(group);
  return config;
}

std::string verdict(const Config& config) {
  const Status status = check_interfaces(config, "f");
  return status ? "accepted" : status.error().message;
}

using CheckInterfaces = test::OwnNetns;

TEST_F(CheckInterfaces, O2_AcceptsEthernetInterfacesOfTheCallersNamespace) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    EXPECT_EQ(verdict(with_ports("one", "two")), "accepted");
  });
}

TEST_F(CheckInterfaces, O2_NamesWhatIsNotHereAndWhatIs) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add two type veth peer name one"));
    EXPECT_EQ(verdict(with_ports("one", "eth7")),
              "f: key 'group[0].standby': found 'eth7', which is not here; allowed: one of one, "
              "two");
    EXPECT_EQ(verdict(with_ports("eth7", "eth8")),
              "f: key 'group[0].primary': found 'eth7', which is not here; allowed: one of one, "
              "two\n"
              "f: key 'group[0].standby': found 'eth8', which is not here; allowed: one of one, "
              "two");
  });
}

TEST_F(CheckInterfaces, O2_SaysSoWhenThereIsNothingToUse) {
  in_new_namespace([] {
    EXPECT_EQ(verdict(with_ports("lo", "eth7")),
              "f: key 'group[0].primary': found 'lo', which is not an Ethernet device (its ARPHRD "
              "type is 772); allowed: an Ethernet interface, but there is none here\n"
              "f: key 'group[0].standby': found 'eth7', which is not here; allowed: an Ethernet "
              "interface, but there is none here");
  });
}

TEST_F(CheckInterfaces, O2_RefusesAMemberOfABridge) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    if (!ip("link add br7 type bridge")) GTEST_SKIP() << "skipped: kernel has no bridge driver";
    ASSERT_TRUE(ip("link set one master br7"));
    EXPECT_EQ(verdict(with_ports("one", "two")),
              "f: key 'group[0].primary': found 'one', which is a member of the bridge 'br7'; "
              "allowed: one of br7, two");
  });
}

TEST_F(CheckInterfaces, F5_RefusesAnInterfaceUnderAnother) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    if (!ip("link add top7 link one type macvlan"))
      GTEST_SKIP() << "skipped: kernel has no macvlan driver";
    EXPECT_EQ(verdict(with_ports("one", "two")),
              "f: key 'group[0].primary': found 'one', which has the macvlan 'top7', which hanet "
              "would leave behind at a switchover; allowed: one of top7, two");
  });
}

// one, two and three are ports; VLAN 5 of one and of two move to each other.
class CheckVlans : public CheckInterfaces {
 protected:
  /// False: the kernel has no VLANs.
  static bool make_ports() {
    return ip("link add one type veth peer name two") &&
           ip("link add three type veth peer name four") &&
           ip("link add link one name one.5 type vlan id 5") &&
           ip("link add link two name two.5 type vlan id 5");
  }
};

TEST_F(CheckVlans, F5_AcceptsVlansThatBothPortsHave) {
  in_new_namespace([] {
    if (!make_ports()) GTEST_SKIP() << "skipped: kernel has no VLAN driver";
    EXPECT_EQ(verdict(with_ports("one", "two")), "accepted");
  });
}

TEST_F(CheckVlans, F5_RefusesAVlanThatTheOtherPortHasNot) {
  in_new_namespace([] {
    if (!make_ports()) GTEST_SKIP() << "skipped: kernel has no VLAN driver";
    EXPECT_EQ(verdict(with_ports("one", "three")),
              "f: key 'group[0].primary': found 'one', which has the vlan 'one.5', and 'three' "
              "has none with its tag, so hanet would leave it behind at a switchover; allowed: "
              "VLANs that both have (ip link add link three name three.5 type vlan id 5)");
    ASSERT_TRUE(ip("link add link three name x type vlan protocol 802.1ad id 5"));
    EXPECT_NE(verdict(with_ports("one", "three")), "accepted") << "a tag of another protocol";
  });
}

TEST_F(CheckVlans, F5_RefusesVlansThatCanNotMove) {
  in_new_namespace([] {
    if (!make_ports()) GTEST_SKIP() << "skipped: kernel has no VLAN driver";
    const std::string begin =
        "f: key 'group[0].primary': found 'one', which has the vlan 'one.5', which hanet would "
        "leave behind at a switchover ";
    const auto reason = [&] {
      const std::string said = verdict(with_ports("one", "two"));
      return said.starts_with(begin) ? said.substr(begin.size(), said.find(';') - begin.size())
                                     : said;
    };
    ASSERT_TRUE(ip("link add link one.5 name nested type vlan id 6"));
    EXPECT_EQ(reason(), "(it has the vlan 'nested')");
    ASSERT_TRUE(ip("link del nested"));
    ASSERT_TRUE(ip("link set one.5 address 02:00:00:00:00:77"));
    EXPECT_EQ(reason(), "(it has a MAC address of its own)");
    ASSERT_TRUE(ip("link del one.5"));
    ASSERT_TRUE(ip("link add link one name one.5 type vlan id 5"));
    if (!ip("link add br7 type bridge")) return;
    ASSERT_TRUE(ip("link set one.5 master br7"));
    EXPECT_EQ(reason(), "(it is a member of the bridge 'br7')");
  });
}

TEST_F(CheckVlans, F5_RefusesThoseOfATrunk) {
  in_new_namespace([] {
    if (!make_ports()) GTEST_SKIP() << "skipped: kernel has no VLAN driver";
    Config config = with_ports("one", "two");
    config.groups.front().paths[1].ports.push_back(
        {.interface = "three", .target = {}, .source = {}});
    EXPECT_TRUE(verdict(config).starts_with(
        "f: key 'group[0].primary': found 'one', which has the vlan 'one.5', which hanet would "
        "leave behind at a switchover (a trunk's VLANs do not move); allowed: one of four, "
        "one.5, three, two.5\nf: key 'group[0].standby[0]': found 'two'"))
        << verdict(config);
  });
}

TEST_F(CheckInterfaces, A1_RefusesAMetanameThatIsAnInterface) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    ASSERT_TRUE(ip("link add mether0 type veth peer name four"));
    Config config = with_ports("one", "two");
    config.groups.front().name = "mether0";
    EXPECT_EQ(
        verdict(config),
        "f: key 'group[0].name': found 'mether0', which is an interface here; allowed: a name "
        "that no interface has");
  });
}

TEST_F(CheckInterfaces, O2_RefusesAMemberOfABond) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    if (!ip("link add bond7 type bond mode active-backup")) {
      GTEST_SKIP() << "skipped: kernel has no bond driver";
    }
    ASSERT_TRUE(ip("link set one master bond7"));
    EXPECT_EQ(verdict(with_ports("two", "one")),
              "f: key 'group[0].standby': found 'one', which is a member of the bond 'bond7'; "
              "allowed: one of bond7, two");
  });
}

TEST_F(CheckInterfaces, O2_AcceptsAMemberOfAVrf) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    if (!ip("link add blue type vrf table 10")) GTEST_SKIP() << "skipped: kernel has no VRF driver";
    ASSERT_TRUE(ip("link set one master blue"));
    EXPECT_EQ(verdict(with_ports("one", "two")), "accepted");
  });
}

TEST_F(CheckInterfaces, O2_ReadsADumpOfManyMessages) {
  in_new_namespace([] {
    for (int i = 0; i < 40; ++i)
      ASSERT_TRUE(ip(fmt::format("link add a{0} type veth peer name b{0}", i)));
    EXPECT_EQ(verdict(with_ports("a0", "b39")), "accepted");
  });
}

}  // namespace
}  // namespace hanet::config
