// SPDX-License-Identifier: Apache-2.0
//
// A network must not notice hanet while everything works.
//
// Thousands of heartbeats a second are fine for two hosts and a nuisance for a thousand if they are
// flooded. And a heartbeat that has the identity's MAC address on the standby would teach the
// switch the wrong port, which is an outage made by the monitor. Both are promises about frames
// that are absent, so each has a witness: frames of the same wire that must be there (M1, M6).
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <net/if.h>

#include "core/clock.h"
#include "net/frames.h"
#include "net/packet_socket.h"
#include "netns/lab_test.h"
#include "netns/sniffer.h"

namespace hanet::test {
namespace {

constexpr std::chrono::seconds kWatch{3};

net::MacAddress mac_of(const std::string& text) {
  net::MacAddress mac{};
  for (std::size_t at = 0; at < mac.size(); ++at)
    mac[at] = static_cast<std::uint8_t>(std::stoul(text.substr(3 * at, 2), nullptr, 16));
  return mac;
}

class QuietNetwork : public LabTest, public testing::WithParamInterface<int> {
 protected:
  net::MacAddress probe_mac(const std::string& port) {
    return mac_of(host().path(port).at("port").at("probe_mac"));
  }
  std::uint64_t received(const std::string& port) { return host().session(port).at("received"); }
};

TEST_P(QuietNetwork, M1_HealthyHeartbeatsAreUnicastButForOneASecond) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.family = GetParam(), .group_keys = {}}));
  const Sniffer wire(lab().netns("client"), "c0");
  const MonotonicTime begun = monotonic_now();
  // As long as it takes to see several seconds of them, told by the heartbeats themselves.
  const auto wanted = static_cast<std::uint64_t>(
      kWatch / std::chrono::microseconds(host().session("p0").at("interval_us").get<int>()));
  const std::uint64_t before = received("p1");
  ASSERT_TRUE(await("heartbeats", [&] { return received("p1") >= before + wanted; }));
  const auto seconds = static_cast<std::size_t>(
      std::chrono::ceil<std::chrono::seconds>(monotonic_now() - begun).count());

  for (const std::string port : {"p0", "p1"}) {
    const net::MacAddress probe = probe_mac(port);
    EXPECT_LE(wire.count([&](const SeenFrame& frame) {
      return frame.source == probe && frame.is_group_addressed();
    }),
              seconds)
        << port;
    EXPECT_GE(wire.count([&](const SeenFrame& frame) {
      return frame.source == probe && !frame.is_group_addressed();
    }),
              wanted / 2)
        << port << ": the witness is missing";
  }
}

TEST_P(QuietNetwork, M6_AStandbyNeverSpeaksWithTheMacAddressOfTheIdentity) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const SeenIdentity identity = identity_on(host_netns(), "p0");
  const Sniffer cable(lab().netns("mid"), "host-p1");
  ASSERT_NO_FATAL_FAILURE(start({.family = GetParam(), .group_keys = {}}));
  ASSERT_TRUE(all_ready());
  const net::MacAddress probe = probe_mac("p1");
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(echo().reaches_every_address());
  const std::uint64_t before = received("p1");
  ASSERT_TRUE(await("heartbeats", [&] { return received("p1") >= before + 200; }));
  EXPECT_EQ(cable.count([&](const SeenFrame& frame) { return frame.source == identity.mac; }), 0U);
  EXPECT_GE(cable.count([&](const SeenFrame& frame) { return frame.source == probe; }), 200U)
      << "the witness is missing";

  // The same wire carries it as soon as the path is active.
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_GT(cable.count([&](const SeenFrame& frame) { return frame.source == identity.mac; }), 0U);
}

INSTANTIATE_TEST_SUITE_P(OverIp, QuietNetwork, testing::Values(4, 6),
                         [](const auto& cell) { return fmt::format("V{}", cell.param); });

using Muted = LabTest;

TEST_F(Muted, F5_NoOtherPortSaysThatTheIdentityIsAtItsMacAddress) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const net::MacAddress mac = identity_on(host_netns(), "p0").mac;
  expect_muted("p1", {}, mac);
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_TRUE(all_on("p1"));
  expect_muted("p0", {}, mac);
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Muted, F5_NorWhereTheIdentityHasTheMacAddressOfEachPort) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.group_keys = "move_mac = false\n"}));
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_TRUE(all_on("p1"));
  const net::MacAddress mac = identity_on(host_netns(), "p1").mac;
  expect_muted("p0", {}, mac);
  // By which bridging judges, when p1 fails.
  const hanet_identity_ipv4 key{.group = 0, .vlan = 0, .address = htonl(0xc0000201)};
  EXPECT_THAT(host().pinned<hanet_identity_mac>("identity_ipv4", key).mac,
              testing::ElementsAreArray(mac));
}

TEST_F(Muted, F5_AnAddressThatIsTheIdentitysNoLongerIsAnybodys) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const net::Frame claim =
      net::arp_request(net::kBroadcast, link_of(host_netns(), "p1").mac, {192, 0, 2, 101}, {});
  const auto say = [&] {
    inside(host_netns(), [&] {
      const Result<net::PacketSocket> socket = net::PacketSocket::open(::if_nametoindex("p1"));
      ASSERT_TRUE(socket) << socket.error().message;
      [[maybe_unused]] const int refused = socket->send(claim);  // where it is muted
    });
  };
  const Sniffer wire(lab().netns("client"), "c0");
  const auto heard = [&] {
    return wire.count([](const SeenFrame& frame) { return frame.is_arp_of("192.0.2.101"); });
  };
  const std::uint64_t before = steer_of("p1").muted;
  say();
  ASSERT_TRUE(await("it is muted", [&] { return steer_of("p1").muted > before; }));
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p0"));
  EXPECT_TRUE(await("it is heard", [&] {
    say();
    return heard() > 0;
  }));
}

}  // namespace
}  // namespace hanet::test
