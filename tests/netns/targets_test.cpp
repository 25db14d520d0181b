// SPDX-License-Identifier: Apache-2.0
//
// Several targets for a path (M9): one that dies or reboots is no failed path, and a path that dies
// is one however many are asked.
//
// The second target is an interface of the switch's own namespace, on a port of the switch, and the
// only one that answers for its address.
#include <fmt/format.h>

#include <string>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

struct Asked {
  const char* name;
  const char* heartbeat;
  int family;
};

void PrintTo(const Asked& asked, std::ostream* out) { *out << asked.name; }

class SeveralTargets : public LabTest {
 protected:
  /// `quorum` of the client and the second target.
  void begin(unsigned quorum, const std::string& heartbeat = "arp", int family = 4) {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    for (const char* command : {"link add x0 type veth peer name x1", "link set x1 master br0 up"})
      ASSERT_DONE(lab().ip("mid", command));
    ASSERT_TRUE(bench::run_checked(
        lab().in("mid", {"sysctl", "-q", "-w", "net.ipv6.conf.x0.disable_ipv6=0",
                         "net.ipv6.conf.x0.keep_addr_on_down=1", "net.ipv4.conf.br0.arp_ignore=1"}),
        std::chrono::seconds(5)));
    for (const char* command : {"link set x0 up", "addr add 192.0.2.11/24 dev x0",
                                "addr add 2001:db8::11/64 dev x0 nodad"})
      ASSERT_DONE(lab().ip("mid", command));
    Result<std::string> config =
        lab().config("host", {.family = family, .heartbeat = heartbeat, .group_keys = {}});
    ASSERT_TRUE(config) << config.error().message;
    start_with(*config +
               fmt::format("further_targets = \"{}\"\nquorum = {}\n", second(family), quorum));
    ASSERT_TRUE(all_ready());
    for (const std::string path : {"p0", "p1"})
      ASSERT_TRUE(await("both targets answer " + path, [&] { return answering(path) == 2; }));
  }
  static std::string second(int family) { return family == 4 ? "192.0.2.11" : "2001:db8::11"; }
  long answering(const std::string& path) {
    const json sessions = host().path(path).at("sessions");
    return std::ranges::count_if(sessions,
                                 [](const json& session) { return session.at("state") == "up"; });
  }
  testing::AssertionResult one_answers() {
    return await("one target answers each path",
                 [&] { return answering("p0") == 1 && answering("p1") == 1; });
  }
  testing::AssertionResult told(const std::string& text) {
    return await("the log says '" + text + "'", [&] { return host().log().contains(text); });
  }
  void expect_protected() {
    for (const std::string path : {"p0", "p1"}) EXPECT_EQ(host().path(path).at("health"), "up");
    EXPECT_EQ(host().group().at("state"), "protected");
    EXPECT_EQ(host().active(), "p0");
    EXPECT_TRUE(host().switchovers().empty());
  }
};

class SeveralTargetsBy : public SeveralTargets, public testing::WithParamInterface<Asked> {};

TEST_P(SeveralTargetsBy, M9_OneThatDiesIsToldAndIsNoFailedPathAndADeadPathStillIsOne) {
  const Asked& asked = GetParam();
  ASSERT_NO_FATAL_FAILURE(begin(1, asked.heartbeat, asked.family));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string word = fmt::format(
      "the target {} does not answer p0; 1 of 2 do, and the path "
      "works as long as 1 does",
      second(asked.family));
  ASSERT_DONE(lab().ip("mid", "link set x0 down"));
  ASSERT_TRUE(one_answers());
  EXPECT_TRUE(told(word));
  expect_protected();
  EXPECT_TRUE(host().ctl({"status"}).out.contains("targets    1 of 2 answer, the quorum is 1"));

  ASSERT_DONE(lab().ip("mid", "link set x0 up"));
  EXPECT_TRUE(told("no longer so: " + word));
  expect_protected();

  ASSERT_DONE(lab().ip("mid", "link set x0 down"));
  ASSERT_TRUE(one_answers());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
}

TEST_F(SeveralTargets, M9_TheFirstIsNoMoreThanTheOthers) {
  ASSERT_NO_FATAL_FAILURE(begin(1));
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE(round);
    ASSERT_DONE(lab().ip("client", "link set c0 arp off"));
    ASSERT_TRUE(one_answers());
    expect_protected();
    ASSERT_DONE(lab().ip("client", "link set c0 arp on"));
    ASSERT_TRUE(await("it is back", [&] { return answering("p0") == 2 && answering("p1") == 2; }));
  }
  expect_protected();
}

TEST_F(SeveralTargets, M9_APathThatDiesTakesAllItsTargetsAway) {
  ASSERT_NO_FATAL_FAILURE(begin(1));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  const json record = host().switchovers().at(0);
  EXPECT_EQ(record.at("cause"), "heartbeat lost");
  EXPECT_EQ(answering("p0"), 0);
  EXPECT_EQ(answering("p1"), 2);
}

TEST_F(SeveralTargets, M9_AQuorumOfBothFailsWithOneOfThemOnBothPathsAndNothingMoves) {
  ASSERT_NO_FATAL_FAILURE(begin(2));
  ASSERT_DONE(lab().ip("mid", "link set x0 down"));
  ASSERT_TRUE(await("no path has its quorum",
                    [&] { return host().group().at("state") == "no working path"; }));
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(host().switchovers().empty());
  ASSERT_DONE(lab().ip("mid", "link set x0 up"));
  ASSERT_TRUE(await("both have", [&] { return host().group().at("state") == "protected"; }));
  EXPECT_TRUE(host().switchovers().empty());
}

INSTANTIATE_TEST_SUITE_P(Asked, SeveralTargetsBy,
                         testing::Values(Asked{"Arp", "arp", 4}, Asked{"Icmp", "icmp", 4},
                                         Asked{"Solicitation", "arp", 6},
                                         Asked{"Icmpv6", "icmp", 6}),
                         [](const testing::TestParamInfo<Asked>& cell) {
                           return std::string(cell.param.name);
                         });

}  // namespace
}  // namespace hanet::test
