// SPDX-License-Identifier: Apache-2.0
//
// Twenty thousand routes: all of them move, and nothing else waits for them (F18).
//
// A router has ten times as many; bench/routes measures those. Here it is what must be so at any
// size: a second fault is handled in the middle of the first one's verification, nothing is lost
// that the kernel has no room to answer, and no snapshot is left that is older than the identity.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "netns/lab_test.h"
#include "netns/own_netns.h"

namespace hanet::test {
namespace {

using namespace std::chrono_literals;

constexpr int kRoutes = 20'000;

std::string prefix(int number) {
  return fmt::format("20.{}.{}.{}/26", number >> 10, (number >> 2) & 255, (number & 3) << 6);
}

class Size : public LabTest {
 protected:
  void build_with_routes() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    const std::filesystem::path file = lab().directory() / "routes";
    std::ofstream lines(file);
    for (int i = 0; i < kRoutes; ++i)
      lines << "route add " << prefix(i) << " via 192.0.2.10 dev p0\n";
    lines.close();
    const Result<std::string> done =
        bench::run_checked({"ip", "-n", host_netns(), "-batch", file.string()}, 30s);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_NO_FATAL_FAILURE(start({}));
    ASSERT_TRUE(all_ready());
  }
  /// As `ip` counts them, by the client.
  std::size_t routes_on(const std::string& port) {
    const Result<std::string> shown = bench::run_checked(
        {"ip", "-n", host_netns(), "-j", "-4", "route", "show", "via", "192.0.2.10", "dev", port},
        10s);
    return shown ? json::parse(*shown).size() : 0;
  }
  bool leads_by(const std::string& port, int number) {
    const std::string whole = prefix(number);
    const Result<std::string> shown = bench::run_checked(
        {"ip", "-n", host_netns(), "-4", "route", "show", whole, "dev", port}, 5s);
    return shown && !shown->empty();
  }
  std::filesystem::path snapshot_file() { return host().directory() / "mether0.snapshot"; }
  std::string snapshot() {
    std::ifstream file(snapshot_file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
};

TEST_F(Size, F18_ManyRoutesMoveWholeAndASecondFaultMeanwhileIsHandled) {
  ASSERT_NO_FATAL_FAILURE(build_with_routes());
  const std::size_t before = routes_on("p0");
  ASSERT_GE(before, std::size_t{kRoutes}) << "the witness";
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(await("the first route moves", [&] { return leads_by("p1", 0); }));
  ASSERT_DONE(lab().heal("primary"));
  ASSERT_TRUE(await("p0's heartbeats are answered again", [&] {
    return host().pinned<hanet_session>("sessions", 0).state == HANET_SESSION_UP;
  }));
  ASSERT_DONE(lab().fault("blackhole", "standby"));
  ASSERT_TRUE(all_on("p0"));
  EXPECT_EQ(routes_on("p0"), before);
  EXPECT_EQ(routes_on("p1"), 0U);
  EXPECT_TRUE(echo().reaches_every_address());
  ASSERT_TRUE(await("both are known", [&] { return host().switchovers().size() == 2; }));
  EXPECT_TRUE(await("nothing is missing", [&] { return host().group().at("findings").empty(); }))
      << host().log();
}

TEST_F(Size, F18_F3_TheSnapshotHasEveryRoute) {
  ASSERT_NO_FATAL_FAILURE(build_with_routes());
  const auto has_last = [&] {
    // RTA_DST with its length, and 20.19.135.192.
    static_assert(kRoutes == 20'000);
    return snapshot().contains("08000100141387c0");
  };
  EXPECT_TRUE(await("it is written", has_last));
  ASSERT_DONE(lab().ip("host", "route del " + prefix(kRoutes - 1)));
  // Between two writings there is nine times what one takes, and a sanitizer makes that long.
  EXPECT_TRUE(await("it is written anew", [&] { return !has_last(); }, 3 * kPatience));
}

TEST_F(Size, F18_F3_WhereNoSnapshotCanBeWrittenNoOldOneIsLeft) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_TRUE(await("it is written", [&] { return std::filesystem::exists(snapshot_file()); }));
  const std::filesystem::path in_the_way = snapshot_file().string() + ".new";
  std::filesystem::create_directories(in_the_way / "not empty");
  ASSERT_DONE(lab().ip("host", "addr add 192.0.2.77/24 dev p0"));
  EXPECT_TRUE(await("the old one goes", [&] { return !std::filesystem::exists(snapshot_file()); }));
  EXPECT_TRUE(await("a person is told", [&] {
    return host().group().at("findings").dump().contains("no snapshot of the identity");
  })) << host().group().dump();
  std::filesystem::remove_all(in_the_way);
  EXPECT_TRUE(
      await("it is written again", [&] { return std::filesystem::exists(snapshot_file()); }));
  EXPECT_TRUE(await("no more trouble", [&] { return host().group().at("findings").empty(); }));
}

}  // namespace
}  // namespace hanet::test
