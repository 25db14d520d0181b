// SPDX-License-Identifier: Apache-2.0
//
// The network learns that the identity has moved, counted on the wire at a neighbour.
//
// A switch and every neighbour keep sending to where the host was until somebody tells them
// otherwise; that nobody did is the most frequent complaint about systems of this kind. Too many
// announcements are a complaint as well. So they are counted exactly, per address, at the other
// end of the cable, and their addresses are looked at (F5). A switch port that has just come up
// may swallow the first ones; that is why they are repeated, and why a neighbour behind the switch
// of a cold standby has to have heard some, not all.
#include <fmt/format.h>

#include <chrono>

#include "netns/lab_test.h"
#include "netns/sniffer.h"

namespace hanet::test {
namespace {

constexpr std::size_t kCount = 4;
constexpr int kGapMs = 30;
constexpr std::uint64_t kSilenceBeats = 300;  // several gaps, told by hanetd's own heartbeats

class Announcements : public LabTest, public testing::WithParamInterface<const char*> {
 protected:
  Settings settings() {
    return {
        .mode = GetParam(),
        .group_keys = fmt::format("announce_count = {}\nannounce_gap_ms = {}\n", kCount, kGapMs)};
  }
  static const std::string& text_of(const SeenAddress& address) { return address.local; }
  std::size_t counted(const Sniffer& wire, const std::string& address, const net::MacAddress& mac) {
    return wire.count([&](const SeenFrame& frame) {
      return frame.is_announcement() && frame.announced() == address && frame.source == mac &&
             frame.announced_mac() == mac;
    });
  }
  testing::AssertionResult heartbeats_pass(std::uint64_t beats) {
    const std::uint64_t before = host().session("p1").at("received");
    return await("further heartbeats", [&] {
      return host().session("p1").at("received").get<std::uint64_t>() >= before + beats;
    });
  }
};

TEST_P(Announcements, F5_EveryAddressIsAnnouncedExactlyAsOftenAsConfigured) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, settings()));
  const SeenIdentity identity = identity_on(host_netns(), "p0");
  ASSERT_GE(identity.addresses.size(), 3U);
  const Sniffer wire(lab().netns("mid"), "host-p1");
  const Sniffer neighbour(lab().netns("client"), "c0");

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  for (const SeenAddress& address : identity.addresses)
    EXPECT_TRUE(await(fmt::format("{} announcements of {}", kCount, text_of(address)),
                      [&] { return counted(wire, text_of(address), identity.mac) >= kCount; }));
  ASSERT_TRUE(heartbeats_pass(kSilenceBeats));
  const std::size_t heard_at_least = GetParam() == std::string("hot") ? kCount : 1;
  for (const SeenAddress& address : identity.addresses) {
    EXPECT_EQ(counted(wire, text_of(address), identity.mac), kCount) << text_of(address);
    EXPECT_GE(counted(neighbour, text_of(address), identity.mac), heard_at_least);
  }
  EXPECT_EQ(wire.count([](const SeenFrame& frame) { return frame.is_announcement(); }),
            kCount * identity.addresses.size())
      << "something else was announced";
}

TEST_P(Announcements, F5_NothingIsAnnouncedWhileNothingMoves) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, settings()));
  const Sniffer wire(lab().netns("client"), "c0");
  const std::uint64_t before = host().session("p0").at("received");
  ASSERT_TRUE(await("heartbeats", [&] {
    return host().session("p0").at("received").get<std::uint64_t>() >= before + kSilenceBeats;
  }));
  EXPECT_EQ(wire.count([](const SeenFrame& frame) { return frame.is_announcement(); }), 0U);
  EXPECT_GE(wire.count([](const SeenFrame&) { return true; }), kSilenceBeats / 2)
      << "the sniffer heard nothing at all";
}

using AnnouncementForms = LabTest;

TEST_F(AnnouncementForms, F5_ArpIsARequestAndAReplyInTurnAndSomeNeighboursAreAskedEachTime) {
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Switch, {.group_keys = "announce_count = 4\nannounce_gap_ms = 30\n"}));
  const net::MacAddress mac = identity_on(host_netns(), "p0").mac;
  const net::MacAddress client = link_of(lab().netns("client"), "c0").mac;
  ASSERT_TRUE(echo().reaches_every_address());  // so that the host knows the client
  for (int more = 30; more < 36; ++more)
    ASSERT_DONE(lab().ip("host", fmt::format("neigh add 192.0.2.{} lladdr 02:00:00:00:00:{} dev p0 "
                                             "nud stale",
                                             more, more)));
  const Sniffer wire(lab().netns("mid"), "host-p1");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  const auto announced = [&](std::uint8_t operation) {
    return wire.count([&](const SeenFrame& frame) {
      return frame.is_announcement() && frame.is_arp_of("192.0.2.1") &&
             frame.is_group_addressed() && frame.payload[7] == operation;
    });
  };
  EXPECT_TRUE(await("both forms", [&] { return announced(1) == 2 && announced(2) == 2; }))
      << announced(1) << " requests, " << announced(2) << " replies";
  const auto asked = [&](const std::function<bool(const net::MacAddress&)>& whom) {
    return wire.count([&](const SeenFrame& frame) {
      return frame.is_arp_of("192.0.2.1") && whom(frame.destination) && frame.source == mac &&
             frame.payload[7] == 1 && !frame.is_group_addressed();
    });
  };
  const auto others = [&](const net::MacAddress& to) {
    return to != client && to[0] == 2 && to[1] == 0;
  };
  EXPECT_TRUE(await("the client is asked", [&] {
    return asked([&](const net::MacAddress& to) { return to == client; }) >= 1;
  }));
  EXPECT_TRUE(await("others are as well", [&] { return asked(others) >= 4; }));
  EXPECT_LE(asked(others), 6) << "two with each of three repetitions";
}

INSTANTIATE_TEST_SUITE_P(InMode, Announcements, testing::Values("hot", "cold"),
                         [](const auto& cell) {
                           return std::string(cell.param == std::string("hot") ? "Hot" : "Cold");
                         });

}  // namespace
}  // namespace hanet::test
