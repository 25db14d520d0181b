// SPDX-License-Identifier: Apache-2.0
//
// What differs between two configurations, and what that needs (spec O8).
//
// A key that is forgotten here would be ignored by a reload without a word. So every key that
// hanet.toml(5) has is changed alone, in a file that uses it, and must be found again.
#include "config/values.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace hanet::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A file of one group; each part may be added to.
struct File {
  std::string group{};
  std::string heartbeat{};
  std::string tables{};
  std::string primary = "\"a\"";
  std::string target = "target = \"192.0.2.1\"\n";
  std::string name = "m";
  [[nodiscard]] std::string text() const {
    return fmt::format(
        "[[group]]\nname = \"{}\"\nprimary = {}\nstandby = \"b\"\n{}\n[group.heartbeat]\n{}{}\n{}",
        name, primary, group, target, heartbeat, tables);
  }
};

ConfigValues values(const std::string& text) {
  const Result<Config> config = parse(text, "f");
  EXPECT_TRUE(config.has_value()) << (config ? "" : config.error().message) << text;
  return config ? values_of(*config) : ConfigValues{};
}

Changes between(const std::string& from, const std::string& to) {
  return changes_between(values(from), values(to));
}

struct Case {
  std::string key;
  std::string from;
  std::string to;
};

std::vector<Case> cases() {
  const auto group = [](const std::string& key, const std::string& from, const std::string& to,
                        const std::string& more = "") {
    return Case{key, File{.group = fmt::format("{} = {}\n{}", key, from, more)}.text(),
                File{.group = fmt::format("{} = {}\n{}", key, to, more)}.text()};
  };
  const auto heartbeat = [](const std::string& key, const std::string& from, const std::string& to,
                            const std::string& more = "") {
    return Case{fmt::format("heartbeat.{}", key),
                File{.heartbeat = fmt::format("{}{} = {}\n", more, key, from)}.text(),
                File{.heartbeat = fmt::format("{}{} = {}\n", more, key, to)}.text()};
  };
  const auto table = [](const std::string& name, const std::string& key, const std::string& from,
                        const std::string& to, const std::string& more,
                        const std::string& primary) {
    const auto file = [&](const std::string& value) {
      return File{.group = more,
                  .tables = fmt::format("[group.{}]\n{} = {}\n", name, key, value),
                  .primary = primary}
          .text();
    };
    return Case{fmt::format("{}.{}", name, key), file(from), file(to)};
  };
  const auto silent = [](const std::string& key, const std::string& more) {
    const auto file = [&](int last) {
      return File{.heartbeat = fmt::format("kind = \"silence\"\n{}{} = \"02:00:00:00:00:0{}\"\n",
                                           more, key, last),
                  .target = ""}
          .text();
    };
    return Case{"heartbeat." + key, file(1), file(2)};
  };
  const std::string datagrams =
      "kind = \"hanet\"\nkey_file = \"/a\"\n"
      "primary_source = \"192.0.2.8\"\nstandby_source = \"192.0.2.9\"\n";
  const std::string cold = "mode = \"cold\"\n";
  const std::string warm = "mode = \"warm\"\n";
  const std::string trunk = "[\"a\", \"c\"]";
  return {
      {"primary", File{}.text(), File{.primary = "\"c\""}.text()},
      group("mode", "\"hot\"", "\"cold\""),
      group("take_over", "false", "true", "mode = \"metanet\"\n"),
      group("bridging", "true", "false"),
      group("restore", "true", "false"),
      group("move_mac", "true", "false"),
      group("enabled", "true", "false"),
      group("on_daemon_loss", "\"steer\"", "\"detect\""),
      group("daemon_loss_ms", "10000", "10001"),
      group("announce_count", "6", "7"),
      group("announce_gap_ms", "100", "101"),
      group("delay_ms", "0", "1"),
      group("delay_enabling", "false", "true", cold + "delay_ms = 5\n"),
      group("cold_retry_ms", "10000", "10001", cold),
      group("capacity", "\"count\"", "\"speed\""),
      table("trunk", "mode", "\"independent\"", "\"static\"", "", trunk),
      table("trunk", "threshold_percent", "50", "51", "", trunk),
      table("failback", "policy", "\"never\"", "\"always\"", "", "\"a\""),
      table("failback", "hold_down_ms", "10000", "10001", "", "\"a\""),
      table("failback", "damping_half_life_ms", "15000", "15001", "", "\"a\""),
      table("warm", "dummy_address", "\"203.0.113.7\"", "\"203.0.113.8\"", warm, "\"a\""),
      table("warm", "dummy_mac", "\"02:00:00:00:00:01\"", "\"02:00:00:00:00:02\"", warm, "\"a\""),
      heartbeat("target_mac", "\"02:00:00:00:00:01\"", "\"02:00:00:00:00:02\""),
      heartbeat("further_targets", "[\"192.0.2.2\"]", "[\"192.0.2.3\"]"),
      heartbeat("key_file", "\"/a\"", "\"/b\"", "kind = \"hanet\"\n"),
      heartbeat("ether_type", "0x88b5", "0x88b6", "kind = \"hanet\"\nkey_file = \"/a\"\n"),
      heartbeat("udp_port", "7", "8", datagrams),
      heartbeat("primary_gateway", "\"192.0.2.5\"", "\"192.0.2.6\"", datagrams + "udp_port = 7\n"),
      heartbeat("standby_gateway", "\"192.0.2.5\"", "\"192.0.2.6\"", datagrams + "udp_port = 7\n"),
      heartbeat("quorum", "1", "2", "further_targets = [\"192.0.2.2\"]\n"),
      heartbeat("both_ends", "true", "false",
                "primary_source = \"192.0.2.8\"\nstandby_source = \"192.0.2.9\"\n"),
      heartbeat("interval_us", "10000", "10001"),
      heartbeat("multiplier", "3", "4"),
      heartbeat("up_count", "3", "4"),
      heartbeat("link_poll_us", "1000", "1001"),
      heartbeat("primary_target", "\"192.0.2.2\"", "\"192.0.2.3\""),
      heartbeat("standby_target", "\"192.0.2.2\"", "\"192.0.2.3\""),
      heartbeat("primary_source", "\"192.0.2.2\"", "\"192.0.2.3\""),
      heartbeat("standby_source", "\"192.0.2.2\"", "\"192.0.2.3\""),
      heartbeat("primary_kind", "\"arp\"", "\"silence\""),
      heartbeat("standby_kind", "\"arp\"", "\"silence\""),
      silent("peer_mac", ""),
      silent("primary_peer_mac", "standby_peer_mac = \"02:00:00:00:00:09\"\n"),
      silent("standby_peer_mac", "primary_peer_mac = \"02:00:00:00:00:09\"\n"),
      heartbeat("primary_target_mac", "\"02:00:00:00:00:01\"", "\"02:00:00:00:00:02\""),
      heartbeat("standby_target_mac", "\"02:00:00:00:00:01\"", "\"02:00:00:00:00:02\""),
  };
}

TEST(Values, O8_EveryKeyThatDiffersIsFound) {
  for (const Case& one : cases()) {
    const Changes changes = between(one.from, one.to);
    ASSERT_EQ(changes.groups.size(), 1U) << one.key;
    std::vector<std::string> keys;
    for (const KeyChange& change : changes.groups.front().keys) keys.push_back(change.key);
    EXPECT_THAT(keys, testing::Contains(one.key));
    EXPECT_TRUE(between(one.from, one.from).is_nothing()) << one.key;
  }
}

// The other way round: no value is told that no case has changed.
TEST(Values, O8_EveryValueIsOfAKeyOfTheFile) {
  // Of what stands in the key file, only what it is called.
  std::vector<std::string> known{"standby", "heartbeat.kind", "heartbeat.target", "heartbeat.keys"};
  for (const Case& one : cases()) known.push_back(one.key);
  const ConfigValues all = values(File{}.text());
  for (const auto& [key, value] : all.groups.front().values)
    EXPECT_THAT(known, testing::Contains(key));
  EXPECT_EQ(all.groups.front().values.size(), known.size());
}

TEST(Values, O8_AGroupThatChangesAtOnceIsNotRestarted) {
  const Changes changes = between(File{}.text(), File{.heartbeat = "multiplier = 5\n"}.text());
  ASSERT_EQ(changes.groups.size(), 1U);
  EXPECT_EQ(changes.groups[0].fate, GroupFate::Changed);
  EXPECT_THAT(changes.groups[0].keys, ElementsAre(KeyChange{"heartbeat.multiplier", "3", "5"}));
}

TEST(Values, O8_OneKeyThatNeedsARestartRestartsTheGroup) {
  const Changes changes = between(
      File{}.text(), File{.group = "bridging = false\n", .heartbeat = "multiplier = 5\n"}.text());
  ASSERT_EQ(changes.groups.size(), 1U);
  EXPECT_EQ(changes.groups[0].fate, GroupFate::Restarted);
  EXPECT_EQ(changes.groups[0].keys.size(), 2U);
}

TEST(Values, O8_GroupsComeAndGoByTheirNames) {
  const std::string one = File{}.text();
  const std::string other =
      "[[group]]\nname = \"n\"\nprimary = \"c\"\nstandby = \"d\"\n[group.heartbeat]\ntarget = "
      "\"192.0.2.1\"\n";
  EXPECT_THAT(between(one, one + other).groups,
              ElementsAre(GroupChange{"n", GroupFate::Added, {}}));
  EXPECT_THAT(between(one + other, one).groups,
              ElementsAre(GroupChange{"n", GroupFate::Removed, {}}));
  EXPECT_THAT(between(one + other, other + one).groups, IsEmpty()) << "their order is no matter";
  const Changes renamed = between(one, File{.name = "z"}.text());
  EXPECT_THAT(renamed.groups, ElementsAre(GroupChange{"m", GroupFate::Removed, {}},
                                          GroupChange{"z", GroupFate::Added, {}}));
}

TEST(Values, O8_TheLogLevelIsOfTheWholeFile) {
  const Changes changes = between(File{}.text(), "daemon.log_level = \"debug\"\n" + File{}.text());
  EXPECT_EQ(changes.log_level, (KeyChange{"daemon.log_level", "info", "debug"}));
  EXPECT_THAT(changes.groups, IsEmpty());
}

}  // namespace
}  // namespace hanet::config
