// SPDX-License-Identifier: Apache-2.0
//
// Back again: when the identity returns to the primary by itself, and when it does not (F9).
#include <gtest/gtest.h>

#include <chrono>

#include "policy/group.h"
#include "policy_world.h"

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

constexpr Switchover kReturn{.from = 1, .to = 0, .cause = Cause::Failback};

GroupRules returning() {
  return {.failback = Failback::Always, .hold_down = 10s, .damping_half_life = 15s};
}

/// On the standby since the primary failed; the primary does not work yet.
World failed_over(const GroupRules& rules) {
  World world(2, rules);
  world.session_becomes(0, SessionState::Up);
  world.session_becomes(1, SessionState::Up);
  world.session_becomes(0, SessionState::Down);
  world.happens(SwitchoverEnded{.moved = true});
  return world;
}

TEST(Failback, F9_ReturnsWhenThePrimaryHasWorkedForTheHoldDownTime) {
  World world = failed_over(returning());
  world.session_becomes(0, SessionState::Up);
  EXPECT_FALSE(world.started()) << "not at once";
  world.time_passes(9s);
  world.happens(TimePassed{});
  EXPECT_FALSE(world.started());
  world.time_passes(1s);
  world.happens(TimePassed{});
  EXPECT_EQ(world.started(), kReturn);
}

TEST(Failback, F9_AFailureDuringTheHoldDownBeginsItAnew) {
  World world = failed_over(returning());
  world.session_becomes(0, SessionState::Up);
  world.time_passes(9s);
  world.session_becomes(0, SessionState::Down);
  world.session_becomes(0, SessionState::Up);
  world.time_passes(9s);
  world.happens(TimePassed{});
  EXPECT_FALSE(world.started());
  world.time_passes(1s);
  world.happens(TimePassed{});
  EXPECT_EQ(world.started(), kReturn);
}

TEST(Failback, F9_DoesNotReturnToAPrimaryThatFlaps) {
  World world = failed_over(returning());
  for (int flap = 0; flap < 10; ++flap) {
    world.session_becomes(0, SessionState::Up);
    world.time_passes(1s);
    world.session_becomes(0, SessionState::Down);
  }
  world.session_becomes(0, SessionState::Up);
  world.time_passes(11s);
  world.happens(TimePassed{});
  EXPECT_FALSE(world.started()) << "the hold-down is over, the penalty is not";
  world.time_passes(60s);
  world.happens(TimePassed{});
  EXPECT_EQ(world.started(), kReturn) << "after four half-lives it is";
}

TEST(Failback, F9_F11_ASuppressedPathIsUsedAtOnceIfItIsTheOnlyOneThatWorks) {
  World world = failed_over(returning());
  for (int flap = 0; flap < 10; ++flap) {
    world.session_becomes(0, SessionState::Up);
    world.session_becomes(0, SessionState::Down);
  }
  world.session_becomes(0, SessionState::Up);
  ASSERT_TRUE(world.state().paths[0].damping.suppressed(world.now(), 15s));
  world.session_becomes(1, SessionState::Down);
  EXPECT_EQ(world.started(), (Switchover{.from = 1, .to = 0, .cause = Cause::HeartbeatLost}));
}

TEST(Failback, F9_WithNeverAndFailureItStaysAsLongAsThePathWorks) {
  for (const Failback policy : {Failback::Never, Failback::Failure}) {
    World world = failed_over({.failback = policy, .hold_down = 1s});
    world.session_becomes(0, SessionState::Up);
    world.time_passes(1h);
    world.happens(TimePassed{});
    EXPECT_FALSE(world.started()) << to_text(policy);
  }
}

TEST(Failback, F9_OfSeveralPathsFailureChoosesThePrimaryAndNeverTheNextOne) {
  for (const Failback policy : {Failback::Never, Failback::Failure}) {
    World world(3, {.failback = policy});
    for (std::size_t path = 0; path < 3; ++path) world.session_becomes(path, SessionState::Up);
    world.session_becomes(0, SessionState::Down);
    ASSERT_EQ(world.started()->to, 1U);
    world.happens(SwitchoverEnded{.moved = true});
    world.session_becomes(0, SessionState::Up);
    world.session_becomes(1, SessionState::Down);
    EXPECT_EQ(world.started()->to, policy == Failback::Failure ? 0U : 2U) << to_text(policy);
  }
}

TEST(Failback, A2_WhatAPersonMovedAwayStaysAway) {
  World world(2, returning());
  world.session_becomes(0, SessionState::Up);
  world.session_becomes(1, SessionState::Up);
  world.happens(ManualSwitch{.to = 1});
  world.happens(SwitchoverEnded{.moved = true});
  world.time_passes(1h);
  world.happens(TimePassed{});
  EXPECT_FALSE(world.started()) << "somebody is working on the primary";
  world.session_becomes(0, SessionState::Down);
  world.session_becomes(0, SessionState::Up);
  world.time_passes(10s);
  world.happens(TimePassed{});
  EXPECT_EQ(world.started(), kReturn) << "the card was replaced";
}

TEST(Failback, A2_APersonWhoMovesItBackHoldsNothingBack) {
  World world(2, returning());
  world.session_becomes(0, SessionState::Up);
  world.session_becomes(1, SessionState::Up);
  for (const std::size_t to : {1, 0}) {
    world.happens(ManualSwitch{.to = to});
    world.happens(SwitchoverEnded{.moved = true});
    EXPECT_EQ(world.state().failback_held, to == 1);
  }
}

TEST(Failback, F12_APrimaryThatRefusedTheIdentityIsNotAskedAgainUntilItFailedAndRecovered) {
  World world = failed_over(returning());
  world.session_becomes(0, SessionState::Up);
  world.time_passes(10s);
  world.happens(TimePassed{});
  ASSERT_EQ(world.started(), kReturn);
  world.happens(SwitchoverEnded{.moved = false});
  world.time_passes(1h);
  world.happens(TimePassed{});
  EXPECT_FALSE(world.started());
  world.session_becomes(0, SessionState::Down);
  world.session_becomes(0, SessionState::Up);
  world.time_passes(10s);
  world.happens(TimePassed{});
  EXPECT_EQ(world.started(), kReturn);
}

TEST(Failback, F9_TheGroupKnowsWhenItWillReturn) {
  World world = failed_over(returning());
  EXPECT_FALSE(failback_at(world.state(), returning())) << "it does not work";
  world.session_becomes(0, SessionState::Up);
  EXPECT_EQ(failback_at(world.state(), returning()), world.now() + 10s);
  EXPECT_EQ(next_deadline(world.state(), world.now(), returning()), world.now() + 10s);
}

}  // namespace
}  // namespace hanet::policy
