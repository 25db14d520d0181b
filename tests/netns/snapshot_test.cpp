// SPDX-License-Identifier: Apache-2.0
//
// An identity that cannot be read any more when it is needed (F3).
//
// The interface vanishes: with hanetd looking on, or while no hanetd runs, or because it was killed
// in the middle of a switchover. What comes up on the standby is compared field by field with what
// the kernel had. As much weight lies on when the snapshot must not be used: an interface that
// somebody has emptied stays empty.
#include <fmt/format.h>
#include <linux/if_addr.h>

#include <cstddef>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "net/encode.h"
#include "net/link.h"
#include "net/netlink.h"
#include "netns/lab_test.h"
#include "netns/sniffer.h"
#include "snapshot/store.h"

namespace hanet::test {
namespace {

using namespace std::chrono_literals;

constexpr int kVirtualAddresses = 30;

class KeptIdentity : public LabTest {
 protected:
  /// Dozens of addresses with labels, routes that depend on them, a rule and a neighbour.
  void prepare(const Settings& settings = {}) {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    std::string batch;
    for (int i = 0; i < kVirtualAddresses; ++i)
      batch += fmt::format(
          "addr add 192.0.2.{0}/24 brd 192.0.2.255 dev p0 label p0:v{0}\n"
          "addr add 2001:db8::{0}/64 dev p0 nodad\n",
          110 + i);
    batch +=
        "route add 10.1.0.0/16 via 192.0.2.10 dev p0 metric 50\n"
        "route add 10.2.0.0/16 dev p0 src 192.0.2.110 scope link\n"
        "route add 2001:db8:a::/48 via 2001:db8::10 dev p0 metric 50\n"
        "rule add iif p0 table 100 priority 1000\n"
        "neigh add 192.0.2.20 lladdr 02:00:00:00:00:20 dev p0 nud permanent\n";
    ASSERT_NO_FATAL_FAILURE(ip_batch(batch));
    before_ = identity_on(host_netns(), "p0");
    ASSERT_GE(before_.addresses.size(), 2U * kVirtualAddresses);
    ASSERT_NO_FATAL_FAILURE(start(settings));
    ASSERT_TRUE(all_ready());
    ASSERT_TRUE(
        await("the snapshot is kept", [&] { return std::filesystem::exists(snapshot_file()); }));
  }
  void ip_batch(const std::string& lines) {
    const std::filesystem::path file = lab().directory() / "batch";
    std::ofstream(file) << lines;
    const Result<std::string> done =
        bench::run_checked({"ip", "-n", host_netns(), "-batch", file.string()}, 10s);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::filesystem::path snapshot_file() { return host().directory() / "mether0.snapshot"; }
  /// When an earlier hanetd ended as it was asked to.
  void set_end(MonotonicTime at) {
    const auto nanoseconds = static_cast<std::uint64_t>(at.time_since_epoch().count());
    std::fstream head(snapshot_file(), std::ios::in | std::ios::out | std::ios::binary);
    std::uint64_t there = 0;
    head.seekg(offsetof(snapshot::SnapshotHead, ended_ns));
    head.read(reinterpret_cast<char*>(&there), sizeof there);
    ASSERT_NE(there, 0U) << "it did not say that it ended";
    head.seekp(offsetof(snapshot::SnapshotHead, ended_ns));
    head.write(reinterpret_cast<const char*>(&nanoseconds), sizeof nanoseconds);
    ASSERT_TRUE(head.good());
  }
  bool log_has(const std::string& text) { return host().log().contains(text); }
  void plug_in(const std::string& name, const std::string& mac) {
    const Result<std::string> added = bench::run_checked(
        {"ip", "-n", lab().netns("mid"), "link", "add", "host-" + name, "type", "veth", "peer",
         "name", name, "address", mac, "netns", lab().netns("host")},
        5s);
    ASSERT_TRUE(added) << added.error().message;
    ASSERT_DONE(lab().ip("mid", "link set host-" + name + " master br0"));
    ASSERT_DONE(lab().ip("mid", "link set host-" + name + " up"));
  }
  /// What the kernel does when an advertisement announces a prefix (RFC 4862 section 5.5.3).
  void give_router_address(const std::string& port, std::uint8_t last_byte) {
    inside(host_netns(), [&] {
      net::NetlinkSocket socket = net::NetlinkSocket::open().value();
      net::Address address;
      address.family = AF_INET6;
      address.prefix_length = 64;
      address.local = {0x20, 0x01, 0x0d, 0xb8, 0, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, last_byte};
      address.preferred_seconds = 1800;
      address.valid_seconds = 3600;
      address.protocol = IFAPROT_KERNEL_RA;
      address.peer = address.local;
      const Status added = socket.request(
          net::add_address(address, net::index_of_name(socket, port)), "play a router");
      ASSERT_TRUE(added) << added.error().message;
    });
  }
  void expect_on_the_standby() {
    ASSERT_TRUE(await("hanetd answers", [&] { return host().ask({"status"}).is_object(); }))
        << host().log();
    ASSERT_TRUE(all_on("p1")) << host().log();
    EXPECT_TRUE(await("p1 has all of it", [&] { return bool{carries("p1", before_)}; }));
    EXPECT_TRUE(carries("p1", before_));
    EXPECT_TRUE(await("p1 works", [&] { return host().path("p1").at("health") == "up"; }));
    EXPECT_TRUE(echo().reaches_every_address());
  }
  /// On one of the two, as it was, and nothing of it on the other.
  testing::AssertionResult whole_on_one() {
    for (const auto& [here, there] : {std::pair{"p0", "p1"}, std::pair{"p1", "p0"}})
      if (carries(here, before_)) return is_bare(there, before_);
    return testing::AssertionFailure() << "p0: " << carries("p0", before_).message()
                                       << "; p1: " << carries("p1", before_).message();
  }

  SeenIdentity before_;
};

TEST_F(KeptIdentity, F3_WhenTheInterfaceVanishesTheSnapshotComesUpOnTheStandby) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  ASSERT_DONE(lab().ip("host", "link del p0"));
  ASSERT_NO_FATAL_FAILURE(expect_on_the_standby());
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete");
}

// They run down without a notification, and nothing else is read for them.
TEST_F(KeptIdentity, F2_F18_WhatIsLeftOfALifetimeWhenThePathFailsMoves) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.150/24 dev p0 valid_lft 1000 preferred_lft 900"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const auto left_on = [&](const std::string& port) -> std::int64_t {
    const json link = ip_json(host_netns(), {"addr", "show", "dev", port}).at(0);
    for (const json& address : link.at("addr_info"))
      if (address.at("local") == "192.0.2.150") return address.at("valid_life_time");
    return 0;
  };
  ASSERT_TRUE(await("some of it is over", [&] { return left_on("p0") <= 996; }));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_LE(left_on("p1"), 998);
  EXPECT_GE(left_on("p1"), 990);
}

using WrittenByAThread = KeptIdentity;

// From 256 routes on, while the identity goes on changing.
TEST_F(WrittenByAThread, F3_F18_TheSnapshotIsWholeAfterEachChange) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  std::string batch;
  for (int net = 0; net < 300; ++net)
    batch +=
        fmt::format("route add 10.{}.{}.0/24 via 192.0.2.10 dev p0\n", 20 + net / 200, net % 200);
  ASSERT_NO_FATAL_FAILURE(ip_batch(batch));
  // RTA_DST with its length, and 10.9.ROUND.0.
  const auto is_kept = [&](int round) {
    std::ostringstream text;
    text << std::ifstream(snapshot_file()).rdbuf();
    return text.str().contains(fmt::format("080001000a09{:02x}00", round));
  };
  for (int round = 0; round < 5; ++round) {
    ASSERT_DONE(
        lab().ip("host", fmt::format("route add 10.9.{}.0/24 via 192.0.2.10 dev p0", round)));
    ASSERT_TRUE(await("it is written anew", [&] { return is_kept(round); }));
  }
  before_ = identity_on(host_netns(), "p0");
  ASSERT_GT(before_.routes.size(), 305U);
  ASSERT_DONE(lab().ip("host", "link del p0"));
  ASSERT_NO_FATAL_FAILURE(expect_on_the_standby());
}

TEST_F(KeptIdentity, F3_WhenTheNamespaceOfItsOtherEndEndsToo) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  Result<bench::Child> elsewhere =
      bench::Child::start({"unshare", "-n", "sleep", "60"}, lab().directory() / "elsewhere");
  ASSERT_TRUE(elsewhere);
  const std::string own = std::filesystem::read_symlink("/proc/self/ns/net");
  ASSERT_TRUE(await("a namespace", [&] {
    std::error_code failed;
    const auto link =
        std::filesystem::read_symlink(fmt::format("/proc/{}/ns/net", elsewhere->pid()), failed);
    return !failed && link != own;
  }));
  // At one moment for hanetd: the cable goes elsewhere, and that place ends.
  host().freeze();
  ASSERT_TRUE(await("hanetd is frozen", [&] { return host().frozen(); }));
  ASSERT_DONE(lab().ip("mid", fmt::format("link set host-p0 netns {}", elsewhere->pid())));
  elsewhere->stop();
  ASSERT_TRUE(await("p0 is gone", [&] {
    return !bench::run_checked({"ip", "-n", host_netns(), "link", "show", "p0"}, 5s).has_value();
  }));
  host().thaw();
  ASSERT_NO_FATAL_FAILURE(expect_on_the_standby());
}

enum class End { Kill, Sigterm };

class RestartedDaemon : public KeptIdentity,
                        public testing::WithParamInterface<std::pair<const char*, End>> {
 protected:
  void end() {
    if (GetParam().second == End::Kill)
      host().kill();
    else
      EXPECT_EQ(host().stop(), 0);
  }
};

TEST_P(RestartedDaemon, F3_FindsTheIdentityOfACardThatWasPulledMeanwhile) {
  ASSERT_NO_FATAL_FAILURE(prepare({.mode = GetParam().first, .group_keys = {}}));
  end();
  ASSERT_DONE(lab().ip("host", "link del p0"));
  const Sniffer wire(lab().netns("client"), "c0");
  host().start();
  ASSERT_NO_FATAL_FAILURE(expect_on_the_standby());
  for (const char* address : {"192.0.2.1", "192.0.2.139", "2001:db8::139"})
    EXPECT_TRUE(await(std::string("the network is told of ") + address, [&] {
      return wire.count([&](const SeenFrame& frame) {
        return frame.is_announcement() && frame.announced() == address &&
               frame.announced_mac() == before_.mac;
      }) > 0;
    }));
  EXPECT_TRUE(log_has("the identity was lost with p0 while hanetd did not run; p1 has it now"))
      << host().log();
  EXPECT_EQ(host().path("p0").at("reason"), "interface gone");

  ASSERT_NO_FATAL_FAILURE(plug_in("p0", "02:aa:00:00:00:01"));
  ASSERT_TRUE(await("p0 waits as a standby", [&] {
    return host().path("p0").at("reason") == "" && log_has("p0 is back and waits as a standby");
  })) << host().log();
  EXPECT_TRUE(carries("p1", before_));
}

INSTANTIATE_TEST_SUITE_P(InMode, RestartedDaemon,
                         testing::Values(std::pair{"hot", End::Kill}, std::pair{"cold", End::Kill},
                                         std::pair{"warm", End::Kill},
                                         std::pair{"hot", End::Sigterm}),
                         [](const auto& cell) {
                           return fmt::format("{}{}", cell.param.first,
                                              cell.param.second == End::Kill ? "Killed" : "Ended");
                         });

TEST_F(KeptIdentity, F3_AStandbyThatWasPulledMeanwhileIsNoReasonNotToStart) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  host().kill();
  ASSERT_DONE(lab().ip("host", "link del p1"));
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return host().ask({"status"}).is_object(); }));
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(carries("p0", before_));
  EXPECT_TRUE(await("it is an alarm", [&] { return host().group().at("state") == "no standby"; }));
  ASSERT_NO_FATAL_FAILURE(plug_in("p1", "02:aa:00:00:00:02"));
  EXPECT_TRUE(all_ready());
}

// The head of the file says that a switchover ran; the interfaces are as it left them half-way.
TEST_F(KeptIdentity, F3_F12_AKillInTheMiddleOfASwitchoverIsFinished) {
  for (const bool card_vanishes : {false, true}) {
    SCOPED_TRACE(card_vanishes ? "and the card vanishes" : "the card stays");
    ASSERT_NO_FATAL_FAILURE(prepare());
    host().kill();
    std::fstream head(snapshot_file(), std::ios::in | std::ios::out | std::ios::binary);
    head.seekp(offsetof(snapshot::SnapshotHead, moving_to)).put(2);
    head.close();
    // Routes and half of the addresses are off; the MAC address and one address have arrived.
    ASSERT_DONE(lab().ip("host", "route flush dev p0 proto boot"));
    for (int i = 0; i < kVirtualAddresses; i += 2)
      ASSERT_DONE(lab().ip("host", fmt::format("addr del 192.0.2.{}/24 dev p0", 110 + i)));
    ASSERT_DONE(lab().ip("host", "link set p0 address 02:aa:00:00:00:03"));
    ASSERT_DONE(lab().ip("host", "link set p1 address " + net::to_text(before_.mac)));
    ASSERT_DONE(lab().ip("host", "addr add 192.0.2.1/24 brd + dev p1"));
    if (card_vanishes) {
      ASSERT_DONE(lab().ip("host", "link del p0"));
    }
    host().start();
    ASSERT_NO_FATAL_FAILURE(expect_on_the_standby());
    EXPECT_TRUE(log_has("in the middle of a switchover")) << host().log();
    if (!card_vanishes) {
      EXPECT_TRUE(is_bare("p0", before_));
    }
    TearDown();
  }
}

class KilledDaemon : public KeptIdentity, public testing::WithParamInterface<const char*> {};

// Wherever the kill falls; the seed is told when it fails.
TEST_P(KilledDaemon, F3_F12_AKillAnywhereNearASwitchoverLeavesTheIdentityWholeOnOnePath) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  ASSERT_NO_FATAL_FAILURE(prepare({.mode = GetParam(), .group_keys = {}}));
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const std::string to = host().active() == "p0" ? "p1" : "p0";
    const bench::Child asking =
        host().ctl_in_background({"switch", "mether0", "--to", to}, lab().directory() / "switch");
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 12'000));
    host().kill();
    host().start();
    ASSERT_TRUE(all_ready());
    ASSERT_TRUE(await("it is whole", [&] { return bool{whole_on_one()}; }))
        << whole_on_one().message();
    ASSERT_TRUE(echo().reaches_every_address())
        << "steering " << steer_of("p0").mode << " and " << steer_of("p1").mode << "; "
        << bench::run(lab().in("host", {"bpftool", "net"}), std::chrono::seconds(5))->out
        << bench::run(lab().in("client", {"ip", "neighbour"}), std::chrono::seconds(5))->out;
  }
}

INSTANTIATE_TEST_SUITE_P(InMode, KilledDaemon, testing::Values("hot", "cold"),
                         [](const auto& cell) { return std::string(cell.param); });

// A router's advertisement reaches an idle port while nobody keeps it from making an address.
TEST_F(KeptIdentity, F3_AnAddressThatARouterGaveTheOldPrimaryMeanwhileMakesItNoBearer) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_TRUE(all_on("p1"));
  const SeenIdentity before = identity_on(host_netns(), "p1");
  ASSERT_EQ(host().stop(), 0);
  give_router_address("p0", 5);
  ASSERT_DONE(lab().ip("host", "-6 route add 2001:db8:98::/48 dev p0 proto ra"));
  ASSERT_EQ(identity_on(host_netns(), "p0").addresses.size(), 1) << "the router gave none";
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().active(), "p1");
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(is_bare("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(KeptIdentity, F3_NorIfTheIdentityWasChangedMeanwhile) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  ASSERT_TRUE(all_on("p1"));
  ASSERT_EQ(host().stop(), 0);
  ASSERT_DONE(lab().ip("host", "addr del 192.0.2.101/24 dev p1"));
  give_router_address("p0", 5);
  const SeenIdentity before = identity_on(host_netns(), "p1");
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().active(), "p1");
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(is_bare("p0", before));
}

TEST_F(KeptIdentity, F3_AnInterfaceThatSomebodyHasEmptiedStaysEmpty) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  host().kill();
  ASSERT_DONE(lab().ip("host", "addr flush dev p0"));
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return host().ask({"status"}).is_object(); }));
  EXPECT_TRUE(log_has("p0 has lost its addresses while hanetd did not run; it is taken as it is"))
      << host().log();
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(identity_on(host_netns(), "p1").addresses.empty());
  EXPECT_TRUE(identity_on(host_netns(), "p0").addresses.empty());
}

TEST_F(KeptIdentity, F3_AnotherIdentityOnTheStandbyIsNotOverwritten) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  host().kill();
  ASSERT_DONE(lab().ip("host", "link del p0"));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 brd + dev p1"));
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return host().ask({"status"}).is_object(); }))
      << host().log();
  EXPECT_EQ(host().active(), "p1");
  const SeenIdentity found = identity_on(host_netns(), "p1");
  ASSERT_EQ(found.addresses.size(), 1U);
  EXPECT_EQ(found.addresses[0].text, "192.0.2.77/24");
}

TEST_F(KeptIdentity, F3_ADamagedFileIsToldAndNothingIsConfigured) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  host().kill();
  std::fstream file(snapshot_file(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(sizeof(snapshot::SnapshotHead) + 100).put('#');
  file.close();
  ASSERT_DONE(lab().ip("host", "link del p0"));
  host().start();
  ASSERT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
  EXPECT_TRUE(log_has("mether0.snapshot is not used: it is damaged")) << host().log();
  EXPECT_TRUE(log_has("found 'p0', which is not here")) << host().log();
  EXPECT_TRUE(identity_on(host_netns(), "p1").addresses.empty());
}

// A restart takes a minute at most. What has been off for longer was ended for good, and who took
// the card out since then knew that nobody would move its addresses.
TEST_F(KeptIdentity, F3_ASnapshotOfAnOrderlyEndIsForgottenAfterAMinute) {
  for (const bool in_time : {true, false}) {
    SCOPED_TRACE(in_time ? "50 seconds after the end" : "70 seconds after the end");
    ASSERT_NO_FATAL_FAILURE(prepare());
    ASSERT_EQ(host().stop(), 0);
    ASSERT_NO_FATAL_FAILURE(set_end(monotonic_now() - (in_time ? 50s : 70s)));
    ASSERT_DONE(lab().ip("host", "link del p0"));
    host().start();
    if (in_time) {
      ASSERT_NO_FATAL_FAILURE(expect_on_the_standby());
    } else {
      ASSERT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
      EXPECT_TRUE(log_has("interface p0: No such device")) << host().log();
      EXPECT_TRUE(identity_on(host_netns(), "p1").addresses.empty());
    }
    TearDown();
  }
}

// Lifetimes run down without a notification, so the identity is read again once a second. What is
// down can not be read, and its deadline must not wake hanetd again and again.
TEST_F(KeptIdentity, F3_F11_OfAnInterfaceThatIsDownAndHasFiniteLifetimesIsSleptOver) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.150/24 dev p0 valid_lft 1000 preferred_lft 1000"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole", "standby"));
  ASSERT_TRUE(
      await("there is no other path", [&] { return host().path("p1").at("health") == "down"; }));
  ASSERT_DONE(lab().ip("host", "link set p0 down"));
  ASSERT_TRUE(await("it is seen down",
                    [&] { return host().path("p0").at("reason") == "administratively down"; }));
  std::this_thread::sleep_for(1200ms);  // till the lifetimes are looked at
  const std::chrono::nanoseconds before = host().ran();
  const auto begun = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(500ms);
  EXPECT_LT(host().ran() - before, (std::chrono::steady_clock::now() - begun) / 2);
  ASSERT_DONE(lab().ip("host", "link set p0 up"));
  EXPECT_TRUE(await("p0 works again", [&] { return host().path("p0").at("health") == "up"; }));
  EXPECT_TRUE(host().group().at("identity").dump().contains("192.0.2.150/24"))
      << "the witness: there was a lifetime to look at";
}

}  // namespace
}  // namespace hanet::test
