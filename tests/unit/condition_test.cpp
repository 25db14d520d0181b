// SPDX-License-Identifier: Apache-2.0
//
// What a group, and with all groups the host, is worth now: "protected" is said only of what was
// checked, and everything else says what is missing (O3, M6).
#include "policy/condition.h"

#include <gtest/gtest.h>

#include "policy_world.h"
#include "report/verdict.h"

namespace hanet::policy {
namespace {

std::string_view condition(const World& world) { return to_text(condition_of(world.state(), {})); }

TEST(Condition, O3_AGroupIsProtectedWhenAllPathsAreProved) {
  World world(2);
  EXPECT_EQ(condition(world), "active path not proved");
  world.session_becomes(0, SessionState::Up);
  EXPECT_EQ(condition(world), "standby not proved");
  world.session_becomes(1, SessionState::Up);
  EXPECT_EQ(condition(world), "protected");
}

TEST(Condition, O3_M6_AStandbyThatIsDownIsToldByWhatIsLeft) {
  World two = working_world(2);
  two.session_becomes(1, SessionState::Down);
  EXPECT_EQ(condition(two), "no standby");
  World three = working_world(3);
  three.session_becomes(1, SessionState::Down);
  EXPECT_EQ(condition(three), "fewer standbys");
  three.session_becomes(2, SessionState::Down);
  EXPECT_EQ(condition(three), "no standby");
}

TEST(Condition, O3_F11_AFailureIsNotProtectionWhileItIsBridgedNorWhenNothingIsLeft) {
  World world = working_world(2);
  world.session_becomes(0, SessionState::Down);
  world.happens(SwitchoverWaits{.until = MonotonicTime::max()});
  EXPECT_EQ(condition(world), "a switchover runs");
  world.session_becomes(1, SessionState::Down);
  EXPECT_EQ(condition(world), "no working path");
  world.happens(EnabledChanged{.enabled = false});
  EXPECT_EQ(condition(world), "disabled");
}

TEST(Condition, F1_AColdStandbyThatIdlesIsAStandby) {
  World world(2, GroupRules{.cold = true});
  world.session_becomes(0, SessionState::Up);
  EXPECT_EQ(condition(world), "protected");
}

TEST(Condition, F13_F14_ALossIsNoProtection) {
  World world = working_world(2);
  EXPECT_EQ(condition_of(world.state(), {.active = false, .standby = true}),
            Condition::StandbyNotReady);
  EXPECT_EQ(condition_of(world.state(), {.active = true, .standby = true}), Condition::Incomplete);
  world.session_becomes(1, SessionState::Down);
  EXPECT_EQ(condition_of(world.state(), {.active = true, .standby = false}), Condition::Incomplete)
      << "what is missing now is worse than what may happen";
}

/// What the report says of a group.
Json group(const std::string& name, const std::string& state, const std::string& since) {
  const auto path = [](const char* port, const char* health, const char* reason) {
    return Json{
        {"name", port}, {"health", health}, {"reason", reason}, {"session", {{"state", health}}}};
  };
  const bool down = state == "no standby";
  return {{"name", name},
          {"state", state},
          {"state_since", since},
          {"left_behind", Json::array()},
          {"paths", Json::array({path("p0", "up", ""),
                                 path("p1", down ? "down" : "up", down ? "carrier lost" : "")})}};
}

const std::string kEarly = "2026-11-28T10:00:00.000001";
const std::string kLate = "2026-11-28T11:00:00.000001";

TEST(Verdict, O3_AllGroupsAreProtectedSinceTheLastOneIs) {
  const Json verdict = report::verdict_json(
      Json::array({group("a", "protected", kLate), group("b", "protected", kEarly)}), Json::array(),
      nullptr);
  EXPECT_EQ(verdict.at("protected"), true);
  EXPECT_EQ(verdict.at("since"), kLate);
  EXPECT_EQ(verdict.at("text"), "protected since 2026-11-28T11:00:00; no switchover on record");
}

TEST(Verdict, O3_OneGroupThatIsNotProtectedIsNamedWithWhatIsMissing) {
  const Json last{{"wall_time", kEarly},     {"group", "a"},         {"from", "p1"}, {"to", "p0"},
                  {"cause", "carrier lost"}, {"outcome", "complete"}};
  const Json verdict = report::verdict_json(
      Json::array({group("a", "no standby", kLate), group("b", "protected", kEarly)}),
      Json::array(), last);
  EXPECT_EQ(verdict.at("protected"), false);
  EXPECT_EQ(verdict.at("text"),
            "not protected: group a: no standby (p1 is down: carrier lost) since "
            "2026-11-28T11:00:00; last switchover 2026-11-28T10:00:00: a from p1 to p0, carrier "
            "lost, complete");
  ASSERT_EQ(verdict.at("reasons").size(), 1U);
  EXPECT_EQ(verdict.at("reasons").at(0).at("since"), kLate);
}

TEST(Verdict, O1_O3_AGroupThatHasNotBegunIsNotProtected) {
  const Json late{{"name", "b"}, {"reason", "waiting for q1, which is not here yet"}};
  const Json verdict = report::verdict_json(Json::array({group("a", "protected", kEarly)}),
                                            Json::array({late}), nullptr);
  EXPECT_EQ(verdict.at("protected"), false);
  EXPECT_EQ(
      verdict.at("text"),
      "not protected: group b: waiting for q1, which is not here yet; no switchover on record");
  EXPECT_EQ(verdict.at("reasons").at(0).at("group"), "b");
}

TEST(Verdict, F13_F14_ALossIsNamedInTheFirstLine) {
  Json incomplete = group("a", "incomplete", kEarly);
  incomplete["findings"] = {{{"port", "p1"}, {"text", "an alarm"}, {"is_loss", false}},
                            {{"port", "p1"}, {"text", "p1 lacks it"}, {"is_loss", true}}};
  EXPECT_EQ(report::verdict_json(Json::array({incomplete}), Json::array(), nullptr).at("text"),
            "not protected: group a: incomplete: p1 lacks it since 2026-11-28T10:00:00; no "
            "switchover on record");
}

TEST(Verdict, O3_AHostWithoutAGroupIsNotProtected) {
  const Json verdict = report::verdict_json(Json::array(), Json::array(), nullptr);
  EXPECT_EQ(verdict.at("protected"), false);
  EXPECT_EQ(verdict.at("text"), "not protected: no group is configured; no switchover on record");
}

TEST(Verdict, O3_APathThatNoLongerSendsOrADeviceThatWouldStayBehindIsNoProtection) {
  Json blind = group("a", "protected", kEarly);
  blind["paths"][1]["session"]["state"] = "blind";
  EXPECT_EQ(report::verdict_json(Json::array({blind}), Json::array(), nullptr).at("text"),
            "not protected: group a: no heartbeat leaves by p1; no switchover on record");
  Json trunk = group("a", "protected", kEarly);
  trunk["paths"][1]["ports"] = Json::array({blind["paths"][1]});
  EXPECT_EQ(report::verdict_json(Json::array({trunk}), Json::array(), nullptr).at("protected"),
            false);
  Json left = group("a", "protected", kEarly);
  left["left_behind"].push_back({{"kind", "macvlan"}, {"name", "m0"}, {"port", "p0"}});
  EXPECT_EQ(report::verdict_json(Json::array({left}), Json::array(), nullptr).at("text"),
            "not protected: group a: the macvlan m0 would be left behind; no switchover on record");
}

}  // namespace
}  // namespace hanet::policy
