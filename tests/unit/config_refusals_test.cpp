// SPDX-License-Identifier: Apache-2.0
//
// Every way to write a configuration wrong, with the complete message that comes of it (O2).
//
// The message is the product here: it is what somebody reads who has to bring a host back. So each
// case compares the whole text, place included, and with it proves that the one mistake causes one
// message and no other. Cases with several mistakes are in config_test.cpp.
#include <gtest/gtest.h>

#include <cerrno>
#include <ostream>
#include <string>
#include <vector>

#include "config/config.h"
#include "config_samples.h"

namespace hanet::config {
namespace {

using samples::group;
using samples::groups;
using samples::in_group;
using samples::in_heartbeat;
using samples::in_timing;
using samples::warm_group;

struct Refusal {
  std::string name;  ///< completes "refuses ..."
  std::string text;
  std::string message;
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << "\n" << refusal.text; }

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, O2_IsToldFileLineKeyFoundAndAllowed) {
  const Result<Config> config = parse(GetParam().text, "f");
  ASSERT_FALSE(config.has_value()) << "this was accepted";
  EXPECT_EQ(config.error().message, GetParam().message);
  // Without a key there is nothing to do, which is told apart from a mistake.
  EXPECT_EQ(config.error().code, GetParam().text.empty() ? ENODATA : 0);
}

std::string name_of(const testing::TestParamInfo<Refusal>& info) { return info.param.name; }

std::vector<Refusal> structure() {
  return {
      {"AnEmptyFile", "", "f:1: key 'group': missing, allowed: 1 to 16 [[group]] tables"},
      {"AnEmptyListOfGroups", "\ngroup = []\n",
       "f:2: key 'group': found an empty list, allowed: 1 to 16 [[group]] tables"},
      {"AGroupInSingleBrackets", "[group]\nname = \"m\"\n",
       "f:1: key 'group': found a table, allowed: [[group]] with double brackets, once per group"},
      {"ANumberAsGroup", "group = 3\n",
       "f:1: key 'group': found the integer 3, allowed: 1 to 16 [[group]] tables"},
      {"AListOfOtherThingsAsGroups", "group = [\n  \"m\"\n]\n",
       "f:2: key 'group[0]': found the string 'm', allowed: a table"},
      {"ASeventeenthGroup", groups(17),
       "f:97: key 'group[16]': found 17 groups, allowed: 1 to 16 [[group]] tables"},
      {"AnUnknownTable", "[deamon]\n" + groups(1),
       "f:1: key 'deamon': unknown, allowed: daemon, group; did you mean 'daemon'?"},
      {"AnUnknownKeyAtTheTop", "interval_us = 5\n" + groups(1),
       "f:1: key 'interval_us': unknown, allowed: daemon, group"},
      {"AnUnknownKeyOfTheDaemon", "[daemon]\nlog_levels = \"info\"\n" + groups(1),
       "f:2: key 'daemon.log_levels': unknown, allowed: log_level; did you mean 'log_level'?"},
      {"AnUnknownLogLevel", "[daemon]\nlog_level = \"warn\"\n" + groups(1),
       "f:2: key 'daemon.log_level': found 'warn', allowed: error, warning, notice, info, debug"},
      {"ALogLevelAsANumber", "[daemon]\nlog_level = 7\n" + groups(1),
       "f:2: key 'daemon.log_level': found the integer 7, allowed: error, warning, notice, info, "
       "debug"},
      {"ADaemonThatIsNoTable", "daemon = true\n" + groups(1),
       "f:1: key 'daemon': found the boolean true, allowed: a table"},
  };
}

constexpr auto kGroupKeys =
    "allowed: name, primary, standby, mode, bridging, move_mac, announce_count, announce_gap_ms, "
    "cold_retry_ms, delay_ms, enabled, heartbeat, failback, warm, restore, trunk, capacity, "
    "delay_enabling, on_daemon_loss, daemon_loss_ms, take_over, standby2, standby3, "
    "standby4, standby5, standby6, standby7";
constexpr auto kMetaname = "allowed: 1 to 15 characters of A-Z a-z 0-9 _ . -, not hanetd";
constexpr auto kInterface =
    "allowed: an interface name: 1 to 15 characters, no '/', no ':', no white space";
constexpr auto kPorts =
    "allowed: an interface name, or a list of them for a trunk: 1 to 15 characters, no '/', no "
    "':', no white space";

std::vector<Refusal> group_keys() {
  const std::string keys = kGroupKeys;
  return {
      {"AnUnknownKeyOfAGroup", in_group("announce = 3"),
       "f:5: key 'group[0].announce': unknown, " + keys},
      {"AMisspelledKeyOfAGroup", in_group("brigding = true"),
       "f:5: key 'group[0].brigding': unknown, " + keys + "; did you mean 'bridging'?"},
      {"AKeyThatNeedsQuotes", in_group("\"a.b c\" = true"),
       "f:5: key 'group[0].\"a.b c\"': unknown, " + keys},
      {"AKeyWithControlCharacters", in_group("\"a\\u001b[2J\\nf:1:\" = true"),
       "f:5: key 'group[0].\"a\\x1b[2J\\x0af:1:\"': unknown, " + keys},
      {"AnUnknownMode", in_group("mode = \"lukewarm\""),
       "f:5: key 'group[0].mode': found 'lukewarm', allowed: hot, warm, cold, metanet"},
      {"WarmSettingsOfAHotStandby", in_group("warm = {dummy_address = \"203.0.113.9\"}"),
       "f:5: key 'group[0].warm': found a table, allowed: only with mode = \"warm\""},
      {"AMulticastDummyMac",
       in_group("mode = \"warm\"\nwarm = {dummy_mac = \"03:00:00:00:00:01\"}"),
       "f:6: key 'group[0].warm.dummy_mac': found '03:00:00:00:00:01', allowed: six pairs of "
       "hexadecimal digits with ':' between, of one card (not multicast, not all zero)"},
      {"ADummyMacOfFivePairs", in_group("mode = \"warm\"\nwarm = {dummy_mac = \"02:00:00:00:01\"}"),
       "f:6: key 'group[0].warm.dummy_mac': found '02:00:00:00:01', allowed: six pairs of "
       "hexadecimal digits with ':' between, of one card (not multicast, not all zero)"},
      {"ADummyThatIsTheTarget",
       in_group("mode = \"warm\"\nwarm = {dummy_address = \"192.0.2.10\"}"),
       "f:6: key 'group[0].warm.dummy_address': found '192.0.2.10' (an address of the heartbeat), "
       "allowed: an address that nobody has"},
      {"ADummyAddressOfAnotherGroup",
       warm_group("a", "dummy_address = \"203.0.113.9\"") +
           warm_group("b", "dummy_address = \"203.0.113.9\""),
       "f:14: key 'group[1].warm.dummy_address': found '203.0.113.9' (used by "
       "'group[0].warm.dummy_address' already), allowed: a dummy that no other group has"},
      {"ADummyAddressThatAnotherGroupHasByDefault",
       warm_group("a", "dummy_address = \"203.0.113.2\"") +
           warm_group("b", "dummy_mac = \"02:00:00:00:00:01\""),
       "f:13: key 'group[1].mode': found '203.0.113.2' (used by 'group[0].warm.dummy_address' "
       "already), allowed: a dummy that no other group has"},
      {"ADummyMacOfAnotherGroup",
       warm_group("a", "dummy_mac = \"02:00:00:00:00:0A\"") +
           warm_group("b", "dummy_mac = \"02:00:00:00:00:0a\""),
       "f:14: key 'group[1].warm.dummy_mac': found '02:00:00:00:00:0a' (used by "
       "'group[0].warm.dummy_mac' already), allowed: a dummy that no other group has"},
      {"AThirdPathOfAnIdentityThatMoves", in_group("standby2 = \"c\""),
       "f:5: key 'group[0].standby2': found a third path, allowed: only with mode = \"metanet\""},
      {"AFourthPathWithoutAThird", in_group("mode = \"metanet\"\nstandby3 = \"c\""),
       "f:6: key 'group[0].standby3': found a path, allowed: only behind 'standby2'"},
      {"TakingOverWithoutADevice", in_group("take_over = true"),
       "f:5: key 'group[0].take_over': found true, allowed: only with mode = \"metanet\""},
      {"AnIdentityThatNeverMovesWithAMacThatDoes", in_group("mode = \"metanet\"\nmove_mac = true"),
       "f:6: key 'group[0].move_mac': found true, allowed: only with mode = \"hot\", \"warm\" "
       "or "
       "\"cold\", because nothing moves with \"metanet\""},
      {"AnIdentityThatNeverMovesAndIsRestored", in_group("mode = \"metanet\"\nrestore = false"),
       "f:6: key 'group[0].restore': found false, allowed: only with mode = \"hot\", \"warm\" or "
       "\"cold\", because nothing moves with \"metanet\""},
      {"AColdRetryOfADevice", in_group("mode = \"metanet\"\ncold_retry_ms = 1000"),
       "f:6: key 'group[0].cold_retry_ms': found 1000, allowed: only with mode = \"cold\" or "
       "\"warm\""},
      {"AWarmStandbyThatKeepsItsMac", in_group("mode = \"warm\"\nmove_mac = false"),
       "f:6: key 'group[0].move_mac': found false, allowed: true, because a warm standby swaps its "
       "MAC address"},
      {"BridgingOfAWarmStandby", in_group("bridging = true\nmode = \"warm\""),
       "f:5: key 'group[0].bridging': found true, allowed: false, because a warm standby cannot "
       "carry packets at once"},
      {"ADelayOfEnablingAHotStandby", in_group("delay_ms = 100\ndelay_enabling = true"),
       "f:6: key 'group[0].delay_enabling': found true, allowed: false, because it needs mode = "
       "\"cold\" or \"warm\" and a delay_ms above 0"},
      {"ADelayOfEnablingWithoutADelay", in_group("mode = \"cold\"\ndelay_enabling = true"),
       "f:6: key 'group[0].delay_enabling': found true, allowed: false, because it needs mode = "
       "\"cold\" or \"warm\" and a delay_ms above 0"},
      {"AModeInCapitals", in_group("mode = \"Hot\""),
       "f:5: key 'group[0].mode': found 'Hot', allowed: hot, warm, cold, metanet"},
      {"AModeAsABoolean", in_group("mode = true"),
       "f:5: key 'group[0].mode': found the boolean true, allowed: hot, warm, cold, metanet"},
      {"BridgingAsANumber", in_group("bridging = 1"),
       "f:5: key 'group[0].bridging': found the integer 1, allowed: true, false"},
      {"MoveMacAsAString", in_group("move_mac = \"yes\""),
       "f:5: key 'group[0].move_mac': found the string 'yes', allowed: true, false"},
      {"EnabledAsADate", in_group("enabled = 2024-01-01"),
       "f:5: key 'group[0].enabled': found a date or time, allowed: true, false"},
      {"TooManyAnnouncements", in_group("announce_count = 61"),
       "f:5: key 'group[0].announce_count': found 61, allowed: 0 to 60"},
      {"ANegativeCount", in_group("announce_count = -1"),
       "f:5: key 'group[0].announce_count': found -1, allowed: 0 to 60"},
      {"NoGapBetweenAnnouncements", in_group("announce_gap_ms = 0"),
       "f:5: key 'group[0].announce_gap_ms': found 0, allowed: 1 to 10000"},
      {"ALongGapBetweenAnnouncements", in_group("announce_gap_ms = 10001"),
       "f:5: key 'group[0].announce_gap_ms': found 10001, allowed: 1 to 10000"},
      {"AShortColdRetry", in_group("mode = \"cold\"\ncold_retry_ms = 999"),
       "f:6: key 'group[0].cold_retry_ms': found 999, allowed: 1000 to 3600000"},
      {"ALongColdRetry", in_group("mode = \"cold\"\ncold_retry_ms = 3600001"),
       "f:6: key 'group[0].cold_retry_ms': found 3600001, allowed: 1000 to 3600000"},
      {"AColdRetryOfAHotStandby", in_group("cold_retry_ms = 10000"),
       "f:5: key 'group[0].cold_retry_ms': found 10000, allowed: only with mode = \"cold\" or "
       "\"warm\""},
      {"BridgingOfAColdStandby", in_group("bridging = true\nmode = \"cold\""),
       "f:5: key 'group[0].bridging': found true, allowed: false, because a cold standby cannot "
       "carry packets at once"},
      {"ALongDelay", in_group("delay_ms = 60001"),
       "f:5: key 'group[0].delay_ms': found 60001, allowed: 0 to 60000"},
      {"AFailbackThatIsNoTable", in_group("failback = \"always\""),
       "f:5: key 'group[0].failback': found the string 'always', allowed: a table"},
      {"AnUnknownKeyOfAFailback", in_group("failback = {hold_down = 5}"),
       "f:5: key 'group[0].failback.hold_down': unknown, allowed: policy, hold_down_ms, "
       "damping_half_life_ms"},
      {"AnUnknownFailback", in_group("failback = {policy = \"sometimes\"}"),
       "f:5: key 'group[0].failback.policy': found 'sometimes', allowed: never, failure, better, "
       "always"},
      {"AFailbackWithoutHoldDown", in_group("failback = {policy = \"always\", hold_down_ms = 0}"),
       "f:5: key 'group[0].failback.hold_down_ms': found 0, allowed: 100 to 3600000"},
      {"AShortDamping", in_group("failback = {damping_half_life_ms = 99}"),
       "f:5: key 'group[0].failback.damping_half_life_ms': found 99, allowed: 100 to 3600000"},
      {"AFailbackOfAColdStandby", in_group("mode = \"cold\"\nfailback = {policy = \"always\"}"),
       "f:6: key 'group[0].failback.policy': found 'always', allowed: never, failure, because a "
       "cold path is not seen while it is down"},
      {"AMissingHeartbeat", "\n[[group]]\nname = \"m\"\nprimary = \"eth0\"\nstandby = \"eth1\"\n",
       "f:2: key 'group[0].heartbeat': missing, allowed: a table [group.heartbeat] with at least "
       "'target'"},
      {"AHeartbeatThatIsNoTable",
       "[[group]]\nname = \"m\"\nprimary = \"eth0\"\nstandby = \"eth1\"\nheartbeat = \"arp\"\n",
       "f:5: key 'group[0].heartbeat': found the string 'arp', allowed: a table"},
  };
}

std::vector<Refusal> names() {
  const std::string metaname = kMetaname;
  const std::string interface = kInterface;
  return {
      {"AMissingMetaname",
       "[[group]]\nprimary = \"a\"\nstandby = \"b\"\nheartbeat = { target = \"192.0.2.1\" }\n",
       "f:1: key 'group[0].name': missing, " + metaname},
      {"AMissingPrimary",
       "[[group]]\nname = \"a\"\nstandby = \"b\"\nheartbeat = { target = \"192.0.2.1\" }\n",
       std::string("f:1: key 'group[0].primary': missing, ") + kPorts},
      {"AMissingStandby",
       "[[group]]\nname = \"a\"\nprimary = \"b\"\nheartbeat = { target = \"192.0.2.1\" }\n",
       std::string("f:1: key 'group[0].standby': missing, ") + kPorts},
      {"AnEmptyMetaname", group("", "eth0", "eth1"),
       "f:2: key 'group[0].name': found '', " + metaname},
      {"AMetanameOfSixteenCharacters", group("abcdefghijklmnop", "eth0", "eth1"),
       "f:2: key 'group[0].name': found 'abcdefghijklmnop', " + metaname},
      {"AMetanameOfTheService", group("hanetd", "eth0", "eth1"),
       "f:2: key 'group[0].name': found 'hanetd', " + metaname},
      {"AMetanameWithASlash", group("a/b", "eth0", "eth1"),
       "f:2: key 'group[0].name': found 'a/b', " + metaname},
      {"AMetanameOutsideOfAscii", group("netz\u00e4", "eth0", "eth1"),
       "f:2: key 'group[0].name': found 'netz\u00e4', " + metaname},
      {"AMetanameThatIsADirectory", group("..", "eth0", "eth1"),
       "f:2: key 'group[0].name': found '..', " + metaname},
      {"AMetanameThatIsANumber",
       "[[group]]\nname = 0\nprimary = \"a\"\nstandby = \"b\"\nheartbeat.target = \"192.0.2.1\"\n",
       "f:2: key 'group[0].name': found the integer 0, " + metaname},
      {"AnInterfaceOfSixteenCharacters", group("m", "enp129s0f1np1234", "eth1"),
       "f:3: key 'group[0].primary': found 'enp129s0f1np1234', " + interface},
      {"AnEmptyInterface", group("m", "eth0", ""),
       "f:4: key 'group[0].standby': found '', " + interface},
      {"AnInterfaceWithASlash", group("m", "eth/0", "eth1"),
       "f:3: key 'group[0].primary': found 'eth/0', " + interface},
      {"AnInterfaceWithASpace", group("m", "eth0", "eth 1"),
       "f:4: key 'group[0].standby': found 'eth 1', " + interface},
      {"AnInterfaceWithANewline", group("m", "eth0", "eth1\\n"),
       "f:4: key 'group[0].standby': found 'eth1\\x0a', " + interface},
      {"AnAliasInsteadOfAnInterface", group("m", "eth0:1", "eth1"),
       "f:3: key 'group[0].primary': found 'eth0:1', " + interface},
      {"ALongTextShortened", group("m", std::string(70, 'x'), "eth1"),
       "f:3: key 'group[0].primary': found '" + std::string(60, 'x') + "...', " + interface},
      {"OnePortForBothPaths", group("m", "eth0", "eth0"),
       "f:4: key 'group[0].standby': found 'eth0' (used by 'group[0].primary' already), allowed: "
       "an interface that no other path uses"},
      {"OnePortInTwoGroups", group("a", "eth0", "eth1") + group("b", "eth2", "eth0"),
       "f:10: key 'group[1].standby': found 'eth0' (used by 'group[0].primary' already), allowed: "
       "an interface that no other path uses"},
      {"OneMetanameForTwoGroups", group("a", "eth0", "eth1") + group("a", "eth2", "eth3"),
       "f:8: key 'group[1].name': found 'a' (used by 'group[0].name' already), allowed: a name "
       "that no other group has"},
      {"AMetanameThatIsAnInterface", group("eth3", "eth0", "eth1") + group("b", "eth2", "eth3"),
       "f:2: key 'group[0].name': found 'eth3' (the interface of 'group[1].standby'), allowed: a "
       "name that no interface has"},
  };
}

Refusal timing(std::string name, std::string_view line, std::string_view message) {
  return {std::move(name), in_timing(line),
          fmt::format("f:7: key 'group[0].heartbeat.{}", message)};
}

std::vector<Refusal> timings() {
  return {
      timing("AShortInterval", "interval_us = 7",
             "interval_us': found 7, allowed: 100 to 10000000"),
      timing("AnIntervalJustTooShort", "interval_us = 99",
             "interval_us': found 99, allowed: 100 to 10000000"),
      timing("ALongInterval", "interval_us = 10000001",
             "interval_us': found 10000001, allowed: 100 to 10000000"),
      timing("AnIntervalAsAFloat", "interval_us = 10000.0",
             "interval_us': found the float 10000.0, allowed: an integer, 100 to 10000000"),
      timing("AnIntervalAsAString", "interval_us = \"10000\"",
             "interval_us': found the string '10000', allowed: an integer, 100 to 10000000"),
      timing("AnIntervalAsAList", "interval_us = [10000]",
             "interval_us': found a list, allowed: an integer, 100 to 10000000"),
      timing("AHugeInterval", "interval_us = 9223372036854775807",
             "interval_us': found 9223372036854775807, allowed: 100 to 10000000"),
      timing("AMultiplierOfZero", "multiplier = 0", "multiplier': found 0, allowed: 1 to 50"),
      timing("AMultiplierOfFiftyOne", "multiplier = 51", "multiplier': found 51, allowed: 1 to 50"),
      timing("AMultiplierThatWrapsAround", "multiplier = 4294967299",
             "multiplier': found 4294967299, allowed: 1 to 50"),
      timing("AnUpCountOfZero", "up_count = 0", "up_count': found 0, allowed: 1 to 1000"),
      timing("AnUpCountBeyondAThousand", "up_count = 1001",
             "up_count': found 1001, allowed: 1 to 1000"),
      timing("AFastLinkPoll", "link_poll_us = 49",
             "link_poll_us': found 49, allowed: 50 to 1000000"),
      timing("ASlowLinkPoll", "link_poll_us = 1000001",
             "link_poll_us': found 1000001, allowed: 50 to 1000000"),
      timing("AnUnknownKind", "kind = \"bfd\"",
             "kind': found 'bfd', allowed: arp, icmp, hanet, silence"),
      timing("AMisspelledInterval", "intervall_us = 10000",
             "intervall_us': unknown, allowed: kind, target, interval_us, multiplier, up_count, "
             "link_poll_us, peer_mac, both_ends, further_targets, quorum, target_mac, key_file, "
             "ether_type, udp_port, gateway, primary_kind, primary_target, primary_source, "
             "primary_peer_mac, primary_target_mac, primary_gateway, standby_kind, standby_target, "
             "standby_source, standby_peer_mac, standby_target_mac, standby_gateway; did you mean "
             "'interval_us'?"),
      {"ADetectionTimeBeyondAMinute", in_timing("multiplier = 7\ninterval_us = 10000000"),
       "f:8: key 'group[0].heartbeat.interval_us': found 10000000 (with multiplier 7 a detection "
       "time of 70000000 us), allowed: interval_us x multiplier up to 60000000"},
      {"ADetectionTimeJustBeyondAMinute", in_timing("multiplier = 50\ninterval_us = 1200001"),
       "f:8: key 'group[0].heartbeat.interval_us': found 1200001 (with multiplier 50 a detection "
       "time of 60000050 us), allowed: interval_us x multiplier up to 60000000"},
  };
}

/// A group whose primary is a trunk; `lines` begin at line 5.
std::string with_trunk(const std::string& lines, const std::string& heartbeat = "") {
  return "[[group]]\nname = \"m\"\nprimary = [\"eth0\", \"eth1\"]\nstandby = \"eth2\"\n" + lines +
         "\n[group.heartbeat]\ntarget = \"192.0.2.10\"\n" + heartbeat;
}

/// Sixteen groups of 2 x 2 ports have as many as there are; the last one has one more.
std::string one_port_too_many() {
  std::string text;
  const auto list = [](int group, int first, int count) {
    std::string ports;
    for (int at = first; at < first + count; ++at) ports += fmt::format("\"e{}x{}\",", group, at);
    return ports;
  };
  for (int group = 0; group < 16; ++group)
    text += fmt::format(
        "[[group]]\nname = \"m{0}\"\nprimary = [{1}]\nstandby = [{2}]\nheartbeat.target = "
        "\"192.0.2.10\"\n",
        group, list(group, 0, 2), list(group, 2, group == 15 ? 3 : 2));
  return text;
}

std::vector<Refusal> trunks() {
  const std::string ports = kPorts;
  return {
      {"MorePortsThanThereAreInAllGroups", one_port_too_many(),
       "f:79: key 'group[15].standby[2]': found 65 ports in all groups, allowed: up to 64 ports in "
       "all groups"},
      {"AThresholdOfZero", with_trunk("trunk = {threshold_percent = 0}"),
       "f:5: key 'group[0].trunk.threshold_percent': found 0, allowed: 1 to 100"},
      {"AThresholdOfAHundredAndOne", with_trunk("trunk = {threshold_percent = 101}"),
       "f:5: key 'group[0].trunk.threshold_percent': found 101, allowed: 1 to 100"},
      {"AThresholdWithAPercentSign", with_trunk("trunk = {threshold_percent = \"50%\"}"),
       "f:5: key 'group[0].trunk.threshold_percent': found the string '50%', allowed: an integer, "
       "1 to 100"},
      {"AnUnknownTrunkMode", with_trunk("trunk = {mode = \"lacp\"}"),
       "f:5: key 'group[0].trunk.mode': found 'lacp', allowed: independent, static"},
      {"AnUnknownKeyOfATrunk", with_trunk("trunk = {threshold_percen = 50}"),
       "f:5: key 'group[0].trunk.threshold_percen': unknown, allowed: mode, threshold_percent; did "
       "you "
       "mean 'threshold_percent'?"},
      {"TrunkSettingsOfSinglePorts", in_group("trunk = {threshold_percent = 50}"),
       "f:5: key 'group[0].trunk': found a table, allowed: only with a list of interfaces as "
       "'primary' or 'standby'"},
      {"AnUnknownCapacity", with_trunk("capacity = \"mtu\""),
       "f:5: key 'group[0].capacity': found 'mtu', allowed: count, speed"},
      {"ATrunkThatKeepsItsMacs", with_trunk("move_mac = false"),
       "f:5: key 'group[0].move_mac': found false, allowed: true, because a trunk has one MAC "
       "address for its ports"},
      {"BetterBetweenEqualPorts", in_group("failback = {policy = \"better\"}"),
       "f:5: key 'group[0].failback.policy': found 'better', allowed: never, failure, always, "
       "because two single ports are never better than each other with capacity = \"count\""},
      {"BetterWithAColdStandby", with_trunk("mode = \"cold\"\nfailback = {policy = \"better\"}"),
       "f:6: key 'group[0].failback.policy': found 'better', allowed: never, failure, because a "
       "cold path is not seen while it is down"},
      {"ATrunkOfNothing",
       "[[group]]\nname = \"m\"\nprimary = []\nstandby = \"eth2\"\nheartbeat.target = "
       "\"192.0.2.10\"\n",
       "f:3: key 'group[0].primary': found an empty list, " + ports},
      {"ATrunkOfNumbers",
       "[[group]]\nname = \"m\"\nprimary = [\"eth0\",\n1]\nstandby = \"eth2\"\nheartbeat.target = "
       "\"192.0.2.10\"\n",
       "f:4: key 'group[0].primary[1]': found the integer 1, " + ports},
      {"OnePortTwiceInATrunk",
       "[[group]]\nname = \"m\"\nprimary = [\"eth0\", \"eth0\"]\nstandby = "
       "\"eth2\"\nheartbeat.target = \"192.0.2.10\"\n",
       "f:3: key 'group[0].primary[1]': found 'eth0' (used by 'group[0].primary[0]' already), "
       "allowed: an interface that no other path uses"},
      {"OnePortInTwoTrunks",
       "[[group]]\nname = \"m\"\nprimary = [\"eth0\", \"eth1\"]\nstandby = [\"eth2\", "
       "\"eth1\"]\nheartbeat.target = \"192.0.2.10\"\n",
       "f:4: key 'group[0].standby[1]': found 'eth1' (used by 'group[0].primary[1]' already), "
       "allowed: an interface that no other path uses"},
      {"OneSourceForTwoPorts", with_trunk("", "primary_source = \"192.0.2.21\"\n"),
       "f:8: key 'group[0].heartbeat.primary_source': found 1 address, allowed: a list of 2, one "
       "for each port of the path"},
      {"ThreeTargetsForTwoPorts",
       with_trunk("", "primary_target = [\"192.0.2.11\", \"192.0.2.12\", \"192.0.2.13\"]\n"),
       "f:8: key 'group[0].heartbeat.primary_target': found 3 addresses, allowed: a list of 2, one "
       "for each port of the path"},
      {"TheSameSourceTwice", with_trunk("", "primary_source = [\"192.0.2.21\", \"192.0.2.21\"]\n"),
       "f:8: key 'group[0].heartbeat.primary_source[1]': found '192.0.2.21' (also "
       "'primary_source[0]'), allowed: an address that only this path has"},
  };
}

INSTANTIATE_TEST_SUITE_P(Trunks, Refused, testing::ValuesIn(trunks()), name_of);
INSTANTIATE_TEST_SUITE_P(Structure, Refused, testing::ValuesIn(structure()), name_of);
INSTANTIATE_TEST_SUITE_P(Group, Refused, testing::ValuesIn(group_keys()), name_of);
INSTANTIATE_TEST_SUITE_P(Names, Refused, testing::ValuesIn(names()), name_of);
INSTANTIATE_TEST_SUITE_P(Timing, Refused, testing::ValuesIn(timings()), name_of);

}  // namespace
}  // namespace hanet::config
