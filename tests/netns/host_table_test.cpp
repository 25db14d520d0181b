// SPDX-License-Identifier: Apache-2.0
//
// `hanetctl check --host`: what would move, what differs and what would be lost, before the fault
// (O9). Everything is set up with ip, tc, nft and sysctl, as people do, and no hanetd runs.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "netns/manager.h"

namespace hanet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class HostTable : public ManagerTest {
 protected:
  void SetUp() override {
    ManagerTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    std::ofstream(file()) << "[[group]]\nname = \"mether0\"\nprimary = \"p0\"\nstandby = \"p1\"\n"
                             "[group.heartbeat]\ntarget = \"192.0.2.10\"\ninterval_us = 20000\n";
  }
  std::string file() { return (lab().directory() / "table.toml").string(); }
  bench::Output check(const Arguments& options = {}) {
    Arguments command{program("hanetctl"),
                      "check",
                      "--host",
                      file(),
                      "--run-dir",
                      (lab().directory() / "run").string()};
    command.insert(command.end(), options.begin(), options.end());
    Result<bench::Output> output = bench::run(lab().in("host", command), std::chrono::seconds(20));
    return output ? *output
                  : bench::Output{.exit_code = -1, .out = {}, .error = output.error().message};
  }
  /// The only group of the answer.
  json table() {
    const bench::Output output = check({"--json"});
    return json::parse(output.out).at("groups").at(0);
  }
  Status on_host(const Arguments& command) {
    Result<std::string> done =
        bench::run_checked(lab().in("host", command), std::chrono::seconds(5));
    if (!done) return pass_on(done);
    return {};
  }
  Status sh(const std::string& command) { return on_host({"bash", "-c", command}); }
  /// The entry of a thing in a part of the table; null: there is none.
  static json entry(const json& part, const std::string& thing) {
    for (const json& one : part)
      if (one.at("thing") == thing) return one;
    return {};
  }
};

TEST_F(HostTable, O9_WithNothingThatStaysBehindNothingIsLost) {
  const bench::Output whole = check();
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.error;
  EXPECT_THAT(whole.out, HasSubstr("mether0: p0 is active, p1 waits"));
  const json group = table();
  EXPECT_TRUE(group.at("differs").empty() && group.at("lost").empty()) << group.dump(2);
  // The witness: it has looked.
  EXPECT_THAT(entry(group.at("moves"), "addresses").dump(), HasSubstr("192.0.2.1/24"));
  EXPECT_THAT(entry(group.at("moves"), "addresses").dump(), HasSubstr("2001:db8::1/64"));
  EXPECT_THAT(entry(group.at("moves"), "routes").dump(), HasSubstr("default via"));
}

TEST_F(HostTable, O9_F13_WhatStaysOnThePortIsNamedWithWhatHelps) {
  for (const char* command :
       {"tc qdisc add dev p0 root handle 1: htb default 10",
        "tc class add dev p0 parent 1: classid 1:10 htb rate 1gbit", "tc qdisc add dev p0 clsact",
        "tc filter add dev p0 ingress prio 7 protocol all u32 match u32 0 0",
        "nft add table inet t", "nft 'add chain inet t c { type filter hook input priority 0; }'",
        "nft 'add rule inet t c iifname \"p0\" accept'",
        "nft 'add chain inet t n { type nat hook postrouting priority 100; }'",
        "nft 'add rule inet t n masquerade'", "nft add table netdev d",
        "nft 'add chain netdev d c { type filter hook ingress device \"p0\" priority 0; }'",
        "ip link property add dev p0 altname uplink", "ip link set p0 promisc on",
        "ip maddr add 01:00:5e:01:01:01 dev p0", "sysctl -qw net.ipv6.conf.p0.accept_ra=1",
        "ip token set ::77 dev p0"})
    ASSERT_DONE(sh(command));
  const json lost = table().at("lost");
  const auto of = [&](const char* thing) { return entry(lost, thing).dump(); };
  EXPECT_THAT(of("queueing disciplines"), HasSubstr("htb at the root"));
  EXPECT_THAT(of("queueing disciplines"), HasSubstr("class 1:10 of htb"));
  EXPECT_THAT(of("tc filters"), HasSubstr("u32 filter at ingress, priority 7"));
  EXPECT_THAT(of("firewall rules that name the device"), HasSubstr(R"(iifname \"p0\" accept)"));
  EXPECT_THAT(of("firewall rules that name the device"), HasSubstr("table netdev d chain c"));
  EXPECT_THAT(of("masqueraded connections"), HasSubstr("table inet t chain n: masquerade"));
  EXPECT_THAT(of("masqueraded connections"), HasSubstr("snat to"));
  EXPECT_THAT(of("alternative names"), HasSubstr("uplink"));
  EXPECT_THAT(of("promiscuous and all-multicast mode"), HasSubstr("promiscuous"));
  EXPECT_THAT(of("multicast memberships"), HasSubstr("01:00:5e:01:01:01 (ip maddr)"));
  EXPECT_THAT(of("IPv6 interface token"), HasSubstr("::77"));
  const bench::Output shown = check();
  EXPECT_EQ(shown.exit_code, 1);
  EXPECT_THAT(shown.out, HasSubstr("p0: htb at the root"));
  EXPECT_THAT(shown.out, HasSubstr("-> set them and their classes up on both ports alike (tc)"));
}

TEST_F(HostTable, O9_WhatBothPortsHaveAlikeIsNotLost) {
  const auto on = [&](const std::string& port, const std::string& rate) {
    return sh(
        fmt::format("tc qdisc replace dev {0} root tbf rate {1} burst 32kbit latency 400ms; "
                    "ip link set {0} promisc on; ip maddr add 01:00:5e:01:01:01 dev {0}; "
                    "true",
                    port, rate));
  };
  ASSERT_DONE(
      sh("nft add table inet t; nft 'add chain inet t c { type filter hook input priority "
         "0; }'; nft 'add rule inet t c iifname { \"p0\", \"p1\" } accept'"));
  ASSERT_DONE(on("p0", "100mbit"));
  EXPECT_THAT(table().at("lost").dump(), HasSubstr("tbf at the root")) << "the witness";
  ASSERT_DONE(on("p1", "100mbit"));
  const bench::Output alike = check();
  EXPECT_EQ(alike.exit_code, 0) << alike.out;
  ASSERT_DONE(on("p1", "50mbit"));
  EXPECT_THAT(entry(table().at("differs"), "queueing disciplines").dump(),
              HasSubstr("tbf at the root, with options of its own"));
}

TEST_F(HostTable, O9_F13_WhatMustAgreeIsNamedBeforeTheFault) {
  ASSERT_DONE(
      sh("ip link set p0 mtu 9000; ip link set p1 group 7; "
         "sysctl -qw net.ipv6.conf.p1.disable_ipv6=1"));
  const json differs = table().at("differs");
  EXPECT_EQ(entry(differs, "MTU").at("only_active"), json({"an MTU of 9000"}));
  EXPECT_EQ(entry(differs, "MTU").at("only_ports"), json({"an MTU of 1500"}));
  EXPECT_EQ(entry(differs, "link group").at("only_ports"), json({"link group 7"}));
  EXPECT_EQ(entry(differs, "IPv6 on or off").at("only_ports"), json({"IPv6 off"}));
  EXPECT_EQ(check().exit_code, 1);
}

TEST_F(HostTable, O9_F13_WhatAPortThatWaitsCanNotTakeIsLostAndDoesNotMove) {
  ASSERT_THAT(entry(table().at("moves"), "routes").dump(), HasSubstr("default via 2001:db8::10"));
  ASSERT_DONE(sh("sysctl -qw net.ipv6.conf.p1.disable_ipv6=1"));
  const json group = table();
  for (const auto& [thing, what] : {std::pair("addresses", "2001:db8::1/64"),
                                    std::pair("routes", "default via 2001:db8::10")}) {
    EXPECT_THAT(entry(group.at("lost"), thing).dump(), HasSubstr(what));
    EXPECT_THAT(entry(group.at("moves"), thing).dump(), Not(HasSubstr(what)));
    EXPECT_THAT(entry(group.at("moves"), thing).dump(), HasSubstr("192.0.2.")) << "the witness";
  }
}

TEST_F(HostTable, O9_ADuplicateAddressAndABoundSocketAreSaid) {
  ASSERT_DONE(lab().ip("client", "-6 addr add 2001:db8::5/64 dev c0 nodad"));
  inside(host_netns(), [] {
    std::ofstream("/proc/sys/net/ipv6/conf/p0/accept_dad") << "1";
    std::ofstream("/proc/sys/net/ipv6/conf/p0/dad_transmits") << "1";
  });
  ASSERT_DONE(lab().ip("host", "-6 addr add 2001:db8::5/64 dev p0"));
  ASSERT_TRUE(await("the kernel has found it out", [&] {
    return ip_json(host_netns(), {"addr", "show", "dev", "p0"}).dump().contains("dadfailed");
  }));
  Fd bound;
  inside(host_netns(), [&] {
    bound = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(68);
    ASSERT_EQ(::setsockopt(bound.get(), SOL_SOCKET, SO_BINDTODEVICE, "p0", 2), 0);
    ASSERT_EQ(::bind(bound.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)), 0);
  });
  const json group = table();
  EXPECT_THAT(entry(group.at("lost"), "duplicate addresses").dump(), HasSubstr("2001:db8::5/64"));
  EXPECT_THAT(entry(group.at("moves"), "addresses").dump(), Not(HasSubstr("2001:db8::5/64")));
  EXPECT_THAT(entry(group.at("lost"), "sockets bound to the device").dump(),
              HasSubstr("udp 0.0.0.0:68"));
}

TEST_F(HostTable, O9_F16_TheTableIsShownAlsoWhereHanetdWouldNotStart) {
  ASSERT_DONE(lab().ip("host", "addr add 203.0.113.7/24 dev p1"));
  const bench::Output refused = check();
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.error, HasSubstr("standby p1 has the address 203.0.113.7/24"));
  EXPECT_THAT(refused.out, HasSubstr("p1: address 203.0.113.7/24"));
  EXPECT_THAT(refused.out, HasSubstr("192.0.2.1/24"));
}

// A setting that a later kernel adds has to move, or to be named as one that does not.
TEST_F(HostTable, O9_F13_EverySettingThatTheKernelOffersMovesOrIsNamed) {
  inside(host_netns(), [] { std::ofstream("/proc/sys/net/ipv4/conf/p0/rp_filter") << "2"; });
  const json moves = entry(table().at("moves"), "settings");
  EXPECT_THAT(moves.at("has").dump(), HasSubstr("ipv4/conf/rp_filter = 2"));
  std::size_t offered = 0;
  inside(host_netns(), [&] {
    for (const char* kind : {"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"})
      for (const auto& setting :
           std::filesystem::directory_iterator(fmt::format("/proc/sys/net/{}/p0", kind))) {
        std::ifstream value(setting.path());
        std::string text;
        if (::access(setting.path().c_str(), W_OK) == 0 && std::getline(value, text)) ++offered;
      }
  });
  // disable_ipv6 must agree; six of neigh are the coarse form of another one.
  EXPECT_EQ(moves.at("has").size() + moves.at("alike").get<std::size_t>(), offered - 1 - 6);
}

class TrunkTable : public LabTest {};

TEST_F(TrunkTable, O9_PortsThatDifferInTheSameWayAreNamedTogether) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Trunk));
  const std::filesystem::path file = lab().directory() / "table.toml";
  const Result<std::string> config = lab().config("host", {});
  ASSERT_TRUE(config);
  std::ofstream(file) << *config;
  ASSERT_DONE(lab().ip("host", "link set p0 promisc on"));
  ASSERT_DONE(lab().ip("host", "link set p1 promisc on"));
  ASSERT_DONE(lab().ip("host", "link set p5 mtu 9000"));
  const Result<bench::Output> told = bench::run(
      lab().in("host", {program("hanetctl"), "--json", "check", "--host", file.string()}),
      std::chrono::seconds(20));
  ASSERT_TRUE(told);
  const json group = json::parse(told->out).at("groups").at(0);
  ASSERT_EQ(group.at("lost").size(), 1U) << group.at("lost").dump(2);
  EXPECT_EQ(group.at("lost").at(0).at("ports"), json({"p2", "p3", "p4", "p5", "p6", "p7"}));
  ASSERT_EQ(group.at("differs").size(), 1U) << group.at("differs").dump(2);
  EXPECT_EQ(group.at("differs").at(0).at("ports"), json({"p5"}));
}

TEST_F(HostTable, O9_WhoIsActiveIsKnownWhileHanetdRuns) {
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(table().at("active"), "p0");
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  const json group = table();
  EXPECT_EQ(group.at("active"), "p1");
  EXPECT_TRUE(group.at("lost").empty()) << group.dump(2);
  EXPECT_TRUE(group.at("differs").empty()) << group.dump(2);
}

}  // namespace
}  // namespace hanet::test
