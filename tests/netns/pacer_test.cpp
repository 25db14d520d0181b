// SPDX-License-Identifier: Apache-2.0
//
// Requests need no process (M12): with hanetd frozen they go on leaving, a silent fault is found,
// and the standby carries the traffic.
//
// The kernel's own counters are looked at, and the client; hanetd, which stands still, is asked
// nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>

#include "hanet/abi.h"
#include "netns/lab_test.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Paced : public LabTest {
 protected:
  void begin() {
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
    const std::string requests = host().ask({"status"}).at("daemon").at("requests");
    ASSERT_TRUE(requests.starts_with("kernel (")) << requests;
  }
  std::uint64_t sent(std::uint32_t session = 0) {
    return host().pinned<hanet_session>("sessions", session).sent;
  }
  hanet_pacer pacer() { return host().pinned<hanet_pacer>("pacer", 0); }
  /// Both sessions send on from here.
  void expect_requests_leave() {
    for (const std::uint32_t session : {0U, 1U}) {
      const std::uint64_t before = sent(session);
      EXPECT_TRUE(await("requests leave", [&] { return sent(session) > before + 100; })) << session;
    }
  }
  void freeze() {
    host().freeze();
    ASSERT_TRUE(await("hanetd stands still", [&] { return host().frozen(); }));
  }
  std::string shown(const Arguments& words) {
    Arguments command{"ip"};
    command.insert(command.end(), words.begin(), words.end());
    return bench::run(lab().in("host", command), std::chrono::seconds(5))->out;
  }
  std::string links() { return shown({"-d", "link", "show"}); }
  std::string near_end() { return link_name_of(pacer().ifindex); }
  std::string link_name_of(unsigned index) {
    const std::string one = shown({"-o", "link", "show"});
    const std::size_t at = one.find(fmt::format("{}: hanet-pace", index));
    EXPECT_NE(at, std::string::npos) << one;
    const std::size_t begin = one.find("hanet-pace", at);
    return one.substr(begin, one.find_first_of("@:", begin) - begin);
  }
};

TEST_F(Paced, M12_D7_ASilentFaultIsBridgedWhileHanetdStandsStill) {
  ASSERT_NO_FATAL_FAILURE(begin());
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_TRUE(echo().reaches_every_address());
  ASSERT_NO_FATAL_FAILURE(freeze());
  ASSERT_NO_FATAL_FAILURE(expect_requests_leave());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(
      await("the kernel bridges", [&] { return steer_of("p0").mode == HANET_STEER_BRIDGE_OUT; }));
  EXPECT_TRUE(echo().reaches("192.0.2.1"));
  EXPECT_TRUE(echo().reaches("192.0.2.101"));
  EXPECT_TRUE(host().frozen()) << "this test proves nothing: hanetd runs";
  EXPECT_TRUE(carries("p0", before)) << "this test proves nothing: the identity has moved";
  host().thaw();
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().switchovers().at(0).at("steered_in_kernel"), true);
}

TEST_F(Paced, M12_ThePairCarriesNothingSaysWhatItIsAndGoesWithHanetd) {
  ASSERT_NO_FATAL_FAILURE(begin());
  EXPECT_THAT(links(), HasSubstr("paces the heartbeats of"));
  const std::string near = near_end();
  EXPECT_THAT(shown({"addr", "show", near}), Not(HasSubstr("inet")));
  EXPECT_THAT(shown({"link", "show", near}), HasSubstr("NOARP"));
  ASSERT_EQ(host().stop(), 0);
  EXPECT_THAT(links(), Not(HasSubstr("hanet-pace")));
}

TEST_F(Paced, M12_ATokenThatIsLostIsPutInAgain) {
  ASSERT_NO_FATAL_FAILURE(begin());
  const std::string near = near_end();
  const std::uint32_t first = pacer().token;
  ASSERT_DONE(lab().ip("host", fmt::format("link set {} down", near)));
  ASSERT_TRUE(await("it is missed", [&] { return pacer().token != first; }));
  const std::uint64_t rounds = pacer().rounds;
  EXPECT_TRUE(await("the token comes round", [&] { return pacer().rounds > rounds + 100; }));
  ASSERT_NO_FATAL_FAILURE(expect_requests_leave());
  EXPECT_THAT(host().log(), HasSubstr("token did not come round on " + near));
  EXPECT_TRUE(host().switchovers().empty());
}

TEST_F(Paced, M12_APairThatIsTakenAwayIsMadeAgain) {
  ASSERT_NO_FATAL_FAILURE(begin());
  const std::uint32_t first = pacer().ifindex;
  ASSERT_DONE(lab().ip("host", "link del " + near_end()));
  ASSERT_NO_FATAL_FAILURE(expect_requests_leave());  // from hanetd's thread
  EXPECT_TRUE(await("there is another", [&] { return pacer().ifindex != first; }));
  const std::uint64_t rounds = pacer().rounds;
  EXPECT_TRUE(await("the token comes round", [&] { return pacer().rounds > rounds + 100; }));
  EXPECT_TRUE(host().switchovers().empty());
}

TEST_F(Paced, M12_D4_AnIntervalIsInForceWhileHanetdStandsStill) {
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_NO_FATAL_FAILURE(freeze());
  auto live = host().pinned<hanet_params>("params", 0);
  live.interval_us = 7000;
  ASSERT_TRUE(host().write_pinned("params", 0, live));
  EXPECT_TRUE(await("it is in force", [&] {
    return host().pinned<hanet_session>("sessions", 0).interval_us == 7000;
  }));
  ASSERT_NO_FATAL_FAILURE(expect_requests_leave());
  EXPECT_TRUE(host().frozen());
  host().thaw();
}

TEST_F(Paced, M12_AKilledHanetdLeavesOnePairToTheNext) {
  ASSERT_NO_FATAL_FAILURE(begin());
  host().kill();
  EXPECT_THAT(links(), HasSubstr("hanet-pace")) << "the witness";
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(await("the killed one's pair is gone", [&] {
    const std::string all = links();
    return all.find("hanet-pace0") == std::string::npos &&
           all.find("hanet-pace2") != std::string::npos;
  }));
  ASSERT_NO_FATAL_FAILURE(expect_requests_leave());
}

TEST_F(Paced, F6_M12_WhereAStandbyIsWarmNoInterfaceIsMade) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Firewall, {.mode = "warm", .group_keys = kWarmDummy}));
  EXPECT_THAT(std::string(host().ask({"status"}).at("daemon").at("requests")),
              HasSubstr("allows no new interface"));
  EXPECT_THAT(bench::run(lab().in("fw", {"ip", "link", "show"}), std::chrono::seconds(5))->out,
              Not(HasSubstr("hanet-pace")));
}

class WithoutPacer : public Paced {
 protected:
  [[nodiscard]] Arguments hanetd_options() const override { return {"--no-pacer"}; }
};

TEST_F(WithoutPacer, M1_HanetdsThreadSends) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  EXPECT_THAT(std::string(host().ask({"status"}).at("daemon").at("requests")),
              HasSubstr("--no-pacer"));
  EXPECT_THAT(links(), Not(HasSubstr("hanet-pace")));
  ASSERT_NO_FATAL_FAILURE(expect_requests_leave());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(WithoutPacer, M3_AFrozenSenderIsNoDeadPath) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  const std::uint64_t many = polls_in(host(), std::chrono::milliseconds(300));
  ASSERT_NO_FATAL_FAILURE(freeze());
  const std::uint64_t before = port_of("p0").link_polls;
  const std::uint64_t last = sent();
  ASSERT_TRUE(await("time passes in the kernel",
                    [&] { return port_of("p0").link_polls >= before + many; }));
  EXPECT_EQ(sent(), last) << "the witness: nobody sends";
  EXPECT_TRUE(echo().reaches_every_address());
  host().thaw();
  ASSERT_TRUE(all_ready());
  for (const std::string port : {"p0", "p1"})
    EXPECT_EQ(host().session(port).at("down_verdicts"), 0) << port;
  EXPECT_TRUE(host().switchovers().empty());
}

}  // namespace
}  // namespace hanet::test
