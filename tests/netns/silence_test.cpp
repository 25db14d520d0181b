// SPDX-License-Identifier: Apache-2.0
//
// A host that asks nobody and listens (M5).
//
// The client is the peer. Its broadcasts reach both paths, so they prove the standby as well; what
// it sends to the host alone reaches the active path only. Another host that goes on talking must
// change nothing: its frames are the witness that a silent network was not the reason.
#include <fmt/format.h>

#include "netns/lab_test.h"
#include "netns/sniffer.h"
#include "netns/speaker.h"

namespace hanet::test {
namespace {

constexpr net::MacAddress kOther{0x02, 0x00, 0x00, 0x00, 0x77, 0x01};
const std::string kTarget = "target = \"192.0.2.10\"\n";

class Silence : public LabTest {
 protected:
  void prepare() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    peer_ = link_of(lab().netns("client"), "c0").mac;
    before_ = identity_on(host_netns(), "p0");
  }
  std::unique_ptr<Speaker> speaker(const net::MacAddress& from,
                                   const net::MacAddress& to = net::kBroadcast,
                                   std::uint16_t type = 0x88b5) {
    return std::make_unique<Speaker>(lab().netns("client"), "c0", from, to, type);
  }
  testing::AssertionResult group_is(const std::string& state) {
    return await("the group is '" + state + "'",
                 [&] { return host().group().at("state") == state; });
  }
  net::MacAddress peer_{};
  SeenIdentity before_;
};

struct Peer {
  const char* name;
  const char* lines;  ///< of the configuration; "@" is the peer's MAC address
  std::uint16_t type = 0x88b5;
};

void PrintTo(const Peer& peer, std::ostream* out) { *out << peer.lines; }

class SilentPeer : public Silence, public testing::WithParamInterface<Peer> {};

TEST_P(SilentPeer, M5_APathOnWhichItIsNotHeardAnyMoreIsLeft) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  std::string lines = GetParam().lines;
  if (const std::size_t at = lines.find('@'); at != std::string::npos)
    lines.replace(at, 1, net::to_text(peer_));
  const auto talk = speaker(peer_, net::kBroadcast, GetParam().type);
  start_with(silence_config(lines));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().session("p0").at("kind"), "silence");
  EXPECT_EQ(host().session("p0").at("target_mac"), net::to_text(peer_));

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before_));
  EXPECT_EQ(host().switchovers().at(0).at("cause"), "heartbeat lost");
  for (const std::string port : {"p0", "p1"}) EXPECT_EQ(host().session(port).at("sent"), 0) << port;

  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(group_is("protected")) << "it is heard on p0 again";
}

INSTANTIATE_TEST_SUITE_P(KnownBy, SilentPeer,
                         testing::Values(Peer{"Ipv4Address", "target = \"192.0.2.10\"\n"},
                                         Peer{"Ipv6Address", "target = \"2001:db8::10\"\n"},
                                         Peer{"MacAddress", "peer_mac = \"@\"\n"},
                                         Peer{"MacAddressInTaggedFrames", "peer_mac = \"@\"\n",
                                              ETH_P_8021Q}),
                         [](const auto& cell) { return std::string(cell.param.name); });

TEST_F(Silence, M5_FramesOfOthersKeepNoPathAlive) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  const auto others = speaker(kOther);
  auto talk = speaker(peer_);
  start_with(silence_config(kTarget));
  ASSERT_TRUE(all_ready());
  const Sniffer wire(host_netns(), "p0");
  talk.reset();
  EXPECT_TRUE(group_is("no working path")) << "the peer is gone, whoever else talks";
  const auto of_others = [](const SeenFrame& frame) { return frame.source == kOther; };
  const std::size_t heard = wire.count(of_others);
  EXPECT_TRUE(await("others talk on", [&] { return wire.count(of_others) > heard + 100; }));
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(host().switchovers().empty()) << "a silent peer is silent on both paths";
  EXPECT_TRUE(carries("p0", before_));

  talk = speaker(peer_);
  EXPECT_TRUE(group_is("protected"));
}

TEST_F(Silence, M5_AStandbyThatNeverHeardThePeerIsToldAndNotUsed) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  // The switch knows where the host is, so nothing for it is flooded to the standby.
  ASSERT_TRUE(echo().reaches_every_address());
  const auto talk = speaker(kOther, before_.mac);
  start_with(silence_config(fmt::format("peer_mac = \"{}\"\n", net::to_text(kOther))));
  ASSERT_TRUE(await("p0 is up", [&] {
    return host().ask({"status"}).is_object() && host().path("p0").at("health") == "up";
  }));
  EXPECT_TRUE(group_is("standby not proved"));
  EXPECT_TRUE(await("it is told", [&] {
    return host().log().contains("p1 has heard nothing from its peer " + net::to_text(kOther) +
                                 ": it is no path to fail over to");
  })) << host().log();
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(group_is("no working path"));
  EXPECT_EQ(host().session("p1").at("state"), "unheard");
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(host().switchovers().empty());
}

TEST_F(Silence, M5_AStandbyMayAskWhileTheActivePathListens) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  const auto talk = speaker(peer_, before_.mac);
  start_with(silence_config(kTarget + "standby_kind = \"arp\"\n"));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().session("p0").at("sent"), 0);
  EXPECT_GT(host().session("p1").at("sent"), 0);
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before_));
}

TEST_F(Silence, M5_M4_TheCarrierIsWatchedInTheKernelAlthoughNothingIsSent) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  const auto talk = speaker(peer_);
  start_with(silence_config(fmt::format("peer_mac = \"{}\"\n", net::to_text(peer_))));
  ASSERT_TRUE(all_ready());
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd polls the carriers here (no bpf_timer, no fentry)";
  for (const std::string port : {"p0", "p1"})
    EXPECT_TRUE(await("the link of " + port + " is polled",
                      [&] { return host().path(port).at("port").at("link_polls") > 0; }));
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before_));
  EXPECT_EQ(host().switchovers().at(0).at("cause"), "carrier lost");
}

TEST_F(Silence, M5_APeerThatComesBackWithAnotherMacAddressIsFoundAgain) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  auto talk = speaker(peer_);
  start_with(silence_config(kTarget));
  ASSERT_TRUE(all_ready());
  talk.reset();
  ASSERT_DONE(lab().ip("client", "link set c0 address 02:00:00:00:99:01"));
  talk = speaker({0x02, 0, 0, 0, 0x99, 0x01});
  for (const std::string port : {"p0", "p1"})
    EXPECT_TRUE(await("the new address is known on " + port, [&] {
      return host().session(port).at("target_mac") == "02:00:00:00:99:01";
    }));
  EXPECT_TRUE(group_is("protected"));
}

}  // namespace
}  // namespace hanet::test
