// SPDX-License-Identifier: Apache-2.0
//
// What a right configuration means, and how a text as a whole can be wrong (O2).
//
// A default is a promise of the manual, so the smallest file is compared with the numbers of
// hanet.toml(5); a complete file is read field by field with values that are no defaults, so that a
// key that is read into the wrong field shows. Single mistakes: config_refusals_test.cpp and
// config_addresses_test.cpp. Files on disk: config_file_test.cpp.
#include "config/config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "config_samples.h"

namespace hanet::config {
namespace {

using namespace std::chrono_literals;
using samples::in_group;
using samples::in_heartbeat;
using samples::in_timing;

/// The error text, or what shows that there was none.
std::string error_of(const Result<Config>& config) {
  return config ? "accepted" : config.error().message;
}

std::string error_of(std::string_view text) { return error_of(parse(text, "f")); }

TEST(Config, O2_TheSmallestFileHasTheDocumentedDefaults) {
  const Result<Config> config = parse(in_heartbeat("target = \"192.0.2.10\""), "f");
  ASSERT_TRUE(config.has_value()) << error_of(config);
  EXPECT_EQ(config->log_level, "info");
  ASSERT_EQ(config->groups.size(), 1U);
  const GroupConfig& group = config->groups[0];
  EXPECT_EQ(group.name, "mether0");
  ASSERT_EQ(group.paths.size(), 2U);
  EXPECT_EQ(group.paths[0].port().interface, "eth0");
  EXPECT_EQ(group.paths[1].port().interface, "eth1");
  for (const PathConfig& path : group.paths) {
    EXPECT_FALSE(path.port().target.has_value());
    EXPECT_FALSE(path.port().source.has_value());
    EXPECT_EQ(group.target_of(path.port()).text(), "192.0.2.10");
  }
  EXPECT_EQ(group.standby_mode, StandbyMode::Hot);
  EXPECT_EQ(group.heartbeat, HeartbeatKind::Arp);
  EXPECT_EQ(group.live.interval, 10'000us);
  EXPECT_EQ(group.live.multiplier, 3U);
  EXPECT_EQ(group.live.up_count, 3U);
  EXPECT_EQ(group.live.link_poll, 1'000us);
  EXPECT_TRUE(group.live.enabled);
  EXPECT_TRUE(group.bridging);
  EXPECT_TRUE(group.move_mac);
  EXPECT_EQ(group.announce_count, 6U);
  EXPECT_EQ(group.announce_gap, 100ms);
  EXPECT_EQ(group.cold_retry, 10'000ms);
}

constexpr std::string_view kFullFile = R"(
[daemon]
log_level = "debug"
[[group]]
name = "front.net-0_a"
primary = "enp129s0f1np123"
standby = "ens5"
mode = "cold"
bridging = false
move_mac = false
announce_count = 60
announce_gap_ms = 10000
cold_retry_ms = 3600000
enabled = false
on_daemon_loss = "release"
daemon_loss_ms = 3600000
[group.heartbeat]
kind = "icmp"
target = "192.0.2.10"
primary_target = "192.0.2.11"
standby_target = "192.0.2.12"
primary_source = "192.0.2.21"
standby_source = "192.0.2.22"
interval_us = 1200000
multiplier = 50
up_count = 1000
link_poll_us = 1000000
[[group]]
name = "back"
primary = "eth2"
standby = "eth3"
bridging = false
[group.heartbeat]
primary_target = "2001:db8::1"
standby_target = "fe80::2"
primary_source = "fe80::1:1"
interval_us = 100
link_poll_us = 50
)";

TEST(Config, O2_ACompleteFileIsReadFieldByField) {
  const Result<Config> config = parse(kFullFile, "f");
  ASSERT_TRUE(config.has_value()) << error_of(config);
  EXPECT_EQ(config->log_level, "debug");
  ASSERT_EQ(config->groups.size(), 2U);
  const GroupConfig& group = config->groups[0];
  EXPECT_EQ(group.name, "front.net-0_a");
  EXPECT_EQ(group.paths[0].port().interface, "enp129s0f1np123");
  EXPECT_EQ(group.paths[1].port().interface, "ens5");
  EXPECT_EQ(group.standby_mode, StandbyMode::Cold);
  EXPECT_FALSE(group.bridging);
  EXPECT_FALSE(group.move_mac);
  EXPECT_EQ(group.announce_count, 60U);
  EXPECT_EQ(group.announce_gap, 10'000ms);
  EXPECT_EQ(group.cold_retry, 3'600'000ms);
  EXPECT_EQ(group.heartbeat, HeartbeatKind::Icmp);
  EXPECT_EQ(group.target.text(), "192.0.2.10");
  EXPECT_EQ(group.target_of(group.paths[0].port()).text(), "192.0.2.11");
  EXPECT_EQ(group.target_of(group.paths[1].port()).text(), "192.0.2.12");
  EXPECT_EQ(group.paths[0].port().source, IpAddress::parse("192.0.2.21"));
  EXPECT_EQ(group.paths[1].port().source, IpAddress::parse("192.0.2.22"));
  EXPECT_EQ(group.live.interval, 1'200'000us);
  EXPECT_EQ(group.live.multiplier, 50U);
  EXPECT_EQ(group.live.up_count, 1000U);
  EXPECT_EQ(group.live.link_poll, 1s);
  EXPECT_FALSE(group.live.enabled);
  EXPECT_EQ(group.live.on_daemon_loss, OnDaemonLoss::Release);
  EXPECT_EQ(group.live.daemon_loss, 1h);
}

TEST(Config, A3_AMetanetworkDeviceBridgesByItselfAndItsPathsAreUp) {
  const std::string file =
      "[[group]]\nname = \"mether0\"\nprimary = \"a\"\nstandby = \"b\"\nmode = \"metanet\"\n"
      "take_over = true\n[group.heartbeat]\ntarget = \"192.0.2.10\"\n";
  const Result<Config> config = parse(file, "f");
  ASSERT_TRUE(config.has_value()) << error_of(config);
  const GroupConfig& group = config->groups.at(0);
  EXPECT_TRUE(group.has_device());
  EXPECT_TRUE(group.take_over);
  EXPECT_TRUE(group.bridging);
  EXPECT_FALSE(group.standby_is_down());
}

TEST(Config, A5_AlternatesComeInOrderWithWhatEachAsks) {
  const std::string file =
      "[[group]]\nname = \"mether0\"\nprimary = \"a\"\nstandby = \"b\"\nstandby2 = [\"c\", \"d\"]\n"
      "mode = \"metanet\"\n[group.heartbeat]\ntarget = \"192.0.2.10\"\n"
      "standby2_target = \"192.0.2.11\"\n";
  const Result<Config> config = parse(file, "f");
  ASSERT_TRUE(config.has_value()) << error_of(config);
  const GroupConfig& group = config->groups.at(0);
  ASSERT_EQ(group.paths.size(), 3U);
  EXPECT_EQ(group.paths[2].ports.size(), 2U);
  EXPECT_EQ(group.target_of(group.paths[1].port()).text(), "192.0.2.10");
  EXPECT_EQ(group.target_of(group.paths[2].port()).text(), "192.0.2.11");
}

TEST(Config, O2_ASecondGroupIsIndependentOfTheFirst) {
  const Result<Config> config = parse(kFullFile, "f");
  ASSERT_TRUE(config.has_value()) << error_of(config);
  const GroupConfig& group = config->groups.at(1);
  EXPECT_EQ(group.name, "back");
  EXPECT_EQ(group.standby_mode, StandbyMode::Hot);
  EXPECT_FALSE(group.bridging);
  EXPECT_TRUE(group.move_mac);
  EXPECT_TRUE(group.live.enabled);
  EXPECT_EQ(group.heartbeat, HeartbeatKind::Arp);
  EXPECT_EQ(group.target_of(group.paths[0].port()).text(), "2001:db8::1");
  EXPECT_EQ(group.target_of(group.paths[1].port()).text(), "fe80::2");
  EXPECT_EQ(group.target, group.target_of(group.paths[0].port())) << "the primary's stands in";
  EXPECT_EQ(group.paths[0].port().source, IpAddress::parse("fe80::1:1"));
  EXPECT_EQ(group.live.interval, 100us);
  EXPECT_EQ(group.live.multiplier, 3U);
  EXPECT_EQ(group.live.link_poll, 50us);
}

TEST(Config, O2_AColdStandbyIsNotBridged) {
  const Result<Config> config = parse(in_group("mode = \"cold\""), "f");
  ASSERT_TRUE(config.has_value()) << error_of(config);
  EXPECT_FALSE(config->groups.at(0).bridging);
  EXPECT_EQ(config->groups.at(0).cold_retry, 10s);
}

TEST(Config, O2_IcmpOverIpv6NeedsNoSource) {
  EXPECT_EQ(error_of(in_heartbeat("kind = \"icmp\"\ntarget = \"2001:db8::1\"")), "accepted");
}

TEST(Config, O2_SixteenGroupsAreAccepted) { EXPECT_EQ(error_of(samples::groups(16)), "accepted"); }

TEST(Config, O2_InlineTablesDottedKeysAndCrLfAreTomlToo) {
  EXPECT_EQ(error_of("group = [\n{ name = \"m\", primary = \"a\", standby = \"b\", "
                     "heartbeat = { target = \"192.0.2.1\" } },\n]\n"),
            "accepted");
  EXPECT_EQ(error_of("[[group]]\r\nname = \"m\"\r\nprimary = \"a\"\r\nstandby = \"b\"\r\n"
                     "heartbeat.target = \"192.0.2.1\"\r\nheartbeat.interval_us = 0x1000\r\n"),
            "accepted");
}

TEST(Config, O2_AllMistakesOfAFileAreReportedInOrderOfTheirLines) {
  EXPECT_EQ(
      error_of("daemon.log_level = \"loud\"\n"
               "[[group]]\n"
               "announce_count = 99\n"
               "primary = \"eth0\"\n"
               "standby = \"eth0\"\n"
               "mod = \"hot\"\n"
               "[[group]]\n"
               "name = \"m\"\n"
               "primary = \"eth1\"\n"
               "standby = \"eth2\"\n"
               "[group.heartbeat]\n"
               "target = \"224.0.0.1\"\n"
               "multiplier = 3.0\n"),
      "f:1: key 'daemon.log_level': found 'loud', allowed: error, warning, notice, info, "
      "debug\n"
      "f:2: key 'group[0].name': missing, allowed: 1 to 15 characters of A-Z a-z 0-9 _ . -, not "
      "hanetd\n"
      "f:2: key 'group[0].heartbeat': missing, allowed: a table [group.heartbeat] with at "
      "least 'target'\n"
      "f:3: key 'group[0].announce_count': found 99, allowed: 0 to 60\n"
      "f:5: key 'group[0].standby': found 'eth0' (used by 'group[0].primary' already), "
      "allowed: an interface that no other path uses\n"
      "f:6: key 'group[0].mod': unknown, allowed: name, primary, standby, mode, bridging, "
      "move_mac, announce_count, announce_gap_ms, cold_retry_ms, delay_ms, enabled, heartbeat, "
      "failback, warm, restore, trunk, capacity, delay_enabling, on_daemon_loss, daemon_loss_ms, "
      "take_over, standby2, standby3, standby4, standby5, standby6, standby7; "
      "did you mean 'mode'?\n"
      "f:12: key 'group[1].heartbeat.target': found '224.0.0.1' (a multicast address), "
      "allowed: the IPv4 or IPv6 address of one host\n"
      "f:13: key 'group[1].heartbeat.multiplier': found the float 3.0, allowed: an integer, "
      "1 to 50");
}

TEST(Config, O2_IcmpWithoutSourcesMissesBoth) {
  constexpr auto kNeeds =
      "missing, allowed: an IPv4 address of this host, because kind 'icmp' needs one per path";
  EXPECT_EQ(error_of(in_timing("kind = \"icmp\"")),
            fmt::format("f:5: key 'group[0].heartbeat.primary_source': {0}\n"
                        "f:5: key 'group[0].heartbeat.standby_source': {0}",
                        kNeeds));
}

TEST(Config, O2_TheThirdUseOfAPortNamesTheFirstToo) {
  const std::string text = samples::group("a", "eth0", "eth1") +
                           samples::group("b", "eth0", "eth2") +
                           samples::group("c", "eth0", "eth3");
  constexpr auto kTwice =
      "found 'eth0' (used by 'group[0].primary' already), allowed: an interface that no other path "
      "uses";
  EXPECT_EQ(error_of(text), fmt::format("f:9: key 'group[1].primary': {0}\n"
                                        "f:15: key 'group[2].primary': {0}",
                                        kTwice));
}

TEST(Config, O2_ASyntaxErrorIsReportedWithItsLine) {
  const std::string_view prefix = ": not TOML: Error while parsing ";
  const auto expect = [prefix](std::string_view text, int line, std::string_view rest) {
    EXPECT_EQ(error_of(text), fmt::format("f:{}{}{}", line, prefix, rest));
  };
  expect("[[group]]\nname = \n", 2, "key-value pair: expected value, saw '\\n'");
  expect("[[group]]\nname = mether0\n", 2, "value: could not determine value type");
  expect("[daemon]\n[daemon]\n", 2, "table header: cannot redefine existing table 'daemon'");
  expect("[[group]]\nname = \"a\"\nname = \"b\"\n", 3,
         "key-value pair: cannot redefine existing string 'name'");
  expect("[[group]\n", 1, "table header: expected ']', saw '\\n'");
  expect("a = 9223372036854775808\n", 1,
         "decimal integer: '9223372036854775808' is not representable in 64 bits");
  expect("a = {\nb = 1 }\n", 1, "inline table: expected key or closing '}', saw '\\n'");
  expect(std::string_view("# \0\n", 4), 1,
         "comment: control characters other than TAB (U+0009) are explicitly prohibited in "
         "comments");
}

TEST(Config, O2_ASyntaxErrorThatUpstreamAssertsOnIsOnlyAMessage) {
  EXPECT_EQ(
      error_of("[[[a]]]\n"),
      "f:1: not TOML: Error while parsing key: expected bare key starting character or string "
      "delimiter, saw '['");
}

TEST(Config, O2_ALineHasALimit) {
  const std::string longest = "#" + std::string(1023, 'x');
  EXPECT_EQ(error_of(samples::groups(1) + longest), "accepted");
  EXPECT_EQ(error_of(samples::groups(1) + longest + "\n"), "accepted");
  EXPECT_EQ(error_of(samples::groups(1) + longest + "x\n"),
            "f:7: found a line of 1025 bytes, allowed: up to 1024");
}

TEST(Config, O2_TheDeepestPossibleTableDoesNotExhaustTheStack) {
  const auto dotted = [] {
    std::string key = "a";
    while (key.size() < 1000) key += ".a";
    return key;
  };
  std::string text = fmt::format("[{0}]\n", dotted());
  for (int i = 0; i < 7; ++i) text += fmt::format("{}=[\n{{", dotted());
  text += "a=1";
  for (int i = 0; i < 7; ++i) text += "}]";
  EXPECT_EQ(error_of(text),
            "f:1: key 'a': unknown, allowed: daemon, group\n"
            "f:1: key 'group': missing, allowed: 1 to 16 [[group]] tables");
  EXPECT_EQ(error_of("a = " + std::string(17, '[')),
            "f:1: not TOML: Error while parsing value: exceeded maximum nested value depth of 16 "
            "(TOML_MAX_NESTED_VALUES)");
}

TEST(Config, O2_ASyntaxErrorCannotSendEscapeSequencesOrASecondMessage) {
  // U+009B is CSI; raw in the file, because toml++ quotes the file as it is written.
  for (const std::string_view line : {"\"a\\nf:9: \u009b2J\" = 1\n", "[\"a\\nf:9: \u009b2J\"]\n"}) {
    const std::string message = error_of(fmt::format("{0}{0}", line));
    EXPECT_TRUE(message.starts_with("f:2: not TOML: ")) << message;
    EXPECT_NE(message.find("cannot redefine existing"), std::string::npos) << message;
    EXPECT_NE(message.find("\\u009b2J"), std::string::npos) << message;
    EXPECT_EQ(message.find("\u009b"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

// The library takes such a character for a space that it does not have (UBSan sees it).
TEST(Config, O2_ACharacterThatTheLibraryDoesNotKnowIsNoSpace) {
  for (const std::string_view character : {"\ufb26", "\ufebb", "\ufefe"}) {
    const std::string message = error_of(fmt::format("[{}daemon]\n", character));
    EXPECT_TRUE(message.starts_with("f:1: not TOML: ")) << message;
  }
}

TEST(Config, O2_AFileInAnotherEncodingIsNamed) {
  EXPECT_EQ(error_of("# netz\nname = \"b\xfc"
                     "ro\"\n"),
            "f:2: found byte 0xfc at byte 10 of the line, allowed: UTF-8");
  EXPECT_EQ(error_of("\xff\xfe[\0"), "f:1: found byte 0xff at byte 1 of the line, allowed: UTF-8");
}

TEST(Config, O2_EveryKindOfIllFormedUtf8IsFound) {
  for (const std::string_view bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_EQ(error_of(fmt::format("#{}", bad)),
              fmt::format("f:1: found byte 0x{:02x} at byte 2 of the line, allowed: UTF-8",
                          static_cast<unsigned char>(bad[0])));
  }
}

TEST(Config, O2_EveryKindOfUtf8IsAccepted) {
  EXPECT_EQ(
      error_of("# \u00e4 \u0800 \ud7ff \ue000 \uffff \U00010000 \U0010ffff\n" + samples::groups(1)),
      "accepted");
}

TEST(Config, O2_TheWordsOfAFileAreTheWordsOfTheOutput) {
  EXPECT_EQ(to_text(HeartbeatKind::Arp), "arp");
  EXPECT_EQ(to_text(HeartbeatKind::Icmp), "icmp");
  EXPECT_EQ(to_text(StandbyMode::Hot), "hot");
  EXPECT_EQ(to_text(StandbyMode::Cold), "cold");
}

}  // namespace
}  // namespace hanet::config
