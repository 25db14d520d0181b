// SPDX-License-Identifier: Apache-2.0
//
// Two ends on different paths: exactly one of them goes to the other (F8).
#include "policy/agreement.h"

#include <gtest/gtest.h>

#include <chrono>

#include "policy_world.h"

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

/// One end of a pair that hears the other one on both paths.
class End : public World {
 public:
  explicit End(std::size_t active) : World(2) {
    hears(Place::Unknown, Place::Unknown);
    if (active != 0) {
      session_becomes(0, SessionState::Down);
      happens(SwitchoverEnded{.moved = true});
    }
  }
  void hears(Place first, Place second) {
    is(0, first);
    is(1, second);
  }
  void is(std::size_t path, Place peer, SessionState session = SessionState::Up) {
    port_becomes(path, PortState{.carrier = true, .session = session, .peer = peer});
  }
  void waits(Nanoseconds duration) {
    time_passes(duration);
    happens(TimePassed{});
  }
};

constexpr Switchover kToFirst{.from = 1, .to = 0, .cause = Cause::PeerElsewhere};
constexpr Switchover kToSecond{.from = 0, .to = 1, .cause = Cause::PeerElsewhere};

TEST(Agreement, F8_TheEndOnTheLaterPathGoesToTheOther) {
  End end(1);
  end.hears(Place::Here, Place::Elsewhere);
  EXPECT_FALSE(end.started()) << "the other end may be on its way here";
  end.waits(kApart);
  EXPECT_EQ(end.started(), kToFirst);
}

TEST(Agreement, F8_TheEndOnTheEarlierPathIsComeTo) {
  End end(0);
  end.hears(Place::Elsewhere, Place::Here);
  end.waits(10 * kApart);
  EXPECT_FALSE(end.started());
}

TEST(Agreement, F8_AnEndThatIsOnItsWayIsNotMetHalfway) {
  End end(1);
  end.hears(Place::Here, Place::Elsewhere);
  end.waits(kApart - 1ms);
  end.hears(Place::Elsewhere, Place::Here);
  end.waits(1ms);
  EXPECT_FALSE(end.started());
  end.hears(Place::Here, Place::Elsewhere);
  end.waits(kApart - 1ms);
  EXPECT_FALSE(end.started()) << "the time begins anew";
}

TEST(Agreement, F8_ASwitchByHandIsFollowed) {
  End end(0);
  end.hears(Place::Elsewhere, Place::HereByHand);
  end.waits(kApart);
  ASSERT_EQ(end.started(), kToSecond);
  end.happens(SwitchoverEnded{.moved = true});
  EXPECT_TRUE(end.state().failback_held) << "the person meant both ends";
  EXPECT_EQ(place_said(end.state(), 1, end.now()), Place::Here) << "not this end's own choice";
}

TEST(Agreement, F8_AnEndThatWasSwitchedByHandWaitsForTheOther) {
  End end(0);
  end.happens(ManualSwitch{.to = 1});
  end.happens(SwitchoverEnded{.moved = true});
  EXPECT_EQ(place_said(end.state(), 1, end.now()), Place::HereByHand);
  EXPECT_EQ(place_said(end.state(), 0, end.now()), Place::Elsewhere);
  end.hears(Place::Here, Place::Elsewhere);
  end.waits(kByHand - 1ms);
  EXPECT_FALSE(end.started());
  end.waits(1ms);
  EXPECT_EQ(place_said(end.state(), 1, end.now()), Place::Here);
  EXPECT_FALSE(end.started()) << "the other end may be on its way here";
  end.waits(kApart);
  EXPECT_EQ(end.started(), kToFirst) << "it did not come";
}

TEST(Agreement, F8_NobodyGoesToAPathThatDoesNotWork) {
  for (const SessionState session : {SessionState::Down, SessionState::Unknown}) {
    End end(1);
    end.hears(Place::Here, Place::Elsewhere);
    end.is(0, Place::Here, session);
    end.waits(10 * kApart);
    EXPECT_FALSE(end.started());
  }
}

TEST(Agreement, F8_ATargetThatSaysNothingIsNoPeer) {
  End end(1);
  end.hears(Place::Here, Place::Unknown);
  end.waits(10 * kApart);
  EXPECT_FALSE(end.started());
}

TEST(Agreement, F8_ADisabledGroupStays) {
  End end(1);
  end.happens(EnabledChanged{.enabled = false});
  end.hears(Place::Here, Place::Elsewhere);
  end.waits(10 * kApart);
  EXPECT_FALSE(end.started());
}

TEST(Agreement, F8_TimeIsAskedForWhenSomethingIsDue) {
  End end(1);
  end.hears(Place::Here, Place::Elsewhere);
  EXPECT_EQ(next_deadline(end.state(), end.now(), {}), end.now() + kApart);
}

// Whatever both ends are and say, one rule for both moves at most one of them, and one is enough.
TEST(Agreement, F8_WhatADeadPortOfATrunkHeardLastCountsForNothing) {
  World world(std::vector<std::size_t>{2, 2});
  const auto heard = [](SessionState session, Place place) {
    return PortState{.carrier = true, .session = session, .peer = place};
  };
  world.happens(ThresholdChanged{.percent = 100});
  world.happens(PathChanged{.path = 1,
                            .ports = {heard(SessionState::Up, Place::HereByHand),
                                      heard(SessionState::Up, Place::HereByHand)}});
  world.happens(PathChanged{.path = 0,
                            .ports = {heard(SessionState::Down, Place::Here),
                                      heard(SessionState::Up, Place::Elsewhere)}});
  EXPECT_EQ(meeting_place(world.state(), world.now()), std::optional<std::size_t>(1));
}

TEST(Agreement, F8_OfTwoEndsApartExactlyOneMoves) {
  for (const bool first_by_hand : {false, true})
    for (const bool second_by_hand : {false, true}) {
      GroupState first = initial_state(std::vector<std::size_t>{1, 1}, 0, {});
      GroupState second = initial_state(std::vector<std::size_t>{1, 1}, 1, {});
      const MonotonicTime now{1h};
      if (first_by_hand) first.by_hand_until = now + 1s;
      if (second_by_hand) second.by_hand_until = now + 1s;
      for (std::size_t path = 0; path < 2; ++path) {
        first.paths[path].ports.front() = {
            .carrier = true, .session = SessionState::Up, .peer = place_said(second, path, now)};
        second.paths[path].ports.front() = {
            .carrier = true, .session = SessionState::Up, .peer = place_said(first, path, now)};
      }
      EXPECT_NE(meeting_place(first, now).has_value(), meeting_place(second, now).has_value());
    }
}

}  // namespace
}  // namespace hanet::policy
