// SPDX-License-Identifier: Apache-2.0
//
// Other managers of the network give a waiting port what belongs to the identity: it is removed
// there (F12, F16). What they take from the port that carries it is in manager_test.cpp.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <future>
#include <set>

#include "netns/manager.h"
#include "netns/rtnetlink.h"

namespace hanet::test {
namespace {

class WaitingPort : public ManagerTest {};

TEST_F(WaitingPort, F12_AnAddressThatIsGivenBackToTheOldPrimaryIsRemovedThere) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.1/24 dev p0"));
  EXPECT_TRUE(
      await("it is gone there", [&] { return log_has("192.0.2.1/24 was given to p0 by"); }));
  EXPECT_TRUE(await("p0 is bare", [&] { return bool{is_bare("p0", before)}; }));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(WaitingPort, F16_RoutesThatAreGivenBackToTheOldPrimaryAreRemovedThere) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "route add 203.0.113.0/24 via 192.0.2.10 dev p0 onlink metric 100"));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(carries("p1", before));
  // What a manager does when it starts anew: the connected route by itself, then the other.
  ASSERT_DONE(lab().ip("host", "route add 192.0.2.0/24 dev p0 proto kernel scope link metric 100"));
  ASSERT_DONE(
      lab().ip("host", "route append 203.0.113.0/24 via 192.0.2.10 dev p0 onlink metric 100"));
  EXPECT_TRUE(await("it is told", [&] { return log_has("was given to p0 by"); }));
  EXPECT_TRUE(await("p0 is bare", [&] { return bool{is_bare("p0", before)}; })) << host().log();
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

// NetworkManager makes one when it finds that the network of the gateway is gone from its port.
TEST_F(WaitingPort, F16_ARouteStraightToTheGatewayIsRemovedFromTheOldPrimary) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "route add 203.0.113.0/24 via 192.0.2.10 dev p0"));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_DONE(lab().ip("host", "route add 192.0.2.99/32 dev p0 proto static scope link"));
  ASSERT_DONE(lab().ip("host", "route add 192.0.2.10/32 dev p0 proto static scope link"));
  const auto routes = [&] {
    std::set<std::string> there;
    const json found = ip_json(host_netns(), {"-4", "route", "show", "dev", "p0"});
    for (const json& route : found) there.insert(route.at("dst"));
    return there;
  };
  EXPECT_TRUE(await("it is gone", [&] { return !routes().contains("192.0.2.10"); }))
      << host().log();
  EXPECT_TRUE(routes().contains("192.0.2.99")) << "that is somebody's own affair";
  EXPECT_TRUE(log_has("route 192.0.2.10/32 table 254 was given to p0 by"));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(WaitingPort, F16_ARouteThatIsGivenBackWhileTheIdentityMovesIsRemovedThere) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  Arguments commands;
  for (int i = 0; i < 500; ++i)  // a move that takes its time
    commands.push_back(fmt::format("addr add 198.18.{}.{}/32 dev p0", i / 250, i % 250 + 1));
  commands.emplace_back("route add 203.0.113.0/24 via 192.0.2.10 dev p0 onlink metric 100");
  ASSERT_DONE(change(commands));
  ASSERT_TRUE(await("the snapshot has them",
                    [&] { return host().group().at("identity").at("addresses").size() > 500; }));
  const SeenIdentity before = identity_on(host_netns(), "p0");

  Rtnetlink heard(host_netns(), RTMGRP_IPV4_IFADDR);
  auto cut = std::async(std::launch::async, [&] { return lab().fault("blackhole"); });
  bool moves = false;
  ASSERT_TRUE(await("p0 has no address any more, and p1 gets the first", [&] {
    [[maybe_unused]] const bool all = heard.hear(
        [&](const nlmsghdr& message) { moves = moves || message.nlmsg_type == RTM_NEWADDR; });
    return moves;
  }));
  host().freeze();
  ASSERT_DONE(cut.get());
  ASSERT_TRUE(await("hanetd stands still", [&] { return host().frozen(); }));
  ASSERT_DONE(
      lab().ip("host", "route append 203.0.113.0/24 via 192.0.2.10 dev p0 onlink metric 100"));
  host().thaw();

  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(await("p0 is bare", [&] { return bool{is_bare("p0", before)}; })) << host().log();
  EXPECT_TRUE(log_has("was given to p0 by a program meanwhile"));
  EXPECT_TRUE(carries("p1", before));
}

}  // namespace
}  // namespace hanet::test
