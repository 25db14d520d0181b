// SPDX-License-Identifier: Apache-2.0
//
// Links that come and go under hanetd, on veth ends and on real cards alike (M4, M1, O1, D7).
//
// Each edge is caused one by one and counted against its cause; a port that somebody stops and
// starts is watched as before; what attaching does to a link is no failure.
//
// A line that begins with "measured:" is for the report; time is never asserted.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "core/clock.h"
#include "netns/hands.h"
#include "netns/recorder.h"

namespace hanet::test {
namespace {

/// HANET_TEST_FLAPS where time is short, else 100.
unsigned flap_count() {
  const char* fewer = std::getenv("HANET_TEST_FLAPS");
  return fewer == nullptr ? 100 : static_cast<unsigned>(std::stoul(fewer));
}

constexpr unsigned kSeed = 20;
constexpr int kLongestPauseUs = 20000;

class Carrier : public WithHands {
 protected:
  /// The BPF program that XDP runs on a port of the host; 0: none.
  std::uint32_t xdp_program(const std::string& port) {
    std::uint32_t id = 0;
    inside(host_netns(), [&] {
      if (bpf_xdp_query_id(static_cast<int>(::if_nametoindex(port.c_str())), 0, &id) != 0) id = 0;
    });
    return id;
  }
  /// Pulls the cable of p0 or p1, or puts it back.
  Status set_carrier(const std::string& port, bool up) {
    const std::string state = up ? "up" : "down";
    if (has_cards()) return by_hand({state, port == "p0" ? "n0" : "n1"});
    return lab().ip("mid", fmt::format("link set host-{} {}", port, state));
  }
  /// What ethtool says of a link; empty where the driver does not tell.
  std::optional<bool> ethtool_link(const std::string& port) {
    std::optional<bool> up;
    inside(host_netns(), [&] {
      const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      ethtool_value value{.cmd = ETHTOOL_GLINK, .data = 0};
      ifreq request{};
      port.copy(request.ifr_name, IFNAMSIZ - 1);
      request.ifr_data = reinterpret_cast<char*>(&value);
      if (::ioctl(socket.get(), SIOCETHTOOL, &request) == 0) up = value.data != 0;
    });
    return up;
  }
  /// One edge: the kernel side counts it, stamps it after its cause, and ethtool agrees.
  void make_edge(bool up) {
    const hanet_port before = port_of("p1");
    const MonotonicTime began = monotonic_now();
    ASSERT_DONE(set_carrier("p1", up));
    ASSERT_TRUE(await(up ? "a carrier that came" : "a carrier that went", [&] {
      const hanet_port now = port_of("p1");
      return up ? now.carrier_up_events > before.carrier_up_events
                : now.carrier_down_events > before.carrier_down_events;
    }));
    EXPECT_GE(from_kernel_ns(port_of("p1").carrier_changed_ns), began);
    EXPECT_TRUE(await("ethtool says so, too", [&] { return ethtool_link("p1") == up; }));
  }
};

/// How often the carrier of an interface changes from message to message, the first time from up.
unsigned edges_heard(Recorder& recorder, unsigned index) {
  unsigned edges = 0;
  bool up = true;
  const std::vector<std::string> complaints = recorder.lines([&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWLINK) return std::string();
    const HeardLink link = link_in(message);
    if (link.index == index && link.carrier.value_or(up) != up) {
      up = !up;
      ++edges;
    }
    return std::string();
  });
  EXPECT_TRUE(complaints.empty()) << complaints.front();
  return edges;
}

TEST_F(Carrier, M4_EveryEdgeOfManyIrregularFlapsIsCountedOneForOne) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const hanet_port before = port_of("p1");
  Recorder recorder(host_netns());
  std::mt19937 random(kSeed);
  std::uniform_int_distribution<int> pause_us(0, kLongestPauseUs);
  const unsigned flaps = flap_count();
  for (unsigned flap = 0; flap < flaps; ++flap)
    for (const bool up : {false, true}) {
      SCOPED_TRACE(fmt::format("flap {} {}", flap, up ? "up" : "down"));
      ASSERT_NO_FATAL_FAILURE(make_edge(up));
      // A link that has not come up yet can not be lost, so each edge is waited for; how soon the
      // next one follows is left to chance.
      std::this_thread::sleep_for(std::chrono::microseconds(pause_us(random)));
    }
  ASSERT_TRUE(all_ready());
  const hanet_port after = port_of("p1");
  EXPECT_EQ(after.carrier_down_events - before.carrier_down_events, flaps);
  EXPECT_EQ(after.carrier_up_events - before.carrier_up_events, flaps);
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(host().log().contains("path p1 is down: carrier lost")) << "the policy saw them";
  const std::string source = host().path("p1").at("port").at("link_source");
  if (const char* known = std::getenv("HANET_TEST_LINK_SOURCE")) {
    EXPECT_EQ(source, known);
  }
  fmt::print("measured: {} edges, {} of them told by rtnetlink; link events from {}; seed {}\n",
             2 * flaps, edges_heard(recorder, before.ifindex), source, kSeed);
}

// A driver may forget a program when its card stops.
TEST_F(Carrier, M1_APortThatSomebodyStoppedAndStartedIsWatchedAsBefore) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().ip("host", "link set p1 down"));
  ASSERT_TRUE(await("p1 is down", [&] { return health_of("p1") == "down"; }));
  const std::uint64_t answered = host().session("p1").at("received");
  ASSERT_DONE(lab().ip("host", "link set p1 up"));
  ASSERT_TRUE(await("heartbeats on p1", [&] {
    return host().session("p1").at("received").get<std::uint64_t>() > answered + 20;
  }));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(host().switchovers().empty());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole", "standby"));
  EXPECT_TRUE(all_on("p0")) << "the witness: it is watched, and not only heard";
}

// A driver may keep it, too.
TEST_F(Carrier, D7_NoProgramStaysLoadedAfterAPortWasStopped) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const std::uint32_t program = xdp_program("p1");
  ASSERT_NE(program, 0U);
  ASSERT_DONE(lab().ip("host", "link set p1 down"));
  ASSERT_TRUE(await("p1 is down", [&] { return health_of("p1") == "down"; }));
  ASSERT_TRUE(Fd(bpf_prog_get_fd_by_id(program)).valid()) << "the witness";
  EXPECT_EQ(host().stop(), 0);
  EXPECT_TRUE(await("it is gone", [&] { return !Fd(bpf_prog_get_fd_by_id(program)).valid(); }));
}

// Some drivers reset their card when a program is attached, and the link negotiates anew.
TEST_F(Carrier, O1_ALinkThatComesUpOnlyAfterAttachingCausesNoFailover) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  EXPECT_EQ(host().stop(), 0);
  ASSERT_DONE(set_carrier("p0", false));
  host().start();
  ASSERT_TRUE(await("p1 is proved", [&] { return health_of("p1") == "up"; }));
  EXPECT_NE(health_of("p0"), "up") << "the witness: it was attached without a link";
  ASSERT_DONE(set_carrier("p0", true));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_TRUE(carries("p0", before));
  ASSERT_DONE(set_carrier("p0", false));
  EXPECT_TRUE(all_on("p1")) << "the witness: it could have failed over";
}

// A BPF program does not run inside itself, so two edges on one CPU can be one too many.
TEST_F(Carrier, M4_AnEdgeThatTheKernelSideMissedIsPutRight) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  hanet_port port = port_of("p1");
  ASSERT_EQ(port.carrier, std::uint32_t{HANET_CARRIER_UP});
  port.carrier = HANET_CARRIER_DOWN;
  const std::uint32_t index = host().pinned<hanet_session>("sessions", port.session).port;
  ASSERT_TRUE(host().write_pinned("ports", index, port));
  // Any notification about the interface makes hanetd look.
  ASSERT_DONE(lab().ip("host", "link set p1 txqueuelen 999"));
  EXPECT_TRUE(
      await("the carrier is up again", [&] { return port_of("p1").carrier == HANET_CARRIER_UP; }));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(host().switchovers().empty());
}

}  // namespace
}  // namespace hanet::test
