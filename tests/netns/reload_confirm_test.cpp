// SPDX-License-Identifier: Apache-2.0
//
// A reload that has to be confirmed (spec O8).
//
// What nobody confirms is undone, also where hanetd was killed or started anew meanwhile; a way
// back that can not be kept is no reload at all, and one that can not be taken ends nothing that
// works.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "netns/reload.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;

class ReloadToConfirm : public Reload {};

TEST_F(ReloadToConfirm, O8_WhatNobodyConfirmsIsUndone) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::string before = text();
  write(with(before, "multiplier", "9"));
  ASSERT_EQ(reload({"--confirm", "2"}).exit_code, 0);
  EXPECT_TRUE(await("it is in force", [&] { return kernel_session(0).multiplier == 9; }));
  EXPECT_NE(reload().exit_code, 0) << "one waits already";
  EXPECT_TRUE(await("it is undone", [&] { return kernel_session(0).multiplier == 3; }));
  EXPECT_TRUE(await("it is told", [&] { return host().log().contains("nobody confirmed"); }));
  EXPECT_EQ(host().ctl({"confirm"}).exit_code, 1) << "nothing waits";
  host().kill();
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(kernel_session(0).multiplier, 3U) << "undone is undone";
}

// What takes its place has an address: whoever tried all the same would end a group that works.
TEST_F(ReloadToConfirm, O8_WhatCanNotBeUndoneIsLeftAtWorkAndTriedAgain) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(add_second_ports());
  const std::string before = text();
  write(with(before, "standby", "\"q1\""));
  ASSERT_EQ(reload({"--confirm", "1"}).exit_code, 0);
  ASSERT_DONE(lab().ip("host", "addr add 198.51.100.77/24 dev p1"));
  ASSERT_TRUE(await("it is told", [&] { return host().log().contains("it can not be undone"); }));
  EXPECT_THAT(host().log(), HasSubstr("198.51.100.77/24"));
  EXPECT_THAT(host().log(), HasSubstr("or keep what runs by 'hanetctl confirm'"));
  const std::uint32_t session = kernel_session(0).id;
  const std::uint64_t sent = kernel_session(0).sent;
  ASSERT_DONE(lab().ip("host", "addr del 198.51.100.77/24 dev p1"));
  EXPECT_EQ(kernel_session(0).id, session) << "the group has gone on";
  EXPECT_TRUE(
      await("it is undone", [&] { return host().group().at("paths").dump().contains("\"p1\""); }));
  EXPECT_GT(sent, 0U);
}

TEST_F(ReloadToConfirm, O8_AWayBackThatCanNotRunLeavesTheFile) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(add_second_ports());
  write(with(text(), "standby", "\"q1\""));
  ASSERT_EQ(reload({"--confirm", "600"}).exit_code, 0);
  host().kill();
  ASSERT_DONE(lab().ip("host", "addr add 198.51.100.77/24 dev p1"));
  host().start();
  EXPECT_TRUE(await("the file is taken", [&] {
    return host().log().contains("can not run; " + file().string() + " is taken");
  }));
  EXPECT_TRUE(await("it is at work", [&] { return host().ctl({"status"}).exit_code != 4; }));
  EXPECT_EQ(groups(), std::vector<std::string>{"mether0"});
}

TEST_F(ReloadToConfirm, O8_WhatNobodyConfirmedDoesNotComeBackWithAKillOrARestart) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::string before = text();
  const std::string wanted = with(before, "multiplier", "9");
  write(wanted);
  ASSERT_EQ(reload({"--confirm", "600"}).exit_code, 0);
  ASSERT_TRUE(await("it is in force", [&] { return kernel_session(0).multiplier == 9; }));
  host().kill();
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(kernel_session(0).multiplier, 3U);
  EXPECT_TRUE(await("it is an alarm", [&] {
    return host().ask({"explain"}).at("alarms").dump().contains("so what ran before it runs");
  }));
  EXPECT_EQ(text(), wanted) << "the file is its owner's";
  EXPECT_THAT(host().ctl({"diff"}).out, HasSubstr("3 -> 9"));
  // Whoever restarts it for another reason, an upgrade, has not confirmed anything either.
  ASSERT_EQ(host().stop(), 0);
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(kernel_session(0).multiplier, 3U);
  // A reload is somebody's word.
  ASSERT_EQ(reload().exit_code, 0);
  host().kill();
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(kernel_session(0).multiplier, 9U);
}

TEST_F(ReloadToConfirm, O8_AFileThatWasEditedSinceIsTakenAtTheNextStart) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::string before = text();
  write(with(before, "multiplier", "9"));
  ASSERT_EQ(reload({"--confirm", "600"}).exit_code, 0);
  host().kill();
  write(with(before, "multiplier", "5"));
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(kernel_session(0).multiplier, 5U);
}

TEST_F(ReloadToConfirm, O8_AReloadWhoseWayBackCanNotBeKeptChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  // Where the file would be made.
  std::filesystem::create_directories(host().directory() / "unconfirmed.new" / "in the way");
  write(with(text(), "multiplier", "9"));
  const bench::Output refused = reload({"--confirm", "600"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.error, HasSubstr("the way back can not be kept: "));
  EXPECT_EQ(kernel_session(0).multiplier, 3U);
  EXPECT_EQ(reload().exit_code, 0) << "without a way back it is taken";
  EXPECT_TRUE(await("it is in force", [&] { return kernel_session(0).multiplier == 9; }));
}

TEST_F(ReloadToConfirm, O8_WhatIsConfirmedStays) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  write(with(text(), "multiplier", "9"));
  ASSERT_EQ(reload({"--confirm", "4"}).exit_code, 0);
  ASSERT_EQ(host().ctl({"confirm"}).exit_code, 0);
  // The witness: the time would have come.
  const std::uint64_t sent = kernel_session(0).sent;
  const std::uint64_t in_five_seconds = 5'000'000 / kernel_session(0).interval_us;
  ASSERT_TRUE(
      await("time passes", [&] { return kernel_session(0).sent > sent + in_five_seconds; }));
  EXPECT_EQ(kernel_session(0).multiplier, 9U);
  host().kill();
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(kernel_session(0).multiplier, 9U) << "and outlives a restart";
}

}  // namespace
}  // namespace hanet::test
