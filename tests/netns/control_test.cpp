// SPDX-License-Identifier: Apache-2.0
//
// hanetctl, with a daemon, without one, and with what a killed one left.
//
// The question "does it run, and does it protect me" is asked when something is wrong already, so
// the answer must not depend on the daemon: it has an exit code of its own, and the pinned maps
// still tell. Whatever is asked with --json is answered in JSON, refusals included (O3, D7).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

class Control : public LabTest {
 protected:
  bench::Output json_ctl(Arguments arguments) {
    arguments.insert(arguments.begin(), "--json");
    return host().ctl(arguments);
  }
  std::string config_file() { return (host().directory() / "hanet.toml").string(); }
  static json parsed(const std::string& text) {
    json value = json::parse(text, nullptr, false);
    EXPECT_FALSE(value.is_discarded()) << "this is not JSON: " << text;
    return value;
  }
  static std::vector<json> lines_of(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::vector<json> lines;
    for (std::string line; std::getline(stream, line);)
      lines.push_back(json::parse(line, nullptr, false));
    return lines;
  }
};

TEST_F(Control, O3_WithoutADaemonItSaysSoAndExitsWithFour) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_EQ(host().stop(), 0);
  const std::vector<Arguments> commands{{"status"},
                                        {"explain"},
                                        {"watch"},
                                        {"switch", "mether0", "--to", "p1"},
                                        {"set", "mether0", "multiplier", "3"}};
  for (const Arguments& command : commands) {
    SCOPED_TRACE(command.front());
    const bench::Output plain = host().ctl(command);
    EXPECT_EQ(plain.exit_code, 4);
    EXPECT_TRUE(plain.error.contains("hanetd does not run") ||
                plain.error.contains("nothing of one is left in the kernel"))
        << plain.error;
    const bench::Output json_output = json_ctl(command);
    EXPECT_EQ(json_output.exit_code, 4);
    EXPECT_EQ(parsed(json_output.out).at("ok"), false);
  }
}

TEST_F(Control, O3_M4_TheStatusSaysWhatTheKernelOffersAndWhatOfItIsUsed) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const json status = parsed(json_ctl({"status"}).out);
  const json& kernel = status.at("daemon").at("kernel");
  utsname name{};
  ASSERT_EQ(::uname(&name), 0);
  EXPECT_EQ(kernel.at("release"), name.release);
  const json& deadlines = status.at("daemon").at("deadlines");
  EXPECT_EQ(kernel.at("timers"),
            deadlines == "bpf_timer" ? json::array({"bpf_timer"}) : json::array());
  const auto best = [&](const char* of) { return kernel.at(of).at(0).get<std::string>(); };
  // The best one that is offered is the one that is used.
  for (const char* port : {"p0", "p1"}) {
    const json used = host().path(port).at("port");
    EXPECT_EQ(used.at("tc"), best("tc"));
    EXPECT_TRUE(used.at("link_source").get<std::string>().starts_with(best("link_sources")));
    EXPECT_THAT(used.at("xdp").get<std::string>(), testing::AnyOf("native", "generic"));
    // What is known of this kernel from elsewhere.
    if (const char* known = std::getenv("HANET_TEST_LINK_SOURCE")) {
      EXPECT_EQ(used.at("link_source"), known);
    }
    if (const char* known = std::getenv("HANET_TEST_TC")) {
      EXPECT_EQ(used.at("tc"), known);
    }
  }
  const std::string text = host().ctl({"status"}).out;
  EXPECT_TRUE(text.contains(
      fmt::format("kernel {}: link events by {}", name.release, best("link_sources"))))
      << text;
}

TEST_F(Control, D7_WhatAKilledDaemonLeftIsStillShown) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  host().kill();
  const bench::Output text = host().ctl({"status"});
  EXPECT_EQ(text.exit_code, 4);
  EXPECT_TRUE(text.out.contains("not protected: hanetd does not run\n")) << text.out;
  const json status = parsed(json_ctl({"status"}).out);
  EXPECT_TRUE(status.at("daemon").is_null());
  ASSERT_EQ(status.at("paths").size(), 2U);
  for (const json& path : status.at("paths")) {
    EXPECT_TRUE(path.at("name") == "p0" || path.at("name") == "p1") << path.at("name");
    EXPECT_GT(path.at("session").at("received"), 0);
  }
}

TEST_F(Control, O3_D7_OfAFrozenDaemonTheStatusIsThatOfTheKernelSide) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  host().freeze();
  ASSERT_TRUE(await("hanetd is frozen", [&] { return host().frozen(); }));
  const bench::Output shown = host().ctl({"status"});
  EXPECT_EQ(shown.exit_code, 1);
  EXPECT_THAT(shown.out, testing::HasSubstr("not protected: hanetd does not answer"));
  EXPECT_THAT(shown.out, testing::HasSubstr("  p1: "));
  const json read = json::parse(json_ctl({"status"}).out);
  EXPECT_TRUE(read.at("daemon").is_null());
  EXPECT_THAT(read.at("error").get<std::string>(), testing::HasSubstr("does not answer"));
  EXPECT_EQ(read.at("paths").size(), 2U);
  host().thaw();
  EXPECT_TRUE(all_ready());
}

TEST_F(Control, O3_CheckWithoutAFileChecksThatOfTheService) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const bench::Output checked = host().ctl({"check"});
  const bench::Output named = host().ctl({"check", "/etc/hanet/hanet.toml"});
  EXPECT_EQ(checked.exit_code, named.exit_code);
  EXPECT_EQ(checked.out, named.out);
  EXPECT_EQ(checked.error, named.error);
  EXPECT_THAT(named.out + named.error, testing::HasSubstr("/etc/hanet/hanet.toml"))
      << "the witness";
}

TEST_F(Control, O3_EveryCommandAnswersInJson) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::vector<std::pair<Arguments, int>> commands{{{"status"}, 0},
                                                        {{"explain"}, 0},
                                                        {{"switch", "mether0", "--to", "p1"}, 0},
                                                        {{"explain"}, 0},
                                                        {{"switch", "mether0", "--to", "p9"}, 1},
                                                        {{"set", "mether0", "up_count", "5"}, 0},
                                                        {{"set", "mether0", "up_count", "0"}, 1},
                                                        {{"check", config_file()}, 0},
                                                        {{"check", "/does/not/exist.toml"}, 3}};
  for (const auto& [command, code] : commands) {
    SCOPED_TRACE(fmt::format("{} {}", command.front(), command.back()));
    const bench::Output output = json_ctl(command);
    EXPECT_EQ(output.exit_code, code) << output.error;
    const json answer = parsed(output.out);
    EXPECT_EQ(answer.at("ok"), code == 0);
    if (code != 0) {
      EXPECT_NE(answer.at("error"), "");
    }
  }
}

TEST_F(Control, O3_TheStatusBeginsWithAVerdictAndItsExitCodeIsTheVerdict) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const auto first_line = [&](int code) {
    const bench::Output output = host().ctl({"status"});
    EXPECT_EQ(output.exit_code, code) << output.out;
    return output.out.substr(0, output.out.find('\n'));
  };
  EXPECT_TRUE(first_line(0).starts_with("protected since 20")) << first_line(0);
  EXPECT_TRUE(first_line(0).ends_with("; no switchover on record")) << first_line(0);
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(await("p0 is down", [&] { return host().path("p0").at("health") == "down"; }));
  const std::string line = first_line(5);
  EXPECT_TRUE(line.starts_with(
      "not protected: group mether0: no standby (p0 is down: carrier lost) since 20"))
      << line;
  EXPECT_TRUE(line.contains(": mether0 from p0 to p1, carrier lost, complete")) << line;
  const bench::Output answer = json_ctl({"status"});
  EXPECT_EQ(answer.exit_code, 5);
  EXPECT_EQ(parsed(answer.out).at("ok"), true) << "an answer, and not a refusal";
  EXPECT_EQ(parsed(answer.out).at("verdict").at("protected"), false);
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(first_line(0).starts_with("protected since 20"));
}

TEST_F(Control, O3_AMistypedCommandIsNamedWithTheOneThatWasMeant) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::vector<std::pair<Arguments, std::string>> told{
      {{"staus"}, "hanetctl: there is no command 'staus'; did you mean 'status'?\n"},
      {{"--json", "swicth", "mether0"},
       "hanetctl: there is no command 'swicth'; did you mean 'switch'?\n"},
      {{"dance"},
       "hanetctl: there is no command 'dance'; there is status, watch, explain, switch, remove, "
       "add, set, reload, confirm, diff, check, detach\n"}};
  for (const auto& [command, text] : told) {
    const bench::Output output = host().ctl(command);
    EXPECT_EQ(output.exit_code, 2);
    EXPECT_EQ(output.error, text);
  }
  for (const Arguments& command : {Arguments{"swicth"}, Arguments{"set", "mether0"}}) {
    const json answer = parsed(json_ctl(command).out);
    EXPECT_EQ(answer.at("ok"), false);
    EXPECT_NE(answer.at("error"), "");
  }
}

TEST_F(Control, O3_TheStatusOfOneGroupIsOfItAlone) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_EQ(host().ctl({"status", "mether0"}).exit_code, 0);
  const bench::Output other = host().ctl({"status", "mether7"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_EQ(other.error, "hanetctl: no group 'mether7'; there is mether0\n");
}

TEST_F(Control, O1_TheLogHasNoPrefixesForTheJournalWhereItIsNoJournal) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  std::istringstream log(host().log());
  int lines = 0;
  for (std::string line; std::getline(log, line); ++lines)
    EXPECT_FALSE(line.starts_with("<")) << line;
  EXPECT_GT(lines, 0);
}

TEST_F(Control, O3_WrongUsageExitsWithTwo) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  for (const Arguments& command : std::vector<Arguments>{
           {}, {"dance"}, {"switch", "mether0"}, {"set", "mether0", "multiplier"}})
    EXPECT_EQ(host().ctl(command).exit_code, 2);
}

TEST_F(Control, O2_CheckNamesFileLineAndKeyAndTouchesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const bench::Output good = host().ctl({"check", config_file()});
  EXPECT_EQ(good.exit_code, 0) << good.error;
  EXPECT_EQ(good.out, config_file() + ": good, 1 group(s)\n");
  const std::string bad = (lab().directory() / "bad.toml").string();
  std::ofstream(bad) << "[[group]]\nname = \"g\"\nprimary = \"p0\"\nstandby = \"p1\"\n"
                        "[group.heartbeat]\ntarget = \"192.0.2.10\"\ninterval_us = 7\n";
  const bench::Output refused = host().ctl({"check", bad});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_TRUE(refused.error.contains(bad + ":7: key 'group[0].heartbeat.interval_us': found 7"))
      << refused.error;
  EXPECT_TRUE(host().ready());
}

TEST_F(Control, O3_WatchTellsASwitchoverAsItHappens) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::filesystem::path file = lab().directory() / "watch.out";
  bench::Child watch = host().ctl_in_background({"--json", "watch"}, file);
  // Whether somebody watches is only seen by what he is told.
  ASSERT_TRUE(await("the watcher is told something", [&] {
    (void)host().ask({"set", "mether0", "up_count", "3"});
    return !lines_of(file).empty();
  }));
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(await("a switchover event", [&] {
    const std::vector<json> lines = lines_of(file);
    return std::ranges::any_of(lines, [](const json& line) {
      return line.is_object() && line.at("event") == "switchover" && line.at("path") == "p1" &&
             line.at("group") == "mether0" && line.at("at_ns").is_number_unsigned();
    });
  }));
  const std::vector<json> told = lines_of(file);
  EXPECT_TRUE(std::ranges::any_of(told, [](const json& line) {
    return line.is_object() && line.at("event") == "path-down" && line.at("path") == "p0";
  }));
}

TEST_F(Control, O4_ExplainTellsCauseRuleAndEveryStep) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_EQ(host().ctl({"explain"}).out, "no switchover on record\n");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  const json record = host().switchovers().at(0);
  EXPECT_EQ(record.at("number"), 1);
  EXPECT_EQ(record.at("from"), "p0");
  EXPECT_EQ(record.at("to"), "p1");
  EXPECT_EQ(record.at("cause"), "heartbeat lost");
  EXPECT_TRUE(record.at("rule").get<std::string>().contains("(M3)"));
  EXPECT_GE(record.at("unanswered"), 3);
  EXPECT_LT(record.at("first_lost_ns"), record.at("deadline_ns"));
  EXPECT_LE(record.at("deadline_ns"), record.at("verdict_ns")) << "a verdict before its time";
  EXPECT_LT(record.at("last_reply_ns"), record.at("deadline_ns"));
  ASSERT_GE(record.at("heartbeats").size(), 4U) << "of before the fault as well";
  const json& beats = record.at("heartbeats");
  EXPECT_TRUE(beats.front().at("replied_us").is_number()) << beats.dump();
  EXPECT_TRUE(beats.back().at("replied_us").is_null()) << beats.dump();
  EXPECT_LE(beats.back().at("sent_us"), 0) << "none that left after the verdict";
  EXPECT_TRUE(record.at("load").is_number());
  EXPECT_EQ(record.at("timer_late_us").is_number(), kernel_keeps_deadlines());
  EXPECT_EQ(record.at("steered_in_kernel"), true);
  EXPECT_EQ(record.at("verdict_waited"), false);
  EXPECT_GE(record.at("steps").size(), 4U);
  for (const json& step : record.at("steps")) EXPECT_EQ(step.at("result"), "ok") << step.dump();
  const std::string text = host().ctl({"explain"}).out;
  EXPECT_TRUE(text.contains("mether0: p0 to p1, complete")) << text;
}

TEST_F(Control, O10_ExplainKnowsWhatHappenedBeforeARestartAndBeforeAKill) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_TRUE(await("the alarm", [&] { return !host().ask({"explain"}).at("alarms").empty(); }));
  const json before = host().ask({"explain"});
  const auto history = host().directory() / "history";
  ASSERT_TRUE(await("the history is written", [&] { return std::filesystem::exists(history); }));
  host().kill();
  const json kept = host().ask({"explain"});
  EXPECT_EQ(kept.at("switchovers"), before.at("switchovers")) << "without hanetd";
  EXPECT_TRUE(kept.at("daemon").is_null());
  const bench::Output shown = host().ctl({"explain"});
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_TRUE(shown.out.contains("mether0: p0 to p1, complete")) << shown.out;
  EXPECT_TRUE(shown.error.contains("hanetd does not run; this is what it has kept"));
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return host().ask({"status"}).is_object(); }));
  EXPECT_EQ(host().switchovers(), before.at("switchovers"));
  const json alarms = host().ask({"explain"}).at("alarms");
  EXPECT_EQ(alarms.at(0), before.at("alarms").at(0));
  EXPECT_TRUE(host().ctl({"status"}).out.contains(": mether0 from p0 to p1, heartbeat lost"));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p0"}).exit_code, 0);
  ASSERT_EQ(host().stop(), 0);
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().switchovers().size(), 2U);
  EXPECT_EQ(host().switchovers().at(1).at("number"), 2) << "numbers go on";
  const std::string text = host().ctl({"explain"}).out;
  EXPECT_TRUE(text.contains("#1 ") && text.contains("#2 ") && text.contains("alarms:")) << text;
}

TEST_F(Control, O10_ADamagedHistoryIsSaidAndIgnored) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_EQ(host().stop(), 0);
  const auto history = host().directory() / "history";
  ASSERT_TRUE(std::filesystem::exists(history));
  std::ofstream(history, std::ios::app) << "?";
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(
      host().log().contains("the history " + history.string() + " is not used: it is damaged"))
      << host().log();
  EXPECT_TRUE(host().switchovers().empty());
}

}  // namespace
}  // namespace hanet::test
