// SPDX-License-Identifier: Apache-2.0
//
// What stands above a metanetwork device works, and goes on working behind a switch (A3): VLANs,
// bridges with guests, multicast receivers, queueing disciplines.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "core/fd.h"
#include "net/frames.h"
#include "netns/inside.h"
#include "netns/metanet.h"
#include "netns/sniffer.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;

class AboveDevice : public Metanet {
 protected:
  void switch_to(const std::string& port) {
    const bench::Output done = host().ctl({"switch", "mether0", "--to", port});
    ASSERT_EQ(done.exit_code, 0) << done.out << done.error;
  }
};

TEST_F(AboveDevice, A3_VlansOfTheDeviceGoOn) {
  ASSERT_NO_FATAL_FAILURE(begin());
  if (!lab().ip("host", "link add link mether0 name mether0.5 type vlan id 5"))
    GTEST_SKIP() << "skipped: kernel has no VLAN driver";
  ASSERT_DONE(lab().ip("host", "address add 10.5.0.1/24 dev mether0.5"));
  ASSERT_DONE(lab().ip("host", "link set mether0.5 up"));
  ASSERT_DONE(lab().ip("client", "link add link c0 name c0.5 type vlan id 5"));
  ASSERT_DONE(lab().ip("client", "address add 10.5.0.10/24 dev c0.5"));
  ASSERT_DONE(lab().ip("client", "link set c0.5 up"));
  Echo on_vlan(lab(), {{.server = host_netns(),
                        .address = "10.5.0.1",
                        .client = lab().netns("client"),
                        .client_address = "10.5.0.10"}});
  EXPECT_TRUE(on_vlan.reaches_every_address());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(uses("p1"));
  EXPECT_TRUE(on_vlan.reaches_every_address());
}

TEST_F(AboveDevice, A3_GuestsBehindABridgeAreShownToTheSwitchAlthoughTheyAreSilent) {
  ASSERT_NO_FATAL_FAILURE(begin());
  constexpr net::MacAddress kGuest{0x52, 0x54, 0x00, 0x00, 0x00, 0x99};
  ASSERT_DONE(lab().ip("host", "link add br0 type bridge"));
  ASSERT_DONE(lab().ip("host", "link add guest0 type veth peer name guest1"));
  for (const std::string port : {"guest0", "mether0"})
    ASSERT_DONE(lab().ip("host", "link set " + port + " master br0"));
  for (const std::string port : {"br0", "guest0", "guest1"})
    ASSERT_DONE(lab().ip("host", "link set " + port + " up"));
  ASSERT_EQ(bench::run(lab().in("host", {"bridge", "fdb", "add", net::to_text(kGuest), "dev",
                                         "guest0", "master", "static"}),
                       std::chrono::seconds(5))
                ->exit_code,
            0);
  const auto is_guest = [&](const SeenFrame& frame) { return frame.source == kGuest; };
  const Sniffer cable(lab().netns("mid"), "host-p1");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(uses("p1"));
  EXPECT_TRUE(await("the guest is shown", [&] { return cable.count(is_guest) > 0; }));
  EXPECT_TRUE(std::ranges::all_of(cable.frames(is_guest), [](const SeenFrame& frame) {
    return frame.type == 0x8035 && frame.destination == net::kBroadcast;
  }));
  EXPECT_TRUE(await("the card takes in what is for the guest", [&] {
    return shown({"ip", "-d", "link", "show", "dev", "p1"}).find("promiscuity 0") ==
           std::string::npos;
  }));
}

// A switch that snoops sends a group's frames where it has heard of a member.
TEST_F(AboveDevice, A3_ASwitchLearnsTheMembershipsAtOnce) {
  ASSERT_NO_FATAL_FAILURE(begin());
  Fd receiver;
  inside(host_netns(), [&] {
    receiver.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ip_mreqn group{};
    group.imr_multiaddr.s_addr = htonl(0xef010101);
    group.imr_ifindex = static_cast<int>(device);
    ASSERT_EQ(::setsockopt(receiver.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)),
              0);
  });
  const auto reports = [](const net::MacAddress& to) {
    return [to](const SeenFrame& frame) { return frame.destination == to; };
  };
  const Sniffer cable(lab().netns("mid"), "host-p1");
  ASSERT_NO_FATAL_FAILURE(switch_to("p1"));
  EXPECT_TRUE(await("IGMP reports leave by the new path",
                    [&] { return cable.count(reports({0x01, 0x00, 0x5e, 0, 0, 0x16})) > 0; }));
  EXPECT_TRUE(await("MLD reports leave by the new path",
                    [&] { return cable.count(reports({0x33, 0x33, 0, 0, 0, 0x16})) > 0; }));
  EXPECT_EQ(cable.count([](const SeenFrame& frame) {
    return frame.destination == net::MacAddress{0x01, 0x00, 0x5e, 0, 0, 1};
  }),
            0U)
      << "a query of ours on the wire would make a switch take the host for its querier";
}

TEST_F(AboveDevice, A3_ItsMtuIsTheLeastOfThePortsAndFollowsThem) {
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_DONE(lab().ip("host", "link set p1 mtu 1400"));
  EXPECT_TRUE(await("the device follows", [&] {
    return shown({"ip", "link", "show", "dev", "mether0"}).find("mtu 1400") != std::string::npos;
  }));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(AboveDevice, A3_AQueueingDisciplineOnItSeesWhatIsSent) {
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_EQ(bench::run(lab().in("host", {"tc", "qdisc", "add", "dev", "mether0", "root", "tbf",
                                         "rate", "100mbit", "burst", "10000", "limit", "100000"}),
                       std::chrono::seconds(5))
                ->exit_code,
            0);
  ASSERT_NO_FATAL_FAILURE(switch_to("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_THAT(shown({"tc", "-s", "qdisc", "show", "dev", "mether0"}),
              testing::Not(HasSubstr("Sent 0 bytes")));
}

TEST_F(AboveDevice, A3_AForeignAddressOfTheDeviceIsFollowed) {
  ASSERT_NO_FATAL_FAILURE(begin());
  const std::string mac = "02:00:00:00:77:77";
  ASSERT_DONE(lab().ip("host", "link set mether0 address " + mac));
  ASSERT_NO_FATAL_FAILURE(switch_to("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(net::to_text(link_of(host_netns(), "mether0").mac), mac);
}

}  // namespace
}  // namespace hanet::test
