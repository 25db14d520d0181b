// SPDX-License-Identifier: Apache-2.0
//
// A metanetwork device that the operator configures (A3, without take_over): nobody's addresses are
// on a port, and the device has the host's for as long as the kernel side carries it.
#include <gmock/gmock.h>

#include <fstream>
#include <string>

#include "netns/metanet.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;

class OwnDevice : public Metanet {
 protected:
  /// The lab's file, for these two ports.
  std::string file_for(const std::string& primary, const std::string& standby) {
    std::string config = *lab().config("host", {.mode = "metanet"});
    const auto replace = [&](const std::string& what, const std::string& with) {
      const std::size_t at = config.find(what);
      if (at == std::string::npos) throw std::runtime_error("no " + what);
      config.replace(at, what.size(), with);
    };
    replace("take_over = true\n", "");
    replace("primary = \"p0\"", "primary = \"" + primary + "\"");
    replace("standby = \"p1\"", "standby = \"" + standby + "\"");
    return config;
  }
  void add_port(const std::string& port) {
    ASSERT_DONE(lab().ip("host", "link add " + port + " type veth peer name host-" + port +
                                     " netns " + lab().netns("mid")));
    ASSERT_DONE(lab().ip("mid", "link set host-" + port + " master br0"));
    ASSERT_DONE(lab().ip("mid", "link set host-" + port + " up"));
  }
  void begin_own() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    before = identity_on(host_netns(), "p0");
    ASSERT_DONE(lab().ip("host", "address flush dev p0"));
    start_with(file_for("p0", "p1"));
    ASSERT_TRUE(await("the device is there",
                      [&] { return lab().ip("host", "link show dev mether0").has_value(); }));
    for (const SeenAddress& address : before.addresses)
      if (!address.local.starts_with("fe80"))
        ASSERT_DONE(lab().ip("host", "address add " + address.text + " dev mether0 nodad"));
    ASSERT_TRUE(all_ready());
    ASSERT_TRUE(echo().reaches_every_address());
  }
  void rewrite(const std::string& config) {
    std::ofstream(host().directory() / "hanet.toml") << config;
  }
};

TEST_F(OwnDevice, A3_ASilentCutIsSurvivedAndAnOrderlyEndLeavesItAtWork) {
  ASSERT_NO_FATAL_FAILURE(begin_own());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(uses("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().stop(), 0);
  EXPECT_THAT(host().log(), HasSubstr("goes on without hanetd"));
  EXPECT_TRUE(echo().reaches_every_address()) << "the addresses are there, and it carries them";
}

TEST_F(OwnDevice, A3_D7_AFileWithOtherPortsTakesTheDeviceOver) {
  ASSERT_NO_FATAL_FAILURE(begin_own());
  for (const std::string port : {"p2", "p3"}) ASSERT_NO_FATAL_FAILURE(add_port(port));
  ASSERT_EQ(host().stop(), 0);
  rewrite(file_for("p2", "p3"));
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(used(), "p2");
  for (const std::string before_them : {"primary", "standby"})
    ASSERT_DONE(lab().fault("carrier", before_them));
  EXPECT_TRUE(echo().reaches_every_address()) << "by the new ports alone";
}

TEST_F(OwnDevice, A3_O8_AReloadThatRestartsItsGroupKeepsThePath) {
  ASSERT_NO_FATAL_FAILURE(begin_own());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  rewrite(file_for("p0", "p1") + "further_targets = [\"192.0.2.11\"]\nquorum = 1\n");
  const bench::Output done = host().ctl({"reload"});
  ASSERT_EQ(done.exit_code, 0) << done.out << done.error;
  EXPECT_EQ(used(), "p1");
  EXPECT_TRUE(await("it is reached", [&] { return bool(echo().reaches_every_address()); }));
}

TEST_F(OwnDevice, A3_O8_AReloadThatWouldTakeItsGroupAwayIsRefused) {
  ASSERT_NO_FATAL_FAILURE(begin_own());
  rewrite(second_group());
  ASSERT_NO_FATAL_FAILURE(add_second_ports());
  const bench::Output done = host().ctl({"reload"});
  EXPECT_NE(done.exit_code, 0);
  EXPECT_THAT(done.out + done.error, HasSubstr("carries nothing without its group"));
  EXPECT_TRUE(echo().reaches_every_address());
}

}  // namespace
}  // namespace hanet::test
