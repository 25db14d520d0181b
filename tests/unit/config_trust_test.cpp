// SPDX-License-Identifier: Apache-2.0
//
// Whom a configuration believes: the other end, and the target's MAC address (S1, S2, O2).
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "config_samples.h"
#include "group/session_setup.h"

namespace hanet::config {
namespace {

using samples::in_heartbeat;

constexpr net::MacAddress kTargetMac{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc};
constexpr net::MacAddress kProbe{0x02, 0x68, 0x6e, 0, 0, 1};
const std::string kSources = "primary_source = \"192.0.2.1\"\nstandby_source = \"192.0.2.2\"\n";
const std::string kTarget = "target = \"192.0.2.10\"\n";

GroupConfig group_of(const std::string& lines) {
  Result<Config> config = parse(in_heartbeat(lines), "f");
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? config->groups.at(0) : GroupConfig{};
}

std::optional<net::MacAddress> mac_of(const GroupConfig& group, std::size_t at) {
  return group::plan_sessions(group, group.paths.at(at).port(), kProbe).front().peer_mac;
}

TEST(ConfigTrust, S1_AnOtherEndIsOneThatTheFileNames) {
  EXPECT_FALSE(group_of(kTarget + kSources).both_ends) << "probe addresses alone say nothing";
  EXPECT_TRUE(group_of(kTarget + kSources + "both_ends = true").both_ends);
}

TEST(ConfigTrust, S2_AMacAddressHoldsForBothPathsOrForOne) {
  const GroupConfig both = group_of(kTarget + "target_mac = \"52:54:00:AA:bb:cc\"");
  EXPECT_EQ(mac_of(both, 0), kTargetMac);
  EXPECT_EQ(mac_of(both, 1), kTargetMac);
  const GroupConfig one = group_of(kTarget + "standby_target_mac = \"52:54:00:aa:bb:cc\"");
  EXPECT_EQ(mac_of(one, 0), std::nullopt);
  EXPECT_EQ(mac_of(one, 1), kTargetMac);
  const GroupConfig own_target =
      group_of(kTarget + "standby_target = \"192.0.2.11\"\ntarget_mac = \"52:54:00:aa:bb:cc\"");
  EXPECT_EQ(mac_of(own_target, 0), kTargetMac);
  EXPECT_EQ(mac_of(own_target, 1), std::nullopt) << "it belongs to the other target";
}

struct Refusal {
  std::string name;
  std::string lines;
  std::string message;  ///< '~' stands for the path of the table
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class RefusedTrust : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedTrust, O2_IsToldWithLineAndKey) {
  const Result<Config> config = parse(in_heartbeat(GetParam().lines), "f");
  ASSERT_FALSE(config);
  std::string expected = "f:" + GetParam().message;
  expected.replace(expected.find('~'), 1, "key 'group[0].heartbeat.");
  EXPECT_EQ(config.error().message, expected);
}

std::vector<Refusal> refusals() {
  const std::string one_card =
      ", allowed: six pairs of hexadecimal digits with ':' between, of one card (not multicast, "
      "not all zero)";
  return {
      {"AMulticastTarget", kTarget + "target_mac = \"01:00:5e:00:00:12\"",
       "7: ~target_mac': found '01:00:5e:00:00:12'" + one_card},
      {"ATargetOfZeros", kTarget + "primary_target_mac = \"00:00:00:00:00:00\"",
       "7: ~primary_target_mac': found '00:00:00:00:00:00'" + one_card},
      {"ATargetWhereNobodyIsAsked",
       "kind = \"silence\"\n" + kTarget + "target_mac = \"52:54:00:aa:bb:cc\"",
       "8: ~target_mac': found '52:54:00:aa:bb:cc', allowed: only with kind 'arp', 'icmp' or "
       "'hanet'; with "
       "'silence' this is the peer_mac"},
      {"ATargetOfAPathThatAsksNobody",
       "standby_kind = \"silence\"\n" + kTarget + "standby_target_mac = \"52:54:00:aa:bb:cc\"",
       "8: ~standby_target_mac': found '52:54:00:aa:bb:cc', allowed: only where the kind is 'arp', "
       "'icmp' or 'hanet'; where it is 'silence' this is the peer_mac"},
      {"BothEndsWithoutASource", kTarget + "both_ends = true\nstandby_source = \"192.0.2.2\"",
       "5: ~primary_source': missing, allowed: an address of this host, because with both_ends = "
       "true the other end asks for it"},
      {"BothEndsInSilence", "kind = \"silence\"\n" + kTarget + "both_ends = true",
       "8: ~both_ends': found true, allowed: false, because a path of kind 'silence' asks nobody "
       "and gets no answers"},
      {"BothEndsByAWord", kTarget + kSources + "both_ends = \"yes\"",
       "9: ~both_ends': found the string 'yes', allowed: true, false"},
  };
}

INSTANTIATE_TEST_SUITE_P(Table, RefusedTrust, testing::ValuesIn(refusals()),
                         [](const auto& cell) { return cell.param.name; });

}  // namespace
}  // namespace hanet::config
