// SPDX-License-Identifier: Apache-2.0
//
// Kind "hanet": what a right configuration of it means, and what is refused (M1, S3, O2).
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "config/key_file.h"
#include "config/values.h"
#include "config_samples.h"
#include "group/session_setup.h"

namespace hanet::config {
namespace {

using samples::in_heartbeat;

constexpr net::MacAddress kPeer{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc};
constexpr net::MacAddress kProbe{0x02, 0x68, 0x6e, 0, 0, 1};
const std::string kSigned = "kind = \"hanet\"\nkey_file = \"/etc/hanet/keys\"\n";

GroupConfig group_of(const std::string& lines) {
  Result<Config> config = parse(in_heartbeat(lines), "f");
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? config->groups.at(0) : GroupConfig{};
}

group::SessionPlan plan_of(const GroupConfig& group, std::size_t at) {
  return group::plan_sessions(group, group.paths.at(at).port(), kProbe).front();
}

TEST(ConfigSigned, M1_APeerIsFoundByItsAddress) {
  const GroupConfig group = group_of(kSigned + "target = \"192.0.2.10\"");
  EXPECT_EQ(group.heartbeat, HeartbeatKind::Hanet);
  EXPECT_EQ(to_text(group.heartbeat), "hanet");
  EXPECT_EQ(group.key_file, "/etc/hanet/keys");
  EXPECT_EQ(group.ether_type, 0x88b5);
  EXPECT_TRUE(group.signs());
  for (const std::size_t at : {0U, 1U}) {
    EXPECT_EQ(plan_of(group, at).kind, HANET_HEARTBEAT_HANET);
    EXPECT_EQ(plan_of(group, at).family, AF_INET);
    EXPECT_EQ(plan_of(group, at).peer_mac, std::nullopt);
    EXPECT_TRUE(group.asks_an_address(group.paths.at(at).port()));
  }
}

TEST(ConfigSigned, M1_OrIsAMacAddressAndThenNobodyIsSearchedFor) {
  const GroupConfig group = group_of(kSigned + "target_mac = \"52:54:00:aa:bb:cc\"");
  for (const std::size_t at : {0U, 1U}) {
    EXPECT_EQ(plan_of(group, at).kind, HANET_HEARTBEAT_HANET);
    EXPECT_EQ(plan_of(group, at).family, AF_UNSPEC);
    EXPECT_EQ(plan_of(group, at).peer_mac, kPeer);
    EXPECT_FALSE(group.asks_an_address(group.paths.at(at).port()));
  }
}

TEST(ConfigSigned, M1_EachPathMayHaveAKindAndAPeerOfItsOwn) {
  const GroupConfig group = group_of(
      "standby_kind = \"hanet\"\nkey_file = \"/k\"\ntarget = \"192.0.2.10\"\n"
      "standby_target_mac = \"52:54:00:aa:bb:cc\"");
  EXPECT_EQ(plan_of(group, 0).kind, HANET_HEARTBEAT_NEIGHBOUR);
  EXPECT_EQ(plan_of(group, 1).kind, HANET_HEARTBEAT_HANET);
  EXPECT_TRUE(group.signs());
  EXPECT_FALSE(group_of("target = \"192.0.2.10\"").signs());
}

const std::string kSources = "primary_source = \"192.0.2.251\"\nstandby_source = \"192.0.2.252\"\n";
const std::string kDatagrams = kSigned + "udp_port = 34997\n";

TEST(ConfigSigned, M1_ATargetBehindARouterIsAskedByDatagrams) {
  const GroupConfig group = group_of(kDatagrams + kSources +
                                     "target = \"198.51.100.10\"\ngateway = \"192.0.2.1\"\n"
                                     "standby_gateway = \"192.0.2.2\"");
  for (const std::size_t at : {0U, 1U}) {
    const group::SessionPlan plan = plan_of(group, at);
    EXPECT_EQ(plan.kind, HANET_HEARTBEAT_HANET);
    EXPECT_EQ(plan.udp_port, 34997);
    EXPECT_EQ(plan.target[3], 10);
    EXPECT_EQ(plan.next_hop[3], at + 1) << "whose MAC address is searched for";
    EXPECT_EQ(plan.source[3], 251 + at);
  }
  EXPECT_EQ(plan_of(group_of(kDatagrams + kSources + "target = \"192.0.2.10\""), 0).next_hop[3], 10)
      << "a neighbour";
  EXPECT_EQ(plan_of(group_of(kSigned + "target = \"192.0.2.10\""), 0).udp_port, 0);
}

TEST(ConfigSigned, M1_AnIpv6SourceIsOneThatARouterCanAnswerTo) {
  const std::string global =
      "primary_source = \"2001:db8::251\"\nstandby_source = \"2001:db8::252\"\n";
  const GroupConfig group =
      group_of(kDatagrams + global + "target = \"2001:db8:2::10\"\ngateway = \"fe80::1\"");
  EXPECT_EQ(plan_of(group, 0).source[15], 0x51);
  EXPECT_EQ(plan_of(group, 0).next_hop[0], 0xfe);
}

TEST(ConfigSigned, M1_TheGatewayOfAPathThatSendsNoDatagramsIsNone) {
  const GroupConfig group = group_of(
      "standby_kind = \"hanet\"\nkey_file = \"/k\"\nudp_port = 7\n"
      "primary_target = \"192.0.2.10\"\nstandby_target = \"198.51.100.10\"\n"
      "gateway = \"192.0.2.1\"\nstandby_source = \"192.0.2.252\"");
  EXPECT_EQ(group.paths[0].port().gateway, std::nullopt);
  EXPECT_EQ(plan_of(group, 1).next_hop[3], 1);
}

TEST(ConfigSigned, S3_O8_OtherKeysAreAChangeThatNeedsNoRestartAndShowsNone) {
  GroupConfig group = group_of(kSigned + "target = \"192.0.2.10\"");
  group.keys = *parse_keys("000102030405060708090a0b0c0d0e0f", "k");
  EXPECT_EQ(values_of(group).at("heartbeat.keys"), "dd0e0e31");
  EXPECT_EQ(values_of(group).at("heartbeat.key_file"), "/etc/hanet/keys");
  GroupConfig other = group;
  other.keys = *parse_keys("11111111111111111111111111111111", "k");
  const Changes changes = changes_between({.log_level = {}, .groups = {{"m", values_of(group)}}},
                                          {.log_level = {}, .groups = {{"m", values_of(other)}}});
  ASSERT_EQ(changes.groups.size(), 1U);
  EXPECT_EQ(changes.groups[0].fate, GroupFate::Changed);
  EXPECT_EQ(changes.groups[0].keys.at(0).key, "heartbeat.keys");
}

struct Refusal {
  std::string name;
  std::string lines;    ///< of [group.heartbeat], from line 6
  std::string message;  ///< after "f:", with "~" for "key 'group[0].heartbeat."
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << "\n" << refusal.lines; }

class RefusedSigned : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedSigned, S3_O2_IsToldFileLineKeyFoundAndAllowed) {
  const Result<Config> config = parse(in_heartbeat(GetParam().lines), "f");
  ASSERT_FALSE(config) << "this was accepted";
  std::string expected = "f:" + GetParam().message;
  expected.replace(expected.find('~'), 1, "key 'group[0].heartbeat.");
  EXPECT_EQ(config.error().message, expected);
}

const std::string kTarget = "target = \"192.0.2.10\"\n";

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedSigned,
    testing::Values(
        Refusal{"WithoutAKeyFile", kTarget + "kind = \"hanet\"",
                "5: ~key_file': missing, allowed: the absolute path of a file with 1 or 2 keys "
                "(hanet.toml(5)), because kind 'hanet' is signed"},
        Refusal{"RelativeKeyFile", kTarget + "kind = \"hanet\"\nkey_file = \"keys\"",
                "8: ~key_file': found 'keys', allowed: the absolute path of a file with 1 or 2 "
                "keys (hanet.toml(5))"},
        Refusal{"KeyFileIsNoText", kTarget + "kind = \"hanet\"\nkey_file = 7",
                "8: ~key_file': found the integer 7, allowed: the absolute path of a file with 1 "
                "or 2 keys (hanet.toml(5))"},
        Refusal{"EtherTypeOfAnotherProtocol", kTarget + kSigned + "ether_type = 0x86dd",
                "9: ~ether_type': found 0x86dd, allowed: a type that no other protocol of the "
                "host has, such as 0x88b5"},
        Refusal{"EtherTypeThatIsALength", kTarget + kSigned + "ether_type = 1500",
                "9: ~ether_type': found 1500, allowed: 1536 to 65535"},
        Refusal{"EtherTypeOfAnotherKind", kTarget + "ether_type = 0x88b6",
                "7: ~ether_type': found 0x88b6, allowed: only with kind 'hanet', because no other "
                "has frames of its own"},
        Refusal{"KeyFileOfAnotherKind", kTarget + "key_file = \"/k\"",
                "7: ~key_file': found '/k', allowed: only with kind 'hanet', because no other is "
                "signed"},
        Refusal{"NoTarget", kSigned,
                "5: ~target': missing, allowed: the IPv4 or IPv6 address of one host, or both "
                "'primary_target' and 'standby_target', or 'target_mac'"},
        Refusal{"SourceWithoutATargetAddress",
                kSigned + "target_mac = \"52:54:00:aa:bb:cc\"\nprimary_source = \"192.0.2.9\"",
                "9: ~primary_source': found '192.0.2.9', allowed: only with a target address, "
                "because a MAC address is not searched for"},
        Refusal{"DatagramsOfAnotherKind", kTarget + "udp_port = 7",
                "7: ~udp_port': found 7, allowed: only with kind 'hanet', because no other is sent "
                "as datagrams"},
        Refusal{"DatagramsToPort0",
                kTarget + kSigned + kSources + "udp_port = 0\ngateway = \"192.0.2.1\"",
                "11: ~udp_port': found 0, allowed: 1 to 65535"},
        Refusal{"DatagramsAndFrames", kTarget + kDatagrams + kSources + "ether_type = 0x88b6",
                "9: ~udp_port': found 34997 (and 'ether_type'), allowed: one of the two, because a "
                "heartbeat is a frame or a datagram"},
        Refusal{"DatagramsWithoutASource",
                kTarget + kDatagrams + "primary_source = \"192.0.2.251\"",
                "5: ~standby_source': missing, allowed: an address of this host, because a "
                "datagram is answered to one"},
        Refusal{"DatagramsToAMacAddress",
                kDatagrams + "primary_source = \"192.0.2.251\"\nstandby_target = "
                             "\"192.0.2.10\"\nstandby_source = \"192.0.2.252\"\n"
                             "primary_target_mac = \"52:54:00:aa:bb:cc\"",
                "5: ~primary_target': missing, allowed: an address beside the MAC address, because "
                "a datagram goes to one"},
        Refusal{"GatewayOfFrames", kTarget + kSigned + "gateway = \"192.0.2.1\"",
                "9: ~gateway': found an address, allowed: only with 'udp_port', because nothing "
                "else is sent on by a router"},
        Refusal{"GatewayOfAPathWithFrames", kTarget + kSigned + "primary_gateway = \"192.0.2.1\"",
                "9: ~primary_gateway': found '192.0.2.1', allowed: only with 'udp_port', because "
                "nothing else is sent on by a router"},
        Refusal{"GatewayOfAnotherFamily", kTarget + kDatagrams + kSources + "gateway = \"fe80::1\"",
                "12: ~gateway': found 'fe80::1', allowed: an address of the target's family, as "
                "'192.0.2.10'"},
        Refusal{"GatewayIsTheSource", kTarget + kDatagrams + kSources + "gateway = \"192.0.2.251\"",
                "12: ~gateway': found '192.0.2.251' (also a source), allowed: an address of "
                "another host"},
        Refusal{
            "GatewayIsASourceOfTheOtherPath",
            kTarget + kDatagrams + kSources + "primary_gateway = \"192.0.2.252\"",
            "12: ~primary_gateway': found '192.0.2.252' (also a source), allowed: an address of "
            "another host"},
        Refusal{"TargetOfTheLinkBehindARouter",
                kDatagrams + "target = \"fe80::10\"\ngateway = \"2001:db8::1\"\n"
                             "primary_source = \"2001:db8::2\"\nstandby_source = "
                             "\"2001:db8::3\"",
                "10: ~gateway': found '2001:db8::1', allowed: only for a target that is not of the "
                "link, as 'fe80::10' is"},
        Refusal{"SourceOfTheLinkBehindARouter",
                kDatagrams + "target = \"2001:db8:2::10\"\ngateway = \"fe80::1\"\n"
                             "primary_source = \"fe80::2\"\nstandby_source = \"2001:db8::2\"",
                "11: ~primary_source': found 'fe80::2', allowed: an address to which the gateway "
                "can send the answers, not one of the link"},
        Refusal{"PeerMac", kSigned + kTarget + "peer_mac = \"52:54:00:aa:bb:cc\"",
                "9: ~peer_mac': found '52:54:00:aa:bb:cc', allowed: only with kind 'silence', "
                "because others ask an address"}),
    [](const auto& cell) { return cell.param.name; });

}  // namespace
}  // namespace hanet::config
