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
    hears(PeerClaim::Unknown, PeerClaim::Unknown);
    if (active != 0) {
      session_becomes(0, SessionState::Down);
      happens(SwitchoverEnded{.moved = true});
    }
  }
  void hears(PeerClaim first, PeerClaim second) {
    is(0, first);
    is(1, second);
  }
  void is(std::size_t path, PeerClaim peer, SessionState session = SessionState::Up) {
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
  end.hears(PeerClaim::Here, PeerClaim::Elsewhere);
  EXPECT_FALSE(end.started()) << "the other end may be on its way here";
  end.waits(kApart);
  EXPECT_EQ(end.started(), kToFirst);
}

TEST(Agreement, F8_TheEndOnTheEarlierPathIsComeTo) {
  End end(0);
  end.hears(PeerClaim::Elsewhere, PeerClaim::Here);
  end.waits(10 * kApart);
  EXPECT_FALSE(end.started());
}

TEST(Agreement, F8_AnEndThatIsOnItsWayIsNotMetHalfway) {
  End end(1);
  end.hears(PeerClaim::Here, PeerClaim::Elsewhere);
  end.waits(kApart - 1ms);
  end.hears(PeerClaim::Elsewhere, PeerClaim::Here);
  end.waits(1ms);
  EXPECT_FALSE(end.started());
  end.hears(PeerClaim::Here, PeerClaim::Elsewhere);
  end.waits(kApart - 1ms);
  EXPECT_FALSE(end.started()) << "the time begins anew";
}

TEST(Agreement, F8_ASwitchByHandIsFollowed) {
  End end(0);
  end.hears(PeerClaim::Elsewhere, PeerClaim::HereByHand);
  end.waits(kApart);
  ASSERT_EQ(end.started(), kToSecond);
  end.happens(SwitchoverEnded{.moved = true});
  EXPECT_TRUE(end.state().failback_held) << "the person meant both ends";
  EXPECT_EQ(claim_of(end.state(), 1, end.now()), PeerClaim::Here) << "not this end's own choice";
}

TEST(Agreement, F8_AnEndThatWasSwitchedByHandWaitsForTheOther) {
  End end(0);
  end.happens(ManualSwitch{.to = 1});
  end.happens(SwitchoverEnded{.moved = true});
  EXPECT_EQ(claim_of(end.state(), 1, end.now()), PeerClaim::HereByHand);
  EXPECT_EQ(claim_of(end.state(), 0, end.now()), PeerClaim::Elsewhere);
  end.hears(PeerClaim::Here, PeerClaim::Elsewhere);
  end.waits(kByHand - 1ms);
  EXPECT_FALSE(end.started());
  end.waits(1ms);
  EXPECT_EQ(claim_of(end.state(), 1, end.now()), PeerClaim::Here);
  EXPECT_FALSE(end.started()) << "the other end may be on its way here";
  end.waits(kApart);
  EXPECT_EQ(end.started(), kToFirst) << "it did not come";
}

TEST(Agreement, F8_NobodyGoesToAPathThatDoesNotWork) {
  for (const SessionState session : {SessionState::Down, SessionState::Unknown}) {
    End end(1);
    end.hears(PeerClaim::Here, PeerClaim::Elsewhere);
    end.is(0, PeerClaim::Here, session);
    end.waits(10 * kApart);
    EXPECT_FALSE(end.started());
  }
}

TEST(Agreement, F8_ATargetThatSaysNothingIsNoPeer) {
  End end(1);
  end.hears(PeerClaim::Here, PeerClaim::Unknown);
  end.waits(10 * kApart);
  EXPECT_FALSE(end.started());
}

TEST(Agreement, F8_ADisabledGroupStays) {
  End end(1);
  end.happens(EnabledChanged{.enabled = false});
  end.hears(PeerClaim::Here, PeerClaim::Elsewhere);
  end.waits(10 * kApart);
  EXPECT_FALSE(end.started());
}

TEST(Agreement, F8_TimeIsAskedForWhenSomethingIsDue) {
  End end(1);
  end.hears(PeerClaim::Here, PeerClaim::Elsewhere);
  EXPECT_EQ(next_deadline(end.state(), end.now(), {}), end.now() + kApart);
}

// Whatever both ends are and say, one rule for both moves at most one of them, and one is enough.
TEST(Agreement, F8_WhatADeadPortOfATrunkHeardLastCountsForNothing) {
  World world(std::vector<std::size_t>{2, 2});
  const auto heard = [](SessionState session, PeerClaim place) {
    return PortState{.carrier = true, .session = session, .peer = place};
  };
  world.happens(ThresholdChanged{.percent = 100});
  world.happens(PathChanged{.path = 1,
                            .ports = {heard(SessionState::Up, PeerClaim::HereByHand),
                                      heard(SessionState::Up, PeerClaim::HereByHand)}});
  world.happens(PathChanged{.path = 0,
                            .ports = {heard(SessionState::Down, PeerClaim::Here),
                                      heard(SessionState::Up, PeerClaim::Elsewhere)}});
  EXPECT_EQ(meeting_path(world.state(), world.now()), std::optional<std::size_t>(1));
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
            .carrier = true, .session = SessionState::Up, .peer = claim_of(second, path, now)};
        second.paths[path].ports.front() = {
            .carrier = true, .session = SessionState::Up, .peer = claim_of(first, path, now)};
      }
      EXPECT_NE(meeting_path(first, now).has_value(), meeting_path(second, now).has_value());
    }
}

}  // namespace
}  // namespace hanet::policy
