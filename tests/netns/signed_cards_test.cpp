// SPDX-License-Identifier: Apache-2.0
//
// Signed heartbeats between real cards (see cards_test.cpp): where they are answered.
//
// A driver with native XDP sends the answer itself, before a packet exists for the kernel. Nothing
// on veth ends can show that, because hanet answers at TC there. Here the far cards are taken off
// the switch and given to the client, so that a cable joins two cards, of two drivers, and each
// answers the other.
//
// What is believed is not what hanet says: `ip` tells the mode, the driver counts what it sent
// back, and an AF_PACKET socket, which hears every frame that becomes a packet, hears no request.
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "hanet/abi.h"
#include "netns/hands.h"
#include "netns/signed_pair.h"
#include "netns/sniffer.h"

namespace hanet::test {
namespace {

constexpr std::uint64_t kEnough = 100;  // answers

/// What the driver answers, a structure of <linux/ethtool.h> with `bytes` behind it; `question`:
/// how that begins.
template <typename Answer>
std::vector<std::uint64_t> ask_ethtool(const std::string& interface,
                                       std::initializer_list<std::uint32_t> question,
                                       std::size_t bytes = 0) {
  std::vector<std::uint64_t> room((sizeof(Answer) + bytes) / sizeof(std::uint64_t) + 1);
  std::ranges::copy(question, reinterpret_cast<std::uint32_t*>(room.data()));
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(room.data());
  if (::ioctl(socket.get(), SIOCETHTOOL, &request) != 0)
    throw std::runtime_error(interface + " does not tell its counters");
  return room;
}

/// How many frames the driver sent back for XDP: virtio_net's rx_queue_0_xdp_tx, later rx0_xdp_tx,
/// of all queues; a name without a number is their sum. A driver without such a counter has sent
/// none.
std::uint64_t sent_back_by_driver(const std::string& netns, const std::string& interface) {
  std::uint64_t sum = 0;
  inside(netns, [&] {
    const auto told = ask_ethtool<ethtool_drvinfo>(interface, {ETHTOOL_GDRVINFO});
    const std::uint32_t count = reinterpret_cast<const ethtool_drvinfo*>(told.data())->n_stats;
    const auto names = ask_ethtool<ethtool_gstrings>(
        interface, {ETHTOOL_GSTRINGS, ETH_SS_STATS, count}, std::size_t{count} * ETH_GSTRING_LEN);
    const auto values = ask_ethtool<ethtool_stats>(interface, {ETHTOOL_GSTATS, count},
                                                   std::size_t{count} * sizeof(std::uint64_t));
    const auto* name = reinterpret_cast<const char*>(names.data()) + sizeof(ethtool_gstrings);
    const std::uint64_t* value = values.data() + sizeof(ethtool_stats) / sizeof(std::uint64_t);
    for (std::uint32_t at = 0; at < count; ++at, name += ETH_GSTRING_LEN, ++value) {
      const std::string_view text(name, ::strnlen(name, ETH_GSTRING_LEN));
      const bool of_queue = text.find_first_of("0123456789") != std::string_view::npos;
      if (of_queue && text.starts_with("rx") && text.ends_with("_xdp_tx")) sum += *value;
    }
  });
  return sum;
}

bool is_request(const SeenFrame& frame) {
  return frame.type == HANET_BEAT_TYPE && frame.payload.at(1) == HANET_BEAT_REQUEST;
}

/// The numbers of IFLA_XDP_ATTACHED (<linux/if_link.h>), which `ip -j` passes on.
enum class XdpMode : std::uint8_t { Native = 1, Generic = 2 };

class SignedCards : public SignedPair {
 protected:
  void SetUp() override {
    LabTest::SetUp();
    if (IsSkipped()) return;
    if (!has_cards()) GTEST_SKIP() << "skipped: no real cards: tests/vm has them";
  }
  /// The client has the far cards as its p0 and p1, and its addresses on p0.
  void build_without_switch() {
    // The first namespace shows a card's driver, and there the cards are before the lab is built.
    for (const auto& [node, card] : {std::pair("host", "n0"), std::pair("client", "f0")})
      drivers_[node] =
          std::filesystem::canonical(fmt::format("/sys/class/net/{}/device/driver", card))
              .filename();
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    ASSERT_DONE(lab().ip("client", "link del c0"));
    for (const char* port : {"p0", "p1"}) {
      ASSERT_DONE(lab().ip("mid", fmt::format("link set host-{} nomaster", port)));
      ASSERT_DONE(lab().ip(
          "mid", fmt::format("link set host-{0} netns {1} name {0}", port, lab().netns("client"))));
      ASSERT_DONE(lab().ip("client", fmt::format("link set {} addrgenmode none", port)));
      ASSERT_DONE(lab().ip("client", fmt::format("link set {} up", port)));
    }
    ASSERT_DONE(lab().ip("client", "addr add 192.0.2.10/24 brd + dev p0"));
    ASSERT_DONE(lab().ip("client", "addr add 2001:db8::10/64 dev p0 nodad"));
    for (const char* end : {"a", "b"}) ASSERT_NO_FATAL_FAILURE(write_keys(end, kOldKey));
    for (const char* node : {"host", "client"})
      for (const char* port : {"p0", "p1"}) ASSERT_NO_FATAL_FAILURE(settle(node, port));
  }
  /// The emulator's vmxnet3 does not listen to a MAC address that it got while it was stopped.
  void settle(const std::string& node, const std::string& port) const {
    ASSERT_TRUE(await(fmt::format("{} of {} has a carrier", port, node),
                      [&] { return shown(node, port).at("operstate") == "UP"; }));
    if (const auto mac = link_of(lab().netns(node), port).permanent_mac)
      ASSERT_DONE(lab().ip(node, fmt::format("link set {} address {}", port, net::to_text(*mac))));
  }
  json shown(const std::string& node, const std::string& port) const {
    return ip_json(lab().netns(node), {"link", "show", "dev", port}).at(0);
  }
  /// Of the drivers that tests/vm has, one has native XDP that lasts.
  XdpMode mode_of_driver(const std::string& node) const {
    return drivers_.at(node) == "virtio_net" ? XdpMode::Native : XdpMode::Generic;
  }
  /// p0 of a node is asked, and who answers there is the driver, or TC behind it. `answered`: how
  /// often hanet says that it has answered.
  void expect_answers(const std::string& node, XdpMode mode,
                      const std::function<std::uint64_t()>& answered) const {
    SCOPED_TRACE(fmt::format("p0 of {}, {}", node, drivers_.at(node)));
    EXPECT_EQ(shown(node, "p0").at("xdp").at("mode"), static_cast<int>(mode));
    const auto sent_back = [&] { return sent_back_by_driver(lab().netns(node), "p0"); };
    const Sniffer packets(lab().netns(node), "p0");
    const std::uint64_t sent_back_before = sent_back();
    const std::uint64_t before = answered();
    ASSERT_TRUE(await("answers", [&] { return answered() >= before + kEnough; }));
    const std::uint64_t answers = answered() - before;
    if (mode == XdpMode::Native) {
      EXPECT_TRUE(await("the driver has sent each of them",
                        [&] { return sent_back() >= sent_back_before + answers; }));
      EXPECT_EQ(packets.count(is_request), 0U) << "what the driver answers is never a packet";
    } else {
      EXPECT_EQ(sent_back(), sent_back_before);
      EXPECT_TRUE(await("they were packets before TC answered them",
                        [&] { return packets.count(is_request) >= answers; }));
    }
    fmt::print("measured: {}: {} answers, {} sent back by the driver, {} requests became packets\n",
               drivers_.at(node), answers, sent_back() - sent_back_before,
               packets.count(is_request));
  }
  void expect_answers(const Hanet& daemon, XdpMode mode) const {
    expect_answers(daemon.node(), mode, [&daemon] {
      return daemon.path("p0").at("port").at("answered_heartbeats").get<std::uint64_t>();
    });
  }

 private:
  std::map<std::string, std::string> drivers_;  ///< by node
};

TEST_F(SignedCards, M1_F8_BothEndsAnswerInTheirDriverWhereItCanAndASilentCutMovesBoth) {
  ASSERT_NO_FATAL_FAILURE(build_without_switch());
  start_pair("host", "client");
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  for (const auto& daemon : daemons())
    ASSERT_NO_FATAL_FAILURE(expect_answers(*daemon, mode_of_driver(daemon->node())));
  EXPECT_TRUE(host().switchovers().empty());
  ASSERT_DONE(by_hand({"down", "f0"}));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(host().switchovers().at(0).at("cause"), "heartbeat lost") << "its carrier stays";
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

// The size of a frame is what a user changes that native XDP may not bear.
TEST_F(SignedCards, M1_WhereADriverRefusesNativeXdpTheAnswersComeFromTc) {
  ASSERT_NO_FATAL_FAILURE(build_without_switch());
  for (const char* node : {"host", "client"})
    for (const char* port : {"p0", "p1"})
      ASSERT_DONE(lab().ip(node, fmt::format("link set {} mtu 9000", port)));
  start_pair("host", "client");
  ASSERT_TRUE(all_ready());
  for (const auto& daemon : daemons()) {
    EXPECT_EQ(daemon->path("p0").at("port").at("xdp"), "generic") << "it is told";
    ASSERT_NO_FATAL_FAILURE(expect_answers(*daemon, XdpMode::Generic));
  }
  ASSERT_DONE(by_hand({"down", "f0"}));
  EXPECT_TRUE(all_on("p1"));
}

TEST_F(SignedCards, M1_AResponderAnswersInItsDriverAndWhoAsksFindsACut) {
  ASSERT_NO_FATAL_FAILURE(build_without_switch());
  Hanet responder(lab(), "host", "",
                  {"--responder", "--interface", "p0", "--interface", "p1", "--key-file",
                   keys_of("a").string()});
  responder.start();
  ASSERT_NO_FATAL_FAILURE(write_keys("host", kOldKey));
  daemons().push_back(std::make_unique<Hanet>(
      lab(), "client", config_of("host", {}, "target = \"192.0.2.1\"\n"), hanetd_options()));
  daemons().back()->start();
  ASSERT_TRUE(all_ready()) << responder.log();
  const auto answered = [&] {
    const json port = responder.ask({"status"}).at("responder").at("ports").at(0);
    return port.at("answered_heartbeats").get<std::uint64_t>();
  };
  ASSERT_NO_FATAL_FAILURE(expect_answers("host", mode_of_driver("host"), answered));
  ASSERT_DONE(by_hand({"down", "n0"}));
  EXPECT_TRUE(all_on("p1"));
  EXPECT_EQ(host().switchovers().at(0).at("cause"), "heartbeat lost") << "its carrier stays";
}

}  // namespace
}  // namespace hanet::test
