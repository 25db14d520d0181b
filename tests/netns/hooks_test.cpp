// SPDX-License-Identifier: Apache-2.0
//
// Hooks of a running hanetd (spec O5): what they learn of a failover, and that they can neither
// hold it up nor outlive hanetd.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;

class RunHooks : public LabTest {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "hanet-hooks-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::filesystem::create_directory(directory_ / "hooks.d");
    LabTest::SetUp();
  }
  void TearDown() override {
    LabTest::TearDown();
    std::filesystem::remove_all(directory_);
  }
  [[nodiscard]] Arguments hanetd_options() const override {
    return {"--hooks-dir", (directory_ / "hooks.d").string()};
  }
  void write(const std::string& name, const std::string& script) {
    const std::filesystem::path file = directory_ / "hooks.d" / name;
    std::ofstream(file) << "#!/bin/sh\nout=" << (directory_ / name).string() << "\n" << script;
    ASSERT_EQ(::chmod(file.c_str(), 0755), 0);
  }
  [[nodiscard]] std::string written_by(const std::string& name) const {
    std::ifstream stream(directory_ / name);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  [[nodiscard]] pid_t pid_in(const std::string& name) const {
    const std::string text = written_by(name);
    return text.empty() ? -1 : static_cast<pid_t>(std::stol(text));
  }

 private:
  std::filesystem::path directory_;
};

TEST_F(RunHooks, O5_AFailoverIsToldWithItsFacts) {
  write("tell",
        "[ \"$HANET_EVENT\" != switchover ] || "
        "echo \"$HANET_GROUP $HANET_FROM $HANET_TO $HANET_CAUSE $HANET_OUTCOME\" >>$out\n");
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(
      await("the hook was told",
            [&] { return written_by("tell") == "mether0 p0 p1 heartbeat lost complete\n"; }))
      << written_by("tell") << host().log();
}

TEST_F(RunHooks, O5_OneThatHangsHoldsNoSwitchoverUp) {
  write("hangs", "echo $$ >$out; sleep 600");
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_TRUE(await("it hangs", [&] { return pid_in("hangs") > 0; }));
  const pid_t hook = pid_in("hangs");
  for (const char* to : {"p1", "p0"}) {
    ASSERT_DONE(lab().fault("blackhole", to == std::string_view("p1") ? "primary" : "standby"));
    ASSERT_TRUE(all_on(to));
    EXPECT_TRUE(echo().reaches_every_address());
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(all_ready());
  }
  EXPECT_EQ(::kill(hook, 0), 0) << "the witness: it hung all the time";
  EXPECT_EQ(host().stop(), 0);
  EXPECT_NE(::kill(hook, 0), 0) << "it outlived hanetd";
}

TEST_F(RunHooks, O5_OneThatPrintsWithoutEndHoldsNoSwitchoverUp) {
  write("10-prints", "echo $$ >$out; exec cat /dev/zero");
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_TRUE(await("it prints", [&] { return pid_in("10-prints") > 0; }));
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(::kill(pid_in("10-prints"), 0), 0) << "the witness";
  EXPECT_LT(host().log().size(), 100'000U);
}

TEST_F(RunHooks, O5_OneHasNoneOfTheRightsOfHanetdAgainstOthers) {
  write("tell", "cat /proc/self/oom_score_adj >$out; ulimit -r >>$out");
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_TRUE(await("it has run", [&] { return written_by("tell") == "0\n0\n"; }))
      << written_by("tell") << host().log();
}

/// A child of the process by its name; -1: there is none.
pid_t child_called(const std::string& name, pid_t parent) {
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", parent));
  for (pid_t child = -1; children >> child;) {
    std::ifstream comm(fmt::format("/proc/{}/comm", child));
    if (std::string called; std::getline(comm, called) && called == name) return child;
  }
  return -1;
}

TEST_F(RunHooks, O5_ThatNoneRunsAnyMoreIsAnErrorAndTheHostFailsOverAllTheSame) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const pid_t notifier = child_called("hanet-notifier", host().pid());
  ASSERT_GT(notifier, 0);
  ASSERT_EQ(::kill(notifier, SIGKILL), 0);
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(await("it is told", [&] {
    return host().log().contains("the process that runs hooks and writes to the journal has ended");
  })) << host().log();
}

// Two hundred that each leave a successor and end, all the time: there is nobody to be found for
// long. They end by themselves after some thousands, so that a failure of this test is no fork
// bomb.
TEST_F(RunHooks, O5_OneThatForksWithoutEndLeavesNobody) {
  write("forks",
        "[ \"$HANET_EVENT\" = switchover ] || exit 0\n"
        "f() { [ $1 -lt 3000 ] || exit 0; echo $1 >>$out; (f $(($1 + 1))) & }\n"
        "n=0; while [ $n -lt 200 ]; do (f 1) & n=$((n + 1)); done\n"
        "sleep 0.3\n");
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(await("they fork", [&] { return written_by("forks").size() > 100; }));
  const auto goes_on = [&] {
    const std::size_t before = written_by("forks").size();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    return written_by("forks").size() != before;
  };
  EXPECT_TRUE(await("they are ended", [&] { return !goes_on(); })) << host().log();
  EXPECT_FALSE(written_by("forks").contains("2999\n")) << "the witness: none came to its own end";
}

TEST_F(RunHooks, O5_D7_AKillOfHanetdEndsAHookThatRuns) {
  write("hangs", "echo $$ >$out; sleep 600");
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_TRUE(await("it hangs", [&] { return pid_in("hangs") > 0; }));
  const pid_t hook = pid_in("hangs");
  host().kill();
  EXPECT_TRUE(await("the hook ends", [&] { return ::kill(hook, 0) != 0; }));
}

}  // namespace
}  // namespace hanet::test
