// SPDX-License-Identifier: Apache-2.0
//
// A host whose identity is on a metanetwork device, and what is said of that device meanwhile (A3).
#pragma once

#include <linux/rtnetlink.h>

#include <string>
#include <vector>

#include "netns/lab_test.h"
#include "netns/recorder.h"

namespace hanet::test {

class Metanet : public LabTest {
 protected:
  /// The host has its addresses on p0 as ever; hanetd takes them over.
  void begin(Settings settings = {}) {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    before = identity_on(host_netns(), "p0");
    settings.mode = "metanet";
    ASSERT_NO_FATAL_FAILURE(start(settings));
    ASSERT_TRUE(all_ready());
    device = identity_on(host_netns(), "mether0").index;
    ASSERT_TRUE(taking_over_ends());
  }
  /// A second after its beginning, when the kernel delivers by itself what was moved.
  testing::AssertionResult taking_over_ends() {
    return await("taking over is at its end", [&] {
      return ip_json(host_netns(), {"-6", "route", "show", "table", "all", "proto", "104"}).empty();
    });
  }
  /// The interface that the kernel side's device uses.
  std::string used() {
    const auto kept = host().pinned<hanet_device>("devices", 0U);
    return kept.port < HANET_MAX_PORTS ? host().pinned<hanet_port>("ports", kept.port).name : "";
  }
  testing::AssertionResult uses(const std::string& port) {
    return await("the device uses " + port, [&] { return used() == port; });
  }
  /// What was said of the device, but of its carrier.
  std::vector<std::string> said_of_device(Recorder& recorder) {
    return recorder.lines([&](const nlmsghdr& message) -> std::string {
      switch (message.nlmsg_type) {
        case RTM_NEWADDR:
        case RTM_DELADDR:
          return address_in(message).index == device ? "address " + address_in(message).address
                                                     : "";
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
          return interface_of_route(message) == device ? "route" : "";
        case RTM_DELLINK:
          return link_in(message).index == device ? "the device is gone" : "";
        default:
          return "";
      }
    });
  }
  std::string shown(const Arguments& words) {
    return bench::run(lab().in("host", words), std::chrono::seconds(5))->out;
  }
  void expect_unmoved() {
    EXPECT_TRUE(carries("mether0", before));
    for (const std::string port : {"p0", "p1"}) EXPECT_TRUE(is_bare(port, {}));
    EXPECT_TRUE(echo().reaches_every_address());
  }
  SeenIdentity before;
  unsigned device = 0;
};

}  // namespace hanet::test
