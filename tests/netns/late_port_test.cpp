// SPDX-License-Identifier: Apache-2.0
//
// A port that appears after hanetd (spec O1).
//
// At boot a driver may be slower than a service, and a card may be put in hours later. The group of
// such a port waits, says for what, and begins when the port is here; the other groups are
// protected meanwhile.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <string>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr const char* kMissing = "waiting for q1, which is not here yet";

class LatePort : public LabTest {
 protected:
  [[nodiscard]] Arguments hanetd_options() const override { return {"--wait"}; }
  /// Those of groups that wait.
  std::vector<std::string> alarms() {
    std::vector<std::string> found;
    const json explained = host().ask({"explain"});
    for (const json& alarm : explained.at("alarms"))
      if (alarm.at("facts").at("kind") == "group late")
        found.push_back(fmt::format("{}, {}: {}", alarm.at("group").get<std::string>(),
                                    alarm.at("event").get<std::string>(),
                                    alarm.at("text").get<std::string>()));
    return found;
  }
  /// The lab's group, and one whose standby is not here.
  void begin_with_one_late() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    ASSERT_NO_FATAL_FAILURE(add_interface("q0"));
    ASSERT_DONE(lab().ip("host", "addr add 198.51.100.1/24 dev q0"));
    ASSERT_NO_FATAL_FAILURE(start_with_second_group());
    ASSERT_TRUE(all_ready());
  }
  std::size_t groups() { return host().ask({"status"}).at("groups").size(); }
  std::string verdict(const Arguments& more = {}) {
    Arguments arguments{"status"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const bench::Output shown = host().ctl(arguments);
    EXPECT_EQ(shown.exit_code, kNotProtected);
    return shown.out.substr(0, shown.out.find('\n'));
  }
};

TEST_F(LatePort, O1_TheOtherGroupsAreProtectedWhileOneWaits) {
  ASSERT_NO_FATAL_FAILURE(begin_with_one_late());
  EXPECT_EQ(groups(), 1U);
  EXPECT_THAT(verdict(), HasSubstr(std::string("group mether1: ") + kMissing));
  EXPECT_THAT(verdict({"mether1"}), HasSubstr(kMissing));
  EXPECT_EQ(host().ctl({"status", "mether0"}).exit_code, 0);
  EXPECT_THAT(host().ctl({"switch", "mether1", "--to", "q1"}).error, HasSubstr(kMissing));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(LatePort, O1_TheGroupBeginsWhenItsPortIsHere) {
  ASSERT_NO_FATAL_FAILURE(begin_with_one_late());
  const std::uint32_t before = host().pinned<hanet_session>("sessions", 0).id;
  ASSERT_NO_FATAL_FAILURE(add_interface("q1"));
  EXPECT_TRUE(await("the group begins", [&] { return groups() == 2; })) << host().log();
  const std::string links =
      bench::run(lab().in("host", {"ip", "-d", "link", "show", "q1"}), std::chrono::seconds(5))
          ->out;
  EXPECT_THAT(links, HasSubstr("xdp")) << "the kernel shows the program";
  EXPECT_EQ(host().pinned<hanet_session>("sessions", 0).id, before) << "the other never noticed";
  EXPECT_EQ(host().ask({"status"}).at("groups").at(1).at("name"), "mether1");
}

TEST_F(LatePort, O5_ThatAGroupWaitsIsAnAlarmUntilItBegins) {
  ASSERT_NO_FATAL_FAILURE(begin_with_one_late());
  const std::string raised =
      fmt::format("mether1, alarm: {}; the group is not protected until it begins", kMissing);
  ASSERT_TRUE(await("it is an alarm", [&] { return !alarms().empty(); }));
  EXPECT_THAT(alarms(), ElementsAre(raised));
  ASSERT_EQ(host().ctl({"reload"}).exit_code, 0);
  EXPECT_THAT(alarms(), ElementsAre(raised)) << "it is known";
  ASSERT_NO_FATAL_FAILURE(add_interface("q1"));
  ASSERT_TRUE(await("the group begins", [&] { return groups() == 2; })) << host().log();
  EXPECT_THAT(alarms(),
              UnorderedElementsAre(
                  raised, "mether1, alarm-cleared: every port is here, the group has begun"));
}

TEST_F(LatePort, O5_O8_AnAlarmOfAGroupThatIsNotConfiguredAnyMoreEnds) {
  ASSERT_NO_FATAL_FAILURE(begin_with_one_late());
  ASSERT_TRUE(await("it is an alarm", [&] { return alarms().size() == 1; }));
  const std::filesystem::path file = host().directory() / "hanet.toml";
  std::ifstream stream(file);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  text.resize(text.find(second_group()));
  std::ofstream(file, std::ios::trunc) << text;
  ASSERT_EQ(host().ctl({"reload"}).exit_code, 0);
  EXPECT_THAT(alarms(), Contains("mether1, alarm-cleared: the group is not configured any more"));
}

TEST_F(LatePort, O8_AReloadIsNotRefusedBecauseAGroupWaits) {
  ASSERT_NO_FATAL_FAILURE(begin_with_one_late());
  const std::filesystem::path file = host().directory() / "hanet.toml";
  EXPECT_EQ(host().ctl({"reload"}).out, "nothing differs\n");
  std::ofstream(file, std::ios::app) << "interval_us = 7000\n";
  const bench::Output changed = host().ctl({"reload"});
  EXPECT_EQ(changed.exit_code, 0) << changed.error;
  ASSERT_NO_FATAL_FAILURE(add_interface("q1"));
  EXPECT_TRUE(await("the group begins", [&] { return groups() == 2; })) << host().log();
  EXPECT_EQ(host().pinned<hanet_session>("sessions", 2).interval_us, 7000U);
}

TEST_F(LatePort, O1_ItIsWaitedForAlsoWhereNothingElseIsWatched) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  start_with(second_group());
  EXPECT_TRUE(await("it answers", [&] { return host().ctl({"status"}).exit_code != 4; }));
  EXPECT_THAT(verdict(), HasSubstr("waiting for q0, q1"));
  ASSERT_NO_FATAL_FAILURE(add_interface("q0"));
  ASSERT_DONE(lab().ip("host", "addr add 198.51.100.1/24 dev q0"));
  EXPECT_TRUE(await("one is here", [&] { return verdict().contains(kMissing); }));
  ASSERT_NO_FATAL_FAILURE(add_interface("q1"));
  EXPECT_TRUE(await("the group begins", [&] { return groups() == 1; })) << host().log();
}

TEST_F(LatePort, O1_AGroupThatCanNotBeginSaysWhyAndHarmsNobody) {
  ASSERT_NO_FATAL_FAILURE(begin_with_one_late());
  ASSERT_DONE(lab().ip("host", "addr add 198.51.100.9/24 dev q0"));  // its own target
  ASSERT_NO_FATAL_FAILURE(add_interface("q1"));
  EXPECT_TRUE(
      await("it says so", [&] { return verdict().contains("mether1: unable to begin: "); }));
  EXPECT_THAT(host().log(), HasSubstr("mether1: unable to begin: "));
  EXPECT_EQ(groups(), 1U);
  EXPECT_EQ(host().ctl({"status", "mether0"}).exit_code, 0);
  ASSERT_DONE(lab().ip("host", "addr del 198.51.100.9/24 dev q0"));
  EXPECT_TRUE(await("the group begins", [&] { return groups() == 2; })) << host().log();
}

}  // namespace
}  // namespace hanet::test
