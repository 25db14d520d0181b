// SPDX-License-Identifier: Apache-2.0
//
// The settings of an interface, on a real /proc/sys/net (F13, F17).
//
// A standby takes no address from a router and answers ARP for no address of another interface.
// What its owner chose is read before, put back in the end, and moves with the identity.
#include "net/settings.h"

#include <fmt/format.h>
#include <linux/if_link.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "net/link.h"
#include "netns/own_netns.h"

namespace hanet::net {
namespace {

using test::in_new_namespace;
using test::ip;

std::string sysctl(const std::string& name) {
  std::ifstream file("/proc/sys/net/" + name);
  std::string value;
  std::getline(file, value);
  return value;
}

void set_sysctl(const std::string& name, const std::string& value) {
  std::ofstream("/proc/sys/net/" + name) << value;
}

std::string accept_ra(const std::string& port) {
  return sysctl("ipv6/conf/" + port + "/accept_ra");
}
std::string arp_ignore(const std::string& port) {
  return sysctl("ipv4/conf/" + port + "/arp_ignore");
}
std::string addr_gen_mode(const std::string& port) {
  return sysctl("ipv6/conf/" + port + "/addr_gen_mode");
}

class Settings : public test::OwnNetns {
 protected:
  /// Two ports; the first one is set as its owner wants it.
  static void build() {
    for (const char* command :
         {"link add one type veth peer name one-cable",
          "link add two type veth peer name two-cable", "link set one up", "link set two up"})
      ASSERT_TRUE(ip(command)) << command;
    set_sysctl("ipv6/conf/one/accept_ra", "2");
    set_sysctl("ipv4/conf/one/arp_ignore", "8");
    set_sysctl("ipv6/conf/one/addr_gen_mode", "3");
    ASSERT_EQ(accept_ra("one"), "2");
    ASSERT_EQ(arp_ignore("one"), "8");
    ASSERT_EQ(addr_gen_mode("one"), "3");
    ASSERT_EQ(accept_ra("two"), "1") << "the kernel's default";
    ASSERT_EQ(arp_ignore("two"), "0");
  }
  static InterfaceName named(NetlinkSocket& socket, const char* name) {
    return find_link(socket, name).value().interface;
  }
};

TEST_F(Settings, F13_AStandbyTakesNoRouterAndAnswersForItsOwnAddressesOnly) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    NetlinkSocket socket = NetlinkSocket::open().value();
    EXPECT_TRUE(write_settings(socket, named(socket, "two"), waiting_settings()).empty());
    EXPECT_EQ(accept_ra("two"), "0");
    EXPECT_EQ(arp_ignore("two"), "1");
    EXPECT_EQ(addr_gen_mode("two"), "1") << "IN6_ADDR_GEN_MODE_NONE";
    EXPECT_EQ(accept_ra("one"), "2") << "another interface's is left alone";
    EXPECT_EQ(arp_ignore("one"), "8");
    EXPECT_EQ(addr_gen_mode("one"), "3");
  });
}

// What the kernel offers is the list: each file is one, or has a reason not to be.
TEST_F(Settings, F13_EverySettingOfAnInterfaceMovesButForThoseThatCanNot) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    const hanet::net::Settings all = read_settings("one");
    std::set<std::string> others;
    for (const char* kind : {"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"})
      for (const auto& file :
           std::filesystem::directory_iterator(fmt::format("/proc/sys/net/{}/one", kind)))
        if (const std::string name = fmt::format("{}/{}", kind, file.path().filename().string());
            !all.contains(name))
          others.insert(name);
    EXPECT_EQ(
        others,
        (std::set<std::string>{
            "ipv4/conf/mc_forwarding", "ipv4/neigh/base_reachable_time", "ipv4/neigh/retrans_time",
            "ipv4/neigh/unres_qlen", "ipv6/conf/disable_ipv6", "ipv6/conf/mc_forwarding",
            "ipv6/neigh/base_reachable_time", "ipv6/neigh/retrans_time", "ipv6/neigh/unres_qlen"}));
    EXPECT_GT(all.size(), 60U);
  });
}

TEST_F(Settings, F13_WhatAKernelRefusesIsNamed) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    NetlinkSocket socket = NetlinkSocket::open().value();
    EXPECT_EQ(write_settings(socket, named(socket, "two"),
                             {{"ipv6/conf/mtu", "70000"}, {"ipv4/conf/rp_filter", "2"}}),
              (std::vector<std::string>{"ipv6/conf/mtu"}));
    EXPECT_EQ(sysctl("ipv4/conf/two/rp_filter"), "2");
  });
}

TEST_F(Settings, F17_APortThatIsGoneHasNone) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    EXPECT_FALSE(read_settings("one").empty());
    ASSERT_TRUE(ip("link del one"));
    EXPECT_TRUE(read_settings("one").empty());
    EXPECT_EQ(read_setting("one", "ipv4/conf/forwarding"), "");
  });
}

}  // namespace
}  // namespace hanet::net
