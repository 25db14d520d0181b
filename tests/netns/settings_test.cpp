// SPDX-License-Identifier: Apache-2.0
//
// The settings of an interface, on a real /proc/sys/net (F13, F17).
//
// A standby takes no address from a router and answers ARP for no address of another interface.
// What its owner chose is read before, put back in the end, and moves with the identity.
#include "net/settings.h"

#include <fmt/format.h>
#include <linux/if_link.h>

#include <fstream>
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
    quieten(socket, named(socket, "two"));
    EXPECT_EQ(accept_ra("two"), "0");
    EXPECT_EQ(arp_ignore("two"), "1");
    EXPECT_EQ(addr_gen_mode("two"), "1") << "IN6_ADDR_GEN_MODE_NONE";
    EXPECT_EQ(accept_ra("one"), "2") << "another interface's is left alone";
    EXPECT_EQ(arp_ignore("one"), "8");
    EXPECT_EQ(addr_gen_mode("one"), "3");
  });
}

TEST_F(Settings, F17_WhatWasSetBeforeIsPutBack) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    NetlinkSocket socket = NetlinkSocket::open().value();
    const Place place(named(socket, "one"));
    const PortSettings before = read_settings(socket, place).value();
    EXPECT_EQ(before.settings.at(0).accept_ra, "2");
    EXPECT_EQ(before.settings.at(0).arp_ignore, "8");
    EXPECT_EQ(before.settings.at(0).address_generation, 3);
    EXPECT_TRUE(before.settings.at(0).admin_up);
    quieten(socket, place.port);
    ASSERT_EQ(accept_ra("one"), "0");
    restore_settings(socket, place, before.settings);
    EXPECT_EQ(accept_ra("one"), "2");
    EXPECT_EQ(arp_ignore("one"), "8");
    EXPECT_EQ(addr_gen_mode("one"), "3");
  });
}

TEST_F(Settings, F13_SettingsMoveWithTheIdentityAndTheOldInterfaceIsAStandby) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    NetlinkSocket socket = NetlinkSocket::open().value();
    const Place one(named(socket, "one")), two(named(socket, "two"));
    const PlaceSettings first = read_settings(socket, one).value().settings;
    quieten(socket, two.port);
    move_settings(socket, one, two, first);
    EXPECT_EQ(accept_ra("two"), "2");
    EXPECT_EQ(arp_ignore("two"), "8");
    EXPECT_EQ(addr_gen_mode("two"), "3");
    EXPECT_EQ(accept_ra("one"), "0");
    EXPECT_EQ(arp_ignore("one"), "1");
    EXPECT_EQ(addr_gen_mode("one"), "1");
    // And back, with what was changed there meanwhile.
    set_sysctl("ipv4/conf/two/arp_ignore", "2");
    move_settings(socket, two, one, first);
    EXPECT_EQ(accept_ra("one"), "2");
    EXPECT_EQ(arp_ignore("one"), "2");
    EXPECT_EQ(arp_ignore("two"), "1");
    EXPECT_EQ(accept_ra("two"), "0");
  });
}

TEST_F(Settings, F17_APortThatIsGoneIsSaidAndNothingIsWritten) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    NetlinkSocket socket = NetlinkSocket::open().value();
    const Place one(named(socket, "one"));
    ASSERT_TRUE(ip("link del one"));
    const Result<PortSettings> gone = read_settings(socket, one);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, ENODEV);
  });
}

}  // namespace
}  // namespace hanet::net
