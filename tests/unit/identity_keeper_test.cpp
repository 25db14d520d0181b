// SPDX-License-Identifier: Apache-2.0
//
// Whoever follows the identity asks for a number and compares nothing: what a full routing table
// costs must not be paid in each tick (F18).
#include "group/identity_keeper.h"

#include <gtest/gtest.h>

#include "identity_samples.h"

namespace hanet::group {
namespace {

TEST(IdentityKeeper, F18_AnIdentityThatIsReadAgainAsItWasIsNoChange) {
  net::NetlinkSocket unused;
  IdentityKeeper keeper(unused);
  const std::uint64_t first = keeper.changes();
  keeper.hold(net::samples::identity());
  const std::uint64_t held = keeper.changes();
  EXPECT_NE(held, first);
  keeper.hold(net::samples::identity());
  EXPECT_EQ(keeper.changes(), held);
  net::Identity other = net::samples::identity();
  other.routes.pop_back();
  EXPECT_EQ(keeper.hold(other), net::samples::identity()) << "what was held before";
  EXPECT_NE(keeper.changes(), held);
}

}  // namespace
}  // namespace hanet::group
