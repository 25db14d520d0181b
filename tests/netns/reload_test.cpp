// SPDX-License-Identifier: Apache-2.0
//
// Another configuration while hanetd runs (spec O8).
//
// What can change at once loses no heartbeat; a group that has to start anew does so alone, and no
// program is attached again; and a file that is refused has changed nothing. The kernel's own words
// count: the sessions' numbers in the pinned maps and the numbers of the links, which are others
// after a session, or an attachment, was made anew.
#include "netns/reload.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <map>
#include <set>
#include <string>

#include "netns/speaker.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(Reload, O8_WithoutADifferenceNothingChanges) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::uint32_t before = kernel_session(0).id;
  const bench::Output done = reload();
  EXPECT_EQ(done.exit_code, 0) << done.error;
  EXPECT_EQ(done.out, "nothing differs\n");
  EXPECT_EQ(kernel_session(0).id, before);
}

TEST_F(Reload, O8_D4_WhatCanChangeAtOnceDoesAndNoHeartbeatIsLost) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const hanet_session before = kernel_session(0);
  const std::set<std::string> attached = links();
  ASSERT_FALSE(attached.empty()) << "the witness";
  write(with(with(text(), "multiplier", "7"), "up_count", "2"));
  const bench::Output done = reload();
  ASSERT_EQ(done.exit_code, 0) << done.error;
  EXPECT_THAT(done.out, HasSubstr("mether0: changed at once"));
  EXPECT_TRUE(await("the kernel has it", [&] { return kernel_session(0).multiplier == 7; }));
  EXPECT_TRUE(await("heartbeats go on",
                    [&] { return kernel_session(0).answered > before.answered + 100; }));
  EXPECT_EQ(kernel_session(0).id, before.id);
  EXPECT_EQ(kernel_session(0).down_verdicts, before.down_verdicts);
  EXPECT_EQ(links(), attached);
  EXPECT_TRUE(host().switchovers().empty());
}

TEST_F(Reload, O8_AnotherTargetRestartsTheGroupAndAttachesNothingAnew) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity identity = identity_on(host_netns(), "p0");
  const std::set<std::string> attached = links();
  const std::uint32_t before = kernel_session(0).id;
  ASSERT_DONE(lab().ip("client", "addr add 192.0.2.77/24 dev c0"));
  write(with(text(), "target", "\"192.0.2.77\""));
  const bench::Output done = reload();
  ASSERT_EQ(done.exit_code, 0) << done.error;
  EXPECT_THAT(done.out, HasSubstr("mether0: restarted"));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().session("p0").at("target"), "192.0.2.77");
  EXPECT_NE(kernel_session(0).id, before) << "the witness: the session is another";
  EXPECT_EQ(links(), attached);
  EXPECT_TRUE(carries("p0", identity));
  EXPECT_TRUE(host().switchovers().empty());
  // And it protects.
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Reload, O8_GroupsComeAndGoAndTheOthersNeverNotice) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(add_second_ports());
  const std::string alone = text();
  const hanet_session before = kernel_session(0);
  const std::set<std::string> attached = links();
  for (int round = 0; round < 3; ++round) {
    write(alone + second_group());
    ASSERT_EQ(reload().exit_code, 0) << host().log();
    EXPECT_THAT(groups(), testing::ElementsAre("mether0", "mether1"));
    EXPECT_NE(kernel_session(2).in_use, 0U) << "its session has the next place";
    write(alone);
    const bench::Output done = reload();
    ASSERT_EQ(done.exit_code, 0) << done.error;
    EXPECT_THAT(done.out, HasSubstr("mether1: removed"));
    EXPECT_THAT(groups(), testing::ElementsAre("mether0"));
    EXPECT_EQ(kernel_session(2).in_use, 0U);
  }
  EXPECT_EQ(kernel_session(0).id, before.id);
  EXPECT_EQ(kernel_session(0).down_verdicts, before.down_verdicts);
  EXPECT_EQ(links(), attached);
}

TEST_F(Reload, O2_O8_AFileThatIsRefusedChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::string good = text();
  const std::uint32_t before = kernel_session(0).id;
  const std::map<std::string, std::string> wrong{
      {"not TOML", good + "\n[[["},
      {"allowed: 1 to 50", with(good, "multiplier", "51")},
      {"which is not here", with(good, "standby", "\"nowhere9\"")},
      {"is an address of this host", with(good, "target", "\"192.0.2.1\"")},
      {"which is not here", good + second_group()}};
  for (const auto& [reason, content] : wrong) {
    write(with(content, "interval_us", "7000"));
    const bench::Output refused = reload();
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.error, HasSubstr(reason));
    EXPECT_THAT(groups(), testing::ElementsAre("mether0"));
  }
  EXPECT_EQ(kernel_session(0).id, before);
  EXPECT_NE(host().session("p0").at("interval_us"), 7000);
  EXPECT_THAT(host().log(), HasSubstr("nothing was changed"));
  write(good);
  EXPECT_EQ(reload().out, "nothing differs\n");
}

// A group that listens is no work of the kernel side until there is one.
TEST_F(Reload, O8_M5_TheFirstGroupThatListensNeedsNoRestartOfHanetd) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const pid_t before = host().pid();
  const Speaker talk(lab().netns("client"), "c0", link_of(lab().netns("client"), "c0").mac,
                     net::kBroadcast, 0x88b5);
  write(silence_config("target = \"192.0.2.10\"\n"));
  const bench::Output done = reload();
  ASSERT_EQ(done.exit_code, 0) << done.error;
  EXPECT_THAT(done.out, HasSubstr("mether0: restarted"));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().session("p0").at("kind"), "silence");
  EXPECT_EQ(host().pid(), before);
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
}

// It is found good, and the host takes no more of it: each number of descriptors is tried, from the
// one that hanetctl is heard by to enough.
TEST_F(Reload, O8_AFileThatFailsHalfWayIsUndoneAndTellsWhatWasBegunAnew) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(add_second_ports());
  const SeenIdentity identity = identity_on(host_netns(), "p0");
  const std::string before = text();
  ASSERT_DONE(lab().ip("client", "addr add 192.0.2.77/24 dev c0"));
  const std::string wanted = with(before, "target", "\"192.0.2.77\"") + second_group();
  int half_way = 0;
  bool taken = false;
  for (int spare = 1; spare < 64 && !taken; ++spare) {
    write(wanted);
    allow_descriptors(limit_for(spare));
    const bench::Output done = reload();
    allow_descriptors(1024);
    taken = done.exit_code == 0;
    if (taken) break;
    if (!done.error.contains("; what ran before runs again, and was begun anew: mether0")) continue;
    ++half_way;
    EXPECT_THAT(host().log(), HasSubstr("the file does not run: "));
    EXPECT_THAT(groups(), testing::ElementsAre("mether0"));
    ASSERT_TRUE(all_ready());
    EXPECT_EQ(host().session("p0").at("target"), "192.0.2.10");
    write(before);
    EXPECT_EQ(reload().out, "nothing differs\n");
  }
  EXPECT_GT(half_way, 0) << "the witness: it failed behind the checks";
  EXPECT_TRUE(taken) << "with enough of them it is taken";
  EXPECT_TRUE(carries("p0", identity));
  EXPECT_TRUE(host().switchovers().empty());
}

TEST_F(Reload, O8_AHangupReloads) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  write(with(text(), "multiplier", "4"));
  ASSERT_EQ(::kill(host().pid(), SIGHUP), 0);
  EXPECT_TRUE(await("it is in force", [&] { return kernel_session(0).multiplier == 4; }));
}

TEST_F(Reload, O8_AHangupThatIsRefusedSaysSoInTheLog) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_EQ(host().ctl({"reload", "--confirm", "600"}).exit_code, 0);
  write(with(text(), "multiplier", "4"));
  ASSERT_EQ(::kill(host().pid(), SIGHUP), 0);
  EXPECT_TRUE(await("the log says why", [&] {
    return host().log().contains("nothing was changed: a reload waits to be confirmed");
  }));
  EXPECT_EQ(kernel_session(0).multiplier, 3U);
}

TEST_F(Reload, O8_DiffSaysWhatAReloadWouldChangeAndChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_EQ(host().ctl({"diff"}).out, "nothing differs\n");
  ASSERT_EQ(host().ctl({"set", "mether0", "multiplier", "8"}).exit_code, 0);
  const bench::Output set = host().ctl({"diff"});
  EXPECT_EQ(set.exit_code, 0) << set.error;
  EXPECT_THAT(set.out, HasSubstr("8 -> 3"));
  write(with(text(), "target", "\"192.0.2.88\""));
  const json changes = host().ask({"diff"}).at("changes").at("groups").at(0);
  EXPECT_EQ(changes.at("fate"), "restarted");
  EXPECT_EQ(host().session("p0").at("target"), "192.0.2.10");
}

TEST_F(Reload, S5_ReadersHaveASocketOnWhichNothingCanBeChanged) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_EQ(host().on_socket("status.sock", R"({"command":"status"})").at("ok"), true);
  EXPECT_EQ(host().on_socket("status.sock", R"({"command":"running"})").at("ok"), true);
  for (const char* request :
       {R"({"command":"switch","group":"mether0","to":"p1"})", R"({"command":"reload"})",
        R"({"command":"set","group":"mether0","key":"multiplier","value":"9"})",
        R"({"command":"confirm"})", R"({"command":"remove","group":"mether0","port":"p1"})"}) {
    const json answer = host().on_socket("status.sock", request);
    EXPECT_EQ(answer.at("ok"), false) << request;
    EXPECT_THAT(answer.at("error").get<std::string>(), HasSubstr("needs root"));
  }
  EXPECT_EQ(host().active(), "p0");
  EXPECT_EQ(host()
                .on_socket("hanetd.sock",
                           R"({"command":"set","group":"mether0","key":"multiplier","value":"9"})")
                .at("ok"),
            true)
      << "the witness: root may";
  struct stat root{};
  ASSERT_EQ(::stat((host().directory() / "hanetd.sock").c_str(), &root), 0);
  EXPECT_EQ(root.st_mode & 0777, 0600U);
}

struct NewValue {
  const char* key;
  const char* value;
};

void PrintTo(const NewValue& changed, std::ostream* out) { *out << changed.key; }

/// A reload comes in the middle of a failover: the kernel side bridges, and hanetd, which stood
/// still, has moved nothing.
class ReloadInAFailover : public Reload, public testing::WithParamInterface<NewValue> {};

TEST_P(ReloadInAFailover, O8_F1_TheIdentityMovesAndTheFileRuns) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  ASSERT_DONE(lab().ip("client", "addr add 192.0.2.77/24 dev c0"));
  const SeenIdentity identity = identity_on(host_netns(), "p0");
  host().freeze();
  ASSERT_TRUE(await("hanetd is frozen", [&] { return host().frozen(); }));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(
      await("the kernel bridges", [&] { return steer_of("p0").mode == HANET_STEER_BRIDGE_OUT; }));
  write(with(text(), GetParam().key, GetParam().value));
  ASSERT_EQ(::kill(host().pid(), SIGHUP), 0);
  host().thaw();
  EXPECT_TRUE(await("the file runs", [&] {
    return host().ctl({"diff"}).out == "nothing differs\n";
  })) << host().log();
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", identity));
  EXPECT_TRUE(echo().reaches_every_address());
}

INSTANTIATE_TEST_SUITE_P(Of, ReloadInAFailover,
                         testing::Values(NewValue{"multiplier", "7"},
                                         NewValue{"target", "\"192.0.2.77\""}),
                         [](const auto& cell) {
                           return cell.param.key == std::string("target") ? "ARestart" : "AtOnce";
                         });

}  // namespace
}  // namespace hanet::test
