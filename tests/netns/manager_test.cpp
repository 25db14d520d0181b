// SPDX-License-Identifier: Apache-2.0
//
// Other managers of the network: what hanet moved stays moved, unless it is told otherwise.
//
// `ip` plays the manager that knows nothing of hanet: it flushes the standby, or gives the primary
// its configured address back.
#include <algorithm>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

class OtherManager : public LabTest {
 protected:
  bool log_has(const std::string& text) { return host().log().find(text) != std::string::npos; }
};

TEST_F(OtherManager, F3_AnAddressThatIsFlushedFromTheStandbyIsRestoredWithItsRoutes) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const net::Identity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(carries("p1", before));
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.1/24 dev p1"));
  EXPECT_TRUE(await("it is back", [&] { return bool{carries("p1", before)}; }));
  EXPECT_TRUE(log_has(" was removed from p1 by ")) << host().log();
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(OtherManager, F12_AnAddressThatIsGivenBackToTheOldPrimaryIsRemovedThere) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const net::Identity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.1/24 dev p0"));
  EXPECT_TRUE(
      await("it is gone there", [&] { return log_has("192.0.2.1/24 was given to p0 by"); }));
  EXPECT_TRUE(await("p0 is bare", [&] { return bool{is_bare("p0", before)}; }));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(OtherManager, F3_WithRestoreOffTheChangeIsFollowed) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.group_keys = "restore = false\n"}));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  const std::size_t addresses = host().group().at("identity").at("addresses").size();
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p1"));
  EXPECT_TRUE(await("the snapshot follows", [&] {
    return host().group().at("identity").at("addresses").size() == addresses - 1;
  }));
}

TEST_F(OtherManager, F3_AProgramThatInsistsWinsAndTheAlarmIsRaised) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  // What is not back yet cannot be removed, so a refusal is part of the quarrel.
  EXPECT_TRUE(await("the alarm is raised", [&] {
    [[maybe_unused]] const Status ignored = lab().ip("host", "addr del 192.0.2.101/24 dev p1");
    return log_has("again and again");
  }));
  EXPECT_TRUE(await("the snapshot follows", [&] {
    [[maybe_unused]] const Status ignored = lab().ip("host", "addr del 192.0.2.101/24 dev p1");
    const json addresses = host().group().at("identity").at("addresses");
    return std::ranges::find(addresses, json("192.0.2.101/24")) == addresses.end();
  }));
}

}  // namespace
}  // namespace hanet::test
