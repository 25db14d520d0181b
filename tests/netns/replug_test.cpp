// SPDX-License-Identifier: Apache-2.0
//
// Cards that vanish, come back, or are replaced while their group runs (F10).
//
// A card is a veth end here: deleting it takes the cable along, so a new card brings a new cable.
#include <fmt/format.h>
#include <net/if.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

/// What the kernel asks of modprobe while this lives; a trace of its own beside others.
class ModuleRequests {
 public:
  ModuleRequests() {
    std::error_code failed;
    std::filesystem::create_directory(trace_, failed);
    std::ofstream(trace_ / "events/module/module_request/enable") << 1 << std::flush;
  }
  ~ModuleRequests() {
    std::error_code failed;
    std::filesystem::remove(trace_, failed);
  }
  ModuleRequests(const ModuleRequests&) = delete;
  ModuleRequests& operator=(const ModuleRequests&) = delete;

  [[nodiscard]] static bool are_seen() {
    return std::filesystem::exists("/sys/kernel/tracing/events/module/module_request");
  }
  [[nodiscard]] std::string text() const {
    std::stringstream read;
    read << std::ifstream(trace_ / "trace").rdbuf();
    return read.str();
  }

 private:
  std::filesystem::path trace_ =
      fmt::format("/sys/kernel/tracing/instances/hanet-test-{}", ::getpid());
};

class Replug : public LabTest {
 protected:
  void plug_in(const std::string& cable, const std::string& name, const std::string& mac) {
    const Arguments add{"ip",   "-n",    lab().netns("mid"),
                        "link", "add",   cable,
                        "type", "veth",  "peer",
                        "name", name,    "address",
                        mac,    "netns", lab().netns("host")};
    const Result<std::string> added = bench::run_checked(add, std::chrono::seconds(5));
    ASSERT_TRUE(added) << added.error().message;
    ASSERT_DONE(lab().ip("mid", fmt::format("link set {} master br0", cable)));
    ASSERT_DONE(lab().ip("mid", fmt::format("link set {} up", cable)));
  }
  bool is(const std::string& port, const std::string& health) {
    const json group = host().group();
    for (const json& path : group.at("paths"))
      if (path.at("name") == port) return path.at("health") == health;
    return false;
  }
  std::string link_text(const std::string& port) {
    const Result<std::string> found =
        bench::run_checked(lab().in("host", {"ip", "link", "show", port}), std::chrono::seconds(5));
    return found ? *found : found.error().message;
  }
};

TEST_F(Replug, F10_AStandbyThatComesBackUnderItsNameIsAStandbyAgain) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().ip("host", "link del p1"));
  ASSERT_TRUE(await("p1 is missed", [&] { return is("p1", "down"); }));
  EXPECT_EQ(host().path("p1").at("reason"), "interface gone");
  ASSERT_NO_FATAL_FAILURE(plug_in("host-p1", "p1", "02:aa:00:00:00:01"));
  ASSERT_TRUE(await("p1 is watched again", [&] { return is("p1", "up"); })) << host().log();

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().switchovers().at(0).at("outcome"), "complete");
}

TEST_F(Replug, F10_AnOldPrimaryThatComesBackUnderAnotherNameIsKnownByItsMacAddress) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().ip("host", "link del p0"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(echo().reaches_every_address());
  ASSERT_NO_FATAL_FAILURE(plug_in("host-p0", "new0", net::to_text(before.mac)));
  ASSERT_TRUE(await("new0 is watched", [&] { return is("new0", "up"); })) << host().log();
  EXPECT_TRUE(is_bare("new0", before)) << "the identity's MAC address is on p1";

  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "new0"}).exit_code, 0);
  EXPECT_TRUE(carries("new0", before));
  EXPECT_TRUE(is_bare("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Replug, F11_ACardThatComesBackWithNoOtherPathGetsTheIdentityAgain) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("blackhole", "standby"));
  ASSERT_TRUE(await("p1 is down", [&] { return is("p1", "down"); }));
  ASSERT_DONE(lab().ip("host", "link del p0"));
  ASSERT_TRUE(await("nothing is left",
                    [&] { return host().log().find("NO WORKING PATH") != std::string::npos; }));
  ASSERT_NO_FATAL_FAILURE(plug_in("host-p0", "p0", "02:aa:00:00:00:03"));
  ASSERT_TRUE(await("p0 works", [&] { return is("p0", "up"); })) << host().log();
  EXPECT_TRUE(carries("p0", before)) << "with the identity's MAC address";
  EXPECT_TRUE(echo().reaches_every_address());
}

// The kernel looks for a driver of a name that nobody has, and whoever asked waits for modprobe.
TEST_F(Replug, F10_ACardThatIsAwayIsLookedForWithoutStartingModprobe) {
  if (!ModuleRequests::are_seen())
    GTEST_SKIP() << "skipped: this kernel does not tell of requests for modules";
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "link del p1"));
  ASSERT_TRUE(await("p1 is missed", [&] { return is("p1", "down"); }));
  const ModuleRequests requests;
  ASSERT_EQ(::if_nametoindex("hanet-none"), 0U);
  ASSERT_TRUE(requests.text().contains("netdev-hanet-none")) << "that is how it would look";
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));  // it looks once a second
  EXPECT_FALSE(requests.text().contains("netdev-p1")) << requests.text();
  // That it looks: a card that comes back with an address can not be used, and that the address
  // goes is no news of a card.
  ASSERT_NO_FATAL_FAILURE(plug_in("host-p1", "x1", "02:aa:00:00:00:01"));
  ASSERT_DONE(lab().ip("host", "addr add 203.0.113.77/24 dev x1"));
  for (const char* change : {"down", "name p1", "up"})
    ASSERT_DONE(lab().ip(
        "host", fmt::format("link set {} {}", change == std::string("up") ? "p1" : "x1", change)));
  ASSERT_TRUE(await("it is refused", [&] {
    return host().log().find("p1 is back and can not be used yet") != std::string::npos;
  }));
  ASSERT_DONE(lab().ip("host", "addr del 203.0.113.77/24 dev p1"));
  EXPECT_TRUE(await("p1 is watched again", [&] { return is("p1", "up"); })) << host().log();
}

TEST_F(Replug, F10_AnInterfaceThatWasElsewhereForAWhileIsAttachedAnew) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  // It keeps its number on the way, so only its absence tells that everything on it is gone.
  ASSERT_DONE(lab().ip("host", "link set p1 netns " + lab().netns("client")));
  ASSERT_TRUE(await("p1 is missed", [&] { return is("p1", "down"); }));
  ASSERT_DONE(lab().ip("client", "link set p1 netns " + lab().netns("host")));
  ASSERT_TRUE(await("p1 is watched again", [&] { return is("p1", "up"); })) << host().log();
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Replug, F10_AWrongInterfaceIsRefusedBeforeAnythingIsTouched) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().ip("host", "link add other type veth peer name far"));
  ASSERT_DONE(lab().ip("host", "addr add 198.51.100.9/24 dev other"));
  ASSERT_EQ(host().ctl({"remove", "mether0", "p1"}).exit_code, 0);
  // The active path, its other name, an interface with an address, one that is not there.
  for (const std::string wrong : {"p0", "mether0", "other", "none"}) {
    SCOPED_TRACE(wrong);
    EXPECT_EQ(host().ctl({"add", "mether0", wrong}).exit_code, 1);
    EXPECT_TRUE(carries("p0", before));
  }
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().ctl({"add", "mether0", "p1"}).exit_code, 0) << "the right one still fits";
  EXPECT_TRUE(await("p1 is watched", [&] { return is("p1", "up"); }));
}

TEST_F(Replug, F10_ACardIsReplacedWhileEverythingRuns) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  EXPECT_NE(link_text("p1").find("xdp"), std::string::npos);
  const bench::Output refused = host().ctl({"remove", "mether0", "p0"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.error.find("hanetctl switch mether0 --to p1"), std::string::npos)
      << refused.error;

  ASSERT_EQ(host().ctl({"remove", "mether0", "p1"}).exit_code, 0);
  EXPECT_EQ(host().path("p1").at("reason"), "taken out");
  EXPECT_EQ(link_text("p1").find("xdp"), std::string::npos) << "hanet has let go of it";
  ASSERT_DONE(lab().ip("host", "link del p1"));
  ASSERT_NO_FATAL_FAILURE(plug_in("host-p1", "p1", "02:aa:00:00:00:02"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().path("p1").at("reason"), "taken out") << "until a person adds it";

  const bench::Output added = host().ctl({"add", "mether0", "p1"});
  ASSERT_EQ(added.exit_code, 0) << added.error;
  ASSERT_TRUE(await("p1 is watched", [&] { return is("p1", "up"); }));
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

}  // namespace
}  // namespace hanet::test
