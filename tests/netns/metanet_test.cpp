// SPDX-License-Identifier: Apache-2.0
//
// The metanetwork device with real packets (A3): the identity is on an interface of its own, and a
// switch changes nothing of it.
//
// "Nothing moved" is heard: every rtnetlink message about the device from before the fault on.
#include "netns/metanet.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>

#include "netns/cable.h"
#include "netns/tcp_talk.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class MetanetOfFamily : public Metanet, public testing::WithParamInterface<int> {};

TEST_F(Metanet, A3_TheIdentityOfThePrimaryIsTakenOver) {
  ASSERT_NO_FATAL_FAILURE(begin());
  expect_unmoved();
  EXPECT_EQ(link_of(host_netns(), "mether0").mac, before.mac);
  EXPECT_EQ(used(), "p0");
}

TEST_P(MetanetOfFamily, A3_ASilentCutIsSurvivedAndNothingMoves) {
  ASSERT_NO_FATAL_FAILURE(begin({.family = GetParam()}));
  TcpTalk talk(lab(), lab().conversations().front(), 5000);
  ASSERT_TRUE(talk.begins());
  Recorder recorder(host_netns());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(uses("p1"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(talk.answers());
  EXPECT_THAT(said_of_device(recorder), IsEmpty());
  expect_unmoved();
  const json last = host().switchovers().at(0);
  EXPECT_EQ(last.at("from"), "p0");
  EXPECT_EQ(last.at("to"), "p1");
  EXPECT_EQ(last.at("outcome"), "complete");
}
INSTANTIATE_TEST_SUITE_P(Families, MetanetOfFamily, testing::Values(4, 6));

TEST_F(Metanet, A3_M4_ALostCarrierIsSurvivedAndNothingMoves) {
  ASSERT_NO_FATAL_FAILURE(begin());
  Recorder recorder(host_netns());
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(uses("p1"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_THAT(said_of_device(recorder), IsEmpty());
  expect_unmoved();
}

TEST_F(Metanet, A2_A3_APersonSwitchesForAndBack) {
  ASSERT_NO_FATAL_FAILURE(begin());
  Recorder recorder(host_netns());
  for (const std::string port : {"p1", "p0"}) {
    const bench::Output done = host().ctl({"switch", "mether0", "--to", port});
    ASSERT_EQ(done.exit_code, 0) << done.out << done.error;
    EXPECT_EQ(used(), port);
    EXPECT_TRUE(host().is_on(port));
    EXPECT_TRUE(echo().reaches_every_address());
  }
  EXPECT_THAT(said_of_device(recorder), IsEmpty());
}

// The path that failed is back when the other one fails, and so on: all paths are equal.
TEST_F(Metanet, A3_D7_AKilledHanetdsKernelSideSwitchesAgainAndAgain) {
  ASSERT_NO_FATAL_FAILURE(begin());
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  host().kill();
  Recorder recorder(host_netns());
  const Cable standby(lab().netns("mid"), "host-p1"), primary(lab().netns("mid"), "host-p0");
  const auto is_back = [&](const std::string& port) {
    return await(port + " is back", [&] {
      return host().pinned<hanet_session>("sessions", port_of(port).session).state ==
             HANET_SESSION_UP;
    });
  };
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    primary.cut();
    ASSERT_TRUE(uses("p1"));
    EXPECT_TRUE(echo().reaches_every_address());
    primary.mend();
    ASSERT_TRUE(is_back("p0"));
    standby.cut();
    ASSERT_TRUE(uses("p0"));
    EXPECT_TRUE(echo().reaches_every_address());
    standby.mend();
    ASSERT_TRUE(is_back("p1"));
  }
  EXPECT_FALSE(host().running());
  EXPECT_THAT(said_of_device(recorder), IsEmpty());
  expect_unmoved();
}

TEST_F(Metanet, A3_D7_TheNextHanetdFindsTheDeviceAndThePathThatItUses) {
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  Recorder recorder(host_netns());
  host().kill();
  EXPECT_TRUE(echo().reaches_every_address()) << "the kernel side goes on";
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return host().is_on("p1"); }));
  EXPECT_EQ(used(), "p1");
  EXPECT_EQ(identity_on(host_netns(), "mether0").index, device) << "the same interface";
  EXPECT_THAT(said_of_device(recorder), IsEmpty());
  expect_unmoved();
  for (const json& one : host().switchovers())
    EXPECT_EQ(one.at("number"), 1) << "nothing was switched since";
}

TEST_F(Metanet, A3_F12_AnOrderlyEndGivesTheIdentityBackToThePortThatIsUsed) {
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_EQ(host().stop(), 0);
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_THAT(identity_on(host_netns(), "p1").addresses.size(), before.addresses.size());
  EXPECT_TRUE(is_bare("p0", {}));
}

TEST_F(Metanet, A3_F17_DetachGivesTheIdentityToThePortThatIsUsedAndRemovesTheDevice) {
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  host().kill();
  const bench::Output done = host().ctl({"detach"});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.error;
  EXPECT_THAT(done.out, HasSubstr("that of mether0 on p1"));
  EXPECT_FALSE(lab().ip("host", "link show dev mether0"));
  EXPECT_EQ(identity_on(host_netns(), "p1").addresses.size(), before.addresses.size());
  EXPECT_TRUE(echo().reaches_every_address());
}

// A network manager that is started anew does what its files say.
TEST_F(Metanet, A3_AnAddressThatSomebodyGivesToAPortIsTakenOverAsWell) {
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_DONE(lab().ip("host", "address add 192.0.2.77/24 dev p0"));
  EXPECT_TRUE(await("it is on the device", [&] {
    return std::ranges::any_of(identity_on(host_netns(), "mether0").addresses,
                               [](const auto& one) { return one.local == "192.0.2.77"; });
  }));
  EXPECT_TRUE(is_bare("p0", {}));
  EXPECT_TRUE(echo().reaches_every_address());
}

// A card receives what is for its own address, and what somebody asked for who has not died since.
TEST_F(Metanet, A3_D7_EveryPortTakesInWhatIsForTheDeviceAlsoWithoutHanetd) {
  ASSERT_NO_FATAL_FAILURE(begin());
  const std::string mac = net::to_text(link_of(host_netns(), "mether0").mac);
  const auto takes_in = [&](const std::string& port) {
    return shown({"bridge", "fdb", "show", "dev", port}).find(mac + " self permanent") !=
               std::string::npos &&
           shown({"ip", "link", "show", "dev", port}).find("ALLMULTI") != std::string::npos;
  };
  EXPECT_TRUE(takes_in("p1"));
  host().kill();
  EXPECT_TRUE(takes_in("p1"));
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().stop(), 0);
  EXPECT_FALSE(takes_in("p1")) << "nothing is left behind";
}

TEST_F(Metanet, A3_F12_TheIdentityIsGivenBackToAPortThatWasDownBeforeHanetdCame) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "link set p1 down"));
  ASSERT_NO_FATAL_FAILURE(start({.mode = "metanet"}));
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_EQ(host().stop(), 0);
  EXPECT_TRUE(link_of(host_netns(), "p1").admin_up);
  EXPECT_TRUE(echo().reaches_every_address());
}

// Many hosts forbid IPv6 on interfaces that are new.
TEST_F(Metanet, A3_F4_IPv6IsTakenOverAlsoWhereItIsForbiddenOnNewInterfaces) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  before = identity_on(host_netns(), "p0");
  ASSERT_EQ(
      bench::run(lab().in("host", {"sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1"}),
                 std::chrono::seconds(5))
          ->exit_code,
      0);
  ASSERT_NO_FATAL_FAILURE(start({.mode = "metanet"}));
  ASSERT_TRUE(all_ready());
  expect_unmoved();
}

TEST_F(Metanet, A3_F13_SettingsAreTakenOverAndGivenBack) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_EQ(bench::run(lab().in("host", {"sysctl", "-q", "-w", "net.ipv4.conf.p0.rp_filter=2"}),
                       std::chrono::seconds(5))
                ->exit_code,
            0);
  ASSERT_NO_FATAL_FAILURE(start({.mode = "metanet"}));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(settings_on(host_netns(), "mether0").at("ipv4/conf/rp_filter"), "2");
  ASSERT_EQ(host().stop(), 0);
  EXPECT_EQ(settings_on(host_netns(), "p0").at("ipv4/conf/rp_filter"), "2");
}

TEST_F(Metanet, A3_D7_WithoutHanetdTheStatusSaysByWhichPortTheDeviceSends) {
  ASSERT_NO_FATAL_FAILURE(begin());
  EXPECT_EQ(host().group().at("device").at("uses"), "p0");
  host().kill();
  const bench::Output status = host().ctl({"status"});
  EXPECT_THAT(status.out, HasSubstr("p0: carries the device's traffic\n"));
  EXPECT_THAT(status.out, HasSubstr("p1: waits\n"));
}

TEST_F(Metanet, A3_AddressesOnAPortAreRefusedUnlessTheyAreTakenOver) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  before = identity_on(host_netns(), "p0");
  Result<std::string> config = lab().config("host", {.mode = "metanet"});
  ASSERT_TRUE(config);
  const std::string key = "take_over = true\n";
  config->erase(config->find(key), key.size());
  start_with(*config);
  ASSERT_TRUE(await("it ends", [&] { return !host().running(); }));
  EXPECT_THAT(host().log(), HasSubstr("take_over = true"));
  EXPECT_TRUE(carries("p0", before)) << "nothing was changed";
  EXPECT_FALSE(lab().ip("host", "link show dev mether0"));
}

}  // namespace
}  // namespace hanet::test
