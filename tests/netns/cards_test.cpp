// SPDX-License-Identifier: Apache-2.0
//
// Real cards: what a veth end does not do.
//
// A card has a driver that resets it, a link that negotiates, a far side that can die behind a
// carrier that stays, and a slot that it can be taken out of. Virtual machines have such cards,
// with a hand that pulls their cables (tests/vm/guest/cable): the near cards n0 and n1 are the
// host's p0 and p1, the far ones, f0 and f1, are the switch's. Elsewhere these tests are skipped
// by name.
//
// A line that begins with "measured:" is for the report; time is never asserted.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/rtnetlink.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/clock.h"
#include "netns/hands.h"
#include "netns/recorder.h"

namespace hanet::test {
namespace {

using namespace std::chrono_literals;

double milliseconds(Nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

class Cards : public WithHands {
 protected:
  void SetUp() override {
    LabTest::SetUp();
    if (IsSkipped()) return;
    if (!has_cards()) GTEST_SKIP() << "skipped: no real cards: tests/vm has them";
  }
  /// The MAC address that a card of the host was made with.
  std::string address_of(const std::string& port) {
    const std::optional<net::MacAddress> mac = link_of(host_netns(), port).permanent_mac;
    if (!mac) throw std::runtime_error(port + " does not tell its own MAC address");
    return net::to_text(*mac);
  }
  /// The interface of this process's namespace with this MAC address; empty: there is none.
  static std::string interface_with(const std::string& mac) {
    for (const auto& entry : std::filesystem::directory_iterator("/sys/class/net")) {
      std::ifstream file(entry.path() / "address");
      std::string found;
      std::getline(file, found);
      if (found == mac) return entry.path().filename();
    }
    return {};
  }
  /// A card that has just appeared becomes an interface of the host, as take_card of
  /// tools/lab_topology.bash does it, so that the lab gives it back.
  void hand_over(const std::string& card, const std::string& mac, const std::string& name) {
    ASSERT_TRUE(await(card + " is there", [&] { return !interface_with(mac).empty(); }));
    const std::string found = interface_with(mac);
    ASSERT_DONE(run({"ip", "link", "set", found, "alias", fmt::format("{0} on {0}", card)}));
    ASSERT_DONE(run({"ip", "link", "set", found, "netns", host_netns(), "name", name}));
  }
  void plug_in(const std::string& card, const std::string& mac, const std::string& name) {
    ASSERT_DONE(by_hand({"plug", card, given("HANET_TEST_CARD_MODEL"), mac}));
    ASSERT_NO_FATAL_FAILURE(hand_over(card, mac, name));
  }
  /// A fault of `path`, which has the identity, brings it to `port`, whole.
  void expect_failover(const std::string& path, const std::string& port,
                       const SeenIdentity& before) {
    ASSERT_DONE(lab().fault("blackhole", path));
    ASSERT_TRUE(all_on(port));
    EXPECT_TRUE(carries(port, before));
    EXPECT_TRUE(echo().reaches_every_address());
  }
};

TEST_F(Cards, M1_AFarSideThatIsCutIsSeenAlthoughTheCarrierStays) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const hanet_port port = port_of("p0");
  ASSERT_DONE(by_hand({"down", "f0"}));
  ASSERT_TRUE(all_on("p1"));
  const json path = host().path("p0");
  EXPECT_EQ(path.at("reason"), "heartbeat lost");
  EXPECT_EQ(path.at("port").at("carrier"), "up");
  EXPECT_EQ(path.at("port").at("carrier_down_events"), port.carrier_down_events)
      << "a link monitor would have seen it";
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete");
  if (given("HANET_TEST_CARD_MODEL") == "vmxnet3") {
    EXPECT_EQ(path.at("port").at("xdp"), "generic") << "its driver forgets a native program";
  }
  fmt::print("measured: xdp {}, tc {}\n", path.at("port").at("xdp").get<std::string>(),
             path.at("port").at("tc").get<std::string>());
}

TEST_F(Cards, F1_AColdStandbyNegotiatesItsLinkAndTakesOver) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = "cold", .group_keys = {}}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_FALSE(link_of(host_netns(), "p1").admin_up);
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(await("p1 is proved", [&] { return health_of("p1") == "up"; }));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  ASSERT_EQ(host().switchovers().size(), 1U) << "a link that negotiates was taken for a lost one";
  const json record = host().switchovers().at(0);
  EXPECT_EQ(record.at("outcome"), "complete");

  const MonotonicTime verdict = from_kernel_ns(record.at("verdict_ns").get<std::uint64_t>());
  const hanet_port port = port_of("p1");
  const auto session = host().pinned<hanet_session>("sessions", port.session);
  const MonotonicTime link_up = from_kernel_ns(port.carrier_changed_ns);
  fmt::print("measured: after the verdict: moved {:.1f} ms, link {}, path up {:.1f} ms\n",
             record.at("verified_us").get<double>() / 1000,
             link_up > verdict ? fmt::format("up {:.1f} ms", milliseconds(link_up - verdict))
                               : "never off, says the driver",
             milliseconds(from_kernel_ns(session.state_since_ns) - verdict));
}

class MacChange : public Cards, public testing::WithParamInterface<std::string> {};

// A hot standby is given its address while it runs, a cold one while it is stopped.
TEST_P(MacChange, F1_F2_ACardTakesTheMacAddressOver) {
  const std::string& mode = GetParam();
  // A card that has just been enabled may answer late.
  const std::string keys = mode == "cold" ? "delay_ms = 1000\n" : "";
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = mode, .group_keys = keys}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const SeenLink p1 = link_of(host_netns(), "p1");
  ASSERT_NE(p1.mac, before.mac) << "there is something to change";
  const std::uint64_t edges = port_of("p1").carrier_down_events;
  Recorder recorder(host_netns());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address()) << "the card takes what is for its new address";

  // What the kernel said of p1 at the moment when it had the address, and before.
  const std::vector<std::string> told = recorder.lines([&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWLINK) return std::string();
    const HeardLink link = link_in(message);
    if (link.index != p1.index) return std::string();
    return fmt::format("{} {}", link.admin_up ? "running" : "stopped",
                       link.mac == before.mac ? "changed" : "as before");
  });
  const auto changed =
      std::ranges::find_if(told, [](const std::string& line) { return line.ends_with("changed"); });
  ASSERT_NE(changed, told.end()) << "what was seen was not seen by chance";
  EXPECT_EQ(*changed, mode == "hot" ? "running changed" : "stopped changed");
  if (mode == "hot") {
    EXPECT_THAT(told, testing::Each(testing::StartsWith("running")));
  }
  fmt::print("measured: {}, the link went {} times\n", *changed,
             port_of("p1").carrier_down_events - edges);

  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0);
  EXPECT_TRUE(carries("p0", before));
  EXPECT_EQ(link_of(host_netns(), "p1").mac, p1.mac) << "it is given back";
}

INSTANTIATE_TEST_SUITE_P(Cards, MacChange, testing::Values("hot", "cold"), [](const auto& cell) {
  return std::string(cell.param == "hot" ? "Running" : "Stopped");
});

TEST_F(Cards, O1_AttachingToARealCardCausesNoFailover) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  std::uint64_t edges = 0;
  const auto expect_calm = [&] {
    for (const std::string port : {"p0", "p1"}) {
      const std::uint64_t heard = host().session(port).at("received");
      EXPECT_TRUE(await("heartbeats on " + port, [&] {
        return host().session(port).at("received").get<std::uint64_t>() > heard + 20;
      }));
      EXPECT_EQ(host().session(port).at("down_verdicts"), 0) << port;
      edges += port_of(port).carrier_down_events;
    }
    EXPECT_TRUE(host().switchovers().empty());
    EXPECT_EQ(host().active(), "p0");
    EXPECT_TRUE(carries("p0", before));
  };
  ASSERT_NO_FATAL_FAILURE(expect_calm());
  for (int again = 0; again < 3; ++again) {
    SCOPED_TRACE(again);
    EXPECT_EQ(host().stop(), 0);
    host().start();
    ASSERT_TRUE(all_ready());
    ASSERT_NO_FATAL_FAILURE(expect_calm());
  }
  fmt::print("measured: the link went {} times while hanetd attached\n", edges);
  // The witness: all the time it could have failed over.
  ASSERT_NO_FATAL_FAILURE(expect_failover("primary", "p1", before));
}

TEST_F(Cards, F10_F11_ADriverThatIsUnloadedTakesBothCardsAndALoadedOneBringsTheIdentityBack) {
  // The first namespace shows a card's driver, and there the cards are before the lab is built.
  const std::string driver =
      std::filesystem::canonical("/sys/class/net/n0/device/driver/module").filename();
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string mac0 = address_of("p0");
  const std::string mac1 = address_of("p1");
  ASSERT_DONE(run({"modprobe", "-r", driver}));
  ASSERT_TRUE(await("nothing is left",
                    [&] { return host().log().find("NO WORKING PATH") != std::string::npos; }));
  ASSERT_DONE(run({"modprobe", driver}));
  ASSERT_NO_FATAL_FAILURE(hand_over("n0", mac0, "p0"));
  ASSERT_NO_FATAL_FAILURE(hand_over("n1", mac1, "p1"));
  ASSERT_TRUE(await("both are watched again", [&] {
    return health_of("p0") == "up" && health_of("p1") == "up";
  })) << host().log();
  const std::string active = host().active();
  EXPECT_TRUE(carries(active, before));
  EXPECT_TRUE(echo().reaches_every_address());
  const bool on_primary = active == "p0";
  ASSERT_NO_FATAL_FAILURE(
      expect_failover(on_primary ? "primary" : "standby", on_primary ? "p1" : "p0", before));
}

// --- a card in its slot --------------------------------------------------------------------------

struct Slot {
  const char* role;
  std::string card;
  std::string port;
  std::string new_name;
  const char* new_mac = nullptr;  ///< another card in the same place
};

// NOLINTNEXTLINE(readability-identifier-naming): gtest looks for this name
void PrintTo(const Slot& slot, std::ostream* out) { *out << slot.role; }

std::string role_of(const testing::TestParamInfo<Slot>& info) { return info.param.role; }

class UnpluggedCard : public Cards, public testing::WithParamInterface<Slot> {};

TEST_P(UnpluggedCard, F10_ACardThatIsUnpluggedWhileItsGroupRunsIsMissedAndPickedUpAgain) {
  const Slot& slot = GetParam();
  if (slot.new_mac && given("HANET_TEST_CARD_MODEL").starts_with("virtio"))
    GTEST_SKIP() << "skipped: virtio does not tell where its card is";
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string mac = address_of(slot.port);
  ASSERT_DONE(by_hand({"unplug", slot.card}));
  ASSERT_TRUE(await("it is missed", [&] { return health_of(slot.port) == "down"; }));
  EXPECT_EQ(host().path(slot.port).at("reason"), "interface gone");
  const bool was_primary = slot.port == "p0";
  const std::string meanwhile = was_primary ? "p1" : "p0";
  ASSERT_TRUE(all_on(meanwhile));
  EXPECT_TRUE(carries(meanwhile, before));
  EXPECT_TRUE(echo().reaches_every_address());

  ASSERT_NO_FATAL_FAILURE(plug_in(slot.card, slot.new_mac ? slot.new_mac : mac, slot.new_name));
  ASSERT_TRUE(await("it is watched again", [&] { return health_of(slot.new_name) == "up"; }))
      << host().log();
  EXPECT_TRUE(is_bare(slot.new_name, before)) << "the identity is elsewhere";
  ASSERT_NO_FATAL_FAILURE(
      expect_failover(was_primary ? "standby" : "primary", slot.new_name, before));
  EXPECT_TRUE(is_bare(meanwhile, before));
}

INSTANTIATE_TEST_SUITE_P(Cards, UnpluggedCard,
                         testing::Values(Slot{"Standby", "n1", "p1", "p1"},
                                         Slot{"StandbyUnderAnotherName", "n1", "p1", "new1"},
                                         Slot{"Primary", "n0", "p0", "p0"},
                                         Slot{"PrimaryUnderAnotherName", "n0", "p0", "new0"},
                                         Slot{"AnotherCardInThePlaceOfTheStandby", "n1", "p1",
                                              "new1", "52:54:00:00:00:13"},
                                         Slot{"AnotherCardInThePlaceOfThePrimary", "n0", "p0",
                                              "new0", "52:54:00:00:00:10"}),
                         role_of);

}  // namespace
}  // namespace hanet::test
