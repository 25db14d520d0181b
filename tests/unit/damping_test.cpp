// SPDX-License-Identifier: Apache-2.0
//
// Flap damping by the numbers of RFC 2439: what a failure adds, how it decays, when a path is used
// again (F9).
#include "policy/damping.h"

#include <gtest/gtest.h>

#include <chrono>

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

constexpr Nanoseconds kHalfLife = 10s;
constexpr MonotonicTime kStart{1h};

TEST(Damping, F9_TheFirstFailuresSuppressNothing) {
  Damping path;
  EXPECT_FALSE(path.suppressed(kStart, kHalfLife));
  path.failed(kStart, kHalfLife);
  path.failed(kStart + 1s, kHalfLife);
  EXPECT_FALSE(path.suppressed(kStart + 1s, kHalfLife)) << "two failures stay below the limit";
}

TEST(Damping, F9_ThePenaltyHalvesWithEveryHalfLife) {
  Damping path;
  path.failed(kStart, kHalfLife);
  EXPECT_DOUBLE_EQ(path.penalty(kStart, kHalfLife), 1000);
  EXPECT_NEAR(path.penalty(kStart + 10s, kHalfLife), 500, 1e-6);
  EXPECT_NEAR(path.penalty(kStart + 30s, kHalfLife), 125, 1e-6);
}

TEST(Damping, F9_ThreeFailuresInARowSuppressUntilThePenaltyIsBelowTheLowerLimit) {
  Damping path;
  for (int i = 0; i < 3; ++i) path.failed(kStart, kHalfLife);
  EXPECT_TRUE(path.suppressed(kStart, kHalfLife));
  // 3000 to 750 takes two half-lives, and what was suppressed stays so below the upper limit.
  EXPECT_TRUE(path.suppressed(kStart + 19s, kHalfLife));
  EXPECT_NEAR(std::chrono::duration<double>(path.reuse_at(kHalfLife) - kStart).count(), 20, 1e-3);
  EXPECT_FALSE(path.suppressed(kStart + 21s, kHalfLife));
}

TEST(Damping, F9_APathThatIsSuppressedStaysSoWithAFailureBetweenTheLimits) {
  Damping path;
  for (int i = 0; i < 3; ++i) path.failed(kStart, kHalfLife);
  path.failed(kStart + 19s, kHalfLife);
  ASSERT_LT(path.penalty(kStart + 19s, kHalfLife), kSuppressAbove) << "804 and 1000";
  EXPECT_TRUE(path.suppressed(kStart + 19s, kHalfLife));
}

TEST(Damping, F9_FailuresThatAreFarApartDoNotAddUp) {
  Damping path;
  for (int i = 0; i < 100; ++i) path.failed(kStart + i * 60s, kHalfLife);
  EXPECT_FALSE(path.suppressed(kStart + 99 * 60s, kHalfLife));
}

TEST(Damping, F9_NoPathIsSuppressedForMoreThanFourHalfLivesAfterItsLastFailure) {
  Damping path;
  for (int i = 0; i < 1000; ++i) path.failed(kStart, kHalfLife);
  EXPECT_LE(path.penalty(kStart, kHalfLife), kPenaltyCeiling);
  EXPECT_TRUE(path.suppressed(kStart + 39s, kHalfLife));
  EXPECT_FALSE(path.suppressed(kStart + 41s, kHalfLife));
}

}  // namespace
}  // namespace hanet::policy
