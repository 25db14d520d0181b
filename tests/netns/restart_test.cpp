// SPDX-License-Identifier: Apache-2.0
//
// Reconfiguring and restarting hanetd costs the host nothing.
//
// With other managers a reload bounces the link or takes addresses away for a moment, which two
// pictures before and after do not show. So every rtnetlink message in between is looked at: the
// active interface never loses its carrier, an address or a route (O1, D4).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <signal.h>

#include "netns/lab_test.h"
#include "netns/recorder.h"

namespace hanet::test {
namespace {

using testing::Contains;
using testing::IsEmpty;

class Restart : public LabTest {
 protected:
  /// What an interface lost, in words; empty for any other message.
  static Recorder::Describe loss_of(unsigned index) {
    return [index](const nlmsghdr& message) -> std::string {
      const void* payload = mnl_nlmsg_get_payload(&message);
      if (message.nlmsg_type == RTM_DELADDR) {
        const auto* header = static_cast<const ifaddrmsg*>(payload);
        return header->ifa_index == index ? "an address" : "";
      }
      if (message.nlmsg_type == RTM_NEWLINK || message.nlmsg_type == RTM_DELLINK) {
        const auto* header = static_cast<const ifinfomsg*>(payload);
        if (header->ifi_family != AF_UNSPEC || header->ifi_index != static_cast<int>(index))
          return "";
        if (message.nlmsg_type == RTM_DELLINK) return "itself";
        return (header->ifi_flags & IFF_LOWER_UP) == 0 ? "the carrier" : "";
      }
      if (message.nlmsg_type != RTM_DELROUTE) return "";
      return interface_of_route(message) == index ? "a route" : "";
    };
  }
  void expect_nothing_lost(const std::function<void()>& action) {
    const SeenIdentity before = identity_on(host_netns(), "p0");
    Recorder recorder(host_netns());
    action();
    ASSERT_TRUE(all_ready());
    EXPECT_TRUE(echo().reaches_every_address());
    EXPECT_THAT(recorder.lines(loss_of(before.index)), IsEmpty());
    EXPECT_TRUE(carries("p0", before));
    EXPECT_EQ(host().active(), "p0");
    EXPECT_TRUE(host().switchovers().empty());
    // The witnesses: the recorder sees a loss, and the host is protected.
    ASSERT_DONE(lab().fault("carrier"));
    ASSERT_TRUE(all_on("p1"));
    EXPECT_TRUE(carries("p1", before));
    EXPECT_THAT(recorder.lines(loss_of(before.index)), Contains("the carrier"));
    EXPECT_THAT(recorder.lines(loss_of(before.index)), Contains("an address"));
  }
};

TEST_F(Restart, O1_AnOrderlyRestartTakesNothingFromTheActiveInterface) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  expect_nothing_lost([&] {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(host().stop(), 0);
      EXPECT_TRUE(echo().reaches_every_address());
      host().start();
      ASSERT_TRUE(all_ready());
    }
  });
}

TEST_F(Restart, O1_D7_ARestartAfterAKillTakesNothingEither) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  expect_nothing_lost([&] {
    host().kill();
    EXPECT_TRUE(echo().reaches_every_address());
    host().start();
  });
}

TEST_F(Restart, O1_ASignalThatMeansNothingIsNoReasonToEndOrToTouchAnything) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const pid_t pid = host().pid();
  expect_nothing_lost([&] {
    const std::uint64_t before = host().session("p0").at("received");
    ASSERT_EQ(::kill(pid, SIGUSR1), 0);
    EXPECT_TRUE(await("heartbeats go on",
                      [&] { return host().session("p0").at("received") > before + 50; }));
  });
  EXPECT_EQ(host().pid(), pid);
}

TEST_F(Restart, D4_AChangedParameterIsInForceAndTakesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  expect_nothing_lost([&] {
    ASSERT_EQ(host().ctl({"set", "mether0", "interval_us", "2000"}).exit_code, 0);
    EXPECT_TRUE(
        await("it is in force", [&] { return host().session("p0").at("interval_us") == 2000; }));
  });
}

}  // namespace
}  // namespace hanet::test
