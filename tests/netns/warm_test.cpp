// SPDX-License-Identifier: Apache-2.0
//
// The warm standby for firewalls: two interfaces swap parameters, and nobody sees anything else
// (F6).
#include <gmock/gmock.h>

#include "netns/lab_test.h"
#include "netns/observer.h"

namespace hanet::test {
namespace {

using testing::IsEmpty;

class Warm : public LabTest {
 protected:
  Status firewall(const std::string& rules) {
    const Result<std::string> done = bench::run_checked(
        lab().in("host", {"nft", "table inet fw { " + rules + "; }"}), std::chrono::seconds(5));
    return done ? Status() : std::unexpected(done.error());
  }
};

TEST_F(Warm, F6_TheInterfacesSwapParametersAndAnObserverSeesNothingElse) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  Observer observer(host_netns());
  ASSERT_NO_FATAL_FAILURE(start({.mode = "warm", .group_keys = kWarmDummy}));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(wears_dummy("p1")) << "defined at start, and down";
  const SeenIdentity before = identity_on(host_netns(), "p0");

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(wears_dummy("p0"));
  EXPECT_TRUE(echo().reaches_every_address());

  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(await("the switch back is allowed", [&] {
    return host().ctl({"switch", "mether0", "--to", "p0"}).exit_code == 0;
  }));
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(wears_dummy("p1"));
  EXPECT_THAT(observer.violations(), IsEmpty());
}

TEST_F(Warm, F6_ConnectionsThatTheFirewallKnowsSurviveTheSwitch) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  // New connections only where the rules name the first interface; connection tracking is on.
  ASSERT_DONE(
      firewall("chain in { type filter hook input priority 0; policy drop; iifname lo accept; "
               "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; "
               "ct state established accept; iifname p0 ip daddr 192.0.2.1 accept; "
               "iifname p0 ip6 daddr 2001:db8::1 accept; iifname p0 accept; }"));
  ASSERT_NO_FATAL_FAILURE(start({.mode = "warm", .group_keys = kWarmDummy}));
  ASSERT_TRUE(all_ready());
  ASSERT_TRUE(echo().reaches_every_address());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address()) << "only as an established connection";
}

TEST_F(Warm, F6_AfterSigtermNoDummyIsLeft) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = "warm", .group_keys = kWarmDummy}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  EXPECT_EQ(host().stop(), 0);
  EXPECT_FALSE(wears_dummy("p1"));
  EXPECT_TRUE(identity_on(host_netns(), "p1").addresses.empty());
  EXPECT_NE(net::to_text(identity_on(host_netns(), "p1").mac), "02:dd:00:00:00:01");
  EXPECT_TRUE(carries("p0", before));
}

TEST_F(Warm, F6_AfterAFailoverAndSigtermTheFormerPrimaryHasNoDummyAddress) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = "warm", .group_keys = kWarmDummy}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(host().stop(), 0);
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(identity_on(host_netns(), "p0").addresses.empty());
}

TEST_F(Warm, F6_ADaemonThatWasKilledFindsTheDummyItLeft) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = "warm", .group_keys = kWarmDummy}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  host().kill();
  EXPECT_TRUE(wears_dummy("p1"));
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
}

TEST_F(Warm, F6_ADummyThatIsARealAddressIsRefusedBeforeAnythingIsTouched) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const net::MacAddress standby_mac = identity_on(host_netns(), "p1").mac;
  ASSERT_NO_FATAL_FAILURE(
      start({.mode = "warm", .group_keys = "warm = {dummy_address = \"192.0.2.101\"}\n"}));
  EXPECT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
  EXPECT_NE(host().log().find("is an address of p0"), std::string::npos) << host().log();
  EXPECT_TRUE(carries("p0", before));
  EXPECT_EQ(identity_on(host_netns(), "p1").mac, standby_mac);
  EXPECT_TRUE(link_of(host_netns(), "p1").admin_up);
}

TEST_F(Warm, F6_F10_AFormerPrimaryThatIsTakenOutDoesNotGetTheIdentitysMacAddressBack) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = "warm", .group_keys = kWarmDummy}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_EQ(host().ctl({"remove", "mether0", "p0"}).exit_code, 0);
  EXPECT_NE(identity_on(host_netns(), "p0").mac, before.mac);
  EXPECT_FALSE(link_of(host_netns(), "p0").admin_up);
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Warm, F6_ADummyMacAddressThatAPortHasIsRefusedBeforeAnythingIsTouched) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  for (const char* port : {"p0", "p1"}) {
    const std::string mac = net::to_text(link_of(host_netns(), port).mac);
    ASSERT_NO_FATAL_FAILURE(
        start({.mode = "warm", .group_keys = "warm = {dummy_mac = \"" + mac + "\"}\n"}));
    EXPECT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
    EXPECT_TRUE(host().log().contains("group mether0: the dummy MAC address " + mac +
                                      " is that of " + port + "; choose another dummy_mac"))
        << host().log();
    EXPECT_TRUE(carries("p0", before));
    EXPECT_TRUE(link_of(host_netns(), "p1").admin_up) << "nothing was touched";
    daemons().clear();
  }
}

TEST_F(Warm, F6_ADummyThatAnotherInterfaceHasIsRefusedByItsName) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "link add other type veth peer name far"));
  ASSERT_DONE(lab().ip("host", "addr add 203.0.113.77/24 dev far"));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_NO_FATAL_FAILURE(start({.mode = "warm", .group_keys = kWarmDummy}));
  EXPECT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
  EXPECT_TRUE(host().log().contains(
      "group mether0: the dummy address 203.0.113.77/32 is an address of far; choose another "
      "dummy_address"))
      << host().log();
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(link_of(host_netns(), "p1").admin_up) << "nothing was touched";
}

}  // namespace
}  // namespace hanet::test
