// SPDX-License-Identifier: Apache-2.0
//
// The metaname on the host itself: `ip link show mether0` is the active interface, whichever that
// is (A1), and a person can look at a switch before it happens (A2).
#include "netns/lab_test.h"

namespace hanet::test {
namespace {

class Metaname : public LabTest {
 protected:
  /// The interface that `ip link show mether0` finds; empty: none.
  std::string holder() const {
    const Result<std::string> found = bench::run_checked(
        lab().in("host", {"ip", "-o", "link", "show", "mether0"}), std::chrono::seconds(5));
    if (!found) return {};
    const std::size_t begin = found->find(": ") + 2;
    return found->substr(begin, found->find_first_of("@:", begin) - begin);
  }
};

TEST_F(Metaname, A1_IsTheActiveInterfaceBeforeAndAfterEverySwitch) {
  for (const char* mode : {"hot", "cold"}) {
    SCOPED_TRACE(mode);
    ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch, {.mode = mode, .group_keys = {}}));
    EXPECT_EQ(holder(), "p0");
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_TRUE(all_on("p1"));
    EXPECT_EQ(holder(), "p1");
    EXPECT_EQ(host().stop(), 0);
    EXPECT_EQ(holder(), "") << "nothing is left";
    TearDown();
  }
}

TEST_F(Metaname, A1_IsTakenOverFromADaemonThatWasKilled) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  host().kill();
  EXPECT_EQ(holder(), "p0");
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  EXPECT_EQ(holder(), "p1");
}

TEST_F(Metaname, A1_ThatIsAnotherInterfacesNameIsRefusedBeforeAnythingIsTouched) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "link add other type veth peer name far"));
  ASSERT_DONE(lab().ip("host", "link property add dev other altname mether0"));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_NO_FATAL_FAILURE(start({}));
  EXPECT_TRUE(await("hanetd has ended", [&] { return !host().running(); }));
  EXPECT_NE(host().log().find("an interface is called mether0 already"), std::string::npos)
      << host().log();
  EXPECT_EQ(holder(), "other");
  EXPECT_TRUE(carries("p0", before));
}

TEST_F(Metaname, A2_ADryRunShowsTheStepsAndChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const json answer = host().ask({"switch", "mether0", "--to", "p1", "--dry-run"});
  ASSERT_TRUE(answer.is_object());
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(host().switchovers().empty());

  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  const json done = host().switchovers().at(0).at("steps");
  ASSERT_EQ(answer.at("steps").size(), done.size() + 1) << "and the announcement";
  for (std::size_t at = 0; at < done.size(); ++at)
    EXPECT_EQ(answer.at("steps").at(at).at("name"), done.at(at).at("name"));
  const bench::Output refused = host().ctl({"switch", "mether0", "--to", "p1", "--dry-run"});
  EXPECT_EQ(refused.exit_code, 1) << "what a switch would not do, a dry run does not promise";
}

}  // namespace
}  // namespace hanet::test
