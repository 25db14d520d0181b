// SPDX-License-Identifier: Apache-2.0
//
// The history's file: what is in it after a restart, how much, and what a damaged one does (O10).
#include "daemon/kept_history.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

namespace hanet::daemon {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kNow{1h};

class KeptHistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hanet-history-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::filesystem::path file() const { return directory_ / "history"; }
  [[nodiscard]] std::string content() const {
    std::ifstream stream(file());
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  /// Takes the file's place, with the rights that it had.
  void write(const std::string& bytes) const { std::ofstream(file(), std::ios::trunc) << bytes; }

  static group::Notice notice(const std::string& event, const std::string& text) {
    return {.at = kNow,
            .wall_time = {},
            .event = event,
            .group = "mether0",
            .path = "p0",
            .text = text};
  }
  void add_switchovers(int count) {
    for (int i = 0; i < count; ++i) {
      failover::SwitchoverRecord record;
      record.group = "mether0";
      history_.add(std::move(record));
    }
  }
  /// One switchover and one alarm, kept in the file.
  void keep_one_of_each() {
    KeptHistory kept(directory_);
    ASSERT_TRUE(kept.load());
    add_switchovers(1);
    kept.hear(notice("alarm", "NO WORKING PATH"));
    kept.follow(history_, kNow);
    kept.finish();
  }
  /// Why the file that is there is not used; "" if it is.
  std::string refusal() {
    KeptHistory kept(directory_);
    const Status loaded = kept.load();
    EXPECT_EQ(kept.records().switchovers.empty(), !loaded.has_value());
    return loaded ? "" : loaded.error().message;
  }

  std::filesystem::path directory_;
  failover::History history_;
};

TEST_F(KeptHistoryTest, O10_TheNextHanetdKnowsSwitchoversAndAlarmsAndGoesOnCounting) {
  keep_one_of_each();
  KeptHistory next(directory_);
  ASSERT_TRUE(next.load());
  ASSERT_EQ(next.records().switchovers.size(), 1U);
  EXPECT_EQ(next.records().switchovers.front().at("number"), 1);
  ASSERT_EQ(next.records().alarms.size(), 1U);
  EXPECT_EQ(next.records().alarms.front().at("text"), "NO WORKING PATH");
  failover::History fresh;
  fresh.number_from(next.records().last_number);
  fresh.add({});
  next.follow(fresh, kNow);
  EXPECT_EQ(next.records().switchovers.back().at("number"), 2);
}

TEST_F(KeptHistoryTest, O10_OnlyAlarmsAreKeptOfWhatIsTold) {
  KeptHistory kept(directory_);
  for (const char* event : {"alarm", "path-down", "alarm-cleared", "switchover", "set"})
    kept.hear(notice(event, event));
  ASSERT_EQ(kept.records().alarms.size(), 2U);
  EXPECT_EQ(kept.records().alarms.back().at("event"), "alarm-cleared");
}

TEST_F(KeptHistoryTest, O10_TheFileIsWrittenAWhileLaterAndOnce) {
  KeptHistory kept(directory_);
  add_switchovers(1);
  kept.follow(history_, kNow);
  kept.tick(kNow);
  EXPECT_FALSE(std::filesystem::exists(file())) << "a switchover may go on";
  kept.tick(kNow + 1s);
  for (int look = 0; look < 3000 && !std::filesystem::exists(file()); ++look)
    std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(std::filesystem::exists(file()));
  std::filesystem::remove(file());
  kept.follow(history_, kNow + 2s);
  kept.tick(kNow + 3s);
  kept.finish();
  EXPECT_FALSE(std::filesystem::exists(file())) << "nothing is new";
}

TEST_F(KeptHistoryTest, O10_ItIsBoundedAndForgetsTheOldestFirst) {
  KeptHistory kept(directory_);
  for (int i = 0; i < 300; ++i) {
    add_switchovers(1);
    kept.follow(history_, kNow);
    kept.hear(notice("alarm", std::to_string(i)));
  }
  EXPECT_EQ(kept.records().switchovers.size(), 64U);
  EXPECT_EQ(kept.records().switchovers.front().at("number"), 237);
  EXPECT_EQ(kept.records().alarms.size(), 256U);
  EXPECT_EQ(kept.records().alarms.front().at("text"), "44");
}

TEST_F(KeptHistoryTest, O10_AnAlarmWithoutEndDoesNotFillTheDirectory) {
  KeptHistory kept(directory_);
  for (int i = 0; i < 20; ++i)
    kept.hear(notice("alarm", fmt::format("{} {}", i, std::string(100'000, 'x'))));
  kept.finish();
  EXPECT_LE(std::filesystem::file_size(file()), std::size_t{1} << 20);
  KeptHistory next(directory_);
  ASSERT_TRUE(next.load());
  EXPECT_TRUE(next.records().alarms.back().at("text").get<std::string>().starts_with("19 "));
}

TEST_F(KeptHistoryTest, O10_ADamagedFileIsSaidAndIgnoredAndWrittenAnew) {
  keep_one_of_each();
  const std::string whole = content();
  const std::string because = "the history " + file().string() + " is not used: it is damaged";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write(whole.substr(0, length));
    ASSERT_EQ(refusal(), because) << "cut off at " << length;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    write(flipped);
    ASSERT_EQ(refusal(), because) << "bit of byte " << at;
  }
  KeptHistory kept(directory_);
  EXPECT_FALSE(kept.load());
  kept.follow(history_, kNow);
  kept.finish();
  EXPECT_EQ(refusal(), "");
}

TEST_F(KeptHistoryTest, S5_AFileThatSomebodyElseMayHaveWrittenIsNotUsed) {
  keep_one_of_each();
  ASSERT_EQ(::chmod(file().c_str(), 0666), 0);
  EXPECT_TRUE(refusal().ends_with("somebody else may have written it"));
  std::filesystem::rename(file(), directory_ / "elsewhere");
  ASSERT_EQ(::chmod((directory_ / "elsewhere").c_str(), 0600), 0);
  std::filesystem::create_symlink(directory_ / "elsewhere", file());
  EXPECT_NE(refusal(), "") << "a symbolic link leads anywhere";
}

}  // namespace
}  // namespace hanet::daemon
