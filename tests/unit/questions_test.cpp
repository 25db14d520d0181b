// SPDX-License-Identifier: Apache-2.0
//
// Whom the identity asks when it has moved (F5).
#include <gtest/gtest.h>
#include <linux/neighbour.h>

#include "group/announcements.h"
#include "identity_samples.h"

namespace hanet::group {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr net::MacAddress kThere{2, 0, 0, 0, 0, 9};

net::KernelObject known(const Bytes& address, unsigned on = 2) {
  ndmsg header{};
  header.ndm_family = address.size() == 4 ? AF_INET : AF_INET6;
  header.ndm_ifindex = static_cast<int>(on);
  return {.header = net::samples::bytes_of(header),
          .attributes = {{NDA_DST, address}, {NDA_LLADDR, {kThere.begin(), kThere.end()}}}};
}

TEST(Questions, F5_ANeighbourIsAskedByTheFirstAddressOfItsSubnet) {
  const net::Identity identity = net::samples::identity();
  const auto questions = questions_of(identity, {known({192, 0, 2, 77})});
  ASSERT_EQ(questions.size(), 1U);
  EXPECT_EQ(questions[0], net::arp_request(kThere, identity.mac, {192, 0, 2, 1}, {192, 0, 2, 77}));
}

TEST(Questions, F5_OnAVlanTheQuestionHasItsTag) {
  const net::Identity identity = net::samples::identity_with_vlans();
  const auto questions = questions_of(identity, {known({192, 0, 2, 77}, 12)});
  ASSERT_EQ(questions.size(), 1U);
  EXPECT_EQ(questions[0],
            net::tagged(net::arp_request(kThere, identity.mac, {192, 0, 2, 50}, {192, 0, 2, 77}),
                        net::samples::kFive));
}

TEST(Questions, F5_NobodyIsAskedWithoutAnAddressOfItsSubnetOrWithoutAMacAddress) {
  net::KernelObject unresolved = known({192, 0, 2, 77});
  unresolved.attributes.erase(NDA_LLADDR);
  EXPECT_TRUE(
      questions_of(net::samples::identity(), {known({203, 0, 113, 7}), unresolved}).empty());
}

TEST(Questions, F5_GatewaysComeFirstAndNotEverybodyIsAsked) {
  const net::Identity identity = net::samples::identity();
  std::vector<net::KernelObject> neighbours;
  for (std::uint8_t host = 100; host < 140; ++host) neighbours.push_back(known({192, 0, 2, host}));
  neighbours.push_back(known({192, 0, 2, 254}));
  const auto questions = questions_of(identity, neighbours);
  ASSERT_EQ(questions.size(), kAskedNeighbours);
  EXPECT_EQ(questions[0], net::arp_request(kThere, identity.mac, {192, 0, 2, 1}, {192, 0, 2, 254}));
}

}  // namespace
}  // namespace hanet::group
