// SPDX-License-Identifier: Apache-2.0
//
// The small judgements of policy/: repairs, bridging, cards, VLANs without a twin.
#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <set>
#include <string_view>

#include "policy/bridging.h"
#include "policy/card.h"
#include "policy/pacing.h"
#include "policy/repair.h"
#include "policy/vlans.h"

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;
using Answer = Repairs::Answer;

constexpr MonotonicTime kNow{1h};

TEST(Repairs, F12_SoManyAreGrantedAndThenOneAlarmIsRaised) {
  Repairs repairs;
  for (int repair = 0; repair < kRepairs; ++repair) EXPECT_EQ(repairs.ask(kNow), Answer::Granted);
  EXPECT_EQ(repairs.ask(kNow), Answer::JustRefused);
  EXPECT_EQ(repairs.ask(kNow), Answer::Refused);
}

TEST(Repairs, F12_ATruceEndsAMinuteAfterItsFirstRepair) {
  Repairs repairs;
  for (int repair = 0; repair <= kRepairs; ++repair) (void)repairs.ask(kNow);
  EXPECT_EQ(repairs.ask(kNow + kTruce), Answer::Refused);
  EXPECT_EQ(repairs.ask(kNow + kTruce + 1ns), Answer::Granted);
  EXPECT_EQ(repairs.take_pause(), kBurst) << "the pauses begin anew";
}

TEST(Repairs, F12_EachRepairWaitsLongerThanTheOneBefore) {
  Repairs repairs;
  EXPECT_EQ(repairs.take_pause(), kBurst);
  EXPECT_EQ(repairs.take_pause(), kPauseGrowth * kBurst);
  EXPECT_EQ(repairs.take_pause(), kPauseGrowth * kPauseGrowth * kBurst);
}

BridgeFacts serving() { return {.bridges = true, .keeps_mac = true, .detection_time = 600us}; }

constexpr Switchover kFailover{.from = 0, .to = 1, .cause = Cause::HeartbeatLost};

TEST(Bridging, F8_TheMoveWaitsTwoDetectionTimesWhileTheKernelBridges) {
  EXPECT_EQ(wait_before_move(serving(), kFailover, 0ns), 1200us);
  BridgeFacts slow = serving();
  slow.detection_time = 50ms;
  EXPECT_EQ(wait_before_move(slow, kFailover, 0ns), kLongestBridge);
  slow.detection_time = 3s;
  EXPECT_EQ(wait_before_move(slow, kFailover, 0ns), kLongestBridge);
}

TEST(Bridging, M10_TheMoveWaitsLongerForAnAnswerThatALimitHoldsBack) {
  BridgeFacts facts = serving();
  facts.may_be_policed = true;
  EXPECT_EQ(wait_before_move(facts, kFailover, 0ns), kBridgedAnswer);
  Switchover unplugged = kFailover;
  unplugged.cause = Cause::CarrierLost;
  EXPECT_EQ(wait_before_move(facts, unplugged, 0ns), 1200us);
  facts.bridges = false;
  EXPECT_EQ(wait_before_move(facts, kFailover, 0ns), 0ns) << "nothing covers the time";
}

TEST(Bridging, F12_TheMoveWaitsForNoBridgeThatDoesNotServe) {
  const auto at_once = [](void (*change)(BridgeFacts&)) {
    BridgeFacts facts = serving();
    change(facts);
    return wait_before_move(facts, kFailover, 0ns) == 0ns;
  };
  EXPECT_TRUE(at_once([](BridgeFacts& facts) { facts.bridges = false; }));
  EXPECT_TRUE(at_once([](BridgeFacts& facts) { facts.from_present = false; }));
  EXPECT_TRUE(at_once([](BridgeFacts& facts) { facts.keeps_mac = false; }));
}

TEST(Bridging, F5_TheBridgeDoesNotServeWhereTheHostLeavesAPortWithoutCarrier) {
  BridgeFacts facts = serving();
  facts.left_without_carrier = true;
  EXPECT_TRUE(bridge_serves(facts, Cause::HeartbeatLost));
  EXPECT_FALSE(bridge_serves(facts, Cause::CarrierLost));
  facts.left_without_carrier = false;
  EXPECT_TRUE(bridge_serves(facts, Cause::CarrierLost));
}

TEST(Bridging, A2_APlannedSwitchNeverWaits) {
  Switchover manual = kFailover;
  for (const Cause cause : {Cause::Manual, Cause::Failback, Cause::PeerElsewhere}) {
    manual.cause = cause;
    EXPECT_EQ(wait_before_move(serving(), manual, 7s), 0ns);
  }
}

TEST(Bridging, F7_AConfiguredDelayHoldsBackAFailoverAndNoChangeWithinATrunk) {
  EXPECT_EQ(wait_before_move(serving(), kFailover, 7s), 7s);
  Switchover within = kFailover;
  within.to = within.from;
  EXPECT_EQ(wait_before_move(serving(), within, 7s), 1200us);
}

CardAwaited awaited(const std::string& name, const std::string& mac, const std::string& slot) {
  return {.name = name, .number = 4, .mac = mac, .bus_path = slot};
}

TEST(Cards, F10_ACardIsKnownAgainByItsNameOrItsMacAddress) {
  const std::array ports{awaited("eth0", "02:00:00:00:00:01", "0000:01:00.0"),
                         awaited("eth1", "02:00:00:00:00:02", "0000:02:00.0")};
  CardSeen seen{.name = "eth1", .number = 9, .mac = "02:00:00:00:00:07", .bus_path = {}};
  EXPECT_EQ(port_of_card(ports, seen), 1U);
  seen = {.name = "ens7", .number = 9, .mac = "02:00:00:00:00:01", .bus_path = {}};
  EXPECT_EQ(port_of_card(ports, seen), 0U);
  seen.is_card = false;
  EXPECT_EQ(port_of_card(ports, seen), std::nullopt) << "a VLAN borrows the MAC address";
}

TEST(Cards, F10_AnotherCardInItsSlotReplacesIt) {
  std::array ports{awaited("eth0", "02:00:00:00:00:01", "0000:01:00.0"),
                   awaited("eth1", "02:00:00:00:00:02", "0000:02:00.0")};
  CardSeen seen{
      .name = "ens7", .number = 9, .mac = "02:00:00:00:00:07", .bus_path = "0000:02:00.0"};
  EXPECT_EQ(port_of_card(ports, seen), 1U);
  seen.number = 3;
  EXPECT_EQ(port_of_card(ports, seen), std::nullopt) << "it was there all the time";
  seen.number = 4;
  EXPECT_EQ(port_of_card(ports, seen), std::nullopt) << "it is the card that was there";
  seen.number = 9;
  ports[1].is_awaited = false;
  EXPECT_EQ(port_of_card(ports, seen), std::nullopt);
  ports[1].is_awaited = true;
  ports[1].bus_path = seen.bus_path = "";
  EXPECT_EQ(port_of_card(ports, seen), std::nullopt) << "no slot is not the same slot";
}

TEST(Cards, F10_TheCardItselfIsNoOtherPortsReplacement) {
  const std::array ports{awaited("eth0", "02:00:00:00:00:01", "0000:01:00.0"),
                         awaited("eth1", "02:00:00:00:00:02", "0000:02:00.0")};
  const CardSeen seen{
      .name = "ens7", .number = 9, .mac = "02:00:00:00:00:02", .bus_path = "0000:01:00.0"};
  EXPECT_EQ(port_of_card(ports, seen), 1U);
}

TEST(TwinVlans, F2_AVlanThatAnyPortLacksHasNoTwin) {
  const std::array<Tags, 3> others{Tags{5, 7}, Tags{7, 5, 9}, Tags{9, 7}};
  EXPECT_EQ(tags_without_twin({5, 7, 9}, others), (Tags{5, 9}));
  EXPECT_EQ(tags_without_twin({}, others), Tags{});
  EXPECT_EQ(tags_without_twin({5}, {}), Tags{}) << "there is no other port";
}

template <typename Enum>
void expect_a_word_for_each(std::initializer_list<Enum> values) {
  std::set<std::string_view> words;
  for (const Enum value : values) {
    EXPECT_NE(to_text(value), "?");
    EXPECT_TRUE(words.insert(to_text(value)).second) << "said twice: " << to_text(value);
  }
}

TEST(Words, O4_EveryStateAndCauseHasAWordOfItsOwn) {
  const std::initializer_list<Cause> causes{
      Cause::HeartbeatLost, Cause::CarrierLost, Cause::AdminDown,    Cause::InterfaceGone,
      Cause::Manual,        Cause::Failback,    Cause::PeerElsewhere};
  expect_a_word_for_each(causes);
  std::set<std::string_view> rules;
  for (const Cause cause : causes) EXPECT_TRUE(rules.insert(rule_of(cause)).second);
  expect_a_word_for_each({Failback::Never, Failback::Failure, Failback::Better, Failback::Always});
  expect_a_word_for_each({Health::Unknown, Health::Up, Health::Down});
  expect_a_word_for_each({DownReason::None, DownReason::TakenOut, DownReason::InterfaceGone,
                          DownReason::AdminDown, DownReason::CarrierLost,
                          DownReason::HeartbeatLost});
  expect_a_word_for_each(
      {SessionState::Unknown, SessionState::Up, SessionState::Down, SessionState::Paused});
  expect_a_word_for_each(
      {PeerClaim::Unknown, PeerClaim::Elsewhere, PeerClaim::Here, PeerClaim::HereByHand});
}

}  // namespace
}  // namespace hanet::policy
