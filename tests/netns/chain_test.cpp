// SPDX-License-Identifier: Apache-2.0
//
// Other programs at the TC hooks of hanet's ports (D8).
//
// An eBPF network agent attaches to every port, often before hanetd, and ends the chain with
// TC_ACT_OK. What stands behind it sees no frame. So the tests look at the kernel's own list of the
// chain, let a path die, and see whether hanet noticed.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>

#include "netns/foreign_program.h"
#include "netns/lab_test.h"

namespace hanet::test {
namespace {

constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);  // Linux 6.6
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);
constexpr std::uint32_t kBefore = 1U << 3;  // BPF_F_BEFORE

/// "return TC_ACT_OK;" at the TC hooks of ports, as long as this object lives.
class OtherTc {
 public:
  explicit OtherTc(const char* name)
      : program_(foreign_program(BPF_PROG_TYPE_SCHED_CLS, name, TC_ACT_OK)) {}
  /// Returns 0 or the errno value.
  [[nodiscard]] int attach(const std::string& netns, const std::string& port,
                           bpf_attach_type hook) {
    int failed = 0;
    inside(netns, [&] {
      bpf_link_create_opts first{};
      first.sz = sizeof(first);
      first.flags = kBefore;
      links_.emplace_back(bpf_link_create(
          program_.get(), static_cast<int>(::if_nametoindex(port.c_str())), hook, &first));
      failed = links_.back().valid() ? 0 : errno;
    });
    return failed;
  }
  void detach() {
    for (const Fd& link : links_) bpf_link_detach(link.get());
    links_.clear();
  }

  [[nodiscard]] std::uint32_t id() const { return id_of_program(program_); }

 private:
  Fd program_;
  std::vector<Fd> links_;
};

std::string name_of(std::uint32_t program_id) {
  const Fd program(bpf_prog_get_fd_by_id(program_id));
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) return {};
  return info.name;
}

class TcChain : public LabTest {
 protected:
  void SetUp() override {
    LabTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    OtherTc probe("probe");
    if (probe.attach(host_netns(), "p0", kTcxEgress) == EINVAL)
      GTEST_SKIP() << "skipped: kernel has no tcx";
  }
  /// The programs at a hook, in the order in which they run.
  std::vector<std::uint32_t> ids_at(const std::string& port, bpf_attach_type hook) {
    std::vector<std::uint32_t> ids(64);
    auto count = static_cast<std::uint32_t>(ids.size());
    inside(host_netns(), [&] {
      if (bpf_prog_query(static_cast<int>(::if_nametoindex(port.c_str())), hook, 0, nullptr,
                         ids.data(), &count) != 0)
        count = 0;
    });
    ids.resize(count);
    return ids;
  }
  std::vector<std::string> chain(const std::string& port, bpf_attach_type hook) {
    std::vector<std::string> names;
    for (const std::uint32_t id : ids_at(port, hook)) names.push_back(name_of(id));
    return names;
  }
  /// Detaches the only program of a hook, as `bpftool link detach` does.
  void take_away(const std::string& port, bpf_attach_type hook) {
    const std::uint32_t program = ids_at(port, hook).at(0);
    unsigned ifindex = 0;
    inside(host_netns(), [&] { ifindex = ::if_nametoindex(port.c_str()); });
    for (std::uint32_t id = 0; bpf_link_get_next_id(id, &id) == 0;) {
      const Fd link(bpf_link_get_fd_by_id(id));
      bpf_link_info info{};
      std::uint32_t length = sizeof(info);
      // As struct bpf_link_info.tcx of Linux 6.6 begins.
      if (bpf_obj_get_info_by_fd(link.get(), &info, &length) != 0) continue;
      if (info.prog_id != program || info.xdp.ifindex != ifindex) continue;
      EXPECT_EQ(bpf_link_detach(link.get()), 0);
    }
  }
  testing::AssertionResult is_first_on(const std::string& port) {
    const std::vector<std::string> egress{"tc_egress", "other_tc"};
    const std::vector<std::string> ingress{"tc_ingress", "other_tc"};
    return await("hanet is the first on " + port, [&] {
      return chain(port, kTcxEgress) == egress && chain(port, kTcxIngress) == ingress;
    });
  }
  testing::AssertionResult group_is(const std::string& state) {
    return await("the group is '" + state + "'",
                 [&] { return host().group().at("state") == state; });
  }
  testing::AssertionResult told(const std::string& text) {
    return await("the log says '" + text + "'", [&] { return host().log().contains(text); });
  }
  void attach_everywhere(OtherTc& other, const std::string& port) {
    ASSERT_EQ(other.attach(host_netns(), port, kTcxEgress), 0);
    ASSERT_EQ(other.attach(host_netns(), port, kTcxIngress), 0);
  }
  void expect_failover() {
    const SeenIdentity before = identity_on(host_netns(), "p0");
    ASSERT_DONE(lab().fault("blackhole"));
    ASSERT_TRUE(all_on("p1"));
    EXPECT_TRUE(carries("p1", before));
    EXPECT_TRUE(echo().reaches_every_address());
  }
};

class TcChainOfPort : public TcChain, public testing::WithParamInterface<std::string> {};

TEST_P(TcChainOfPort, D8_HanetIsFirstAlsoWhereAnotherProgramWasAttachedBefore) {
  OtherTc other("other_tc");
  ASSERT_NO_FATAL_FAILURE(attach_everywhere(other, GetParam()));
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  EXPECT_TRUE(is_first_on(GetParam()));
  EXPECT_TRUE(group_is("protected"));
  expect_failover();
}

TEST_P(TcChainOfPort, D8_AProgramThatIsPutInFrontWhileHanetdRunsIsPassedAndNamed) {
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const std::string& port = GetParam();
  const std::uint64_t sent = host().session(port).at("sent");
  OtherTc other("other_tc");
  ASSERT_NO_FATAL_FAILURE(attach_everywhere(other, port));
  ASSERT_TRUE(is_first_on(port));
  EXPECT_TRUE(told(unnamed_program(other.id())));
  EXPECT_TRUE(told("at the egress of " + port + ": hanet is the first again"));
  EXPECT_TRUE(await("requests are counted again",
                    [&] { return host().session(port).at("sent") > sent + 20; }));
  EXPECT_TRUE(group_is("protected"));
  EXPECT_EQ(host().session(port).at("down_verdicts"), 0);
  EXPECT_TRUE(host().switchovers().empty());
  expect_failover();
}

TEST_P(TcChainOfPort, D8_WhoInsistsOnTheFirstPlaceIsAnAlarmAndThePathIsNotCalledProtected) {
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const std::string& port = GetParam();
  OtherTc other("other_tc");
  ASSERT_NO_FATAL_FAILURE(attach_everywhere(other, port));
  ASSERT_TRUE(is_first_on(port));
  OtherTc again("insister");
  ASSERT_EQ(again.attach(host_netns(), port, kTcxEgress), 0);
  EXPECT_TRUE(told(unnamed_program(again.id())));
  EXPECT_TRUE(told("stands in front of hanet at the egress of " + port +
                   " and hides its requests: a failure of this path will not be noticed"));
  EXPECT_TRUE(group_is(port == "p0" ? "active path not proved" : "standby not proved"));
  EXPECT_EQ(host().path(port).at("health"), "unknown");
  EXPECT_EQ(host().session(port).at("state"), "blind");
  const json in_front = host().path(port).at("port").at("tc_in_front").at("egress");
  EXPECT_EQ(in_front, json::array({unnamed_program(again.id())}));
  EXPECT_EQ(chain(port, kTcxEgress).front(), "insister") << "they would chase each other";

  again.detach();
  EXPECT_TRUE(told("nothing stands in front of hanet at " + port + " any more"));
  EXPECT_TRUE(group_is("protected"));
  EXPECT_TRUE(host().switchovers().empty());
  expect_failover();
}

TEST_P(TcChainOfPort, D8_HanetsProgramThatSomebodyTookAwayIsAttachedAgain) {
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  const std::string& port = GetParam();
  const std::vector<std::string> whole{"tc_egress"};
  ASSERT_EQ(chain(port, kTcxEgress), whole);
  take_away(port, kTcxEgress);
  EXPECT_TRUE(told("hanet's program was taken away at the egress of " + port));
  EXPECT_TRUE(await("it is there", [&] { return chain(port, kTcxEgress) == whole; }));
  EXPECT_TRUE(group_is("protected"));
  expect_failover();
}

INSTANTIATE_TEST_SUITE_P(On, TcChainOfPort, testing::Values("p0", "p1"),
                         [](const auto& cell) { return cell.param; });

}  // namespace
}  // namespace hanet::test
