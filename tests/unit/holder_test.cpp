// SPDX-License-Identifier: Apache-2.0
//
// Who has the identity when hanetd starts (policy/holder.h).
#include "policy/holder.h"

#include <gtest/gtest.h>

#include <vector>

namespace hanet::policy {
namespace {

constexpr PortFound kBare{};
constexpr PortFound kWithAddress{.is_bare = false, .has_own_address = true};
constexpr PortFound kMissing{.present = false};
constexpr KeptFacts kKept{.has_own_address = true};

Holder found(const std::vector<PortFound>& ports, const std::optional<KeptFacts>& kept = {}) {
  return find_holder(ports, kept);
}

TEST(Holder, F3_ThePortWithAnAddressHasTheIdentity) {
  EXPECT_EQ(found({kBare, kWithAddress}), (Holder{.port = 1, .state = HolderState::Has}));
  EXPECT_EQ(found({kWithAddress, kWithAddress}), (Holder{.port = 0, .state = HolderState::Has}));
}

TEST(Holder, F3_AHostThatLivesByARoutersAddressesHasItToo) {
  PortFound by_router = kBare;
  by_router.has_own_address = true;
  EXPECT_EQ(found({kBare, by_router}), (Holder{.port = 1, .state = HolderState::Has}));
}

TEST(Holder, F3_WithoutAnyAddressTheFirstPortThatIsThereGetsItLater) {
  EXPECT_EQ(found({kMissing, kBare}), (Holder{.port = 1, .state = HolderState::Nobody}));
  EXPECT_EQ(found({kMissing, kMissing}), (Holder{.port = 0, .state = HolderState::Nobody}));
}

TEST(Holder, F3_AnAddressOfAnIdlePortMakesItNoHolder) {
  PortFound whole = kWithAddress;
  whole.has_kept_identity = true;
  EXPECT_EQ(found({kWithAddress, whole}, kKept), (Holder{.port = 1, .state = HolderState::Has}));
}

TEST(Holder, F3_AnIdentityIsLostWithItsInterface) {
  EXPECT_EQ(found({kMissing, kBare}, kKept), (Holder{.port = 1, .state = HolderState::Lost}));
  PortFound named = kBare;
  named.was_called_so = true;
  EXPECT_EQ(found({kBare, named}, kKept), (Holder{.port = 1, .state = HolderState::Lost}))
      << "a card that was made anew under the name";
}

TEST(Holder, F3_NothingIsLostWhereSomebodyHasAnAddress) {
  EXPECT_EQ(found({kMissing, kWithAddress}, kKept), (Holder{.port = 1, .state = HolderState::Has}));
}

TEST(Holder, F3_AnInterfaceThatIsThereWithoutItsAddressesWasEmptied) {
  PortFound emptied = kBare;
  emptied.was_holder = true;
  EXPECT_EQ(found({emptied, kBare}, kKept),
            (Holder{.port = 0, .state = HolderState::Nobody, .was_emptied = true}));
}

TEST(Holder, F12_AKillInTheMiddleOfASwitchoverIsFinished) {
  PortFound old = kWithAddress;
  old.was_holder = true;
  const KeptFacts moving{.has_own_address = true, .moving_to = 1};
  EXPECT_EQ(found({old, kBare}, moving), (Holder{.port = 1, .state = HolderState::Lost}));
  EXPECT_EQ(found({old, kMissing}, moving), (Holder{.port = 0, .state = HolderState::Lost}))
      << "where it went is gone";
  old.has_kept_identity = true;
  EXPECT_EQ(found({old, kBare}, moving), (Holder{.port = 0, .state = HolderState::Has}))
      << "it had not begun, or was at its end";
}

TEST(Holder, F3_NothingIsRecoveredWithoutAPortOrWithoutAnAddressOfItsOwn) {
  EXPECT_EQ(found({kMissing, kMissing}, kKept), (Holder{.port = 0, .state = HolderState::Nobody}));
  EXPECT_EQ(found({kMissing, kBare}, KeptFacts{.has_own_address = false}),
            (Holder{.port = 1, .state = HolderState::Nobody}));
}

}  // namespace
}  // namespace hanet::policy
