// SPDX-License-Identifier: Apache-2.0
//
// What `check` calls good does start, and what it refuses does not (O2).
//
// Both are asked about the same host, one after the other, and say the same: an address that is
// this host's own, a standby with an address, a card that is missing. Nothing is touched by a
// refusal, which `ip` says.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;

class CheckHost : public LabTest {
 protected:
  void SetUp() override {
    LabTest::SetUp();
    if (!IsSkipped()) build(Topology::Switch);
  }
  static std::string config(const std::string& heartbeat, const std::string& keys = {}) {
    return fmt::format(
        "[[group]]\nname = \"mether0\"\nprimary = \"p0\"\nstandby = \"p1\"\n{}\n"
        "[group.heartbeat]\ninterval_us = 20000\n{}\n",
        keys, heartbeat);
  }
  /// hanetd starts with it, and ends when this returns.
  void expect_good(const std::string& text) {
    daemons().clear();
    start_with(text);
    EXPECT_TRUE(await("hanetd answers", [&] { return host().ask({"status"}).is_object(); }))
        << host().log();
    EXPECT_EQ(host().stop(), 0);
    EXPECT_EQ(check().exit_code, 0) << check().error;
  }
  /// `check` and the start refuse it with this, and leave the ports that are here as they are.
  void expect_refused(const std::string& text, const std::string& why,
                      const std::vector<std::string>& here = {"p0", "p1"}) {
    SCOPED_TRACE(text);
    std::vector<SeenIdentity> before;
    for (const std::string& port : here) before.push_back(identity_on(host_netns(), port));
    daemons().clear();
    start_with(text);
    EXPECT_TRUE(await("hanetd ended", [&] { return !host().running(); }));
    EXPECT_THAT(host().log(), HasSubstr(why));
    EXPECT_NE(host().stop(), 0);
    const bench::Output refused = check();
    EXPECT_EQ(refused.exit_code, 3);
    EXPECT_THAT(refused.error, HasSubstr(why));
    for (std::size_t at = 0; at < here.size(); ++at) EXPECT_TRUE(carries(here[at], before[at]));
  }

 private:
  bench::Output check() {
    return host().ctl({"check", (host().directory() / "hanet.toml").string()});
  }
};

TEST_F(CheckHost, O2_AnAddressOfThisHostIsNoTarget) {
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 dev p0"));
  ASSERT_DONE(lab().ip("host", "addr add 203.0.113.5/32 dev lo"));
  for (const auto& [target, holder] : {std::pair("192.0.2.1", "p0"),
                                       {"192.0.2.77", "p0"},
                                       {"203.0.113.5", "lo"},
                                       {"2001:db8::1", "p0"}})
    expect_refused(config(fmt::format("target = \"{}\"", target)),
                   fmt::format("group mether0: p0: the target {} is an address of this host ({})",
                               target, holder));
  expect_good(config("target = \"192.0.2.10\""));
}

TEST_F(CheckHost, O2_ATargetIsOneNeighbour) {
  expect_refused(config("target = \"192.0.2.255\""), "is the broadcast address of 192.0.2.0/24");
  expect_refused(config("target = \"192.0.2.0\""),
                 "is the address of the network 192.0.2.0/24 itself");
  expect_refused(config("target = \"203.0.113.9\""), "the target 203.0.113.9 is not on the link");
  expect_refused(config("kind = \"icmp\"\ntarget = \"192.0.2.10\"\nprimary_source = "
                        "\"192.0.2.251\"\nstandby_source = \"203.0.113.252\""),
                 "group mether0: p1: the source 203.0.113.252 is not of the target's network");
}

TEST_F(CheckHost, M5_TheOwnMacAddressIsNoPeer) {
  const SeenIdentity own = identity_on(host_netns(), "p0");
  expect_refused(
      config(fmt::format("kind = \"silence\"\npeer_mac = \"{}\"", net::to_text(own.mac))),
      "is this host's own");
}

TEST_F(CheckHost, F16_AStandbyHasNoAddressOfItsOwn) {
  ASSERT_DONE(lab().ip("host", "addr add 203.0.113.7/24 dev p1"));
  expect_refused(config("target = \"192.0.2.10\""), "standby p1 has the address 203.0.113.7/24");
}

TEST_F(CheckHost, A1_AMetanameThatAnInterfaceHasIsTaken) {
  ASSERT_DONE(lab().ip("host", "link property add dev lo altname mether0"));
  expect_refused(config("target = \"192.0.2.10\""), "an interface is called mether0 already");
}

TEST_F(CheckHost, F10_ACardThatIsMissingIsTreatedAlike) {
  const std::string text = config("target = \"192.0.2.10\"");
  ASSERT_DONE(lab().ip("host", "link set p1 down"));
  ASSERT_DONE(lab().ip("host", "link set p1 name away"));
  expect_refused(text, "found 'p1', which is not here", {"p0"});
  ASSERT_DONE(lab().ip("host", "link set away name p1"));
  ASSERT_DONE(lab().ip("host", "link set p1 up"));
  expect_good(text);
  // It was there when hanetd ran in this boot: it was pulled.
  ASSERT_DONE(lab().ip("host", "link del p1"));
  expect_good(text);
}

}  // namespace
}  // namespace hanet::test
