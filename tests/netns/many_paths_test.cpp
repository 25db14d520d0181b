// SPDX-License-Identifier: Apache-2.0
//
// A metanetwork device with three paths (A5): the next proved one is used, in order, and all of
// them are equal.
#include <gmock/gmock.h>

#include <string>

#include "netns/cable.h"
#include "netns/metanet.h"

namespace hanet::test {
namespace {

using testing::IsEmpty;

class ManyPaths : public Metanet {
 protected:
  void begin_with_three() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    before = identity_on(host_netns(), "p0");
    ASSERT_DONE(
        lab().ip("host", "link add p2 type veth peer name host-p2 netns " + lab().netns("mid")));
    ASSERT_DONE(lab().ip("mid", "link set host-p2 master br0"));
    ASSERT_DONE(lab().ip("mid", "link set host-p2 up"));
    Result<std::string> config = lab().config("host", {.mode = "metanet"});
    ASSERT_TRUE(config);
    const std::string key = "standby = \"p1\"\n";
    ASSERT_NE(config->find(key), std::string::npos) << *config;
    config->insert(config->find(key) + key.size(), "standby2 = \"p2\"\n");
    start_with(*config);
    ASSERT_TRUE(await("three paths work", [&] {
      const json status = host().ask({"status"});
      return status.is_object() &&
             std::ranges::all_of(status.at("groups").at(0).at("paths"),
                                 [](const json& path) { return path.at("health") == "up"; });
    }));
    device = identity_on(host_netns(), "mether0").index;
    ASSERT_TRUE(taking_over_ends());
  }
  Cable cable(const std::string& port) { return {lab().netns("mid"), "host-" + port}; }
};

TEST_F(ManyPaths, A5_EachFaultIsFollowedByTheNextPathThatWorks) {
  ASSERT_NO_FATAL_FAILURE(begin_with_three());
  Recorder recorder(host_netns());
  const Cable first = cable("p0"), second = cable("p1");
  first.cut();
  ASSERT_TRUE(uses("p1"));
  EXPECT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
  second.cut();
  ASSERT_TRUE(uses("p2"));
  EXPECT_TRUE(all_on("p2"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_THAT(said_of_device(recorder), IsEmpty());
}

// By default nothing returns to the primary by itself, so it is not the next one either.
TEST_F(ManyPaths, A5_TheKernelSideAndHanetdChooseTheSamePath) {
  ASSERT_NO_FATAL_FAILURE(begin_with_three());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  const Cable second = cable("p1");
  second.cut();
  ASSERT_TRUE(all_on("p2"));
  EXPECT_EQ(used(), "p2");
  const json last = host().switchovers().back();
  EXPECT_EQ(last.at("to"), "p2");
  EXPECT_TRUE(last.at("steered_in_kernel").get<bool>());
  EXPECT_EQ(host().group().at("device").at("switches"), 1);
}

TEST_F(ManyPaths, A5_M6_APathThatIsDeadAlreadyIsPassedOver) {
  ASSERT_NO_FATAL_FAILURE(begin_with_three());
  const Cable second = cable("p1"), first = cable("p0");
  second.cut();
  ASSERT_TRUE(await("p1 is down", [&] { return host().path("p1").at("health") == "down"; }));
  EXPECT_EQ(host().group().at("state"), "fewer standbys");
  first.cut();
  ASSERT_TRUE(uses("p2"));
  EXPECT_TRUE(all_on("p2"));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(ManyPaths, A5_D7_AKilledHanetdsKernelSideUsesThemInTurn) {
  ASSERT_NO_FATAL_FAILURE(begin_with_three());
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  host().kill();
  const Cable first = cable("p0"), second = cable("p1"), third = cable("p2");
  first.cut();
  ASSERT_TRUE(uses("p1"));
  second.cut();
  ASSERT_TRUE(uses("p2"));
  EXPECT_TRUE(echo().reaches_every_address());
  first.mend();
  ASSERT_TRUE(await("p0 is back", [&] {
    return host().pinned<hanet_session>("sessions", port_of("p0").session).state ==
           HANET_SESSION_UP;
  }));
  third.cut();
  ASSERT_TRUE(uses("p0"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_FALSE(host().running());
}

}  // namespace
}  // namespace hanet::test
