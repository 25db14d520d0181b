// SPDX-License-Identifier: Apache-2.0
//
// One limit, three places: the configuration, `hanetctl set` and the kernel side agree (D4).
//
// A value that the configuration accepts and the kernel clamps would be a lie to the person who
// wrote it. The compiler checks it; the test exists so that the promise has a name.
#include <gtest/gtest.h>

#include "config/parameters.h"
#include "hanet/abi.h"

namespace hanet::config {
namespace {

static_assert(kMaxGroups == HANET_MAX_GROUPS);
static_assert(int{HANET_MULTIPLIER_MAX} < int{HANET_WINDOW},
              "the first lost request is still remembered");

TEST(Limits, D4_BothEndsOfARangeBelongToIt) {
  EXPECT_TRUE(kMultiplier.range.holds(HANET_MULTIPLIER_MIN));
  EXPECT_TRUE(kMultiplier.range.holds(HANET_MULTIPLIER_MAX));
  EXPECT_FALSE(kMultiplier.range.holds(HANET_MULTIPLIER_MIN - 1));
  EXPECT_FALSE(kMultiplier.range.holds(HANET_MULTIPLIER_MAX + 1));
}

}  // namespace
}  // namespace hanet::config
