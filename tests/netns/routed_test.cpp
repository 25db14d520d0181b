// SPDX-License-Identifier: Apache-2.0
//
// Signed heartbeats as UDP datagrams (M1): a target behind a router, which knows nothing of hanet.
//
// The client of the lab is the router here: it forwards to a namespace `beyond` it, which is asked.
// What passes there is looked at on its wire: from whom, to whom, and how many hops are left.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "netns/hands.h"
#include "netns/signed_pair.h"
#include "netns/sniffer.h"
#include "netns/survival.h"

namespace hanet::test {
namespace {

constexpr std::uint16_t kPort = 34997;
constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kIpv6 = 0x86dd;

/// The two sides of the router.
struct Net {
  const char* name;
  const char* beyond;   ///< who is asked
  const char* gateway;  ///< the router's address on the host's side
  const char* far_side;
  const char* sources[2];
  std::uint16_t type;
  std::size_t hops_at;  ///< in the IP header
};
void PrintTo(const Net& net, std::ostream* out) { *out << net.name; }

constexpr Net kNets[]{{"Ipv4",
                       "198.51.100.10",
                       "192.0.2.10",
                       "198.51.100.1/24",
                       {"192.0.2.251", "192.0.2.252"},
                       kIpv4,
                       8},
                      {"Ipv6",
                       "2001:db8:2::10",
                       "2001:db8::10",
                       "2001:db8:2::1/64",
                       {"2001:db8::251", "2001:db8::252"},
                       kIpv6,
                       7}};

class Routed : public SignedPair {
 protected:
  void SetUp() override {
    SignedPair::SetUp();
    if (IsSkipped()) return;
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    for (const char* node : {"host", "client", "beyond"})
      ASSERT_NO_FATAL_FAILURE(write_keys(node, kOldKey));
    ASSERT_NO_FATAL_FAILURE(make_router());
  }
  void TearDown() override {
    for (const auto& [node, responder] : responders_)
      if (HasFailure()) fmt::print("--- the responder on {} wrote:\n{}", node, responder->log());
    responders_.clear();
    SignedPair::TearDown();
  }

  // The namespace is called as the lab's own are, so the lab takes it away.
  void make_router() {
    ASSERT_DONE(run({"ip", "netns", "add", lab().netns("beyond")}));
    ASSERT_DONE(
        lab().ip("client", fmt::format("link add r0 type veth peer name f0 netns {} address "
                                       "02:00:00:00:0b:01",
                                       lab().netns("beyond"))));
    ASSERT_DONE(lab().ip("client", "link set r0 up"));
    for (const char* link : {"lo", "f0"})
      ASSERT_DONE(lab().ip("beyond", fmt::format("link set {} up", link)));
    for (const Net& net : kNets) {
      const std::string far_side = net.far_side;
      ASSERT_DONE(lab().ip("client", fmt::format("addr add {} dev r0 nodad", far_side)));
      ASSERT_DONE(lab().ip("beyond", fmt::format("addr add {}{} dev f0 nodad", net.beyond,
                                                 far_side.substr(far_side.find('/')))));
      ASSERT_DONE(lab().ip("beyond", fmt::format("route add default via {}",
                                                 far_side.substr(0, far_side.find('/')))));
    }
    for (const char* setting : {"ipv4/ip_forward", "ipv6/conf/all/forwarding"})
      ASSERT_DONE(
          run(lab().in("client", {"sh", "-c", fmt::format("echo 1 >/proc/sys/net/{}", setting)})));
  }
  Hanet& responder(const std::string& node, const std::string& interface) {
    std::unique_ptr<Hanet>& one = responders_[node];
    one = std::make_unique<Hanet>(
        lab(), node, "",
        Arguments{"--responder", "--interface", interface, "--key-file", keys_of(node).string(),
                  "--udp-port", fmt::format("{}", kPort)});
    one->start();
    EXPECT_TRUE(await("the responder on " + node + " serves", [&] {
      return one->ask({"status"}).is_object();
    })) << one->log();
    return *one;
  }
  /// A host whose paths lead to `target` by the router.
  std::string asking(const Net& net, const std::string& target) const {
    return config_of("host", {},
                     fmt::format("target = \"{}\"\ngateway = \"{}\"\nudp_port = {}\n"
                                 "primary_source = \"{}\"\nstandby_source = \"{}\"\n",
                                 target, net.gateway, kPort, net.sources[0], net.sources[1]));
  }
  std::string router_mac() const { return net::to_text(link_of(lab().netns("client"), "c0").mac); }
  static json answering(const Hanet& responder) {
    return responder.ask({"status"}).at("responder").at("ports").at(0);
  }

  std::map<std::string, std::unique_ptr<Hanet>> responders_;
};

class RoutedBy : public Routed, public testing::WithParamInterface<Net> {
 protected:
  /// Datagrams that reached the wire beyond the router, which has taken a hop off each.
  std::size_t arrived(const Sniffer& wire) const {
    return wire.count([&](const SeenFrame& frame) {
      return frame.type == GetParam().type && frame.payload.size() > 60 &&
             frame.payload[GetParam().hops_at] == 63 &&
             frame.destination == *net::parse_mac("02:00:00:00:0b:01");
    });
  }
};

TEST_P(RoutedBy, M1_ATargetBehindARouterIsAskedByDatagramsAndACutIsFound) {
  const Sniffer wire(lab().netns("beyond"), "f0");
  const Hanet& target = responder("beyond", "f0");
  start_with(asking(GetParam(), GetParam().beyond));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  EXPECT_EQ(host().session("p0").at("target"), GetParam().beyond);
  EXPECT_EQ(host().session("p0").at("gateway"), GetParam().gateway);
  EXPECT_EQ(host().session("p0").at("target_mac"), router_mac());
  EXPECT_GT(arrived(wire), 0U);
  const json port = answering(target);
  std::set<std::string> askers;
  for (const json& asker : port.at("asked_by")) askers.insert(asker.at("address"));
  EXPECT_EQ(askers, (std::set<std::string>{GetParam().sources[0], GetParam().sources[1]}));
  EXPECT_TRUE(port.at("rejected").empty()) << port.dump(2);
  for (const char* path : {"p0", "p1"})
    EXPECT_EQ(host().path(path).at("port").at("rejected"), json::object());

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  EXPECT_EQ(host().switchovers().at(0).at("cause"), "heartbeat lost");
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(all_ready());
}

TEST_P(RoutedBy, D7_DatagramsGoOnWithHanetdKilledAndACutIsBridged) {
  const Sniffer wire(lab().netns("beyond"), "f0");
  responder("beyond", "f0");
  start_with(asking(GetParam(), GetParam().beyond));
  ASSERT_TRUE(all_ready());
  if (!kernel_keeps_deadlines()) GTEST_SKIP() << "skipped: hanetd keeps the deadlines here";
  host().kill();
  const std::size_t so_far = arrived(wire);
  ASSERT_TRUE(
      await("requests that no process sends", [&] { return arrived(wire) > so_far + 100; }));
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(await("the kernel side bridges",
                    [&] { return steer_of("p0").mode == HANET_STEER_BRIDGE_OUT; }));
  EXPECT_TRUE(echo().reaches_every_address());
}

// Its answers would keep a path alive whose target is dead.
TEST_P(RoutedBy, M1_ARouterThatAnswersForItselfAnswersForNobodyBehindIt) {
  const Hanet& router = responder("client", "c0");
  Hanet& target = responder("beyond", "f0");
  start_with(asking(GetParam(), GetParam().beyond));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(answering(router).at("answered_heartbeats"), 0);
  EXPECT_EQ(target.stop(), 0);
  EXPECT_TRUE(await("the target is missed", [&] {
    return host().path("p0").at("health") == "down" && host().path("p1").at("health") == "down";
  }));
  EXPECT_EQ(answering(router).at("answered_heartbeats"), 0);
  EXPECT_EQ(host().stop(), 0);
  daemons().clear();
  start_with(asking(GetParam(), GetParam().gateway));
  EXPECT_TRUE(all_ready()) << "the witness: at its own address it answers";
  EXPECT_GT(answering(router).at("answered_heartbeats"), 0);
}

INSTANTIATE_TEST_SUITE_P(Families, RoutedBy, testing::ValuesIn(kNets),
                         [](const auto& cell) { return std::string(cell.param.name); });

TEST_F(Routed, M1_AnAddressThatTheResponderGetsLaterIsAnsweredAndOneThatItLosesIsNot) {
  const Hanet& target = responder("beyond", "f0");
  start_with(asking(kNets[0], "198.51.100.77"));
  ASSERT_TRUE(await("requests to an address that nobody has", [&] {
    return host().ask({"status"}).is_object() && host().session("p0").at("sent") > 100;
  }));
  EXPECT_EQ(answering(target).at("answered_heartbeats"), 0);
  ASSERT_DONE(lab().ip("beyond", "addr add 198.51.100.77/24 dev f0"));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().ip("beyond", "addr del 198.51.100.77/24 dev f0"));
  EXPECT_TRUE(await("it is not answered any more",
                    [&] { return host().path("p0").at("health") == "down"; }));
}

TEST_F(Routed, M9_SeveralTargetsBehindOneRouterAreAskedByIt) {
  ASSERT_DONE(lab().ip("beyond", "addr add 198.51.100.77/32 dev f0"));
  responder("beyond", "f0");
  start_with(config_of("host", {},
                       fmt::format("target = \"198.51.100.10\"\n"
                                   "further_targets = \"198.51.100.77\"\ngateway = \"192.0.2.10\"\n"
                                   "udp_port = {}\nprimary_source = \"192.0.2.251\"\n"
                                   "standby_source = \"192.0.2.252\"\n",
                                   kPort)));
  ASSERT_TRUE(all_ready());
  const auto states = [&] {
    std::vector<std::string> all;
    const json sessions = host().path("p0").at("sessions");
    for (const json& session : sessions) all.push_back(session.at("state"));
    return all;
  };
  EXPECT_TRUE(await("both are up", [&] {
    return states() == std::vector<std::string>{"up", "up"};
  })) << host().path("p0").at("sessions").dump(2);
  ASSERT_DONE(lab().ip("beyond", "addr del 198.51.100.10/24 dev f0"));
  EXPECT_TRUE(
      await("one is down", [&] { return states() == std::vector<std::string>{"down", "up"}; }));
  EXPECT_EQ(host().path("p0").at("health"), "up");
}

// A responder is killed and started anew, as an upgrade does it; then the host's file is reloaded.
TEST_F(Routed, D7_O8_ARestartOfEitherEndGoesOnWithDatagrams) {
  Hanet& target = responder("beyond", "f0");
  start_with(asking(kNets[0], kNets[0].beyond));
  ASSERT_TRUE(all_ready());
  target.kill();
  const std::uint64_t received = host().session("p0").at("received");
  ASSERT_TRUE(await("answers of a killed responder's kernel side",
                    [&] { return host().session("p0").at("received") > received + 100; }));
  target.start();
  ASSERT_TRUE(await("it serves again", [&] { return target.ask({"status"}).is_object(); }));
  ASSERT_TRUE(await("the new one answers",
                    [&] { return answering(target).at("answered_heartbeats") > 100; }));
  EXPECT_EQ(host().session("p0").at("down_verdicts"), 0);

  ASSERT_DONE(lab().ip("beyond", "addr add 198.51.100.77/32 dev f0"));
  std::ofstream(host().directory() / "hanet.toml") << asking(kNets[0], "198.51.100.77");
  const bench::Output reloaded = host().ctl({"reload"});
  ASSERT_EQ(reloaded.exit_code, 0) << reloaded.out << reloaded.error;
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().session("p0").at("target"), "198.51.100.77");
}

TEST_F(Routed, M11_ARouterWithAnotherMacAddressIsFoundAgain) {
  responder("beyond", "f0");
  start_with(asking(kNets[0], kNets[0].beyond));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().ip("client", "link set c0 address 02:00:00:00:99:01"));
  EXPECT_TRUE(await("it is asked there", [&] {
    return host().session("p0").at("target_mac") == "02:00:00:00:99:01" &&
           host().path("p0").at("health") == "up";
  }));
  EXPECT_TRUE(await("it is told whose address that is", [&] {
    return host().log().contains(
        "the gateway 192.0.2.10 to the target 198.51.100.10 is at "
        "02:00:00:00:99:01 now");
  }));
}

TEST_F(SignedPair, M1_F8_DatagramsBetweenTwoHanetsSayWhereTheIdentityIs) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Crossover));
  for (const std::string node : {"a", "b"}) {
    ASSERT_NO_FATAL_FAILURE(write_keys(node, kOldKey));
    std::string config = config_of(node);
    const std::string kind = "kind = \"hanet\"\n";
    config.insert(config.find(kind), fmt::format("udp_port = {}\n", kPort));
    daemons().push_back(std::make_unique<Hanet>(lab(), node, config, hanetd_options()));
  }
  for (const auto& daemon : daemons()) daemon->start();
  ASSERT_TRUE(all_ready());
  for (const auto& daemon : daemons())
    EXPECT_GT(daemon->path("p0").at("port").at("answered_heartbeats"), 0);
  ASSERT_EQ(daemons().at(1)->ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  EXPECT_TRUE(all_on("p1"));
  EXPECT_EQ(host().switchovers().back().at("cause"), "the peer is elsewhere");
}

}  // namespace
}  // namespace hanet::test
