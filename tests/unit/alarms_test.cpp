// SPDX-License-Identifier: Apache-2.0
//
// Alarms say which path it is and what will be done: the words of policy/alarms.h for every state
// in which an alarm is raised or cleared (M6, F11, D4).
#include "policy/alarms.h"

#include <gtest/gtest.h>

#include <array>

#include "policy_world.h"

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

class Alarms : public testing::Test {
 protected:
  /// p1 is down, and then p0.
  static World stranded() {
    World world = working_world(2);
    world.session_becomes(1, SessionState::Down);
    world.session_becomes(0, SessionState::Down);
    return world;
  }
  /// What the last event's alarms say, one line each.
  static std::string told(const World& world) {
    static const std::array<std::string, 3> kNames{"p0", "p1", "p2"};
    const GroupNames names{.group = "mether0", .paths = kNames};
    std::string text;
    for (const Action& action : world.actions()) {
      if (const auto* raised = std::get_if<RaiseAlarm>(&action))
        text += alarm_text(*raised, world.state(), names, world.now()) + "\n";
      if (const auto* cleared = std::get_if<ClearAlarm>(&action))
        text += cleared_text(*cleared, world.state(), names) + "\n";
    }
    return text;
  }
};

TEST_F(Alarms, F11_WithNothingLeftTheFirstPathToRecoverIsNamedAsThePlan) {
  World world = working_world(2);
  world.session_becomes(1, SessionState::Down);
  EXPECT_EQ(told(world), "standby p1 is down: there is nothing to fail over to\n");
  world.session_becomes(0, SessionState::Down);
  EXPECT_EQ(told(world),
            "NO WORKING PATH: p0 is down and no other path works; the identity stays, the first "
            "path to recover is used\n");
}

TEST_F(Alarms, F11_WhenTheStandbyTakesOverItIsTheOneThatIsNamed) {
  World world = stranded();
  world.session_becomes(1, SessionState::Up);
  world.happens(SwitchoverEnded{.moved = true});
  EXPECT_EQ(told(world),
            "p1 is the active path now\nstandby p0 is down: there is nothing to fail over to\n");
}

TEST_F(Alarms, F11_WhenTheActivePathComesBackItCarriesTrafficAgain) {
  World world = stranded();
  world.session_becomes(0, SessionState::Up);
  EXPECT_EQ(told(world), "p0 carries traffic again\n");
}

TEST_F(Alarms, M6_APathThatIsOnlyNotKnownToBeDownIsNotPraised) {
  World world = working_world(2);
  world.session_becomes(1, SessionState::Down);
  world.session_becomes(1, SessionState::Unknown);
  EXPECT_EQ(told(world), "p1 is not known to be down any more, and not proved to work yet\n");
  world.session_becomes(1, SessionState::Down);
  world.session_becomes(1, SessionState::Up);
  EXPECT_EQ(told(world), "p1 can take over again\n");
}

TEST_F(Alarms, A5_AStandbyThatIsLeftIsNamed) {
  World world = working_world(3);
  world.session_becomes(1, SessionState::Down);
  EXPECT_EQ(told(world), "standby p1 is down: only p2 is left to fail over to\n");
  world.session_becomes(2, SessionState::Down);
  EXPECT_EQ(told(world), "standby p2 is down: there is nothing to fail over to\n");
}

TEST_F(Alarms, D4_ADisabledGroupPromisesNothing) {
  World world = working_world(2);
  world.happens(EnabledChanged{.enabled = false});
  world.session_becomes(0, SessionState::Down);
  EXPECT_EQ(told(world),
            "THE ACTIVE PATH IS DOWN: p0 is down, and because the group is disabled no path will "
            "be used in its place, although p1 works; 'hanetctl set mether0 enabled true' enables "
            "it\n");
  World dead = working_world(2);
  dead.session_becomes(1, SessionState::Down);
  dead.happens(EnabledChanged{.enabled = false});
  dead.session_becomes(0, SessionState::Down);
  EXPECT_EQ(told(dead),
            "NO WORKING PATH: p0 is down, and because the group is disabled no path will be used "
            "in its place; 'hanetctl set mether0 enabled true' enables it\n");
}

TEST_F(Alarms, F12_APathThatRefusedTheIdentityIsNamedWithTheTimeOfTheNextTry) {
  World world = working_world(2);
  world.session_becomes(0, SessionState::Down);
  world.happens(SwitchoverEnded{.moved = false});
  EXPECT_EQ(told(world),
            "NO WORKING PATH: p0 is down, and p1 failed or did not take the identity; the identity "
            "stays, p1 is tried again in 1.0 s\n");
}

TEST_F(Alarms, T2_ATrunkBelowItsThresholdIsNotCalledDead) {
  World world(std::vector<std::size_t>{4, 1});
  const PortState up{.carrier = true, .session = SessionState::Up};
  for (std::size_t at = 0; at < 4; ++at) world.port_becomes(0, at, up);
  const PortState down{.carrier = false};
  world.port_becomes(0, 0, down);
  world.port_becomes(0, 1, down);
  EXPECT_EQ(told(world),
            "NO WORKING PATH: p0 is down (only 2 of 4 of its capacity works) and no other path "
            "works; the identity stays, the first path to recover is used\n");
}

}  // namespace
}  // namespace hanet::policy
