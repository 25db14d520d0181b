// SPDX-License-Identifier: Apache-2.0
//
// What somebody builds on a port while hanetd runs is never silently left behind.
//
// A port under a macvlan, or in a bridge, is refused at the start. A person or a container runtime
// that builds one later gets no refusal from anybody, and would learn at the next failure that it
// hung on the interface and not on the identity.
#include "netns/lab_test.h"

namespace hanet::test {
namespace {

class Uppers : public LabTest {
 protected:
  testing::AssertionResult told(const std::string& text) {
    return await("the log says '" + text + "'", [&] { return host().log().contains(text); });
  }
  json left_behind() { return host().group().at("left_behind"); }
};

TEST_F(Uppers, F5_O3_AMacvlanOnAPortIsAnAlarmUntilItGoes) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_EQ(left_behind(), json::array());
  if (!lab().ip("host", "link add link p0 name top7 type macvlan"))
    GTEST_SKIP() << "skipped: kernel has no macvlan driver";
  EXPECT_TRUE(
      told("p0 has the macvlan 'top7' now, which hanet would leave behind at a switchover; "
           "remove it: ip link del top7"));
  EXPECT_EQ(
      left_behind(),
      json::array({{{"port", "p0"}, {"name", "top7"}, {"kind", "macvlan"}, {"is_master", false}}}));
  const std::string text = host().ctl({"status"}).out;
  EXPECT_TRUE(text.contains("LEFT BEHIND at a switchover: the macvlan top7, on top of p0")) << text;

  ASSERT_DONE(lab().ip("host", "link del top7"));
  EXPECT_TRUE(told("p0 does not have the macvlan 'top7' any more"));
  EXPECT_EQ(left_behind(), json::array());
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Uppers, F5_AMacvlanOnTheStandbyIsAnAlarmToo) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!lab().ip("host", "link add link p1 name top7 type macvlan"))
    GTEST_SKIP() << "skipped: kernel has no macvlan driver";
  EXPECT_TRUE(told("p1 has the macvlan 'top7' now"));
  EXPECT_EQ(left_behind().size(), 1U);
  EXPECT_EQ(host().group().at("active"), "p0");
}

TEST_F(Uppers, F5_APortThatBecomesAMemberOfABridgeIsAnAlarmUntilItIsTakenOut) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!lab().ip("host", "link add br7 type bridge"))
    GTEST_SKIP() << "skipped: kernel has no bridge driver";
  ASSERT_DONE(lab().ip("host", "link set p1 master br7"));
  EXPECT_TRUE(told("p1 is a member of the bridge 'br7' now"));
  EXPECT_TRUE(told("take it out: ip link set p1 nomaster"));
  EXPECT_EQ(
      left_behind(),
      json::array({{{"port", "p1"}, {"name", "br7"}, {"kind", "bridge"}, {"is_master", true}}}));
  ASSERT_DONE(lab().ip("host", "link del br7"));
  EXPECT_TRUE(told("p1 is not a member of the bridge 'br7' any more"));
  EXPECT_EQ(left_behind(), json::array());
}

// Its name cannot be asked for when the last news of its member is read.
TEST_F(Uppers, F5_ABridgeThatWentWhileNobodyLookedIsCalledByItsName) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!lab().ip("host", "link add br7 type bridge"))
    GTEST_SKIP() << "skipped: kernel has no bridge driver";
  ASSERT_DONE(lab().ip("host", "link set p1 master br7"));
  ASSERT_TRUE(told("p1 is a member of the bridge 'br7' now"));
  host().freeze();
  ASSERT_TRUE(await("hanetd stands still", [&] { return host().frozen(); }));
  ASSERT_DONE(lab().ip("host", "link set p1 txqueuelen 999"));
  ASSERT_DONE(lab().ip("host", "link del br7"));
  host().thaw();
  EXPECT_TRUE(told("p1 is not a member of the bridge 'br7' any more"));
}

// The witness is a macvlan that comes after it and is told.
TEST_F(Uppers, F5_AMemberOfAVrfIsNoAlarm) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!lab().ip("host", "link add blue type vrf table 10"))
    GTEST_SKIP() << "skipped: kernel has no VRF driver";
  ASSERT_DONE(lab().ip("host", "link set p1 master blue"));
  if (!lab().ip("host", "link add link p1 name top7 type macvlan"))
    GTEST_SKIP() << "skipped: kernel has no macvlan driver";
  EXPECT_TRUE(told("p1 has the macvlan 'top7' now"));
  EXPECT_EQ(left_behind().size(), 1U);
}

}  // namespace
}  // namespace hanet::test
