// SPDX-License-Identifier: Apache-2.0
//
// A reply that waits for a CPU that does not run is not a reply that is missing (M3).
//
// A CPU cannot be stopped in a test. What the deadline looks at can be made: a CPU beyond the ones
// that exist, which owes a sign of life since long ago.
#include <bpf/libbpf.h>
#include <sched.h>

#include <limits>

#include "core/clock.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr std::uint32_t kStill = kWatchedCpus - 1;
constexpr std::uint64_t kLongAgo = 1;

class Receiver : public Scene {
 protected:
  void become_up(std::uint32_t index = 0) {
    ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4, index), Beat::EchoIpv4)).verdict, kXdpDrop);
    ASSERT_EQ(load(session(index).state), std::uint32_t{HANET_SESSION_UP});
  }
  /// Then the verdict waits for that one, or for the timer's own CPU.
  [[nodiscard]] bool a_real_cpu_stood_still() {
    return load(session().stalled_cpu) < static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  }
  /// Three requests that nobody answers, on a path that worked.
  void lose_path() {
    set_params(0, 1000, 3, 1);
    watch(Beat::EchoIpv4);
    become_up();
    for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
  }
};

TEST_F(Receiver, M3_ThatStandsStillDefersTheVerdictUntilItRunsAgain) {
  p->receiver_owes(kStill, kLongAgo);
  lose_path();
  ASSERT_TRUE(await([&] { return load(session().stall_deferrals) == 1; })) << "the deadline passed";
  if (load(session().down_verdicts) != 0 || a_real_cpu_stood_still())
    GTEST_SKIP() << "skipped: the machine stood still";
  EXPECT_EQ(load(session().stalled_cpu), kStill) << "the status says whose stall it was";
  p->receiver_owes(kStill, 0);
  ASSERT_TRUE(await([&] { return load(session().down_verdicts) == 1; })) << "deferred, not waived";
  EXPECT_EQ(session().stall_deferrals, 1U) << "one deadline is counted once";
  EXPECT_EQ(session().deferred_ns, session().deadline_ns);
  EXPECT_EQ(session().stalled_cpu, kStill) << "the first reason is kept";
}

TEST_F(Receiver, M3_AReplyThatWaitedForItIsInTime) {
  p->receiver_owes(kStill, kLongAgo);
  set_params(0, 1000, 3, 1);
  watch(Beat::EchoIpv4);
  become_up();
  net::Frame newest;
  for (int i = 0; i < 3; ++i) newest = send(Beat::EchoIpv4);
  ASSERT_TRUE(await([&] { return load(session().stall_deferrals) == 1; })) << "the deadline passed";
  ASSERT_EQ(p->xdp(reply_to(newest, Beat::EchoIpv4)).verdict, kXdpDrop);
  if (load(session().down_verdicts) != 0) GTEST_SKIP() << "skipped: the machine stood still";
  p->receiver_owes(kStill, 0);
  // The witness: a session that was never up is judged meanwhile.
  set_params(1, 5000, 3, 1);
  watch(Beat::EchoIpv4, 1);
  for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4, 1);
  ASSERT_TRUE(await([&] { return load(session(1).down_verdicts) == 1; }));
  EXPECT_EQ(load(session().down_verdicts), 0U);
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UP});
}

// The kernel may need several goes for the frames that waited (net/core/dev.c, net_rx_action).
TEST_F(Receiver, M3_ThatOnlyJustRunsAgainDefersTheVerdictUntilItHasCaughtUp) {
  p->receiver_owes(kStill, 0, std::numeric_limits<std::uint64_t>::max());
  lose_path();
  ASSERT_TRUE(await([&] { return load(session().stall_deferrals) == 1; })) << "the deadline passed";
  if (load(session().down_verdicts) != 0 || a_real_cpu_stood_still())
    GTEST_SKIP() << "skipped: the machine stood still";
  EXPECT_EQ(load(session().stalled_cpu), kStill);
  p->receiver_owes(kStill, 0);
  ASSERT_TRUE(await([&] { return load(session().down_verdicts) == 1; })) << "deferred, not waived";
}

TEST_F(Receiver, M3_ThatNeverRunsAgainIsNotWaitedForForEver) {
  p->receiver_owes(kStill, kLongAgo);
  lose_path();
  ASSERT_TRUE(await([&] { return load(session().down_verdicts) == 1; }));
  EXPECT_GE(session().verdict_ns, session().deadline_ns + HANET_STALL_MAX_NS);
}

TEST_F(Receiver, M3_IsWatchedWhileItReceivesAndLeftAloneWhenItDoesNot) {
  if (!p->has_bpf_timer()) GTEST_SKIP() << "skipped: without bpf_timer no CPU is watched";
  cpu_set_t before;
  CPU_ZERO(&before);
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  const auto cpu = static_cast<std::uint32_t>(::sched_getcpu());
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  set_params(0, 10'000, 3, 1);
  watch(Beat::EchoIpv4);
  EXPECT_EQ(p->receiver(cpu).due_ns, 0U) << "nothing came in yet";
  const auto sent = static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count());
  send(Beat::EchoIpv4);
  net::Frame foreign(64, 0);
  ASSERT_EQ(p->xdp(foreign).verdict, kXdpPass);
  EXPECT_GT(p->receiver(cpu).due_ns, sent) << "any frame shows that this CPU receives";
  EXPECT_TRUE(await([&] { return p->receiver(cpu).due_ns == 0; })) << "an idle machine may sleep";
  EXPECT_EQ(::sched_setaffinity(0, sizeof(before), &before), 0);
}

TEST_F(Receiver, D4_IsWatchedOftenEnoughForTheShortestDetectionTime) {
  set_params(0, 10'000, 3, 1);
  set_params(1, 1000, 4, 1);
  watch(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  EXPECT_EQ(load(p->accounts[0].receiver_period_ns), 5'000'000U) << "at most 5 ms";
  watch(Beat::EchoIpv4, 1);
  send(Beat::EchoIpv4, 1);
  EXPECT_EQ(load(p->accounts[0].receiver_period_ns), 1'000'000U) << "a quarter of 4 ms";
  set_params(1, 100, 1, 1);
  send(Beat::EchoIpv4, 1);
  EXPECT_EQ(load(p->accounts[0].receiver_period_ns), 50'000U) << "at least 50 us";
}

}  // namespace
}  // namespace hanet::bpf_test
