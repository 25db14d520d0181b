// SPDX-License-Identifier: Apache-2.0
//
// Two nodes, two cables, hanetd on both: whatever is cut, both end on the same path, once (F7, F8).
//
// The trouble with a pair is that each end is the other's measure. An end that moved first looks at
// a path whose other end has not moved yet; an end whose peer has no power sees both of its own
// cables die. Systems that count either as a failure of their own switch to and fro. So these tests
// count switchovers: one on each end, none where no path works, and none afterwards, when the delay
// is over and the new path has been judged.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <list>

#include "hanet/abi.h"
#include "netns/lab_test.h"
#include "netns/observer.h"
#include "stall_witness.h"

namespace hanet::test {
namespace {

using testing::IsEmpty;

class BothEnds : public LabTest {
 protected:
  void begin(const Settings& settings) {
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Crossover, settings));
    for (const auto& daemon : daemons()) {
      before_.push_back(identity_on(lab().netns(daemon->node()), "p0"));
      observers_.emplace_back(lab().netns(daemon->node()));
    }
    ASSERT_TRUE(echo().reaches_every_address());
  }
  /// Both carry everything on `port`, and the paths that can be judged have been.
  void expect_both_settled_on(const std::string& port) {
    ASSERT_TRUE(all_on(port));
    EXPECT_TRUE(await("the delay is over and the path proved on both ends", [&] {
      return std::ranges::all_of(
          daemons(), [&](const auto& one) { return one->path(port).at("health") == "up"; });
    }));
    for (std::size_t end = 0; end < daemons().size(); ++end) {
      const std::string& node = daemons()[end]->node();
      EXPECT_EQ(daemons()[end]->active(), port) << node;
      EXPECT_THAT(differences(before_[end], identity_on(lab().netns(node), port)), IsEmpty())
          << node;
    }
    EXPECT_TRUE(echo().reaches_every_address());
  }
  void expect_switchovers_on_each_end(std::size_t count) {
    for (const auto& daemon : daemons())
      EXPECT_EQ(daemon->switchovers().size(), count)
          << daemon->node() << ": " << daemon->switchovers().dump(2);
  }
  /// That something happened is shown by switchovers and alarms: an end may have to do nothing.
  void expect_nothing_seen_twice() {
    for (Observer& observer : observers_) EXPECT_THAT(observer.violations_so_far(), IsEmpty());
  }
  Hanet& a() { return *daemons().at(0); }
  Hanet& b() { return *daemons().at(1); }
  void freeze_b() {
    b().freeze();
    ASSERT_TRUE(await("hanetd on b stands still", [&] { return b().frozen(); }));
  }
  /// Time as a's kernel counts it, so that a machine that stands still does not count.
  testing::AssertionResult passes(std::chrono::nanoseconds time) {
    const auto count = [&] { return a().pinned<hanet_port>("ports", 0).link_polls; };
    const std::uint64_t end = count() + polls_in(a(), time);
    return await("time passes in the kernel", [&] { return count() >= end; });
  }
  bool has_alarm(const Hanet& daemon) {
    return daemon.log().find("NO WORKING PATH") != std::string::npos;
  }

 private:
  std::vector<SeenIdentity> before_;
  std::list<Observer> observers_;
};

struct Cut {
  const char* name;
  std::string fault;
  Arguments more;
  std::string mode;
};

std::vector<Cut> all_cuts() {
  std::vector<Cut> cuts;
  for (const char* mode : {"hot", "cold"})
    for (const Cut& cut : std::vector<Cut>{{"TheCable", "carrier", {}, ""},
                                           {"BothDirections", "blackhole", {}, ""},
                                           {"OneDirection", "one-way-out", {}, ""},
                                           {"TheOtherDirection", "one-way-in", {}, ""},
                                           {"OnePortOfA", "carrier", {"--node", "a"}, ""},
                                           {"OnePortOfB", "carrier", {"--node", "b"}, ""}}) {
      cuts.push_back(cut);
      cuts.back().mode = mode;
    }
  return cuts;
}

std::string name_of(const testing::TestParamInfo<Cut>& info) {
  return std::string(info.param.name) + (info.param.mode == "hot" ? "Hot" : "Cold");
}

// NOLINTNEXTLINE(readability-identifier-naming): gtest looks for this name
void PrintTo(const Cut& cut, std::ostream* out) { *out << cut.name << ' ' << cut.mode; }

class BothEndsAfterACut : public BothEnds, public testing::WithParamInterface<Cut> {};

TEST_P(BothEndsAfterACut, F7_F8_EndOnTheSamePathWithOneSwitchoverEach) {
  const Cut& cut = GetParam();
  ASSERT_NO_FATAL_FAILURE(begin({.mode = cut.mode, .group_keys = "delay_ms = 300\n"}));
  ASSERT_DONE(lab().fault(cut.fault, "primary", cut.more));
  ASSERT_NO_FATAL_FAILURE(expect_both_settled_on("p1"));
  expect_switchovers_on_each_end(1);
  expect_nothing_seen_twice();
}

INSTANTIATE_TEST_SUITE_P(Crossover, BothEndsAfterACut, testing::ValuesIn(all_cuts()), name_of);

// The kernel of b goes on, so b bridges although nobody there decides anything.
TEST_F(BothEnds, F8_ANodeThatIsFrozenWhenItsPeerMovesFollowsWhenItWakes) {
  ASSERT_NO_FATAL_FAILURE(begin({.group_keys = "delay_ms = 300\n"}));
  if (!kernel_sees_carriers())
    GTEST_SKIP() << "skipped: hanetd polls the carriers here (no bpf_timer, no fentry)";
  ASSERT_NO_FATAL_FAILURE(freeze_b());
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(await("a has moved", [&] { return a().active() == "p1"; }));
  EXPECT_TRUE(echo().reaches_every_address()) << "b's kernel bridges";
  EXPECT_TRUE(b().frozen());
  b().thaw();
  ASSERT_NO_FATAL_FAILURE(expect_both_settled_on("p1"));
  expect_switchovers_on_each_end(1);
}

// Cold paths answer only while they are in use. A second after its switchover a may try p0 again.
constexpr const char* kColdRetry = "cold_retry_ms = 1000\n";

TEST_F(BothEnds, F7_WithoutADelayAnEndWhosePeerIsSlowSwitchesAgain) {
  ASSERT_NO_FATAL_FAILURE(begin({.mode = "cold", .group_keys = kColdRetry}));
  ASSERT_NO_FATAL_FAILURE(freeze_b());
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(await("a takes the path for dead because its peer is not there yet",
                    [&] { return a().switchovers().size() >= 2; }));
  EXPECT_EQ(a().switchovers().at(1).at("to"), "p0") << "back to the path that is cut";
  b().thaw();
  EXPECT_TRUE(echo().reaches_every_address()) << "they find each other in the end";
}

TEST_F(BothEnds, F7_WithADelayAnEndWhosePeerIsSlowWaitsForIt) {
  const StallWitness witness;
  ASSERT_NO_FATAL_FAILURE(
      begin({.mode = "cold", .group_keys = std::string(kColdRetry) + "delay_ms = 6000\n"}));
  ASSERT_NO_FATAL_FAILURE(freeze_b());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("a has moved", [&] { return a().active() == "p1"; }));
  const auto moved = std::chrono::steady_clock::now();
  // The witness: without the delay a is gone again after a second.
  ASSERT_TRUE(passes(std::chrono::seconds(2)));
  EXPECT_TRUE(b().frozen());
  if (std::chrono::steady_clock::now() - moved > std::chrono::seconds(5)) {
    b().thaw();
    EXCUSE_OR_FAIL(witness, std::chrono::seconds(1), "the delay of 6 s was over");
  }
  EXPECT_EQ(a().session("p1").at("state"), "paused");
  b().thaw();
  ASSERT_NO_FATAL_FAILURE(expect_both_settled_on("p1"));
  expect_switchovers_on_each_end(1);
  expect_nothing_seen_twice();
}

// Complaint 11: a peer without power takes the carrier from both cables. The survivor's cards are
// fine, and nothing that it could do would help: it stays, says so, and is met again when the peer
// returns. The detection time leaves both cables time to die before anything moves.
TEST_F(BothEnds, F8_F11_APeerWithoutPowerMovesNothingAndIsMetAgainWhereItWas) {
  // All ports lose their carrier one after the other, which has to look like one fault.
  ASSERT_NO_FATAL_FAILURE(
      begin({.interval_us = 10'000, .multiplier = 20, .group_keys = "delay_ms = 300\n"}));
  ASSERT_DONE(lab().fault("carrier", "all"));
  for (const auto& daemon : daemons())
    ASSERT_TRUE(await("the alarm of " + daemon->node(), [&] { return has_alarm(*daemon); }));
  expect_switchovers_on_each_end(0);

  ASSERT_DONE(lab().heal("primary"));
  ASSERT_NO_FATAL_FAILURE(expect_both_settled_on("p0"));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  expect_switchovers_on_each_end(0);
  expect_nothing_seen_twice();
}

// The same while they work on the alternate path: the primary is not preferred for its name.
TEST_F(BothEnds, F8_F11_APeerThatReturnsOnBothPathsAtOnceIsMetWhereItWas) {
  ASSERT_NO_FATAL_FAILURE(
      begin({.interval_us = 10'000, .multiplier = 5, .group_keys = "delay_ms = 300\n"}));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_both_settled_on("p1"));
  ASSERT_DONE(lab().fault("carrier", "all"));
  for (const auto& daemon : daemons())
    ASSERT_TRUE(await("the alarm of " + daemon->node(), [&] { return has_alarm(*daemon); }));
  ASSERT_DONE(lab().heal("standby"));
  ASSERT_NO_FATAL_FAILURE(expect_both_settled_on("p1"));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  expect_switchovers_on_each_end(1);
}

// Both ends start from "nothing works", and each takes what works first. It may not be the same.
TEST_F(BothEnds, F8_F11_APeerThatReturnsOnBothPathsAtOnceIsMetOnOneOfThem) {
  ASSERT_NO_FATAL_FAILURE(begin({.group_keys = ""}));
  ASSERT_DONE(lab().fault("blackhole", "all"));
  for (const auto& daemon : daemons())
    ASSERT_TRUE(await("the alarm of " + daemon->node(), [&] { return has_alarm(*daemon); }));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(await("both on one path", [&] { return a().active() == b().active(); }));
  EXPECT_TRUE(echo().reaches_every_address());
  expect_nothing_seen_twice();
}

// While hanetd on b stands still the cable fails and is repaired: a has moved, b has not, and both
// paths work.
TEST_F(BothEnds, F8_AnEndThatMissedTheFaultIsFoundAgain) {
  ASSERT_NO_FATAL_FAILURE(begin({.group_keys = ""}));
  ASSERT_NO_FATAL_FAILURE(freeze_b());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("a has moved", [&] { return a().active() == "p1"; }));
  ASSERT_DONE(lab().heal());
  b().thaw();
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(expect_both_settled_on("p0"));
  const json record = a().switchovers().back();
  EXPECT_EQ(record.at("cause"), "the peer is elsewhere") << record.dump(2);
  expect_nothing_seen_twice();
}

TEST_F(BothEnds, F8_A2_ASwitchByHandOnOneEndIsFollowedByTheOther) {
  ASSERT_NO_FATAL_FAILURE(begin({.family = 6, .group_keys = ""}));
  for (const std::string port : {"p1", "p0"}) {
    ASSERT_EQ(b().ctl({"switch", "mether0", "--to", port}).exit_code, 0);
    ASSERT_NO_FATAL_FAILURE(expect_both_settled_on(port));
    for (const auto& daemon : daemons())
      EXPECT_TRUE(await("the status says where the peer is", [&] {
        return daemon->path(port).at("peer").get<std::string>().starts_with("here");
      }));
  }
  expect_switchovers_on_each_end(2);
  EXPECT_EQ(a().switchovers().at(0).at("cause"), "the peer is elsewhere");
  EXPECT_EQ(b().switchovers().at(0).at("cause"), "manual switch");
  expect_nothing_seen_twice();
}

}  // namespace
}  // namespace hanet::test
