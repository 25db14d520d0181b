// SPDX-License-Identifier: Apache-2.0
//
// Trunks in the policy: what is lost, what the threshold means, which port leads (T1 to T5, M7).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "policy_world.h"

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

PortState working() { return {.carrier = true, .session = SessionState::Up}; }
PortState cut() { return {.carrier = false, .session = SessionState::Up}; }
PortState silent() { return {.carrier = true, .session = SessionState::Down}; }

PathState trunk_with(std::size_t ports, std::size_t lost, std::uint32_t threshold) {
  PathState path;
  path.threshold_percent = threshold;
  for (std::size_t at = 0; at < ports; ++at) path.ports.push_back(at < lost ? cut() : working());
  return path;
}

/// Two trunks of four ports, all proved to work.
World two_trunks(const GroupRules& rules = {}, std::size_t ports = 4) {
  World world(std::vector<std::size_t>{ports, ports}, rules);
  for (const std::size_t path : {0U, 1U})
    for (std::size_t port = 0; port < ports; ++port) world.port_becomes(path, port, working());
  return world;
}

TEST(Threshold, T2_EveryPercentageHasOneMeaningForEveryNumberOfPorts) {
  for (std::uint32_t percent = 1; percent <= 100; ++percent)
    for (std::size_t ports = 1; ports <= 8; ++ports)
      for (std::size_t lost = 0; lost <= ports; ++lost) {
        // The specification: down when so many per cent of the connections failed, or more.
        const bool down = lost * 100 >= ports * percent;
        EXPECT_EQ(health_of(trunk_with(ports, lost, percent)), down ? Health::Down : Health::Up)
            << fmt::format("{} of {} lost at {} %", lost, ports, percent);
      }
}

TEST(Threshold, T2_TheTableOfTheDocumentationIsRight) {
  // From, to (per cent), and how many ports must be lost for 2, 4 and 8 ports.
  struct Row {
    std::uint32_t from, to;
    std::size_t ports, needed;
  };
  for (const Row& row : {Row{1, 50, 2, 1}, Row{51, 100, 2, 2}, Row{1, 25, 4, 1}, Row{26, 50, 4, 2},
                         Row{51, 75, 4, 3}, Row{76, 100, 4, 4}, Row{1, 12, 8, 1}, Row{13, 25, 8, 2},
                         Row{26, 37, 8, 3}, Row{38, 50, 8, 4}, Row{51, 62, 8, 5}, Row{63, 75, 8, 6},
                         Row{76, 87, 8, 7}, Row{88, 100, 8, 8}})
    for (std::uint32_t percent = row.from; percent <= row.to; ++percent) {
      EXPECT_EQ(health_of(trunk_with(row.ports, row.needed, percent)), Health::Down) << percent;
      EXPECT_EQ(health_of(trunk_with(row.ports, row.needed - 1, percent)), Health::Up) << percent;
    }
}

TEST(Threshold, T1_ByLinkSpeedAFastPortCountsForMore) {
  PathState path = trunk_with(2, 1, 50);
  path.ports[0].weight = 1'000;
  path.ports[1].weight = 10'000;
  EXPECT_EQ(health_of(path), Health::Up) << "one of eleven is lost";
  std::swap(path.ports[0].weight, path.ports[1].weight);
  EXPECT_EQ(health_of(path), Health::Down) << "ten of eleven are lost";
}

TEST(Trunk, T2_AtFiftyPerCentOfFourPortsTheSecondLostPortFailsOver) {
  World world = two_trunks();
  world.port_becomes(0, 1, cut());
  EXPECT_FALSE(world.started());
  EXPECT_TRUE(world.actions().empty()) << "no alarm either: the trunk stands";
  world.port_becomes(0, 3, silent());
  ASSERT_TRUE(world.started());
  EXPECT_EQ(world.started()->to, 1U);
}

TEST(Trunk, T2_TheThresholdCanChangeWhileAPortIsLost) {
  World world = two_trunks();
  world.port_becomes(0, 1, cut());
  ASSERT_FALSE(world.started());
  world.happens(ThresholdChanged{.percent = 25});
  EXPECT_TRUE(world.started());
}

TEST(Trunk, T5_WhenAllPortsFailAtOnceThereIsOneSwitchover) {
  World world = two_trunks();
  world.happens(PathChanged{.path = 0, .ports = std::vector<PortState>(4, cut())});
  ASSERT_TRUE(world.started());
  EXPECT_EQ(world.started()->cause, Cause::CarrierLost);
  EXPECT_EQ(world.actions().size(), 1U);
  world.happens(SwitchoverEnded{});
  EXPECT_FALSE(world.started());
}

TEST(Trunk, T5_ACardThatVanishesWithAllItsPortsMovesNoLeadFirst) {
  World world = two_trunks();
  PortState gone;
  gone.present = false;
  world.happens(PathChanged{.path = 0, .ports = std::vector<PortState>(4, gone)});
  ASSERT_TRUE(world.started());
  EXPECT_EQ(world.started()->to, 1U);
  EXPECT_EQ(world.started()->cause, Cause::InterfaceGone);
}

TEST(Trunk, T3_ALeadThatLosesItsCableStaysTheLead) {
  World world = two_trunks();
  world.port_becomes(0, 0, cut());
  EXPECT_FALSE(world.started()) << "the kernel side sends by the other ports";
  EXPECT_EQ(world.state().paths[0].lead, 0U);
}

TEST(Trunk, T3_ALeadWhoseInterfaceIsTakenDownHandsTheIdentityToAProvedPort) {
  World world = two_trunks();
  world.port_becomes(0, 1, silent());
  world.happens(ThresholdChanged{.percent = 100});
  PortState down = working();
  down.admin_up = false;
  world.port_becomes(0, 0, down);
  ASSERT_TRUE(world.started());
  EXPECT_EQ(
      *world.started(),
      (Switchover{.from = 0, .to = 0, .cause = Cause::AdminDown, .from_port = 0, .to_port = 2}));
  world.happens(SwitchoverEnded{});
  EXPECT_EQ(world.state().active, 0U);
  EXPECT_EQ(world.state().paths[0].lead, 2U);
  EXPECT_FALSE(world.started());
}

TEST(Trunk, F12_APortThatRefusesTheIdentityIsNotAskedAgainAtOnce) {
  World world = two_trunks();
  PortState down = working();
  down.admin_up = false;
  world.port_becomes(0, 0, down);
  ASSERT_TRUE(world.started());
  world.happens(SwitchoverEnded{.moved = false});
  EXPECT_FALSE(world.started()) << "it would be asked for ever";
  EXPECT_EQ(world.state().paths[0].lead, 0U);
  world.time_passes(2s);
  world.happens(TimePassed{});
  EXPECT_TRUE(world.started());
}

TEST(Trunk, F12_AGoalThatWentAwayBeforeAnythingWasTouchedIsReplacedAtOnce) {
  World world = two_trunks({}, 3);
  world.happens(ThresholdChanged{.percent = 100});
  PortState down = working();
  down.admin_up = false;
  world.port_becomes(0, 0, down);
  ASSERT_EQ(world.started()->to_port, 1U);
  world.port_becomes(0, 1, down);
  world.happens(SwitchoverEnded{.moved = false, .attempted = false});
  ASSERT_TRUE(world.started());
  EXPECT_EQ(world.started()->to_port, 2U);
}

TEST(Trunk, A2_APersonMovesTheLeadToAnotherPortAndTheTrunkStaysWhereItIs) {
  World world = two_trunks();
  world.happens(ManualSwitch{.to = 0, .port = 3});
  ASSERT_TRUE(world.started());
  EXPECT_EQ(world.started()->to_port, 3U);
  world.happens(SwitchoverEnded{});
  EXPECT_EQ(world.state().paths[0].lead, 3U);
  EXPECT_FALSE(world.state().failback_held);
  world.happens(ManualSwitch{.to = 0, .port = 3});
  EXPECT_FALSE(world.refusal().empty());
}

TEST(Trunk, M6_AStandbyTrunkIsUsedOnlyIfItsProvedPortsAreEnough) {
  World world(std::vector<std::size_t>{2, 4});
  world.port_becomes(0, 0, working());
  world.port_becomes(0, 1, working());
  world.port_becomes(1, 0, working());
  world.port_becomes(1, 1, working());
  world.port_becomes(0, 1, silent());
  EXPECT_FALSE(world.started()) << "the other two may be dead";
  world.port_becomes(1, 2, working());
  EXPECT_TRUE(world.started());
}

TEST(Trunk, F11_WithBothTrunksBelowTheThresholdAPathOfWhichNothingWorksIsLeft) {
  World world = two_trunks();
  for (const std::size_t port : {0U, 1U, 2U}) world.port_becomes(1, port, cut());
  world.port_becomes(0, 1, cut());
  world.port_becomes(0, 2, cut());
  EXPECT_FALSE(world.started()) << "half of the primary works, a quarter of the standby";
  world.happens(PathChanged{.path = 0, .ports = std::vector<PortState>(4, cut())});
  ASSERT_TRUE(world.started());
  EXPECT_EQ(world.started()->to, 1U);
  EXPECT_EQ(world.started()->to_port, 3U) << "the port that works leads";
}

TEST(Trunk, F9_BetterReturnsOnlyToMoreCapacity) {
  World world = two_trunks({.failback = Failback::Better, .hold_down = 1s});
  world.happens(PathChanged{.path = 0, .ports = std::vector<PortState>(4, cut())});
  world.happens(SwitchoverEnded{});
  world.happens(PathChanged{.path = 0, .ports = std::vector<PortState>(4, working())});
  world.time_passes(2s);
  world.happens(TimePassed{});
  EXPECT_FALSE(world.started()) << "four of four on both";
  world.port_becomes(1, 2, cut());
  ASSERT_TRUE(world.started());
  EXPECT_EQ(world.started()->cause, Cause::Failback);
}

TEST(Trunk, T4_AColdTrunkIsUsedUnseen) {
  World world(std::vector<std::size_t>{8, 8}, {.cold = true});
  for (std::size_t port = 0; port < 8; ++port) world.port_becomes(0, port, working());
  for (const std::size_t port : {0U, 2U, 4U}) world.port_becomes(0, port, silent());
  EXPECT_FALSE(world.started());
  world.port_becomes(0, 6, silent());
  ASSERT_TRUE(world.started());
  EXPECT_EQ(world.started()->to, 1U);
}

TEST(Trunk, F10_APortThatWasTakenOutIsLostCapacity) {
  World world = two_trunks();
  PortState out = working();
  out.taken_out = true;
  out.present = false;
  world.port_becomes(0, 3, out);
  EXPECT_FALSE(world.started());
  EXPECT_EQ(capacity_of(world.state().paths[0]).lost, 1U);
  world.port_becomes(0, 2, cut());
  EXPECT_TRUE(world.started());
}

}  // namespace
}  // namespace hanet::policy
