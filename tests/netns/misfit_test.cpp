// SPDX-License-Identifier: Apache-2.0
//
// A start on a host that has changed since the configuration was checked (spec O1, S6).
//
// What is an alarm while hanetd runs must not keep the next hanetd from starting, which nobody may
// be there to see: an upgrade or a crash would take the protection off all groups because of a
// device on one port. And a group that can not begin at all harms no other one, nor what the kernel
// side still does for it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "netns/survival.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;

class Misfit : public Survival {
 protected:
  [[nodiscard]] Arguments hanetd_options() const override { return {"--wait"}; }
  std::size_t groups() {
    const json shown = host().ask({"status"});
    return shown.is_object() ? shown.at("groups").size() : 0;
  }
  std::string status() { return host().ctl({"status"}).out; }
  void start_anew() {
    host().kill();
    host().start();
    ASSERT_TRUE(all_ready());
  }
  void expect_alarm_and_failover(const std::string& alarm) {
    EXPECT_TRUE(await("it is an alarm", [&] { return status().contains(alarm); })) << status();
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_TRUE(all_on("p1"));
    EXPECT_TRUE(echo().reaches_every_address());
  }
};

/// What comes onto a port of a running hanetd, and what the next one has to say of it.
struct Above {
  const char* kind;
  const char* link;
  const char* alarm;
};

void PrintTo(const Above& above, std::ostream* out) { *out << above.link; }

class MisfitAbove : public Misfit, public testing::WithParamInterface<Above> {};

TEST_P(MisfitAbove, O1_F5_IsAnAlarmOfTheNextStartToo) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!lab().ip("host", fmt::format("link add {}", GetParam().link)))
    GTEST_SKIP() << "skipped: kernel has no " << GetParam().kind << " driver";
  ASSERT_NO_FATAL_FAILURE(start_anew());
  expect_alarm_and_failover(GetParam().alarm);
}

INSTANTIATE_TEST_SUITE_P(
    OnAPort, MisfitAbove,
    testing::Values(Above{"macvlan", "link p0 name top7 type macvlan",
                          "LEFT BEHIND at a switchover: the macvlan top7, on top of p0"},
                    Above{"VLAN", "link p1 name p1.77 type vlan id 77", "p1.77"}),
    [](const auto& cell) { return std::string(cell.param.kind); });

TEST_F(Misfit, O1_F5_AStandbyInABridgeIsAnAlarmOfTheNextStartToo) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!lab().ip("host", "link add br7 type bridge"))
    GTEST_SKIP() << "skipped: kernel has no bridge driver";
  ASSERT_DONE(lab().ip("host", "link set p1 master br7"));
  host().kill();
  host().start();
  ASSERT_TRUE(await("the group begins", [&] { return groups() == 1; })) << host().log();
  EXPECT_TRUE(await("it is an alarm", [&] { return status().contains("br7"); })) << status();
  ASSERT_DONE(lab().ip("host", "link del br7"));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
}

TEST_F(Misfit, O1_AGroupThatDoesNotFitIsLateAndTheOthersBegin) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(add_second_ports());
  ASSERT_NO_FATAL_FAILURE(add_interface("mether1"));
  ASSERT_NO_FATAL_FAILURE(start_with_second_group());
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().ctl({"status", "mether0"}).exit_code, 0);
  EXPECT_EQ(host().ctl({"status"}).exit_code, kNotProtected);
  EXPECT_THAT(status(), HasSubstr("mether1: unable to begin: "));
  EXPECT_THAT(status(), HasSubstr("found 'mether1', which is an interface here"));
  ASSERT_DONE(lab().ip("host", "link del mether1"));
  EXPECT_TRUE(await("it begins", [&] { return groups() == 2; })) << host().log();
  EXPECT_THAT(host().log(), HasSubstr("mether1: nothing is in its way any more, the group begins"));
}

// What ran is run again with what has come since, and not the file that nobody has confirmed.
TEST_F(Misfit, O1_O8_AWayBackIsNotGivenUpForAMacvlan) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const Result<std::string> config = lab().config("host", {});
  ASSERT_TRUE(config) << config.error().message;
  std::ofstream(host().directory() / "hanet.toml") << "daemon.log_level = \"debug\"\n" << *config;
  ASSERT_EQ(host().ctl({"reload", "--confirm", "600"}).exit_code, 0);
  ASSERT_THAT(host().ctl({"diff"}).out, HasSubstr("nothing differs")) << "the witness";
  if (!lab().ip("host", "link add link p0 name top7 type macvlan"))
    GTEST_SKIP() << "skipped: kernel has no macvlan driver";
  ASSERT_NO_FATAL_FAILURE(start_anew());
  EXPECT_THAT(host().ctl({"diff"}).out, HasSubstr("info -> debug")) << host().log();
}

/// The name of the lab's group is that of an interface now: it can not begin.
class CanNotBegin : public Misfit {
 protected:
  void start_and_refuse() {
    ASSERT_DONE(lab().ip("host", "link property del dev p0 altname mether0"));
    ASSERT_NO_FATAL_FAILURE(add_interface("mether0"));
    host().start();
    ASSERT_TRUE(await("it says so", [&] { return status().contains("unable to begin: "); }))
        << host().log();
    EXPECT_THAT(status(), HasSubstr("what the hanetd before left goes on in the kernel"));
  }
  void let_it_begin() {
    const std::size_t others = groups();
    ASSERT_DONE(lab().ip("host", "link del mether0"));
    ASSERT_TRUE(await("it begins", [&] { return groups() == others + 1; })) << host().log();
    EXPECT_THAT(host().log(), HasSubstr("took over from a hanetd"));
  }
};

TEST_F(CanNotBegin, O1_D7_TheKernelSideGoesOnUntilTheGroupBegins) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  ASSERT_NO_FATAL_FAILURE(start_and_refuse());
  for (int round = 0; round < 2; ++round) {
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_TRUE(await("bridged", [&] { return mode_of("p0") == HANET_STEER_BRIDGE_OUT; }));
    EXPECT_TRUE(echo().reaches_every_address());
    EXPECT_TRUE(carries("p0", before)) << "the witness: nothing has moved";
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(await("not bridged", [&] { return mode_of("p0") == HANET_STEER_NONE; }))
        << "nobody else is there to return";
  }
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("bridged", [&] { return mode_of("p0") == HANET_STEER_BRIDGE_OUT; }));
  ASSERT_NO_FATAL_FAILURE(let_it_begin());
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(CanNotBegin, O1_D7_AStopTakesOffWhatTheHanetdBeforeLeft) {
  ASSERT_NO_FATAL_FAILURE(begin_and_kill());
  ASSERT_NO_FATAL_FAILURE(start_and_refuse());
  EXPECT_EQ(host().stop(), 0);
  expect_nothing_left();
}

// The other group has begun, and its hanetd is in charge by now.
TEST_F(CanNotBegin, O1_D7_TheKernelSideGoesOnAlsoWhereAnotherGroupHasBegun) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(add_second_ports());
  ASSERT_NO_FATAL_FAILURE(start_with_second_group());
  ASSERT_TRUE(await("both run", [&] { return groups() == 2; }));
  ASSERT_TRUE(await("protected", [&] { return host().ctl({"status", "mether0"}).exit_code == 0; }));
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  const SeenIdentity identity = identity_on(host_netns(), "p0");
  host().kill();
  ASSERT_NO_FATAL_FAILURE(start_and_refuse());
  ASSERT_EQ(groups(), 1U) << "the witness: mether1 runs";
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(await("bridged", [&] { return bool{echo().reaches_every_address()}; }));
  EXPECT_TRUE(carries("p0", identity)) << "the witness: nothing has moved";
  ASSERT_NO_FATAL_FAILURE(let_it_begin());
  EXPECT_TRUE(await("it moves", [&] { return host().group().at("active") == "p1"; }));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().stop(), 0);
  expect_nothing_left();
}

}  // namespace
}  // namespace hanet::test
