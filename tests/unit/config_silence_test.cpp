// SPDX-License-Identifier: Apache-2.0
//
// Watching by listening: what a right configuration of it means, and what is refused (M5, O2).
//
// Silence depends on frames that others decide to send, so a configuration that cannot work must
// not be accepted and then say "unknown" for ever.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "config_samples.h"
#include "group/session_setup.h"

namespace hanet::config {
namespace {

using samples::in_heartbeat;

constexpr net::MacAddress kPeer{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc};
constexpr net::MacAddress kProbe{0x02, 0x68, 0x6e, 0, 0, 1};

Config config_of(const std::string& lines) {
  Result<Config> config = parse(in_heartbeat("kind = \"silence\"\n" + lines), "f");
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? std::move(*config) : Config{.log_level = {}, .groups = {GroupConfig{}}};
}

group::SessionPlan plan_of(const GroupConfig& group, std::size_t at) {
  return group::plan_sessions(group, group.paths.at(at).port(), kProbe).front();
}

TEST(ConfigSilence, M5_APeerIsFoundByTheTargetsAddress) {
  const GroupConfig group = config_of("target = \"192.0.2.10\"").groups.at(0);
  EXPECT_EQ(group.heartbeat, HeartbeatKind::Silence);
  EXPECT_TRUE(group.watches_silence());
  for (const std::size_t at : {0U, 1U}) {
    EXPECT_EQ(plan_of(group, at).kind, HANET_HEARTBEAT_SILENCE);
    EXPECT_EQ(plan_of(group, at).peer_mac, std::nullopt);
    EXPECT_EQ(plan_of(group, at).target, IpAddress::parse("192.0.2.10")->bytes);
  }
}

TEST(ConfigSilence, M5_OrIsWrittenAsAMacAddressAndThenNobodyIsAsked) {
  const GroupConfig group = config_of("peer_mac = \"52:54:00:AA:bb:cc\"").groups.at(0);
  for (const std::size_t at : {0U, 1U}) EXPECT_EQ(plan_of(group, at).peer_mac, kPeer);
}

TEST(ConfigSilence, M5_WhatIsWrittenForAPathCountsThere) {
  const GroupConfig one =
      config_of("target = \"192.0.2.10\"\nstandby_peer_mac = \"52:54:00:aa:bb:cc\"").groups.at(0);
  EXPECT_EQ(plan_of(one, 0).peer_mac, std::nullopt);
  EXPECT_EQ(plan_of(one, 1).peer_mac, kPeer);
  const GroupConfig other =
      config_of("peer_mac = \"52:54:00:aa:bb:cc\"\nstandby_target = \"192.0.2.11\"").groups.at(0);
  EXPECT_EQ(plan_of(other, 0).peer_mac, kPeer);
  EXPECT_EQ(plan_of(other, 1).peer_mac, std::nullopt);
  EXPECT_EQ(plan_of(other, 1).target, IpAddress::parse("192.0.2.11")->bytes);
}

TEST(ConfigSilence, M5_EachPathMayHaveAKindOfItsOwn) {
  const GroupConfig group = config_of(
                                "standby_kind = \"icmp\"\ntarget = \"192.0.2.10\"\n"
                                "standby_source = \"192.0.2.2\"\npeer_mac = \"52:54:00:aa:bb:cc\"")
                                .groups.at(0);
  EXPECT_EQ(plan_of(group, 0).kind, HANET_HEARTBEAT_SILENCE);
  EXPECT_EQ(plan_of(group, 0).peer_mac, kPeer);
  EXPECT_EQ(plan_of(group, 1).kind, HANET_HEARTBEAT_ECHO);
  EXPECT_EQ(plan_of(group, 1).peer_mac, std::nullopt);
}

TEST(ConfigSilence, M5_WithoutItNobodyListens) {
  const Result<Config> config = parse(in_heartbeat("target = \"192.0.2.10\""), "f");
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->groups.at(0).watches_silence());
}

struct Refusal {
  std::string name;
  std::string lines;    ///< of [group.heartbeat], from line 6
  std::string message;  ///< after "f:", with "~" for "key 'group[0].heartbeat."
  std::string mode = "hot";
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << "\n" << refusal.lines; }

class RefusedSilence : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedSilence, M5_O2_IsToldFileLineKeyFoundAndAllowed) {
  std::string text = in_heartbeat(GetParam().lines);
  // On the line of the interface before it, so that no number changes.
  if (GetParam().mode != "hot")
    text = "[[group]]\nname = \"mether0\"\nmode = \"" + GetParam().mode +
           "\"\nprimary = \"eth0\"\nstandby = \"eth1\"\nheartbeat = {" + GetParam().lines + "}\n";
  const Result<Config> config = parse(text, "f");
  ASSERT_FALSE(config) << "this was accepted";
  std::string expected = "f:" + GetParam().message;
  expected.replace(expected.find('~'), 1, "key 'group[0].heartbeat.");
  EXPECT_EQ(config.error().message, expected);
}

std::vector<Refusal> refusals() {
  const std::string silence = "kind = \"silence\"\n", target = "target = \"192.0.2.10\"\n";
  const std::string mac = "peer_mac = \"52:54:00:aa:bb:cc\"\n";
  const std::string one_card =
      ", allowed: six pairs of hexadecimal digits with ':' between, of one card (not multicast, "
      "not "
      "all zero)";
  return {
      {"NoPeer", silence,
       "5: ~target': missing, allowed: the IPv4 or IPv6 address of one host, or both "
       "'primary_target' and 'standby_target', or 'peer_mac'"},
      {"APeerForOnePathOnly", silence + "primary_" + mac,
       "5: ~target': missing, allowed: the IPv4 or IPv6 address of one host, or both "
       "'primary_target' and 'standby_target', or 'peer_mac'"},
      {"APeerTwice", silence + target + mac,
       "8: ~peer_mac': found '52:54:00:aa:bb:cc' (and 'target'), allowed: one of the two, because "
       "a "
       "path has one peer"},
      {"APeerTwiceForOnePath",
       silence + target + "standby_" + mac + "standby_target = \"192.0.2.11\"",
       "8: ~standby_peer_mac': found '52:54:00:aa:bb:cc' (and 'standby_target'), allowed: one of "
       "the "
       "two, because a path has one peer"},
      {"ASourceForRequestsThatAreNeverSent", silence + target + "primary_source = \"192.0.2.1\"",
       "8: ~primary_source': found '192.0.2.1', allowed: only where the kind is 'arp', 'icmp' or "
       "'hanet', "
       "because a path of kind 'silence' asks nobody"},
      {"AMacAddressWhereAnAddressIsAsked", target + mac,
       "7: ~peer_mac': found '52:54:00:aa:bb:cc', allowed: only with kind 'silence', because "
       "others "
       "ask an address"},
      {"AMacAddressForThePathThatAsks", silence + target + "standby_kind = \"arp\"\nstandby_" + mac,
       "9: ~standby_peer_mac': found '52:54:00:aa:bb:cc', allowed: only where the kind is "
       "'silence', "
       "because others ask an address"},
      {"AMulticastPeer", silence + "peer_mac = \"01:00:5e:00:00:12\"",
       "7: ~peer_mac': found '01:00:5e:00:00:12'" + one_card},
      {"AShortPeer", silence + "peer_mac = \"52:54:00\"",
       "7: ~peer_mac': found '52:54:00'" + one_card},
      {"ANumberAsPeer", silence + "peer_mac = 7", "7: ~peer_mac': found the integer 7" + one_card},
      {"AnUnknownKindOfAPath", target + "standby_kind = \"ping\"",
       "7: ~standby_kind': found 'ping', allowed: arp, icmp, hanet, silence"},
      {"AColdStandby", "kind = \"silence\", target = \"192.0.2.10\"",
       "6: ~kind': found 'silence', allowed: arp, icmp, hanet, because a cold path is used before "
       "anything "
       "was heard on it",
       "cold"},
      {"AWarmStandby", "primary_kind = \"silence\", target = \"192.0.2.10\"",
       "6: ~primary_kind': found 'silence', allowed: arp, icmp, hanet, because a warm path is used "
       "before "
       "anything was heard on it",
       "warm"},
  };
}

INSTANTIATE_TEST_SUITE_P(Table, RefusedSilence, testing::ValuesIn(refusals()),
                         [](const auto& cell) { return cell.param.name; });

}  // namespace
}  // namespace hanet::config
