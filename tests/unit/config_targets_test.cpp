// SPDX-License-Identifier: Apache-2.0
//
// Several targets for a path (M9, O2): what a configuration may say of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "config_samples.h"
#include "group/session_setup.h"

namespace hanet::config {
namespace {

using samples::in_heartbeat;

constexpr net::MacAddress kProbe{0x02, 0x68, 0x6e, 0, 0, 1};
const std::string kTarget = "target = \"192.0.2.10\"\n";

TEST(ConfigTargets, M9_EveryPortAsksItsTargetAndTheFurtherOnes) {
  const Result<Config> config =
      parse(in_heartbeat(kTarget + "standby_target = \"192.0.2.20\"\n"
                                   "further_targets = [\"192.0.2.11\", \"192.0.2.12\"]\n"
                                   "quorum = 2\ntarget_mac = \"52:54:00:aa:bb:cc\"\n"),
            "f");
  ASSERT_TRUE(config) << config.error().message;
  const GroupConfig& group = config->groups.at(0);
  EXPECT_EQ(group.quorum, 2U);
  const auto asked = [&](std::size_t at) {
    std::vector<std::string> targets;
    for (const IpAddress& target : group.targets_of(group.paths.at(at).port()))
      targets.push_back(target.text());
    return targets;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(asked(0), (Texts{"192.0.2.10", "192.0.2.11", "192.0.2.12"}));
  EXPECT_EQ(asked(1), (Texts{"192.0.2.20", "192.0.2.11", "192.0.2.12"}));
  const auto plans = group::plan_sessions(group, group.paths.at(0).port(), kProbe);
  ASSERT_EQ(plans.size(), 3U);
  EXPECT_TRUE(plans[0].peer_mac.has_value());
  EXPECT_FALSE(plans[1].peer_mac.has_value()) << "target_mac is the target's";
  EXPECT_EQ(plans[1].target, IpAddress::parse("192.0.2.11")->bytes);
}

TEST(ConfigTargets, M9_S1_OnlyTheTargetIsTheOtherEnd) {
  const Result<Config> config = parse(
      in_heartbeat(kTarget + "primary_source = \"192.0.2.1\"\nstandby_source = \"192.0.2.2\"\n"
                             "both_ends = true\nfurther_targets = \"192.0.2.11\"\n"),
      "f");
  ASSERT_TRUE(config) << config.error().message;
  const GroupConfig& group = config->groups.at(0);
  EXPECT_EQ(group.quorum, 1U);
  const auto plans = group::plan_sessions(group, group.paths.at(0).port(), kProbe);
  ASSERT_EQ(plans.size(), 2U);
  EXPECT_TRUE(plans[0].other_end);
  EXPECT_FALSE(plans[1].other_end);
}

struct Refusal {
  std::string name;
  std::string lines;
  std::string message;  ///< '~' stands for the path of the table
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class RefusedTargets : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedTargets, O2_M9_IsToldWithLineAndKey) {
  const Result<Config> config = parse(in_heartbeat(kTarget + GetParam().lines), "f");
  ASSERT_FALSE(config);
  std::string expected = GetParam().message;
  for (std::size_t at = 0; (at = expected.find('~', at)) != std::string::npos;)
    expected.replace(at, 1, "group[0].heartbeat");
  EXPECT_EQ(config.error().message, expected);
}

INSTANTIATE_TEST_SUITE_P(
    Heartbeat, RefusedTargets,
    testing::Values(
        Refusal{"AnotherFamily", "further_targets = \"2001:db8::11\"",
                "f:7: key '~.further_targets': found '2001:db8::11', allowed: an IPv4 address, as "
                "the target '192.0.2.10'"},
        Refusal{"TheTargetItself", "further_targets = [\"192.0.2.11\", \"192.0.2.10\"]",
                "f:7: key '~.further_targets[1]': found '192.0.2.10', allowed: an address that is "
                "not the target anyway"},
        Refusal{"Twice", "further_targets = [\"192.0.2.11\", \"192.0.2.11\"]",
                "f:7: key '~.further_targets[1]': found '192.0.2.11', allowed: each address once"},
        Refusal{"AnAddressOfThisHost",
                "primary_source = \"192.0.2.1\"\nfurther_targets = \"192.0.2.1\"",
                "f:8: key '~.further_targets': found '192.0.2.1', allowed: an address of another "
                "host"},
        Refusal{"TooMany",
                "further_targets = [\"192.0.2.11\", \"192.0.2.12\", \"192.0.2.13\", "
                "\"192.0.2.14\"]",
                "f:7: key '~.further_targets': found 4 addresses, allowed: up to 3"},
        Refusal{"AQuorumOfMoreThanAll", "further_targets = \"192.0.2.11\"\nquorum = 3",
                "f:8: key '~.quorum': found 3, allowed: 1 to 2"},
        Refusal{"AQuorumWithoutFurtherTargets", "quorum = 2",
                "f:7: key '~.quorum': found 2, allowed: 1 to 1"},
        Refusal{"Silence", "standby_kind = \"silence\"\nfurther_targets = \"192.0.2.11\"",
                "f:8: key '~.further_targets': found 1 addresses, allowed: only where the kind is "
                "'arp', 'icmp' or 'hanet', because a path of kind 'silence' has one peer"}),
    [](const testing::TestParamInfo<Refusal>& cell) { return cell.param.name; });

TEST(ConfigTargets, O2_M9_AllGroupsTogetherAskNoMoreThanThereAreSessions) {
  const auto groups = [](std::size_t count) {
    std::string text;
    for (std::size_t at = 0; at < count; ++at) {
      std::string ports[2];
      for (std::size_t path = 0; path < 2; ++path)
        for (int port = 0; port < 2; ++port)
          ports[path] += fmt::format("{}\"e{}{}{}\"", port == 0 ? "" : ", ", at, path, port);
      text += fmt::format(
          "[[group]]\nname = \"m{}\"\nprimary = [{}]\nstandby = [{}]\n"
          "heartbeat = {{target = \"192.0.2.1\", further_targets = [\"192.0.2.2\", "
          "\"192.0.2.3\", \"192.0.2.4\"]}}\n",
          at, ports[0], ports[1]);
    }
    return text;
  };
  EXPECT_TRUE(parse(groups(8), "f")) << "8 groups x 4 ports x 4 targets";
  const Result<Config> nine = parse(groups(9), "f");
  ASSERT_FALSE(nine);
  EXPECT_EQ(nine.error().message,
            "f:45: key 'group[8].heartbeat.further_targets': found 144 times a port that asks a "
            "target, in all groups, allowed: up to 128");
}

}  // namespace
}  // namespace hanet::config
