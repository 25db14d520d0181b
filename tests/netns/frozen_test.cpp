// SPDX-License-Identifier: Apache-2.0
//
// hanetd is frozen in the worst moment, and the host stays reachable.
//
// Every daemon is stopped now and then: by a hypervisor, by memory pressure, by somebody with a
// debugger. The verdict and the bridging are the kernel's, so the standby carries the traffic while
// hanetd stands still; the identity itself moves when it wakes (D7, M3).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "hanet/abi.h"
#include "netns/lab_test.h"

namespace hanet::test {
namespace {

// Long enough to stop a process between the third lost request and the verdict.
constexpr unsigned kSlowIntervalUs = 200'000;

class FrozenDaemon : public LabTest {
 protected:
  struct Place {
    std::uint32_t port = 0;
    std::uint32_t session = 0;
  };
  /// Where the kernel side keeps a port; asked while hanetd still runs.
  Place place_of(const std::string& name) {
    const unsigned index = link_of(host_netns(), name).index;
    for (std::uint32_t at = 0; at < HANET_MAX_PORTS; ++at) {
      const auto port = host().pinned<hanet_port>("ports", at);
      if (port.in_use != 0 && port.ifindex == index) return {.port = at, .session = port.session};
    }
    throw std::runtime_error("no such port in the map: " + name);
  }
  hanet_steer steer(const Place& place) { return host().pinned<hanet_steer>("steer", place.port); }
  void freeze() {
    host().freeze();
    ASSERT_TRUE(await("hanetd stands still", [&] { return host().frozen(); }));
  }
  /// The host answers although its daemon stands still and its identity is on the dead path.
  void expect_bridged(const Place& dead, const SeenIdentity& before) {
    ASSERT_TRUE(
        await("the kernel bridges", [&] { return steer(dead).mode == HANET_STEER_BRIDGE_OUT; }));
    EXPECT_TRUE(echo().reaches("192.0.2.1"));
    EXPECT_TRUE(echo().reaches("192.0.2.101"));
    EXPECT_TRUE(host().frozen()) << "this test proves nothing: hanetd runs";
    EXPECT_TRUE(carries("p0", before)) << "this test proves nothing: the identity has moved";
    EXPECT_GT(steer(dead).redirected_out, 0U);
  }
  void expect_moved_after_thaw(const SeenIdentity& before) {
    host().thaw();
    ASSERT_TRUE(all_on("p1"));
    EXPECT_TRUE(carries("p1", before));
    EXPECT_TRUE(is_bare("p0", before));
    EXPECT_TRUE(echo().reaches_every_address());
    EXPECT_EQ(host().switchovers().at(0).at("steered_in_kernel"), true);
  }
};

TEST_F(FrozenDaemon, D7_ALostCarrierIsBridgedByTheKernelAlone) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  if (!kernel_sees_carriers())
    GTEST_SKIP() << "skipped: hanetd polls the carriers here (no bpf_timer, no fentry)";
  ASSERT_TRUE(echo().reaches_every_address());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const Place primary = place_of("p0");
  ASSERT_NO_FATAL_FAILURE(freeze());
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_NO_FATAL_FAILURE(expect_bridged(primary, before));
  expect_moved_after_thaw(before);
}

TEST_F(FrozenDaemon, D7_ASilentFaultIsBridgedWhenTheLastRequestsHadLeft) {
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Switch, {.interval_us = kSlowIntervalUs, .group_keys = {}}));
  if (!kernel_keeps_deadlines())
    GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
  ASSERT_TRUE(echo().reaches_every_address());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const Place primary = place_of("p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("three requests without an answer", [&] {
    const auto session = host().pinned<hanet_session>("sessions", primary.session);
    return session.sent - session.answered >= 3;
  }));
  ASSERT_NO_FATAL_FAILURE(freeze());
  ASSERT_NO_FATAL_FAILURE(expect_bridged(primary, before));
  expect_moved_after_thaw(before);
}

}  // namespace
}  // namespace hanet::test
