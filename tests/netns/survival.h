// SPDX-License-Identifier: Apache-2.0
//
// A host whose hanetd was killed, and what is seen of its kernel side (D7).
//
// Nobody is there to be asked, so what is looked at is the kernel's: pinned maps, programs at the
// hooks, and whether a client gets its answers.
#pragma once

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <net/if.h>

#include <array>
#include <filesystem>
#include <string>

#include "engine/tc_hook.h"
#include "netns/lab_test.h"

namespace hanet::test {

class Survival : public LabTest {
 protected:
  void begin_and_kill(const Settings& settings = {}) {
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, settings));
    if (!kernel_keeps_deadlines())
      GTEST_SKIP() << "skipped: hanetd keeps the deadlines here (no bpf_timer)";
    before = identity_on(host_netns(), "p0");
    ASSERT_TRUE(echo().reaches_every_address());
    sees_carriers = kernel_sees_carriers();
    host().kill();
  }
  [[nodiscard]] bool is_killed() { return !host().running(); }
  std::uint32_t mode_of(const std::string& port) { return steer_of(port).mode; }
  void expect_bridged() {
    ASSERT_TRUE(
        await("the kernel bridges", [&] { return mode_of("p0") == HANET_STEER_BRIDGE_OUT; }));
    EXPECT_TRUE(echo().reaches_every_address());
    EXPECT_TRUE(is_killed() && carries("p0", before)) << "the witness: nothing has moved";
  }
  std::uint32_t state_of(const std::string& port) {
    return host().pinned<hanet_session>("sessions", port_of(port).session).state;
  }
  std::string shown(const Arguments& words) {
    return bench::run(lab().in("host", words), std::chrono::seconds(5))->out;
  }
  /// Programs of hanet's at a hook.
  int programs_at(const std::string& port, engine::Direction direction) {
    const bool in = direction == engine::Direction::Ingress;
    const std::string name = in ? "tc_ingress" : "tc_egress";
    int count = 0;
    inside(host_netns(), [&] {
      std::array<std::uint32_t, 64> ids{};
      std::uint32_t found = ids.size();
      if (bpf_prog_query(static_cast<int>(::if_nametoindex(port.c_str())),
                         in ? engine::kTcxIngress : engine::kTcxEgress, 0, nullptr, ids.data(),
                         &found) != 0)
        found = 0;  // no tcx here
      for (std::uint32_t at = 0; at < found; ++at)
        count += engine::describe_program(ids[at]).starts_with(name) ? 1 : 0;
    });
    const std::string filters =
        shown({"tc", "filter", "show", "dev", port, in ? "ingress" : "egress"});
    const std::string ours = "handle 0x686";
    for (std::size_t at = filters.find(ours); at != std::string::npos;
         at = filters.find(ours, at + 1))
      ++count;
    return count;
  }
  void expect_one_program_at_each_hook() {
    for (const std::string port : {"p0", "p1"}) {
      EXPECT_EQ(programs_at(port, engine::Direction::Ingress), 1) << port;
      EXPECT_EQ(programs_at(port, engine::Direction::Egress), 1) << port;
      EXPECT_THAT(shown({"ip", "-d", "link", "show", "dev", port}), testing::HasSubstr("xdp"))
          << port;
    }
  }
  void expect_nothing_left() {
    for (const std::string port : {"p0", "p1"}) {
      EXPECT_EQ(programs_at(port, engine::Direction::Ingress), 0) << port;
      EXPECT_EQ(programs_at(port, engine::Direction::Egress), 0) << port;
      EXPECT_THAT(shown({"ip", "-d", "link", "show", "dev", port}),
                  testing::Not(testing::HasSubstr("xdp")));
    }
    EXPECT_THAT(shown({"ip", "link", "show"}), testing::Not(testing::HasSubstr("hanet-pace")));
    EXPECT_FALSE(std::filesystem::exists(host().pins()));
  }
  SeenIdentity before;
  bool sees_carriers = false;
};

}  // namespace hanet::test
