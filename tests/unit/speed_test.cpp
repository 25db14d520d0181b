// SPDX-License-Identifier: Apache-2.0
//
// The weight of a port does not depend on when hanetd started (T1): policy/speed.h line by line,
// and how the names of link modes are read.
#include "policy/speed.h"

#include <gtest/gtest.h>
#include <linux/ethtool.h>

#include "net/link.h"

namespace hanet::policy {
namespace {

TEST(SpeedWeight, T1_ALinkThatIsUpWeighsWhatItNegotiated) {
  EXPECT_EQ(weight_by_speed({.carrier = true, .told = 1000, .last = 100, .possible = 10'000}),
            1000U);
}

TEST(SpeedWeight, T1_APortWithoutLinkWeighsWhatItWasLast) {
  EXPECT_EQ(weight_by_speed({.carrier = false, .told = {}, .last = 1000, .possible = 10'000}),
            1000U);
  EXPECT_EQ(weight_by_speed({.carrier = false, .told = 10, .last = 1000, .possible = 10'000}),
            1000U)
      << "what a driver says of a link that is down is old or made up";
  EXPECT_EQ(weight_by_speed({.carrier = true, .told = {}, .last = 1000, .possible = {}}), 1000U)
      << "the link is up, and the driver has not read the speed yet";
}

TEST(SpeedWeight, T1_APortThatNeverHadALinkWeighsWhatItCanNegotiate) {
  EXPECT_EQ(weight_by_speed({.carrier = false, .told = {}, .last = {}, .possible = 10'000}),
            10'000U);
}

TEST(SpeedWeight, T1_WhatIsSaidByNobodyIsTheSlowestAndNeverNothing) {
  EXPECT_EQ(weight_by_speed({}), 1U);
  EXPECT_EQ(weight_by_speed({.carrier = true, .told = 0, .last = {}, .possible = {}}), 1U);
  EXPECT_EQ(weight_by_speed({.carrier = false, .told = 10'000, .last = {}, .possible = {}}),
            10'000U)
      << "a virtual card has no modes";
}

TEST(SpeedWeight, T1_OnlyALinkThatIsUpIsRemembered) {
  EXPECT_EQ(seen_speed({.carrier = true, .told = 1000, .last = 100, .possible = 10'000}), 1000U);
  EXPECT_EQ(seen_speed({.carrier = false, .told = 10, .last = 100, .possible = 10'000}), 100U);
  EXPECT_EQ(seen_speed({.carrier = false, .told = 10, .last = {}, .possible = 10'000}),
            std::nullopt);
}

TEST(LinkModes, T1_TheFastestOfWhatIsOfferedCounts) {
  const auto fastest = [](std::initializer_list<unsigned> bits) {
    std::vector<std::uint32_t> mask(4);
    for (const unsigned bit : bits) mask[bit / 32] |= 1U << (bit % 32);
    return net::fastest_mode(mask);
  };
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_10baseT_Half_BIT, ETHTOOL_LINK_MODE_1000baseT_Full_BIT,
                     ETHTOOL_LINK_MODE_100baseT_Full_BIT, ETHTOOL_LINK_MODE_Autoneg_BIT}),
            1000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_2500baseT_Full_BIT}), 2500U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_5000baseT_Full_BIT, ETHTOOL_LINK_MODE_2500baseX_Full_BIT}),
            5000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_10000baseT_Full_BIT}), 10'000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_25000baseSR_Full_BIT}), 25'000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_40000baseLR4_Full_BIT}), 40'000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_50000baseSR2_Full_BIT}), 50'000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_56000baseKR4_Full_BIT}), 56'000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_100000baseKR4_Full_BIT}), 100'000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_200000baseCR2_Full_BIT}), 200'000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_400000baseCR4_Full_BIT}), 400'000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_100baseT1_Full_BIT}), 100U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_1000baseT1_Full_BIT}), 1000U);
  EXPECT_EQ(fastest({ETHTOOL_LINK_MODE_Autoneg_BIT, ETHTOOL_LINK_MODE_FIBRE_BIT,
                     ETHTOOL_LINK_MODE_Pause_BIT, ETHTOOL_LINK_MODE_FEC_RS_BIT}),
            std::nullopt)
      << "none of them is a speed";
  EXPECT_EQ(net::fastest_mode({}), std::nullopt);
}

}  // namespace
}  // namespace hanet::policy
