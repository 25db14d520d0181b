// SPDX-License-Identifier: Apache-2.0
//
// Somebody on the LAN who forges replies (S1, S2).
//
// Each search shows the probe address to everybody, so whoever is on the LAN can answer for the
// target. The forger here speaks a thousand times a second from the client's cable; that he was
// heard is counted by hanetd itself.
#include <fmt/format.h>

#include <algorithm>

#include "hanet/abi.h"
#include "netns/lab_test.h"
#include "netns/sniffer.h"
#include "netns/speaker.h"

namespace hanet::test {
namespace {

constexpr net::MacAddress kForger{0x02, 0x00, 0x00, 0x00, 0x66, 0x01};
constexpr net::Ipv4Bytes kTarget{192, 0, 2, 10};

class Forged : public LabTest {
 protected:
  net::MacAddress probe_of(const std::string& port) {
    return *net::parse_mac(host().path(port).at("port").at("probe_mac").get<std::string>());
  }
  std::string client_mac() const { return net::to_text(link_of(lab().netns("client"), "c0").mac); }
  /// An ARP reply to the probe address of a port: the target's address is at `mac`.
  net::Frame reply(const std::string& port, const net::MacAddress& mac, hanet_claim claim) {
    const net::MacAddress probe = probe_of(port);
    net::Frame frame = net::arp_request(probe, mac, kTarget, {});
    frame.at(21) = 2;  // a reply
    std::ranges::copy(probe, frame.begin() + 32);
    frame.resize(42);
    frame.insert(frame.end(), {0x48, 0x61, 0x4e, 0x67, static_cast<std::uint8_t>(claim), 0});
    frame.resize(60);
    return frame;
  }
  Speaker forge(const net::Frame& frame) { return {lab().netns("client"), "c0", frame}; }
  std::uint64_t rejected(const std::string& port, const char* reason) {
    return host().path(port).at("port").at("rejected").value(reason, std::uint64_t{0});
  }
};

TEST_F(Forged, S2_RepliesFromAnotherMacAddressAreCountedAndTheTargetStaysWhereItIs) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::string mac = client_mac();
  const Speaker one = forge(reply("p0", kForger, HANET_CLAIM_UNKNOWN));
  const Speaker other = forge(reply("p1", kForger, HANET_CLAIM_UNKNOWN));
  const Speaker announcer = forge(net::gratuitous_arp(kForger, kTarget));
  for (const std::string port : {"p0", "p1"}) {
    EXPECT_TRUE(await("forged replies are counted on " + port,
                      [&] { return rejected(port, "wrong_mac") > 300; }));
    EXPECT_EQ(host().session(port).at("target_mac"), mac);
    EXPECT_EQ(host().session(port).at("rival_mac"), net::to_text(kForger));
    EXPECT_EQ(host().session(port).at("down_verdicts"), 0);
  }
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_EQ(host().active(), "p0");
  // Whom the kernel's own ARP believes is not hanet's affair, so no client is asked here.
  for (const std::string port : {"p0", "p1"}) EXPECT_EQ(host().path(port).at("health"), "up");
}

TEST_F(Forged, S1_APlaceThatIsToldMovesNothingWhereNoOtherEndIsConfigured) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const net::MacAddress mac = link_of(lab().netns("client"), "c0").mac;
  const Speaker one = forge(reply("p0", mac, HANET_CLAIM_ELSEWHERE));
  const Speaker other = forge(reply("p1", mac, HANET_CLAIM_HERE_BY_HAND));
  // Ends that have been apart for 0.2 seconds are brought together, so a second is enough.
  for (const std::string port : {"p0", "p1"}) {
    EXPECT_TRUE(await("a second of forged replies on " + port,
                      [&] { return rejected(port, "duplicate") + rejected(port, "late") > 1000; }));
    EXPECT_EQ(host().path(port).at("peer"), "");
  }
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_EQ(host().active(), "p0");
}

TEST_F(Forged, S2_WithAMacAddressInTheConfigurationNobodyIsSearchedForAndNothingElseIsLearned) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const std::string mac = client_mac();
  const Sniffer sniffer(lab().netns("client"), "c0");
  Result<std::string> config = lab().config("host", {});
  ASSERT_TRUE(config) << config.error().message;
  start_with(*config + "target_mac = \"" + mac + "\"\n");
  ASSERT_TRUE(all_ready());
  const net::MacAddress probe = probe_of("p0");
  const auto searches = [&](const SeenFrame& frame) {
    return frame.source == probe && frame.is_group_addressed();
  };
  const auto heartbeats = [&](const SeenFrame& frame) { return frame.source == probe; };
  EXPECT_TRUE(await("heartbeats", [&] { return sniffer.count(heartbeats) > 50; }));
  ASSERT_DONE(lab().ip("client", "link set c0 address 02:00:00:00:99:01"));
  EXPECT_TRUE(await("the paths are down", [&] {
    return host().path("p0").at("health") == "down" && host().path("p1").at("health") == "down";
  }));
  EXPECT_EQ(host().session("p0").at("target_mac"), mac);
  EXPECT_EQ(sniffer.count(searches), 0U);
  ASSERT_DONE(lab().ip("client", "link set c0 address " + mac));
  EXPECT_TRUE(all_ready());
}

}  // namespace
}  // namespace hanet::test
