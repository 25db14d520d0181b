// SPDX-License-Identifier: Apache-2.0
//
// Trouble that no switchover cures is said loudly, and changes nothing.
//
// A standby that died months ago is found on the day the primary dies, unless somebody was told.
// And with no path left, tearing an identity down helps nobody: the first path that comes back must
// find it in place (M6, F11).
#include "netns/lab_test.h"

namespace hanet::test {
namespace {

class Alarm : public LabTest, public testing::WithParamInterface<const char*> {
 protected:
  testing::AssertionResult group_is(const std::string& state) {
    return await("the group is '" + state + "'",
                 [&] { return host().group().at("state") == state; });
  }
  testing::AssertionResult told(const std::string& text) {
    return await("the log says '" + text + "'", [&] { return host().log().contains(text); });
  }
};

TEST_P(Alarm, M6_ADeadStandbyIsToldAndCausesNoSwitch) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_EQ(host().group().at("state"), "protected");
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault(GetParam(), "standby"));
  EXPECT_TRUE(group_is("no standby"));
  EXPECT_TRUE(told("standby p1 is down: there is nothing to fail over to"));
  EXPECT_EQ(host().path("p1").at("health"), "down");
  EXPECT_EQ(host().path("p0").at("health"), "up");
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());

  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(group_is("protected"));
  EXPECT_TRUE(told("p1 can take over again"));
  EXPECT_TRUE(host().switchovers().empty());
}

TEST_P(Alarm, F11_WithNoWorkingPathNothingIsTornDownAndTheFirstToRecoverIsUsed) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault(GetParam(), "standby"));
  ASSERT_TRUE(group_is("no standby"));
  ASSERT_DONE(lab().fault("blackhole", "primary"));
  EXPECT_TRUE(group_is("no working path"));
  EXPECT_TRUE(told("NO WORKING PATH: p0 is down and no other path works"));
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(host().switchovers().empty());

  ASSERT_DONE(lab().heal("standby"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(told("p1 is the active path now"));
  EXPECT_FALSE(host().log().contains("p0 carries traffic again")) << host().log();
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(is_bare("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_TRUE(group_is("no standby"));
}

TEST_P(Alarm, F11_WhenTheActivePathRecoversFirstTheIdentityStays) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault(GetParam(), "standby"));
  ASSERT_TRUE(group_is("no standby"));
  ASSERT_DONE(lab().fault("blackhole", "primary"));
  ASSERT_TRUE(group_is("no working path"));
  ASSERT_DONE(lab().heal("primary"));
  EXPECT_TRUE(group_is("no standby"));
  EXPECT_TRUE(told("p0 carries traffic again"));
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

using TargetReboots = LabTest;

// A client whose interface answers no ARP is a target that reboots: both paths lose it in one
// moment, and have it back in one moment.
TEST_F(TargetReboots, M9_F11_TheIdentityStaysWhereItIsWhenBothPathsComeBackAtOnce) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const auto both_are = [&](const std::string& health) {
    return await("both paths are " + health, [&] {
      return host().path("p0").at("health") == health && host().path("p1").at("health") == health;
    });
  };
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    ASSERT_DONE(lab().ip("client", "link set c0 arp off"));
    ASSERT_TRUE(both_are("down"));
    ASSERT_EQ(host().group().at("state"), "no working path");
    ASSERT_DONE(lab().ip("client", "link set c0 arp on"));
    ASSERT_TRUE(both_are("up"));
    ASSERT_EQ(host().active(), "p0");
  }
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_P(Alarm, D4_O4_ADisabledGroupPromisesNothingAndWhoEnablesItIsTheCause) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_EQ(host().ctl({"set", "mether0", "enabled", "false"}).exit_code, 0);
  EXPECT_TRUE(told("the group is disabled: whatever fails, no other path is used by itself"));
  ASSERT_DONE(lab().fault(GetParam(), "primary"));
  EXPECT_TRUE(told("no path will be used in its place, although p1 works"));
  EXPECT_FALSE(host().log().contains("the first path to recover is used")) << host().log();
  EXPECT_EQ(host().active(), "p0");
  ASSERT_EQ(host().ctl({"set", "mether0", "enabled", "true"}).exit_code, 0);
  ASSERT_TRUE(all_on("p1"));
  const json record = host().switchovers().at(0);
  EXPECT_EQ(record.at("cause"), "group enabled");
  EXPECT_TRUE(record.at("rule").get<std::string>().contains("a person enabled the group"));
  EXPECT_TRUE(host().ctl({"explain"}).out.contains("a person enables the group"));
}

INSTANTIATE_TEST_SUITE_P(StandbyDiesBy, Alarm, testing::Values("carrier", "blackhole"),
                         [](const auto& cell) { return std::string(cell.param); });

}  // namespace
}  // namespace hanet::test
