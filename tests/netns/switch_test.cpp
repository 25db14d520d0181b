// SPDX-License-Identifier: Apache-2.0
//
// Back again, and the manual switch.
//
// After a failover the old primary is a standby like any other: prepared, watched, and good to be
// switched to. A person who switches is served at once and refused with a reason when the wish
// would cut the host off; a refusal changes nothing at all (F9, A2).
#include <fmt/format.h>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

class ManualSwitch : public LabTest {
 protected:
  /// The refusal's text, without the program's name.
  std::string refused(const Arguments& arguments) {
    const bench::Output output = host().ctl(arguments);
    EXPECT_EQ(output.exit_code, 1) << output.out;
    const std::string prefix = "hanetctl: ";
    EXPECT_TRUE(output.error.starts_with(prefix)) << output.error;
    return output.error.substr(prefix.size(), output.error.size() - prefix.size() - 1);
  }
  bench::Output switch_to(const std::string& port) {
    return host().ctl({"switch", "mether0", "--to", port});
  }
};

TEST_F(ManualSwitch, F9_TheOldPrimaryIsAWatchedStandbyOnceItIsHealed) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(await("p0 is down", [&] { return host().path("p0").at("health") == "down"; }));
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(await("p0 is up again", [&] { return host().path("p0").at("health") == "up"; }));
  EXPECT_EQ(host().path("p0").at("role"), "standby");
  EXPECT_EQ(host().group().at("state"), "protected");
  EXPECT_EQ(host().active(), "p1") << "nobody asked for a failback";
  EXPECT_EQ(host().switchovers().size(), 1U);
}

TEST_F(ManualSwitch, A2_MovesTheIdentityThereAndBackUnchanged) {
  for (const char* mode : {"hot", "cold"}) {
    SCOPED_TRACE(mode);
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = mode, .group_keys = {}}));
    const SeenIdentity before = identity_on(host_netns(), "p0");
    for (const std::string to : {"p1", "p0"}) {
      const bench::Output done = switch_to(to);
      ASSERT_EQ(done.exit_code, 0) << done.error;
      EXPECT_EQ(host().active(), to);
      EXPECT_TRUE(carries(to, before));
      EXPECT_TRUE(is_bare(to == "p0" ? "p1" : "p0", before));
      EXPECT_TRUE(echo().reaches_every_address());
      ASSERT_TRUE(all_ready());
    }
    EXPECT_EQ(host().switchovers().at(1).at("cause"), "manual switch");
    TearDown();
  }
}

TEST_F(ManualSwitch, F1_AColdFailoverEndsOnTheStandbyWithoutAFalseAlarm) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = "cold", .group_keys = {}}));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().switchovers().size(), 1U);
  EXPECT_TRUE(host().log().contains("p0 to p1")) << "this test does not see the log";
  EXPECT_FALSE(host().log().contains("NO WORKING PATH")) << host().log();
}

TEST_F(ManualSwitch, A2_AfterAFailoverTheIdentityCanBeSwitchedBack) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  const bench::Output done = switch_to("p0");
  ASSERT_EQ(done.exit_code, 0) << done.error;
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(is_bare("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(ManualSwitch, A2_ToADeadPathIsRefusedAndChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole", "standby"));
  ASSERT_TRUE(await("p1 is down", [&] { return host().path("p1").at("health") == "down"; }));
  EXPECT_EQ(refused({"switch", "mether0", "--to", "p1"}),
            "mether0 to p1: this path is down; a switch to it would cut the host off");
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(ManualSwitch, A2_WhatDoesNotExistOrIsActiveAlreadyIsRefusedByName) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_EQ(refused({"switch", "mether0", "--to", "p7"}),
            "group mether0 has no path p7; its paths are p0 and p1");
  EXPECT_EQ(refused({"switch", "mether9", "--to", "p1"}), "no group 'mether9'; there is mether0");
  EXPECT_EQ(refused({"switch", "mether0", "--to", "p0"}),
            "mether0 to p0: this path is active already");
  EXPECT_TRUE(host().switchovers().empty());
}

}  // namespace
}  // namespace hanet::test
