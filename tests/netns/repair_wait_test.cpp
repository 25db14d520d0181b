// SPDX-License-Identifier: Apache-2.0
//
// A repair that waits, so that a flush which goes on does not find what hanet has just put back.
//
// Meanwhile the host goes on: others change what is theirs, the path fails, the interface goes down
// and up, hanetd is stopped.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

#include "netns/manager.h"
#include "stall_witness.h"

namespace hanet::test {
namespace {

// What the fifth repair waits: 20 ms, three times as long each time (group_guard.cpp).
constexpr auto kFifthPause = std::chrono::milliseconds(20 * 3 * 3 * 3 * 3);

class RepairThatWaits : public ManagerTest {
 protected:
  std::string identity_of_status() { return host().group().at("identity").dump(); }
  /// p0 fails; what it carried, and p1 carries now, is before_.
  void move_to_p1() {
    before_ = identity_on(host_netns(), "p0");
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_NO_FATAL_FAILURE(expect_moved(before_));
  }
  void move_to_p1_and_heal() {
    ASSERT_NO_FATAL_FAILURE(move_to_p1());
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(all_ready());
  }
  std::vector<std::string> ipv4_addresses_on(const std::string& port) {
    std::vector<std::string> all;
    for (const SeenAddress& address : identity_on(host_netns(), port).addresses)
      if (address.family == AF_INET) all.push_back(address.text);
    return all;
  }
  bool carries_the_taken_one() {
    return std::ranges::count(ipv4_addresses_on("p1"), "192.0.2.101/24") == 1;
  }
  /// So often that the next repair waits for more than a second.
  void take_one_four_times() {
    for (int taken = 0; taken < 4; ++taken) {
      ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p1"));
      ASSERT_TRUE(await("it is back", [&] { return bool{carries("p1", before_)}; }));
    }
  }
  /// The identity is on p1, and a repair of it waits.
  void begin_repair() {
    ASSERT_NO_FATAL_FAILURE(take_one_four_times());
    taken_ = std::chrono::steady_clock::now();
    witness_.forget();
    ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p1"));
    ASSERT_TRUE(await("hanetd knows", [&] { return repairs() == 5; }));
    ASSERT_FALSE(carries("p1", before_));
  }
  /// The machine was too slow for what had to happen before the repair.
  [[nodiscard]] bool is_too_late() const {
    return std::chrono::steady_clock::now() - taken_ > kFifthPause;
  }
  static constexpr const char* kTooLate = "the repair's time had come before";
  static constexpr std::chrono::milliseconds kExcuse{400};

  SeenIdentity before_;
  StallWitness witness_;

 private:
  std::chrono::steady_clock::time_point taken_;  // before the fifth time
};

// Only the removal is undone; the rest is the host's own affair, also while hanet waits.
TEST_F(RepairThatWaits, F3_WhatOthersChangeWhileARepairWaitsStaysChanged) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  for (const char* withdrawn : {"10.1.0.0/16", "10.2.0.0/16"})
    ASSERT_DONE(
        lab().ip("host", fmt::format("route add {} via 192.0.2.10 dev p0 proto bird", withdrawn)));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(move_to_p1());
  ASSERT_NO_FATAL_FAILURE(take_one_four_times());
  // Some of it before the address is taken, and not read yet.
  ASSERT_DONE(change({"route del 10.1.0.0/16 dev p1", "addr del 192.0.2.101/24 dev p1",
                      "addr add 192.0.2.50/24 dev p1", "route del 10.2.0.0/16 dev p1",
                      "route replace default via 192.0.2.11 dev p1"}));
  ASSERT_TRUE(await("hanet notices", [&] { return repairs() == 5; }));
  EXPECT_TRUE(await("the address is back", [&] { return carries_the_taken_one(); }));
  EXPECT_THAT(ipv4_addresses_on("p1"),
              testing::ElementsAre("192.0.2.1/24", "192.0.2.101/24", "192.0.2.50/24"));
  const std::string routes = routes_of("-4", "p1");
  EXPECT_FALSE(routes.contains("10.1.0.0/16") || routes.contains("10.2.0.0/16")) << routes;
  EXPECT_TRUE(routes.contains("default via 192.0.2.11")) << routes;
  EXPECT_FALSE(routes.contains("default via 192.0.2.10")) << routes;
  // The next switchover takes all of that along.
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0);
  EXPECT_TRUE(routes_of("-4", "p0").contains("default via 192.0.2.11"));
}

TEST_F(RepairThatWaits, F3_WhatIsToBePutBackIsPutBackBeforeHanetdEnds) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(move_to_p1());
  ASSERT_NO_FATAL_FAILURE(begin_repair());
  ASSERT_EQ(host().stop(), 0);
  EXPECT_TRUE(carries("p1", before_));
  if (is_too_late()) EXCUSE_OR_FAIL(witness_, kExcuse, kTooLate);
}

TEST_F(RepairThatWaits, F3_WhatIsToBePutBackMovesWithTheRestWhenThePathFails) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(move_to_p1_and_heal());
  ASSERT_NO_FATAL_FAILURE(begin_repair());
  ASSERT_DONE(lab().fault("blackhole", "standby"));
  ASSERT_TRUE(all_on("p0"));
  EXPECT_TRUE(carries("p0", before_));
  EXPECT_FALSE(log_has("removed by another program")) << host().log();
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(RepairThatWaits, F3_WhatIsToBePutBackOutlivesThatTheInterfaceGoesDownAndUp) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(move_to_p1());
  ASSERT_TRUE(
      await("there is no other path", [&] { return host().path("p0").at("health") == "down"; }));
  ASSERT_NO_FATAL_FAILURE(begin_repair());
  ASSERT_DONE(change({"link set p1 down", "link set p1 up"}));
  EXPECT_TRUE(await("all of it is back", [&] { return bool{carries("p1", before_)}; }));
  EXPECT_TRUE(carries("p1", before_));
  EXPECT_TRUE(echo().reaches_every_address());
}

// What was heard of must not be known only when the repair's time has come: the interface may go.
TEST_F(RepairThatWaits, F3_WhatOthersChangeMeanwhileIsKnownWhenTheInterfaceGoesDown) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "route add 10.1.0.0/16 via 192.0.2.10 dev p0 proto bird"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(move_to_p1_and_heal());
  ASSERT_NO_FATAL_FAILURE(begin_repair());
  ASSERT_DONE(change({"addr add 192.0.2.50/24 dev p1", "route del 10.1.0.0/16 dev p1"}));
  ASSERT_TRUE(await("hanetd knows of both", [&] {
    const std::string identity = identity_of_status();
    return identity.contains("192.0.2.50/24") && !identity.contains("10.1.0.0/16");
  }));
  if (is_too_late()) EXCUSE_OR_FAIL(witness_, kExcuse, kTooLate);
  ASSERT_DONE(lab().ip("host", "link set p1 down"));
  ASSERT_TRUE(all_on("p0"));
  const std::vector<std::string> addresses = ipv4_addresses_on("p0");
  EXPECT_EQ(std::ranges::count(addresses, "192.0.2.50/24"), 1);
  EXPECT_EQ(std::ranges::count(addresses, "192.0.2.101/24"), 1) << "what was taken is put back";
  EXPECT_FALSE(routes_of("-4", "p0").contains("10.1.0.0/16"));
}

// `ip route replace` with the very same route changes nothing, and there and back is no change.
TEST_F(RepairThatWaits, F3_ARouteThatWasReplacedByItselfIsPutBackWhenItIsTaken) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(move_to_p1());
  ASSERT_NO_FATAL_FAILURE(begin_repair());
  ASSERT_DONE(lab().ip("host", "-6 route replace default via 2001:db8::10 dev p1"));
  ASSERT_DONE(lab().ip("host", "-6 route del default dev p1"));
  ASSERT_DONE(change({"route replace default via 192.0.2.11 dev p1",
                      "route replace default via 192.0.2.10 dev p1", "route del default dev p1"}));
  if (is_too_late()) EXCUSE_OR_FAIL(witness_, kExcuse, kTooLate);
  ASSERT_FALSE(routes_of("-4", "p1").contains("default"));
  EXPECT_TRUE(await("all of it is back", [&] { return bool{carries("p1", before_)}; }));
  EXPECT_TRUE(carries("p1", before_));
}

// What is taken before hanetd has read it was a part of the identity, as what it replaced.
TEST_F(RepairThatWaits, F3_ARouteThatReplacedAnotherIsPutBackAlsoIfNobodyHasReadItYet) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(move_to_p1());
  ASSERT_NO_FATAL_FAILURE(begin_repair());
  ASSERT_DONE(
      change({"route replace default via 192.0.2.11 dev p1", "addr add 192.0.2.50/24 dev p1"}));
  ASSERT_TRUE(await("a reading finds both",
                    [&] { return identity_of_status().contains("192.0.2.50/24"); }));
  ASSERT_DONE(change({"route replace default via 192.0.2.12 dev p1",
                      "route replace default via 192.0.2.10 dev p1", "route del default dev p1"}));
  if (is_too_late()) EXCUSE_OR_FAIL(witness_, kExcuse, kTooLate);
  ASSERT_FALSE(routes_of("-4", "p1").contains("default"));
  EXPECT_TRUE(await("it is back", [&] {
    return routes_of("-4", "p1").contains("default via 192.0.2.10");
  })) << routes_of("-4", "p1");
}

TEST_F(RepairThatWaits, F3_F7_WhatIsTakenWhileAMoveWaitsAsWellMovesWithTheRest) {
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Switch,
               {.mode = "cold", .group_keys = "delay_ms = 1000\ndelay_enabling = true\n"}));
  ASSERT_NO_FATAL_FAILURE(move_to_p1_and_heal());
  ASSERT_NO_FATAL_FAILURE(begin_repair());
  ASSERT_DONE(lab().fault("blackhole", "standby"));
  ASSERT_TRUE(
      await("the move waits", [&] { return !host().group().at("switching_to").is_null(); }));
  ASSERT_DONE(lab().ip("host", "route del default dev p1"));
  if (is_too_late()) EXCUSE_OR_FAIL(witness_, kExcuse, kTooLate);
  ASSERT_EQ(host().active(), "p1") << "it had to be taken before the move";
  ASSERT_TRUE(all_on("p0"));
  EXPECT_TRUE(carries("p0", before_));
  EXPECT_TRUE(echo().reaches_every_address());
}

// The deadline of a reading that has to wait for the repair must not wake hanetd again and again.
TEST_F(RepairThatWaits, F3_IsSleptThrough) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(move_to_p1());
  ASSERT_NO_FATAL_FAILURE(take_one_four_times());
  ASSERT_DONE(change({"addr add 192.0.2.50/24 dev p1", "addr del 192.0.2.101/24 dev p1"}));
  ASSERT_TRUE(await("hanetd knows", [&] { return repairs() == 5; }));
  const std::chrono::nanoseconds ran_before = host().ran();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_FALSE(carries_the_taken_one()) << "that is what has to be slept through";
  EXPECT_TRUE(await("it is back", [&] { return carries_the_taken_one(); }));
  const auto ran_meanwhile = host().ran() - ran_before;
  EXPECT_GT(ran_meanwhile.count(), 0);
  EXPECT_LT(ran_meanwhile, (std::chrono::steady_clock::now() - begun) / 2);
}

}  // namespace
}  // namespace hanet::test
