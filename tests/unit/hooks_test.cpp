// SPDX-License-Identifier: Apache-2.0
//
// Programs of others that are run for each event (spec O5): what they are given, which are run, and
// that none can do more than its time and its few kilobytes of log allow.
#include "daemon/hooks.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "daemon/journal.h"

namespace hanet::daemon {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Json event(const std::string& kind = "switchover") {
  return {{"at_ns", 1'234'567'000},
          {"wall_time", "2026-01-02T03:04:05"},
          {"event", kind},
          {"group", "mether0"},
          {"path", "p1"},
          {"text", "p0 to p1"},
          {"facts", {{"cause", "heartbeat lost"}, {"moved_us", "812"}}}};
}

class HooksTest : public testing::Test {
 protected:
  void SetUp() override {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
    std::string name = std::filesystem::temp_directory_path() / "hanet-hooks-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::filesystem::create_directory(hooks());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::filesystem::path hooks() const { return directory_ / "hooks.d"; }
  [[nodiscard]] std::filesystem::path output() const { return directory_ / "output"; }
  void write(const std::string& name, const std::string& script, mode_t mode = 0755) {
    const std::filesystem::path file = hooks() / name;
    std::ofstream(file) << "#!/bin/sh\nout=" << output().string() << "\n" << script << "\n";
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
  }
  [[nodiscard]] std::string written() const {
    std::ifstream stream(output());
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  /// Until nothing runs and nothing waits.
  static void run(Hooks& hooks) {
    const MonotonicTime patience = monotonic_now() + std::chrono::seconds(120);
    hooks.tick(monotonic_now());
    while (hooks.process() >= 0 || hooks.next_deadline()) {
      ASSERT_LT(monotonic_now(), patience) << "the hooks did not come to an end";
      std::array<pollfd, 2> wanted{{{.fd = hooks.process(), .events = POLLIN, .revents = 0},
                                    {.fd = hooks.output(), .events = POLLIN, .revents = 0}}};
      ::poll(wanted.data(), wanted.size(), 10);
      hooks.tick(monotonic_now());
    }
  }
  std::string run_for(const Json& what,
                      std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    testing::internal::CaptureStderr();
    {
      Hooks all(hooks(), limit);
      all.add(what);
      run(all);
    }
    return testing::internal::GetCapturedStderr();
  }

  std::filesystem::path directory_;
};

TEST_F(HooksTest, O5_AHookIsToldTheEventInItsEnvironmentAndWholeOnItsInput) {
  write("tell",
        "echo \"$HANET_EVENT $HANET_GROUP $HANET_PATH $HANET_CAUSE $HANET_MOVED_US\" >$out\n"
        "cat >>$out");
  EXPECT_THAT(run_for(event()), IsEmpty());
  const std::string said = written();
  const std::size_t end = said.find('\n');
  EXPECT_EQ(said.substr(0, end), "switchover mether0 p1 heartbeat lost 812");
  EXPECT_EQ(Json::parse(said.substr(end + 1)), event());
}

TEST_F(HooksTest, O5_TheyRunOneAfterTheOtherInTheOrderOfTheirNames) {
  write("20-second", "echo second >>$out");
  write("10-first", "sleep 0.1; echo first >>$out");
  write("30.third", "echo third >>$out");
  EXPECT_THAT(run_for(event()), IsEmpty());
  EXPECT_EQ(written(), "first\nsecond\nthird\n");
}

TEST_F(HooksTest, O5_S5_WhatOthersThanRootMayWriteToIsNotRunAndSaid) {
  write("open", "echo open >>$out", 0777);
  write("group", "echo group >>$out", 0775);
  write("not-executable", "echo plain >>$out", 0644);
  write("good", "echo good >>$out");
  const std::string said = run_for(event());
  EXPECT_EQ(written(), "good\n");
  EXPECT_THAT(said, HasSubstr("open is not run: others than root may write to it"));
  EXPECT_THAT(said, HasSubstr("group is not run: others than root may write to it"));
  EXPECT_THAT(said, HasSubstr("not-executable is not run: it is not executable"));
}

TEST_F(HooksTest, O5_S5_NoneIsRunFromADirectoryThatOthersMayWriteTo) {
  write("good", "echo good >>$out");
  ASSERT_EQ(::chmod(hooks().c_str(), 0777), 0);
  EXPECT_THAT(run_for(event()), HasSubstr("no hook is run"));
  EXPECT_EQ(written(), "");
  ASSERT_EQ(::chmod(hooks().c_str(), 0755), 0);
  EXPECT_THAT(run_for(event()), IsEmpty());
  EXPECT_EQ(written(), "good\n") << "the witness";
}

TEST_F(HooksTest, O5_OneThatHangsIsEndedAfterItsTimeWithAllThatItStarted) {
  write("10-hangs", "sleep 1000 & echo $! >$out; sleep 1000");
  write("20-next", "echo next >>$out");
  const std::string said = run_for(event(), std::chrono::milliseconds(300));
  EXPECT_THAT(said, HasSubstr("hook 10-hangs was ended after 300 ms"));
  const std::string lines = written();
  EXPECT_THAT(lines, HasSubstr("next"));
  const pid_t background = static_cast<pid_t>(std::stol(lines));
  ASSERT_GT(background, 0) << "the witness";
  EXPECT_NE(::kill(background, 0), 0) << "what it started still runs";
}

TEST_F(HooksTest, O5_WhatAHookLeavesRunningEndsWithItAlsoOutsideItsProcessGroup) {
  write("leaves", "setsid sleep 1000 & echo $! >$out");
  EXPECT_THAT(run_for(event()), IsEmpty());
  const pid_t background = static_cast<pid_t>(std::stol(written()));
  ASSERT_GT(background, 0) << "the witness";
  EXPECT_NE(::kill(background, 0), 0);
}

TEST_F(HooksTest, O5_OfWhatItPrintsTheFirstKilobytesAreLoggedAndTheRestIsSwallowed) {
  write("loud", "head -c 100000000 /dev/zero | tr '\\0' x; echo done >$out; exit 3");
  const std::string said = run_for(event());
  EXPECT_EQ(written(), "done\n");
  EXPECT_THAT(said, HasSubstr("hook loud ended with 3: xxx"));
  EXPECT_THAT(said, HasSubstr("(100000000 bytes)"));
  EXPECT_LT(said.size(), 10'000U);
}

TEST_F(HooksTest, O5_OneThatCrashesOrCanNotBeRunIsToldAndTheNextOneRuns) {
  write("10-crashes", "kill -SEGV $$");
  std::ofstream(hooks() / "20-nonsense") << "#!/does/not/exist\n";
  ASSERT_EQ(::chmod((hooks() / "20-nonsense").c_str(), 0755), 0);
  write("30-next", "echo next >>$out");
  const std::string said = run_for(event());
  EXPECT_THAT(said, HasSubstr("hook 10-crashes was ended by signal 11"));
  EXPECT_THAT(said, HasSubstr("hook 20-nonsense ended with 127: can not be run"));
  EXPECT_EQ(written(), "next\n");
}

TEST_F(HooksTest, O5_EventsWaitForTheHooksAndTheOldestOfManyAreDropped) {
  write("count", "echo $HANET_TEXT >>$out");
  testing::internal::CaptureStderr();
  {
    Hooks all(hooks(), std::chrono::seconds(5));
    for (int number = 0; number < 520; ++number) {
      Json one = event();
      one["text"] = fmt::format("{}", number);
      all.add(one);
    }
    run(all);
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("512 runs behind"));
  const std::string lines = written();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 512);
  EXPECT_TRUE(lines.starts_with("8\n")) << lines.substr(0, 20);
  EXPECT_TRUE(lines.ends_with("519\n"));
}

TEST(HookNames, O5_CopiesOfEditorsAndPackageManagersAreNone) {
  for (const char* name : {"mail", "10-mail", "notify.sh", "A_b"}) EXPECT_TRUE(is_hook_name(name));
  for (const char* name : {"", ".mail", "mail~", "mail.dpkg-old", "mail.rpmsave", "a b", "#mail#"})
    EXPECT_FALSE(is_hook_name(name)) << name;
}

TEST(JournalFields, O5_AnEventHasItsFactsAsFields) {
  const std::vector<std::string> fields = journal_fields(event());
  for (const char* field :
       {"MESSAGE=mether0: p0 to p1", "PRIORITY=5", "GROUP=mether0", "PATH=p1", "EVENT=switchover",
        "CAUSE=heartbeat lost", "MOVED_US=812", "MONOTONIC_US=1234567"})
    EXPECT_THAT(fields, Contains(field));
  EXPECT_THAT(fields, Contains(fmt::format("MESSAGE_ID={}", message_id_of("switchover"))));
  EXPECT_THAT(journal_fields(event("alarm")), Contains("PRIORITY=3"));
}

std::string installed_text(const std::string& name) {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() / "../../tools/install" / name);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// "-- ID" of each text of the catalogue.
std::set<std::string> catalogue_ids() {
  std::istringstream file(installed_text("hanet.catalog"));
  std::set<std::string> ids;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("-- ")) ids.insert(line.substr(3));
  return ids;
}

TEST(JournalFields, O5_EachKindOfEventHasAnIdOfItsOwnAndATextInTheCatalogue) {
  const std::set<std::string> texts = catalogue_ids();
  std::set<std::string> ids;
  for (const MessageId& known : kMessageIds) {
    EXPECT_EQ(known.id.size(), 32U);
    EXPECT_TRUE(ids.insert(std::string(known.id)).second) << known.event;
    EXPECT_TRUE(texts.contains(std::string(known.id))) << known.event;
  }
  EXPECT_EQ(texts, ids);
}

TEST(JournalFields, O5_ASectionThatTheCatalogueNamesIsInTheManual) {
  const std::string catalogue = installed_text("hanet.catalog"),
                    manual = installed_text("hanetd.8");
  const std::regex quoted("\"([^\"]+)\" in hanetd\\(8\\)");
  int named = 0;
  for (std::sregex_iterator at(catalogue.begin(), catalogue.end(), quoted), end; at != end; ++at) {
    const std::string section = (*at)[1];
    EXPECT_TRUE(manual.contains(".Ss " + section + "\n") ||
                manual.contains(".Sh " + section + "\n"))
        << section;
    ++named;
  }
  EXPECT_GT(named, 0) << "the witness";
}

/// The words that an event may be, as hanetctl(1) lists them.
std::set<std::string> events_of_the_manual() {
  std::string text = installed_text("hanetctl.1");
  text.erase(0, text.find(".Li event\nis "));
  text.erase(text.find(".Ss"));
  std::set<std::string> words;
  const std::regex word("[a-z-]+");
  for (std::sregex_iterator at(text.begin(), text.end(), word), end; at != end; ++at)
    words.insert(at->str());
  return words;
}

TEST(JournalFields, O3_TheManualNamesEachKindOfEvent) {
  const std::set<std::string> words = events_of_the_manual();
  for (const std::string_view event : group::kEvents)
    EXPECT_TRUE(words.contains(std::string(event))) << event;
}

}  // namespace
}  // namespace hanet::daemon
