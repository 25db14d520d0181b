// SPDX-License-Identifier: Apache-2.0
//
// The attributes of routes and their like: one block of bytes that a route is found by, among very
// many (F18).
#include "net/attributes.h"

#include <gtest/gtest.h>

#include "identity_samples.h"

namespace hanet::net {
namespace {

using samples::Bytes;

Bytes bytes_in(const Attributes& attributes) {
  return {attributes.bytes().begin(), attributes.bytes().end()};
}
Bytes value_in(const Attributes& attributes, std::uint16_t type) {
  const Attributes::Value value = attributes.find(type).value();
  return {value.begin(), value.end()};
}

TEST(ObjectAttributes, F18_TheSameOnesAreTheSameBytesInWhateverOrderTheyCame) {
  Attributes one, other;
  one.set(5, Bytes{1, 2, 3});
  one.set(2, Bytes{9});
  other.set(2, Bytes{9});
  other.set(5, Bytes{1, 2, 3});
  EXPECT_EQ(one, other);
  EXPECT_EQ(bytes_in(one), (Bytes{5, 0, 2, 0, 9, 0, 0, 0, 7, 0, 5, 0, 1, 2, 3, 0}));
  EXPECT_EQ(one, (Attributes{{5, {1, 2, 3}}, {2, {9}}}));
}

TEST(ObjectAttributes, F4_OneIsReplacedAndTakenOutWithoutTouchingTheOthers) {
  Attributes all{{1, {1}}, {2, {2, 2, 2, 2, 2}}, {3, {}}};
  EXPECT_EQ(value_in(all, 2), (Bytes{2, 2, 2, 2, 2}));
  EXPECT_TRUE(all.contains(3)) << "an empty one is there";
  all.set(2, Bytes{7});
  EXPECT_EQ(all, (Attributes{{1, {1}}, {2, {7}}, {3, {}}}));
  all.erase(2);
  all.erase(4);
  EXPECT_EQ(all, (Attributes{{1, {1}}, {3, {}}}));
  EXPECT_FALSE(all.find(2));
  EXPECT_FALSE(all.find(4));
  EXPECT_FALSE(Attributes().find(0));
}

TEST(ObjectAttributes, F3_OnlyWhatTheyWroteThemselvesIsReadBack) {
  const Attributes all{{1, {1}}, {2, {2, 2, 2, 2, 2}}};
  EXPECT_EQ(Attributes::read(bytes_in(all)), all);
  EXPECT_EQ(Attributes::read({}), Attributes());
  for (const Bytes& bad : {Bytes{5, 0, 1, 0},               // cut off
                           Bytes{5, 0, 1},                  // cut off in the head
                           Bytes{3, 0, 1, 0},               // shorter than a head
                           Bytes{5, 0, 1, 0, 7, 0, 0, 1},   // padding that is none
                           Bytes{4, 0, 2, 0, 4, 0, 1, 0},   // not in order
                           Bytes{4, 0, 1, 0, 4, 0, 1, 0}})  // twice
    EXPECT_FALSE(Attributes::read(bad)) << testing::PrintToString(bad);
}

TEST(RouteIndex, F18_TheVerySameRouteIsFoundAndNoOther) {
  std::vector<KernelObject> routes;
  for (std::uint8_t third = 0; third < 200; ++third)
    routes.push_back(samples::route(2, {10, 0, third, 0}, {192, 0, 2, 254}));
  const RouteIndex index(routes);
  for (const KernelObject& route : routes) EXPECT_EQ(index.find(routes, route), &route);
  EXPECT_EQ(index.find(routes, samples::route(2, {10, 0, 200, 0}, {192, 0, 2, 254})), nullptr);
  EXPECT_EQ(index.find(routes, samples::route(3, {10, 0, 7, 0}, {192, 0, 2, 254})), nullptr);
  EXPECT_EQ(RouteIndex().find({}, routes[0]), nullptr);
}

}  // namespace
}  // namespace hanet::net
