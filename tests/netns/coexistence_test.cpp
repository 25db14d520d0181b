// SPDX-License-Identifier: Apache-2.0
//
// Living with others: a peer that changes, a second one, and somebody else's XDP program.
//
// The peer that answers heartbeats is replaced one day and comes back with another MAC address;
// that is no failure of a path. Two hosts with its address are one of the network (M11). And a port
// that already runs an XDP program (a firewall, a load balancer) is not fought over: heartbeats are
// matched at TC instead (M1, M2, D6).
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>

#include <map>
#include <string>

#include "engine/tc_hook.h"
#include "netns/foreign_program.h"
#include "netns/lab_test.h"
#include "netns/sniffer.h"
#include "netns/speaker.h"

namespace hanet::test {
namespace {

class ReplacedPeer : public LabTest, public testing::WithParamInterface<int> {};

TEST_P(ReplacedPeer, M1_APeerThatComesBackWithAnotherMacAddressIsNoFailure) {
  // Slow enough that a broadcast search is answered before a busy machine is late.
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Switch, {.family = GetParam(), .interval_us = 50'000, .group_keys = {}}));
  const std::string mac = "02:00:00:00:99:01";
  const std::string before = net::to_text(link_of(lab().netns("client"), "c0").mac);
  // A path is searched once a second at most, and the start was a search.
  for (const std::string port : {"p0", "p1"})
    ASSERT_TRUE(await("a second of heartbeats on " + port,
                      [&] { return host().session(port).at("received") >= 25; }));
  ASSERT_DONE(lab().ip("client", "link set c0 address " + mac));
  for (const std::string port : {"p0", "p1"})
    EXPECT_TRUE(await("the new address is known on " + port,
                      [&] { return host().session(port).at("target_mac") == mac; }));
  for (const std::string port : {"p0", "p1"})
    EXPECT_TRUE(await("both addresses are told", [&] {
      return host().log().contains(
          fmt::format(" is at {} now, seen by {}; it was at {}", mac, port, before));
    }));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(host().switchovers().empty());
}

class TwoTargets : public LabTest {
 protected:
  /// The switch itself takes the client's address as well.
  Status rival(const std::string& action) {
    return lab().ip("mid", fmt::format("addr {} 192.0.2.10/24 dev br0", action));
  }
  testing::AssertionResult told(const std::string& text, std::chrono::seconds limit = kPatience) {
    return await("the log says '" + text + "'", [&] { return host().log().contains(text); }, limit);
  }
};

TEST_F(TwoTargets, M11_TwoMacAddressesForOneTargetAreAnAlarmThatNamesBothAndEnds) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::string target = net::to_text(link_of(lab().netns("client"), "c0").mac);
  const std::string other = net::to_text(link_of(lab().netns("mid"), "br0").mac);
  ASSERT_NE(target, other);
  ASSERT_DONE(rival("add"));
  // Everybody is asked every ten seconds while the target answers.
  for (const std::string port : {"p0", "p1"})
    EXPECT_TRUE(told(fmt::format("two MAC addresses answer for the target 192.0.2.10 on {}: {}, "
                                 "which is watched, and {}",
                                 port, target, other),
                     2 * kPatience));
  ASSERT_DONE(rival("del"));
  for (const std::string port : {"p0", "p1"}) {
    EXPECT_TRUE(
        told(fmt::format("only {} answers for the target 192.0.2.10 on {} now", target, port)));
    EXPECT_EQ(host().session(port).at("target_mac"), target);
    EXPECT_EQ(host().session(port).at("down_verdicts"), 0);
  }
  EXPECT_TRUE(host().switchovers().empty());
}

INSTANTIATE_TEST_SUITE_P(OverIp, ReplacedPeer, testing::Values(4, 6),
                         [](const auto& cell) { return fmt::format("V{}", cell.param); });

/// The switch port to the client is like the far side of an EVPN fabric: what has no sender is not
/// flooded there.
class SuppressedArp : public LabTest {
 protected:
  void SetUp() override {
    LabTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    ASSERT_DONE(lab().ip("mid", "link set client-c0 type bridge_slave neigh_suppress on"));
  }
  void begin(const std::string& sources) {
    Result<std::string> config = lab().config("host", {});
    ASSERT_TRUE(config) << config.error().message;
    start_with(*config + sources);
  }
};

TEST_F(SuppressedArp, M1_ASearchWithASourceHasASenderAndIsFlooded) {
  const Sniffer wire(lab().netns("mid"), "br0");
  ASSERT_NO_FATAL_FAILURE(
      begin("primary_source = \"192.0.2.251\"\nstandby_source = \"192.0.2.252\"\n"));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(echo().reaches_every_address());
  const auto searches = [](const std::string& sender) {
    return [sender](const SeenFrame& frame) {
      return frame.is_group_addressed() && frame.is_arp_of(sender);
    };
  };
  EXPECT_GE(wire.count(searches("192.0.2.251")), 1U);
  EXPECT_GE(wire.count(searches("192.0.2.252")), 1U);
  EXPECT_EQ(wire.count(searches("0.0.0.0")), 0U);
}

TEST_F(SuppressedArp, M1_ASearchWithoutASenderIsToldTogetherWithWhatHelps) {
  ASSERT_NO_FATAL_FAILURE(begin(""));
  for (const std::string port : {"p0", "p1"})
    EXPECT_TRUE(await("it is told of " + port, [&] {
      return host().log().contains("nobody answers the search for the target 192.0.2.10 by " +
                                   port + "; it has no sender address");
    }));
  EXPECT_EQ(host().session("p0").at("state"), "down") << "the search went out in vain";
}

class ForeignXdp : public LabTest {
 protected:
  /// "return XDP_PASS;" on a port of the host, held by this process.
  Fd attach_other_program(const std::string& port) {
    const Fd program = foreign_program(BPF_PROG_TYPE_XDP, "other_xdp", XDP_PASS);
    programs_[port] = id_of_program(program);
    Fd link;
    inside(host_netns(), [&] {
      const int index = static_cast<int>(::if_nametoindex(port.c_str()));
      link.reset(bpf_link_create(program.get(), index, BPF_XDP, nullptr));
    });
    return link;
  }
  std::map<std::string, std::uint32_t> programs_;
};

TEST_F(ForeignXdp, M2_HeartbeatsAreMatchedAtTcAndThePortIsProtectedAllTheSame) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const Fd primary = attach_other_program("p0");
  const Fd standby = attach_other_program("p1");
  ASSERT_TRUE(primary.valid() && standby.valid());
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  for (const std::string port : {"p0", "p1"}) {
    const std::string xdp = host().path(port).at("port").at("xdp");
    EXPECT_TRUE(xdp.starts_with("taken by " + unnamed_program(programs_.at(port)))) << xdp;
    EXPECT_TRUE(engine::describe_program(programs_.at(port)).starts_with("other_xdp (id "))
        << "whoever has the right is told the name";
    EXPECT_GT(host().session(port).at("received"), 0);
  }
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(is_bare("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());

  EXPECT_EQ(host().stop(), 0);
  inside(host_netns(), [&] {
    std::uint32_t id = 0;
    EXPECT_EQ(bpf_xdp_query_id(static_cast<int>(::if_nametoindex("p0")), 0, &id), 0);
    EXPECT_NE(id, 0U) << "the other program was detached";
  });
}

TEST_F(ForeignXdp, M5_ASilentPeerIsHeardAtTcAndSoAreItsTaggedFrames) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const Fd primary = attach_other_program("p0");
  const Fd standby = attach_other_program("p1");
  ASSERT_TRUE(primary.valid() && standby.valid());
  const net::MacAddress peer = link_of(lab().netns("client"), "c0").mac;
  const Speaker speaker(lab().netns("client"), "c0", peer, net::kBroadcast, ETH_P_8021Q);
  start_with(silence_config(fmt::format("peer_mac = \"{}\"\n", net::to_text(peer))));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(std::string(host().path("p0").at("port").at("xdp")).starts_with("taken by"));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(ForeignXdp, D6_WithoutOthersXdpIsNative) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_EQ(host().path("p0").at("port").at("xdp"), "native");
}

}  // namespace
}  // namespace hanet::test
