// SPDX-License-Identifier: Apache-2.0
//
// What a trunk's port weighs does not depend on when hanetd started (T1).
//
// The lab's cards all say 10 Gbit/s whether they have a link or not, so the file in which hanetd
// keeps the speeds is made to say that a port negotiated less before its cable went.
#include <fmt/format.h>

#include <fstream>

#include "netns/lab_test.h"

namespace hanet::test {
namespace {

class Speed : public LabTest {
 protected:
  std::uint64_t weight_of(const std::string& port) {
    const json group = host().group();
    for (const json& path : group.at("paths"))
      for (const json& each : path.at("ports"))
        if (each.at("name") == port) return each.at("weight");
    return 0;
  }
  std::filesystem::path file() { return host().directory() / "mether0.speeds"; }
  json kept() {
    std::ifstream stream(file());
    return json::parse(stream, nullptr, false);
  }
};

TEST_F(Speed, T1_APortWithoutLinkWeighsWhatItNegotiatedBeforeHanetdStarted) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk, {.group_keys = "capacity = \"speed\"\n"}));
  EXPECT_EQ(weight_of("p1"), 10'000U);
  ASSERT_TRUE(await("the speeds are kept", [&] { return kept().is_object(); }));
  ASSERT_DONE(lab().fault("carrier", "p1"));
  ASSERT_EQ(host().stop(), 0);
  json speeds = kept();
  ASSERT_EQ(speeds.at("p1"), 10'000);
  speeds["p1"] = 1000;
  std::ofstream(file(), std::ios::trunc) << speeds.dump();
  host().start();
  ASSERT_TRUE(await("hanetd answers", [&] { return host().ask({"status"}).is_object(); }));
  EXPECT_EQ(weight_of("p1"), 1000U);
  EXPECT_EQ(weight_of("p2"), 10'000U);
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(await("it weighs what it has now", [&] { return weight_of("p1") == 10'000; }));
}

TEST_F(Speed, T1_DamagedSpeedsAreSaidAndIgnored) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk, {.group_keys = "capacity = \"speed\"\n"}));
  ASSERT_TRUE(await("the speeds are kept", [&] { return kept().is_object(); }));
  ASSERT_EQ(host().stop(), 0);
  std::ofstream(file(), std::ios::trunc) << "{\"p1\": 1";
  host().start();
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(host().log().contains(
      fmt::format("the speeds in {} are not used: it is damaged", file().string())))
      << host().log();
  EXPECT_EQ(weight_of("p1"), 10'000U);
}

}  // namespace
}  // namespace hanet::test
