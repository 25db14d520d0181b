// SPDX-License-Identifier: Apache-2.0
//
// hanetd comes and goes: asked to end, killed, started twice.
//
// A service that leaves programs on ports, pins or changed settings behind is a service that nobody
// dares to restart. And whatever ends hanetd, the identity stays where it is: a restart is not a
// failure (O1, D7, F12).
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "netns/lab_test.h"
#include "stall_witness.h"

namespace hanet::test {
namespace {

class Lifecycle : public LabTest {
 protected:
  /// Programs on a port, in words: "xdp", "tcx 2", "clsact 1"; empty when there is none.
  std::string attached_to(const std::string& port) {
    std::string found;
    inside(host_netns(), [&] {
      const int index = static_cast<int>(::if_nametoindex(port.c_str()));
      std::uint32_t xdp = 0;
      if (bpf_xdp_query_id(index, 0, &xdp) == 0 && xdp != 0) found += "xdp ";
    });
    const auto filters = bench::run_checked(
        lab().in("host", {"sh", "-c",
                          fmt::format("bpftool net show dev {0} 2>/dev/null | grep -E 'tcx|clsact' "
                                      "|| true; tc filter show dev {0} ingress; "
                                      "tc filter show dev {0} egress",
                                      port)}),
        std::chrono::seconds(5));
    return found + (filters ? *filters : filters.error().message);
  }
  std::string settings_of(const std::string& port) {
    return fmt::format("{} {} {} {}", sysctl(host_netns(), "ipv6/conf/" + port + "/accept_ra"),
                       sysctl(host_netns(), "ipv4/conf/" + port + "/arp_ignore"),
                       link_of(host_netns(), port).address_generation,
                       link_of(host_netns(), port).admin_up);
  }
  std::filesystem::path lock_file_of(const std::string& port) {
    struct stat network{};
    inside(host_netns(), [&] { ::stat("/proc/thread-self/ns/net", &network); });
    return fmt::format("/run/hanet/locks/port-{}@{}", port, network.st_ino);
  }
  bench::Output second_instance() {
    const std::filesystem::path other = lab().directory() / "other";
    const Result<bench::Output> second =
        bench::run(lab().in("host", {program("hanetd"), "--config",
                                     (host().directory() / "hanet.toml").string(), "--run-dir",
                                     other.string(), "--pin-dir", host().pins().string() + "2"}),
                   std::chrono::seconds(10));
    EXPECT_TRUE(second) << second.error().message;
    return second.value_or(bench::Output{});
  }
  bool in_the_middle(const std::string& nft) {
    return bench::run_checked(lab().in("mid", {"nft", nft}), std::chrono::seconds(5)).has_value();
  }
  /// On p0, but for one or two, so that the kernel side asks in the configured interval.
  bool lose_answers() {
    return in_the_middle(
        "add table bridge late; add chain bridge late forward "
        "{ type filter hook forward priority 0; }; add rule bridge late forward oifname "
        "\"host-p0\" arp operation reply quota over 60 bytes drop");
  }
  void expect_the_wait_is_told() {
    EXPECT_EQ(host().switchovers().at(0).at("verdict_waited"), true);
    const std::string explained = host().ctl({"explain"}).out;
    EXPECT_TRUE(explained.contains("acts on it; until then the path was given time")) << explained;
    EXPECT_TRUE(host().log().contains(" after the verdict, for which the path was given time"))
        << host().log();
  }
  void expect_p1_proved() {
    ASSERT_TRUE(await("p1 is proved", [&] {
      const json status = host().ask({"status"});
      return !status.is_null() && host().path("p1").at("health") == "up";
    }));
  }

  // What is left of the two seconds that hanetd gives a path at its start.
  static constexpr std::chrono::milliseconds kExcuse{500};
  StallWitness witness_;
};

TEST_F(Lifecycle, O1_WhenAskedToEndItLeavesNothingBehind) {
  for (const char* mode : {"hot", "cold"}) {
    SCOPED_TRACE(mode);
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    ASSERT_DONE(lab().ip("host", "link set p1 addrgenmode eui64"));
    const std::string settings = settings_of("p1");
    const SeenIdentity before = identity_on(host_netns(), "p0");
    ASSERT_NO_FATAL_FAILURE(start({.mode = mode, .group_keys = {}}));
    ASSERT_TRUE(all_ready());
    EXPECT_NE(attached_to("p0"), "") << "this test sees no attached programs";
    EXPECT_NE(settings_of("p1"), settings) << "this test sees no changed settings";
    EXPECT_TRUE(std::filesystem::exists(host().pins() / "sessions"));
    EXPECT_TRUE(std::filesystem::exists(lock_file_of("p0"))) << "the witness";

    EXPECT_EQ(host().stop(), 0) << host().log();
    EXPECT_EQ(attached_to("p0"), "");
    EXPECT_EQ(attached_to("p1"), "");
    EXPECT_FALSE(std::filesystem::exists(host().pins()));
    EXPECT_FALSE(std::filesystem::exists(host().directory() / "hanetd.sock"));
    EXPECT_FALSE(std::filesystem::exists(lock_file_of("p0")));
    EXPECT_EQ(settings_of("p1"), settings);
    EXPECT_TRUE(carries("p0", before));
    EXPECT_TRUE(echo().reaches_every_address());
    TearDown();
  }
}

TEST_F(Lifecycle, O1_TheIdentityStaysOnTheAlternatePathWhenItEnds) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_EQ(host().stop(), 0) << host().log();
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Lifecycle, D7_AfterAKillItStartsAgainAndProtectsTheHost) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  host().kill();
  EXPECT_TRUE(std::filesystem::exists(host().pins() / "sessions")) << "pins outlive a kill";
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
}

TEST_F(Lifecycle, D7_AKillWithTheIdentityOnTheAlternatePathIsNoReasonToMoveItBack) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_DONE(lab().heal());
  host().kill();
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().active(), "p1");
  EXPECT_TRUE(carries("p1", before));
  ASSERT_DONE(lab().fault("blackhole", "standby"));  // the lab's word for p1
  ASSERT_TRUE(all_on("p0"));
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Lifecycle, O1_ASecondInstanceIsRefusedAndNamesTheFirst) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const bench::Output second = second_instance();
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_TRUE(second.error.contains(
      fmt::format("port p0 is in use by another hanetd, pid {}; stop it first", host().pid())))
      << second.error;
  EXPECT_TRUE(host().ready()) << "the refused instance disturbed the first";
  EXPECT_TRUE(echo().reaches_every_address());
}

/// A process of `user` that has the abstract name of a port's lock, and none of its files.
class NameHolder {
 public:
  NameHolder(const std::string& netns, const std::string& port, uid_t user) {
    inside(netns, [&] {
      pid_ = ::fork();
      if (pid_ == 0) be_it(port.c_str(), user);
    });
  }
  NameHolder(const NameHolder&) = delete;
  NameHolder& operator=(const NameHolder&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }
  ~NameHolder() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  // After a fork of many threads only system calls are safe.
  [[noreturn]] static void be_it(const char* port, uid_t user) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path + 1, "hanet/port/");
    std::strcat(address.sun_path + 1, port);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                               std::strlen(address.sun_path + 1));
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::setresuid(user, user, user) != 0 ||
        ::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
        ::listen(fd, 1) != 0)
      ::_exit(1);
    ::alarm(120);
    for (;;) ::pause();
  }

  pid_t pid_ = -1;
};

/// Is the abstract name of the lock of p0 taken in the network namespace?
bool lock_name_is_taken(const std::string& netns) {
  std::string sockets;
  inside(netns, [&] {
    std::ifstream file("/proc/thread-self/net/unix");
    sockets.assign(std::istreambuf_iterator<char>(file), {});
  });
  return sockets.contains("@hanet/port/p0");
}

TEST_F(Lifecycle, O1_AUserWhoTakesTheNameOfALockKeepsNoHanetdFromStarting) {
  constexpr uid_t kNobody = 65534;
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const NameHolder user(host_netns(), "p0", kNobody);
  ASSERT_TRUE(await("the name is taken", [&] { return lock_name_is_taken(host_netns()); }));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(host().log().contains("of uid 65534, who is no hanetd")) << host().log();
  // And the port has a lock all the same.
  EXPECT_TRUE(second_instance().error.contains(
      fmt::format("port p0 is in use by another hanetd, pid {}; stop it first", host().pid())));
}

// It sees the network and not the files: all that is left to notice it by is the name.
TEST_F(Lifecycle, O1_AHanetdInAContainerOnThisNetworkIsNoticedAndNamed) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const NameHolder other(host_netns(), "p0", 0);
  ASSERT_TRUE(await("the name is taken", [&] { return lock_name_is_taken(host_netns()); }));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
  EXPECT_TRUE(host().log().contains(
      fmt::format("port p0 is in use by another hanetd, pid {}; stop it first", other.pid())))
      << host().log();
  EXPECT_EQ(attached_to("p0"), "");
}

TEST_F(Lifecycle, O2_AStandbyWithAnAddressIsRefusedByName) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 dev p1"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
  EXPECT_TRUE(host().log().contains(
      "group mether0: standby p1 has the address 192.0.2.77/24: a standby has no identity of "
      "its own; remove the address, or make the port the primary"))
      << host().log();
  EXPECT_EQ(attached_to("p0"), "");
}

// Before the peer has ever answered, nothing would be missed.
TEST_F(Lifecycle, O3_WhileTheActivePathIsNotProvedTheGroupIsNotCalledProtected) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().fault("blackhole", "primary"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  const auto state = [&] {
    const json status = host().ask({"status"});
    return status.is_null() ? json() : status.at("groups").at(0).at("state");
  };
  EXPECT_TRUE(await("it says so", [&] { return state() == "active path not proved"; }));
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(await("the peer was found", [&] { return state() == "protected"; }));
}

// On a busy host the first answers may come late, and by the other path first.
TEST_F(Lifecycle, O1_APathWhoseFirstAnswersAreLostCausesNoFailover) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_TRUE(lose_answers());
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(await("it watches", [&] { return host().log().contains("watching 1 group"); }));
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_NO_FATAL_FAILURE(expect_p1_proved());
  ASSERT_TRUE(await("the kernel has given p0 up", [&] {
    return host().session("p0").at("down_verdicts").get<std::uint64_t>() > 0;
  }));
  ASSERT_TRUE(in_the_middle("delete table bridge late"));
  const auto silent = std::chrono::steady_clock::now() - begun;
  ASSERT_TRUE(all_ready());
  if (silent > std::chrono::milliseconds(1800))
    EXCUSE_OR_FAIL(witness_, kExcuse, "the path was silent for too long");
  EXPECT_EQ(host().active(), "p0");
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_FALSE(host().log().contains("path p0 is down")) << host().log();
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Lifecycle, O1_O3_AVerdictThatWaitedForTheFirstAnswersIsExplained) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_TRUE(lose_answers());
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(await("hanetd answers", [&] { return !host().ask({"status"}).is_null(); }));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  expect_the_wait_is_told();
}

TEST_F(Lifecycle, O1_M3_APathThatDoesNotAnswerAtTheStartIsLeft) {
  for (const char* mode : {"hot", "cold"}) {
    SCOPED_TRACE(mode);
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    const SeenIdentity before = identity_on(host_netns(), "p0");
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_NO_FATAL_FAILURE(start({.mode = mode, .group_keys = {}}));
    ASSERT_TRUE(await("hanetd answers", [&] { return !host().ask({"status"}).is_null(); }));
    ASSERT_NO_FATAL_FAILURE(expect_moved(before));
    TearDown();
  }
}

// A link may need some seconds after attaching, so the identity waits for it; the host does not.
TEST_F(Lifecycle, O1_M4_ACableThatIsOutAtTheStartIsBridgedUntilTheIdentityMoves) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_NO_FATAL_FAILURE(expect_p1_proved());
  if (!kernel_sees_carriers())
    GTEST_SKIP() << "skipped: hanetd polls the carriers here (no bpf_timer, no fentry)";
  EXPECT_TRUE(echo().reaches_every_address());
  const bench::Output refused = host().ctl({"remove", "mether0", "p1"});
  const bool waited = host().switchovers().empty();
  if (waited) {
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_TRUE(
        refused.error.contains(
            "p1 alone carries the traffic while path p0 does not work; repair that first") ||
        refused.error.contains("a switchover is running"))
        << refused.error;
  }
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  EXPECT_FALSE(host().log().contains("works again")) << host().log();
  EXPECT_EQ(host().switchovers().at(0).at("steered_in_kernel"), true);
  expect_the_wait_is_told();
  if (!waited)
    EXCUSE_OR_FAIL(witness_, kExcuse, "the identity moved before the client had its answers");
}

// It carries nothing then, and the card may be what is broken.
TEST_F(Lifecycle, F10_AStandbyThatTheKernelBridgesToCanBeTakenOutWhenItDoesNotWorkEither) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_NO_FATAL_FAILURE(expect_p1_proved());
  if (!kernel_sees_carriers())
    GTEST_SKIP() << "skipped: hanetd polls the carriers here (no bpf_timer, no fentry)";
  ASSERT_DONE(lab().fault("carrier", "standby"));
  ASSERT_TRUE(await("p1 is down", [&] { return host().path("p1").at("health") == "down"; }));
  if (!host().switchovers().empty())
    EXCUSE_OR_FAIL(witness_, kExcuse, "the identity moved before both paths were down");
  const bench::Output removed = host().ctl({"remove", "mether0", "p1"});
  EXPECT_EQ(removed.exit_code, 0) << removed.error;
}

}  // namespace
}  // namespace hanet::test
