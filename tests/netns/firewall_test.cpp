// SPDX-License-Identifier: Apache-2.0
//
// A firewall between two networks loses one of its inside cards, and nobody on either side is cut
// off (F6).
//
// The standby is warm, the lab's ruleset names addresses and interfaces and drops everything else,
// and connection tracking is on. What lived before the failover lives after it, in both directions
// and both families; a new connection is admitted if the rules admit it by the card in use, and
// only then: hanet moves the identity, it does not rewrite rules.
#include <gmock/gmock.h>

#include "netns/lab_test.h"
#include "netns/observer.h"
#include "netns/tcp_talk.h"

namespace hanet::test {
namespace {

using testing::IsEmpty;

constexpr std::uint16_t kPort = 9100;
constexpr std::uint16_t kPortOfOneCard = 9300;  // the rule names p0 only

const Conversation kInward{"in", "192.0.2.10", "out", "198.51.100.10"};
const Conversation kInward6{"in", "2001:db8::10", "out", "2001:db8:100::10"};
const Conversation kOutward{"out", "198.51.100.10", "in", "192.0.2.10"};

class Firewall : public LabTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    LabTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Firewall, {.group_keys = kWarmDummy}));
  }
  /// The packets that the rule for other cards than p0 has turned away.
  int turned_away() {
    const Result<std::string> rules = bench::run_checked(
        lab().in("fw", {"sh", "-c",
                        "nft list chain inet firewall forward | "
                        "sed -n 's/.*tcp dport 9300 counter packets \\([0-9]*\\).*/\\1/p'"}),
        std::chrono::seconds(5));
    return rules ? std::stoi(*rules) : -1;
  }
};

TEST_P(Firewall, F6_EstablishedConnectionsThroughItSurviveAndNewOnesAreAdmitted) {
  Observer observer(host_netns());
  TcpTalk inward(lab(), kInward, kPort);
  TcpTalk inward6(lab(), kInward6, kPort);
  TcpTalk outward(lab(), kOutward, kPort);
  for (TcpTalk* talk : {&inward, &inward6, &outward}) {
    ASSERT_TRUE(talk->begins());
    ASSERT_TRUE(talk->answers());
  }
  const SeenIdentity before = identity_on(host_netns(), "p0");

  ASSERT_DONE(lab().fault(GetParam()));
  ASSERT_TRUE(all_on("p1"));
  for (TcpTalk* talk : {&inward, &inward6, &outward}) EXPECT_TRUE(talk->answers());
  for (TcpTalk* talk : {&inward, &inward6, &outward}) {
    EXPECT_TRUE(talk->begins()) << "a new one";
    EXPECT_TRUE(talk->answers());
  }
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(wears_dummy("p0"));
  EXPECT_THAT(observer.violations(), IsEmpty());
}

TEST_P(Firewall, F6_AConnectionWhoseRuleNamesTheFailedCardLivesOnAndNoNewOneIsAdmitted) {
  TcpTalk talk(lab(), kInward, kPortOfOneCard);
  TcpTalk late(lab(), kInward, kPortOfOneCard + 1);
  ASSERT_TRUE(talk.begins());
  ASSERT_TRUE(talk.answers());
  ASSERT_EQ(turned_away(), 0);

  ASSERT_DONE(lab().fault(GetParam()));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(talk.answers());
  EXPECT_EQ(turned_away(), 0);
  ASSERT_TRUE(late.begins()) << "the firewall admits others";
  TcpTalk refused(lab(), {"in", "2001:db8::10", "out", "2001:db8:100::10"}, kPortOfOneCard);
  EXPECT_FALSE(refused.begins(std::chrono::milliseconds(100)));
  EXPECT_GT(turned_away(), 0) << "this test proves nothing: nothing was refused";
}

std::string name_of(const testing::TestParamInfo<const char*>& fault) {
  std::string name = fault.param;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Everywhere, Firewall,
                         testing::Values("carrier", "blackhole", "one-way-out", "one-way-in",
                                         "switch"),
                         name_of);

}  // namespace
}  // namespace hanet::test
