// SPDX-License-Identifier: Apache-2.0
//
// Networks that answer only so many requests a second (M10): access switches with ARP inspection,
// routers that limit echoes.
//
// The switch limits what the host sends, by port or for both ports together, with the buckets of
// nftables. Not one of these paths has failed, so nothing may move and nobody may be called dead;
// and the host's own ARP has to find room beside hanet's.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

struct Limit {
  const char* name;
  unsigned per_second;
  const char* kind = "arp";
  bool for_both = false;  ///< one bucket for both ports, else one each
  unsigned burst = 5;     ///< what passes at once; nftables' default
  const char* mode = "hot";
  bool bridging = true;
};

void PrintTo(const Limit& limit, std::ostream* out) { *out << limit.name; }

class Policing : public LabTest, public testing::WithParamInterface<Limit> {
 protected:
  void police(const Limit& limit) {
    const std::string what =
        std::string(limit.kind) == "arp" ? "ether type arp" : "icmp type echo-request";
    const auto rule = [&](const std::string& ports) {
      return fmt::format("iifname {} {} limit rate over {}/second burst {} packets counter drop; ",
                         ports, what, limit.per_second, limit.burst);
    };
    const std::string rules =
        limit.for_both ? rule("{ host-p0, host-p1 }") : rule("host-p0") + rule("host-p1");
    ASSERT_TRUE(bench::run_checked(
        lab().in("mid", {"nft",
                         "table bridge dai { chain pre { type filter hook prerouting priority "
                         "-250; " +
                             rules + "}; }"}),
        std::chrono::seconds(5)));
  }
  std::uint64_t counter(const std::string& port, const char* name) {
    return host().session(port).at(name).get<std::uint64_t>();
  }
  bool is_limited(const std::string& port) {
    return host().group().at("findings").dump().contains(port + " answers ");
  }
  /// A cold standby asks nobody.
  static std::vector<std::string> asked() {
    if (std::string(GetParam().mode) == "cold") return {"p0"};
    return {"p0", "p1"};
  }
  /// Sooner or later ten requests in a row are answered on each port: it asks no more than that.
  /// At the slowest pace, one in two seconds, these take longer than other waits allow.
  testing::AssertionResult loses_no_more() {
    std::map<std::string, Counts> begun;
    return await(
        "ten answered requests in a row on each port",
        [&] {
          bool all = true;
          for (const std::string& port : asked()) {
            const Counts now{.sent = counter(port, "sent"), .lost = counter(port, "lost")};
            auto& from = begun.try_emplace(port, now).first->second;
            if (now.lost != from.lost) from = now;
            all = now.sent >= from.sent + 10 && all;
          }
          return all;
        },
        std::chrono::seconds(35));
  }

 private:
  struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;
  };
};

TEST_P(Policing, M10_APartOfTheAnswersIsNamedAndAskedLessAndNothingMoves) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(police(GetParam()));
  start({.mode = GetParam().mode,
         .heartbeat = GetParam().kind,
         .bridging = GetParam().bridging,
         .interval_us = 10'000,
         .group_keys = {}});
  ASSERT_TRUE(all_ready());
  for (const std::string& port : asked())
    EXPECT_TRUE(await("it is named on " + port, [&] { return is_limited(port); })) << host().log();
  for (const std::string& port : asked())
    EXPECT_TRUE(await(port + " is up", [&] { return host().path(port).at("health") == "up"; }));
  EXPECT_TRUE(loses_no_more());
  for (int round = 0; round < 5; ++round) {
    ASSERT_DONE(lab().ip("client", "neigh flush dev c0"));
    EXPECT_TRUE(echo().reaches("192.0.2.1")) << "the host's own ARP starves, round " << round;
  }
  EXPECT_TRUE(host().switchovers().empty());
  EXPECT_EQ(host().active(), "p0");
  EXPECT_FALSE(host().log().contains("no other path works")) << host().log();
  EXPECT_FALSE(host().log().contains("NO WORKING PATH")) << host().log();
}

/// A cable that loses three of five frames.
class LossyPath : public LabTest {
 protected:
  void lose_on_p0() {
    ASSERT_TRUE(bench::run_checked(
        lab().in("mid", {"nft",
                         "table bridge bad { chain pre { type filter hook prerouting priority "
                         "-250; iifname host-p0 numgen random mod 5 < 3 counter drop; }; }"}),
        std::chrono::seconds(5)));
  }
  std::uint64_t answered(const std::string& port) {
    return host().session(port).at("received").get<std::uint64_t>();
  }
};

// It has worked for some seconds, so it is not proved; but the other one loses nothing.
TEST_F(LossyPath, M10_IsNoLimitWhereTheOtherPathLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.interval_us = 10'000, .group_keys = {}}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::uint64_t begun = answered("p1");
  ASSERT_TRUE(await("p1 is clean", [&] { return answered("p1") >= begun + 400; }));
  ASSERT_NO_FATAL_FAILURE(lose_on_p0());
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

INSTANTIATE_TEST_SUITE_P(
    Limits, Policing,
    testing::Values(Limit{.name = "Arp15", .per_second = 15},
                    Limit{.name = "Arp60", .per_second = 60},
                    Limit{.name = "Arp5ForBoth", .per_second = 5, .for_both = true},
                    Limit{.name = "Icmp15", .per_second = 15, .kind = "icmp"},
                    Limit{.name = "Arp20InBursts", .per_second = 20, .burst = 100},
                    Limit{.name = "Arp15Cold", .per_second = 15, .mode = "cold"},
                    Limit{.name = "Arp15Unbridged", .per_second = 15, .bridging = false}),
    [](const testing::TestParamInfo<Limit>& limit) { return std::string(limit.param.name); });

}  // namespace
}  // namespace hanet::test
