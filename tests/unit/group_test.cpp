// SPDX-License-Identifier: Apache-2.0
//
// When a path group switches, where to and why: the histories that the specification names.
//
// Each test is one history of events. What must hold after any history is in group_random_test.cpp.
#include "policy/group.h"

#include <gtest/gtest.h>

#include <chrono>

#include "policy_world.h"

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

World hot_pair() { return working_world(2); }

Switchover to_standby(Cause cause) { return {.from = 0, .to = 1, .cause = cause}; }

TEST(Group, M3_FailsOverWhenTheActivePathsHeartbeatsAreLost) {
  World world = hot_pair();
  world.session_becomes(0, SessionState::Down);
  EXPECT_EQ(world.started(), to_standby(Cause::HeartbeatLost));
}

TEST(Group, M4_FailsOverForEachThingThatALinkCanTell) {
  World carrier = hot_pair();
  carrier.port_becomes(0, {.carrier = false, .session = SessionState::Up});
  EXPECT_EQ(carrier.started(), to_standby(Cause::CarrierLost));

  World admin = hot_pair();
  admin.port_becomes(0, {.admin_up = false, .carrier = true, .session = SessionState::Up});
  EXPECT_EQ(admin.started(), to_standby(Cause::AdminDown));

  World gone = hot_pair();
  gone.port_becomes(0, {.present = false, .carrier = true, .session = SessionState::Up});
  EXPECT_EQ(gone.started(), to_standby(Cause::InterfaceGone));
}

TEST(Group, M6_ADeadStandbyRaisesAnAlarmAndChangesNothingElse) {
  World world = hot_pair();
  world.session_becomes(1, SessionState::Down);
  EXPECT_FALSE(world.started());
  EXPECT_TRUE(world.has<RaiseAlarm>(1, false));
  world.session_becomes(1, SessionState::Up);
  EXPECT_TRUE(world.has<ClearAlarm>(1, false));
}

TEST(Group, M6_NeverFailsOverToAStandbyThatIsNotProved) {
  World world(2);
  world.session_becomes(0, SessionState::Up);
  world.session_becomes(0, SessionState::Down);
  EXPECT_FALSE(world.started()) << "the standby is unknown";
  EXPECT_TRUE(world.has<RaiseAlarm>(0, true));
}

TEST(Group, F11_WithNoPathLeftTheFirstToRecoverIsUsedAtOnce) {
  World world = hot_pair();
  world.session_becomes(1, SessionState::Down);
  world.session_becomes(0, SessionState::Down);
  EXPECT_FALSE(world.started());
  EXPECT_TRUE(world.has<RaiseAlarm>(0, true));
  world.session_becomes(1, SessionState::Up);
  EXPECT_EQ(world.started(), to_standby(Cause::HeartbeatLost));
  EXPECT_FALSE(world.has<ClearAlarm>(0, true)) << "it has come to nothing yet";
  world.happens(SwitchoverEnded{.moved = true});
  EXPECT_TRUE(world.has<ClearAlarm>(1, true)) << "the path that works now";
}

TEST(Group, F12_ASwitchoverThatIsRolledBackClearsNoAlarm) {
  World world = hot_pair();
  world.session_becomes(0, SessionState::Down);
  ASSERT_EQ(world.started(), to_standby(Cause::HeartbeatLost));
  world.happens(SwitchoverEnded{.moved = false});
  EXPECT_TRUE(world.has<RaiseAlarm>(0, true));
  world.time_passes(10s);
  world.happens(TimePassed{});
  ASSERT_EQ(world.started(), to_standby(Cause::HeartbeatLost)) << "tried again";
  EXPECT_FALSE(world.has<ClearAlarm>(0, true));
  world.happens(SwitchoverEnded{.moved = false});
  EXPECT_FALSE(world.has<ClearAlarm>(0, true));
  EXPECT_FALSE(world.has<RaiseAlarm>(0, true)) << "it stands";
  EXPECT_TRUE(world.state().no_path_alarm);
}

TEST(Group, F11_AnActivePathThatRecoversClearsTheAlarmWithoutASwitch) {
  World world = hot_pair();
  world.session_becomes(1, SessionState::Down);
  world.session_becomes(0, SessionState::Down);
  world.session_becomes(0, SessionState::Up);
  EXPECT_FALSE(world.started());
  EXPECT_TRUE(world.has<ClearAlarm>(0, true));
}

TEST(Group, M8_TheNewActivePathMayFailInTurn) {
  World world = hot_pair();
  world.session_becomes(0, SessionState::Down);
  world.happens(SwitchoverEnded{.moved = true});
  EXPECT_EQ(world.state().active, 1U);
  world.session_becomes(0, SessionState::Up);
  EXPECT_FALSE(world.started()) << "failback is 'never'";
  world.session_becomes(1, SessionState::Down);
  EXPECT_EQ(world.started(), (Switchover{.from = 1, .to = 0, .cause = Cause::HeartbeatLost}));
}

TEST(Group, F9_NoSecondSwitchoverStartsWhileOneRuns) {
  World world = hot_pair();
  world.session_becomes(0, SessionState::Down);
  ASSERT_TRUE(world.started());
  world.happens(TimePassed{});
  EXPECT_FALSE(world.started());
  world.happens(ManualSwitch{.to = 1});
  EXPECT_FALSE(world.started());
  EXPECT_NE(world.refusal(), "");
}

World waiting_pair() {
  World world = hot_pair();
  world.session_becomes(0, SessionState::Down);
  world.happens(SwitchoverWaits{.until = MonotonicTime::max()});
  return world;
}

TEST(Group, F11_AWaitingSwitchoverIsGivenUpWhenItsGoalFails) {
  World world = waiting_pair();
  world.session_becomes(1, SessionState::Down);
  EXPECT_EQ(world.abandoned(), to_standby(Cause::HeartbeatLost));
  EXPECT_TRUE(world.has<RaiseAlarm>(0, true)) << "nothing works, and the group says so";
  world.session_becomes(1, SessionState::Up);
  EXPECT_EQ(world.started(), to_standby(Cause::HeartbeatLost)) << "the first to recover";
}

TEST(Group, F12_AWaitingSwitchoverIsGivenUpWhenThePathWorksAgain) {
  World world = waiting_pair();
  world.session_becomes(0, SessionState::Up);
  EXPECT_EQ(world.abandoned(), to_standby(Cause::HeartbeatLost));
  EXPECT_FALSE(world.started());
  EXPECT_EQ(world.state().active, 0U);
}

TEST(Group, D4_AWaitingSwitchoverIsGivenUpWhenTheGroupIsDisabled) {
  World world = waiting_pair();
  world.happens(EnabledChanged{.enabled = false});
  EXPECT_EQ(world.abandoned(), to_standby(Cause::HeartbeatLost));
  EXPECT_FALSE(world.started());
}

TEST(Group, F12_AWaitingSwitchoverIsCarriedOutWhenItsTimeHasCome) {
  World world = hot_pair();
  world.session_becomes(0, SessionState::Down);
  const MonotonicTime until = world.now() + 5ms;
  world.happens(SwitchoverWaits{.until = until});
  EXPECT_FALSE(world.carried_out());
  EXPECT_EQ(next_deadline(world.state(), world.now(), {}), until);
  world.time_passes(4ms);
  world.happens(TimePassed{});
  EXPECT_FALSE(world.carried_out()) << "too early";
  world.time_passes(1ms);
  world.happens(TimePassed{});
  EXPECT_EQ(world.carried_out(), to_standby(Cause::HeartbeatLost));
  world.happens(TimePassed{});
  EXPECT_FALSE(world.carried_out()) << "once";
}

TEST(Group, F12_ASwitchoverThatNeedNotWaitIsCarriedOutAtOnceAlsoInADisabledGroup) {
  World world = hot_pair();
  world.happens(EnabledChanged{.enabled = false});
  world.happens(ManualSwitch{.to = 1});
  world.happens(SwitchoverWaits{.until = world.now()});
  EXPECT_EQ(world.carried_out(), to_standby(Cause::Manual));
  EXPECT_FALSE(world.abandoned());
}

TEST(Group, F12_AWaitingSwitchoverIsCarriedOutAtOnceWhenItsBridgeEnds) {
  World world = waiting_pair();
  world.happens(WaitingEnds{});
  EXPECT_FALSE(world.carried_out()) << "not in the middle of what told it";
  EXPECT_LE(next_deadline(world.state(), world.now(), {}), world.now());
  world.happens(TimePassed{});
  EXPECT_EQ(world.carried_out(), to_standby(Cause::HeartbeatLost));
  world.happens(WaitingEnds{});
  world.happens(TimePassed{});
  EXPECT_FALSE(world.carried_out()) << "it has begun";
}

TEST(Group, A2_APersonWhoAsksForAWaitingSwitchoverGetsItAtOnce) {
  World world = waiting_pair();
  world.happens(ManualSwitch{.to = 1});
  EXPECT_EQ(world.carried_out(), to_standby(Cause::HeartbeatLost));
  EXPECT_EQ(world.refusal(), "");
}

TEST(Group, M8_ThePathIsActiveBeforeItsSwitchoverHasEnded) {
  World world = waiting_pair();
  world.happens(WaitingEnds{});
  world.happens(IdentityMoved{});
  EXPECT_EQ(world.state().active, 1U);
  EXPECT_TRUE(world.state().running);
  EXPECT_FALSE(world.started());
  world.happens(SwitchoverEnded{.moved = true});
  EXPECT_FALSE(world.state().running);
  EXPECT_EQ(world.state().active, 1U);
}

TEST(Group, F1_AColdFailoverRaisesNoAlarmForThePathThatItLeft) {
  const GroupRules rules{.cold = true};
  World world(2, rules);
  world.session_becomes(0, SessionState::Down);
  ASSERT_TRUE(world.started());
  world.happens(SwitchoverWaits{.until = world.now()});
  ASSERT_TRUE(world.carried_out());
  for (const Event& event : {Event(IdentityMoved{}), Event(SwitchoverEnded{.moved = true})}) {
    world.happens(event);
    EXPECT_FALSE(world.has<RaiseAlarm>(0, false)) << "it is idle now, and down by intent";
    EXPECT_FALSE(world.has<ClearAlarm>(0, false));
  }
  EXPECT_EQ(world.state().active, 1U);
}

TEST(Group, A5_TheNextPathIsTheOneThatAFailoverWouldTake) {
  World world(3);
  for (const std::size_t path : {0, 2}) world.session_becomes(path, SessionState::Up);
  EXPECT_EQ(next_path(world.state(), world.now(), {}), 2U) << "the only one that is proved";
  world.session_becomes(2, SessionState::Down);
  EXPECT_EQ(next_path(world.state(), world.now(), {}), 1U) << "none is fit: the next in order";
  world.session_becomes(0, SessionState::Down);
  EXPECT_FALSE(world.started()) << "nothing to go to, so next_path() was no promise";
}

TEST(Group, A5_F11_WhereNoPathIsFitTheNextIsTheOneOfWhichSomethingWorks) {
  const std::vector<std::size_t> ports{1, 1, 2};
  GroupState state = initial_state(ports, 0, {});
  for (PathState& path : state.paths)
    for (PortState& port : path.ports) port.session = SessionState::Down;
  state.paths[2].ports[1].session = SessionState::Up;
  EXPECT_EQ(next_path(state, MonotonicTime(std::chrono::hours(1)), {}), 2U);
}

TEST(Group, F12_ASwitchoverThatHasBegunIsNotGivenUp) {
  World world = hot_pair();
  world.session_becomes(0, SessionState::Down);
  world.session_becomes(0, SessionState::Up);
  EXPECT_FALSE(world.abandoned());
  EXPECT_TRUE(world.state().running);
}

TEST(Group, F12_APathThatRefusedTheIdentityIsLeftAloneForAWhile) {
  World world = hot_pair();
  world.session_becomes(0, SessionState::Down);
  world.happens(SwitchoverEnded{.moved = false});
  EXPECT_EQ(world.state().active, 0U);
  EXPECT_FALSE(world.started());
  EXPECT_EQ(next_deadline(world.state(), world.now(), {}), world.now() + 1s);
  world.time_passes(999ms);
  world.happens(TimePassed{});
  EXPECT_FALSE(world.started());
  world.time_passes(1ms);
  world.happens(TimePassed{});
  EXPECT_EQ(world.started(), to_standby(Cause::HeartbeatLost));
}

TEST(Group, F10_AManualSwitchGoesWhereAPersonSays) {
  World world = hot_pair();
  world.happens(ManualSwitch{.to = 1});
  EXPECT_EQ(world.started(), to_standby(Cause::Manual));
  world.happens(SwitchoverEnded{.moved = true});
  EXPECT_EQ(world.state().active, 1U);
  EXPECT_FALSE(world.started()) << "it stays there";
}

TEST(Group, F10_AManualSwitchIsRefusedWithAReasonWhereItWouldCutTheHostOff) {
  World world = hot_pair();
  world.happens(ManualSwitch{.to = 0});
  EXPECT_EQ(world.refusal(), "this path is active already");
  world.happens(ManualSwitch{.to = 2});
  EXPECT_EQ(world.refusal(), "the group has no such path");
  world.session_becomes(1, SessionState::Unknown);
  world.happens(ManualSwitch{.to = 1});
  EXPECT_NE(world.refusal(), "");
  world.session_becomes(1, SessionState::Down);
  world.happens(ManualSwitch{.to = 1});
  EXPECT_EQ(world.refusal(), "this path is down; a switch to it would cut the host off");
  EXPECT_FALSE(world.state().running);
}

TEST(Group, D4_ADisabledGroupWatchesAndSwitchesOnlyByHand) {
  World world = hot_pair();
  world.happens(EnabledChanged{.enabled = false});
  world.session_becomes(0, SessionState::Down);
  EXPECT_FALSE(world.started());
  EXPECT_TRUE(world.has<RaiseAlarm>(0, true)) << "it still says what it sees";
  world.happens(EnabledChanged{.enabled = true});
  EXPECT_EQ(world.started(), to_standby(Cause::GroupEnabled)) << "at once, not at the next event";
}

TEST(Group, D4_ADisabledGroupStillObeysAPerson) {
  World world = hot_pair();
  world.happens(EnabledChanged{.enabled = false});
  world.happens(ManualSwitch{.to = 1});
  EXPECT_EQ(world.started(), to_standby(Cause::Manual));
}

TEST(Group, T4_AmongSeveralPathsTheFirstProvedOneIsTaken) {
  World world(4);
  world.session_becomes(0, SessionState::Up);
  world.session_becomes(2, SessionState::Up);
  world.session_becomes(3, SessionState::Up);
  world.session_becomes(0, SessionState::Down);
  EXPECT_EQ(world.started(), (Switchover{.from = 0, .to = 2, .cause = Cause::HeartbeatLost}));
}

TEST(ColdGroup, F1_FailsOverToAPathThatNobodyCanHaveWatched) {
  World world(2, GroupRules{.cold = true});
  world.session_becomes(0, SessionState::Up);
  world.port_becomes(1, {.admin_up = false, .carrier = std::nullopt});
  EXPECT_TRUE(world.actions().empty()) << "down by intent is no alarm";
  world.session_becomes(0, SessionState::Down);
  EXPECT_EQ(world.started(), to_standby(Cause::HeartbeatLost));
}

// The idle interface was administratively down; the switchover set it up, but the policy has not
// been told yet. Judging the new path by the old news would switch straight back.
TEST(ColdGroup, F1_TheNewActivePathIsNotJudgedByWhatItWasWhileIdle) {
  World world(2, GroupRules{.cold = true});
  world.session_becomes(0, SessionState::Up);
  world.port_becomes(1, {.admin_up = false, .carrier = false});
  world.happens(ManualSwitch{.to = 1});
  ASSERT_EQ(world.started(), to_standby(Cause::Manual));
  world.happens(SwitchoverEnded{.moved = true});
  EXPECT_EQ(world.state().active, 1U);
  EXPECT_FALSE(world.started());
  EXPECT_FALSE(world.has<RaiseAlarm>(1, true));
  EXPECT_EQ(health_of(world.state().paths[1]), Health::Unknown);
}

TEST(ColdGroup, F9_AFailedPathIsNotTriedAgainBeforeItsTime) {
  World world(2, GroupRules{.cold = true, .cold_retry = 10s});
  world.session_becomes(0, SessionState::Up);
  world.session_becomes(0, SessionState::Down);
  world.happens(SwitchoverEnded{.moved = true});
  world.session_becomes(1, SessionState::Down);
  EXPECT_FALSE(world.started()) << "the old path failed a moment ago";
  EXPECT_TRUE(world.has<RaiseAlarm>(1, true));
  world.time_passes(10s);
  world.happens(TimePassed{});
  EXPECT_EQ(world.started(), (Switchover{.from = 1, .to = 0, .cause = Cause::HeartbeatLost}));
}

// Two dead paths are tried in turn, and less and less often.
TEST(ColdGroup, F9_APathThatFailsAgainIsAvoidedTwiceAsLongUpToTheLimit) {
  World world(2, GroupRules{.cold = true, .cold_retry = 6s, .first_retry = 1s});
  world.session_becomes(0, SessionState::Up);
  world.session_becomes(0, SessionState::Down);
  world.happens(SwitchoverEnded{.moved = true});
  ASSERT_EQ(world.state().active, 1U);
  // Both have failed equally often after each second one.
  for (const auto wait : {1s, 1s, 2s, 2s, 4s, 4s, 6s, 6s, 6s}) {
    const std::size_t active = world.state().active;
    world.session_becomes(active, SessionState::Down);
    EXPECT_FALSE(world.started()) << wait.count() << " s: the other one failed a moment ago";
    world.time_passes(wait - 1ms);
    world.happens(TimePassed{});
    EXPECT_FALSE(world.started()) << "earlier than " << wait.count() << " s";
    world.time_passes(1ms);
    world.happens(TimePassed{});
    ASSERT_EQ(world.started(),
              (Switchover{.from = active, .to = 1 - active, .cause = Cause::HeartbeatLost}))
        << "after " << wait.count() << " s";
    world.happens(SwitchoverEnded{.moved = true});
  }
}

TEST(ColdGroup, F9_APathThatWorkedBeginsWithTheShortestWaitAgain) {
  World world(2, GroupRules{.cold = true, .cold_retry = 60s, .first_retry = 1s});
  world.session_becomes(0, SessionState::Up);
  const auto fail_over = [&] {
    world.session_becomes(world.state().active, SessionState::Down);
    while (!world.started()) {
      world.time_passes(1s);
      world.happens(TimePassed{});
    }
    world.happens(SwitchoverEnded{.moved = true});
  };
  for (int time = 0; time < 6; ++time) fail_over();
  const std::size_t worked = world.state().active;
  ASSERT_GE(world.state().paths[worked].failures, 2U);
  world.session_becomes(worked, SessionState::Up);
  EXPECT_EQ(world.state().paths[worked].failures, 0U);
  fail_over();
  EXPECT_EQ(world.state().paths[worked].avoid_until, world.now() + 1s);
}

TEST(ColdGroup, F10_ACardThatWasPulledIsNoPlaceToGo) {
  World world(2, GroupRules{.cold = true});
  world.session_becomes(0, SessionState::Up);
  world.port_becomes(1, {.present = false, .admin_up = false, .carrier = std::nullopt});
  EXPECT_TRUE(world.has<RaiseAlarm>(1, false));
  world.session_becomes(0, SessionState::Down);
  EXPECT_FALSE(world.started());
  world.port_becomes(1, {.admin_up = false, .carrier = std::nullopt});
  EXPECT_EQ(world.started(), to_standby(Cause::HeartbeatLost)) << "put back, used at once";
}

TEST(Group, O4_EveryCauseHasWordsAndARule) {
  for (const Cause cause : {Cause::HeartbeatLost, Cause::CarrierLost, Cause::AdminDown,
                            Cause::InterfaceGone, Cause::GroupEnabled, Cause::Manual}) {
    EXPECT_NE(to_text(cause), "?");
    EXPECT_NE(rule_of(cause), "?");
    EXPECT_NE(rule_of(cause).find('('), std::string_view::npos) << "it names the requirement";
  }
}

}  // namespace
}  // namespace hanet::policy
