// SPDX-License-Identifier: Apache-2.0
//
// One limit, three places: the configuration, `hanetctl set` and the kernel side agree (D4).
//
// A value that the configuration accepts and the kernel clamps would be a lie to the person who
// wrote it. The compiler checks it; the test exists so that the promise has a name.
#include "config/limits.h"

#include <gtest/gtest.h>

#include "hanet/abi.h"

namespace hanet::config {
namespace {

static_assert(kIntervalUs.low == HANET_INTERVAL_MIN_US);
static_assert(kIntervalUs.high == HANET_INTERVAL_MAX_US);
static_assert(kMultiplier.low == HANET_MULTIPLIER_MIN);
static_assert(kMultiplier.high == HANET_MULTIPLIER_MAX);
static_assert(kUpCount.low == HANET_UP_COUNT_MIN);
static_assert(kUpCount.high == HANET_UP_COUNT_MAX);
static_assert(kLinkPollUs.low == HANET_LINK_POLL_MIN_US);
static_assert(kLinkPollUs.high == HANET_LINK_POLL_MAX_US);
static_assert(kMaxGroups == HANET_MAX_GROUPS);
static_assert(int{HANET_MULTIPLIER_MAX} < int{HANET_WINDOW},
              "the first lost request is still remembered");

TEST(Limits, D4_BothEndsOfARangeBelongToIt) {
  EXPECT_TRUE(kMultiplier.holds(HANET_MULTIPLIER_MIN));
  EXPECT_TRUE(kMultiplier.holds(HANET_MULTIPLIER_MAX));
  EXPECT_FALSE(kMultiplier.holds(HANET_MULTIPLIER_MIN - 1));
  EXPECT_FALSE(kMultiplier.holds(HANET_MULTIPLIER_MAX + 1));
}

}  // namespace
}  // namespace hanet::config
