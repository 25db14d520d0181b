// SPDX-License-Identifier: Apache-2.0
//
// A reply that waits for a CPU that does not run is not a reply that is missing (M3).
//
// A CPU cannot be stopped in a test. What the deadline looks at can be made: a CPU beyond the ones
// that exist, which owes a sign of life since long ago, and a timer that seems to have come late.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sched.h>

#include "catches_up.skel.h"
#include "core/clock.h"
#include "hanet.skel.h"
#include "late_timer.skel.h"
#include "scene.h"
#include "stall_witness.h"

namespace hanet::bpf_test {
namespace {

using engine::load;
using namespace std::chrono_literals;

constexpr std::uint32_t kStill = kWatchedCpus - 1;
constexpr int kRounds = 10;
constexpr std::uint64_t kLongAgo = 1;

/// The thread stays on the CPU that it is on.
class OnOneCpu {
 public:
  OnOneCpu() : cpu_(static_cast<std::uint32_t>(::sched_getcpu())) {
    EXPECT_EQ(::sched_getaffinity(0, sizeof(before_), &before_), 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu_, &one);
    EXPECT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  }
  ~OnOneCpu() { EXPECT_EQ(::sched_setaffinity(0, sizeof(before_), &before_), 0); }
  OnOneCpu(const OnOneCpu&) = delete;
  OnOneCpu& operator=(const OnOneCpu&) = delete;

  [[nodiscard]] std::uint32_t cpu() const { return cpu_; }

 private:
  std::uint32_t cpu_;
  cpu_set_t before_{};
};

/// Makes the pending timer of this CPU look late when it fires. User space can not write that into
/// the map: it would free the timer.
class LateTimer {
 public:
  explicit LateTimer(Programs& programs) : skeleton_(late_timer_bpf__open()) {
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, skeleton_->obj) bpf_map__set_autocreate(
        map, map == skeleton_->maps.receivers || map == skeleton_->maps.bss);
    const int receivers = bpf_map__fd(programs.skeleton()->maps.receivers);
    EXPECT_EQ(bpf_map__reuse_fd(skeleton_->maps.receivers, receivers), 0);
    EXPECT_EQ(late_timer_bpf__load(skeleton_), 0);
  }
  ~LateTimer() { late_timer_bpf__destroy(skeleton_); }
  LateTimer(const LateTimer&) = delete;
  LateTimer& operator=(const LateTimer&) = delete;

  void comes(std::chrono::nanoseconds late) {
    skeleton_->bss->late_ns = static_cast<std::uint64_t>(late.count());
    std::array<std::uint8_t, 64> frame{};
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = frame.data();
    options.data_size_in = frame.size();
    EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.timer_is_late), &options), 0);
  }

 private:
  late_timer_bpf* skeleton_;
};

class Receiver : public Scene {
 protected:
  void become_up(std::uint32_t index = 0) {
    ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4, index), Beat::EchoIpv4)).verdict, kXdpDrop);
    ASSERT_EQ(load(session(index).state), std::uint32_t{HANET_SESSION_UP});
  }
  /// A CPU that the machine has may have stood still as well.
  [[nodiscard]] static bool is_real(std::uint32_t cpu) {
    return cpu < static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  }
  /// How often it was so. This machine's own CPUs may be late as well, so nobody can ask for all of
  /// the rounds: for most of them where the machine ran.
  void expect_mostly(std::string_view what, int times) {
    fmt::print("rate: {}: {} of {}\n", what, times, kRounds);
    if (times <= kRounds / 2) EXCUSE_OR_FAIL(all_along, 20ms, what);
  }
  void foreign_frame() {
    const net::Frame frame(64, 0);
    ASSERT_EQ(p->xdp(frame).verdict, kXdpPass);
  }
  /// As lose_path(), while the timers of this CPU are late by as much; until the verdict.
  void lose_path_always_late(std::chrono::nanoseconds late) {
    LateTimer timer(*p);
    ASSERT_FALSE(HasFailure());
    set_params(0, 10'000, 3, 1);
    watch(Beat::EchoIpv4);
    become_up();
    for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
    const auto give_up = monotonic_now() + std::chrono::seconds(10);
    while (load(session().state) != HANET_SESSION_DOWN && monotonic_now() < give_up) {
      foreign_frame();
      timer.comes(late);
    }
    ASSERT_EQ(load(session().state), std::uint32_t{HANET_SESSION_DOWN}) << "deferred, not waived";
  }
  /// Three requests that nobody answers, on a path that worked.
  void lose_path() {
    set_params(0, 1000, 3, 1);
    watch(Beat::EchoIpv4);
    lose_again();
  }
  void lose_again() {
    become_up();
    stall.forget();  // what follows has to be in time
    for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
  }

  test::StallWitness stall;
  test::StallWitness all_along;
};

TEST_F(Receiver, M3_ThatStandsStillDefersTheVerdictUntilItRunsAgain) {
  set_params(0, 1000, 3, 1);
  watch(Beat::EchoIpv4);
  int named = 0;
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    p->receiver_owes(kStill, kLongAgo);
    lose_again();
    ASSERT_TRUE(await([&] { return load(session().stall_deferrals) == round; }))
        << "the deadline passed";
    const std::uint32_t stalled = load(session().stalled_cpu);
    EXPECT_TRUE(stalled == kStill || is_real(stalled)) << "whose stall it was: " << stalled;
    named += stalled == kStill ? 1 : 0;
    if (load(session().down_verdicts) == round)
      EXCUSE_OR_FAIL(stall, 10ms, "it waited as long as it may before the test looked");
    p->receiver_owes(kStill, 0);
    ASSERT_TRUE(await([&] { return load(session().down_verdicts) == round; }))
        << "deferred, not waived";
    EXPECT_EQ(session().stall_deferrals, round) << "one deadline is counted once";
    EXPECT_EQ(session().deferred_lost_ns, session().first_lost_ns);
    EXPECT_EQ(session().stalled_cpu, stalled) << "the first reason is kept";
  }
  expect_mostly("the deferral is told of the CPU that the test held back", named);
}

TEST_F(Receiver, M3_AReplyThatWaitedForItIsInTime) {
  p->receiver_owes(kStill, kLongAgo);
  set_params(0, 1000, 3, 1);
  watch(Beat::EchoIpv4);
  become_up();
  net::Frame newest;
  stall.forget();
  for (int i = 0; i < 3; ++i) newest = send(Beat::EchoIpv4);
  ASSERT_TRUE(await([&] { return load(session().stall_deferrals) == 1; })) << "the deadline passed";
  ASSERT_EQ(p->xdp(reply_to(newest, Beat::EchoIpv4)).verdict, kXdpDrop);
  if (load(session().down_verdicts) != 0)
    EXCUSE_OR_FAIL(stall, 10ms, "the verdict waited as long as it may before the reply came");
  p->receiver_owes(kStill, 0);
  // The witness: a session that was never up is judged meanwhile.
  set_params(1, 5000, 3, 1);
  watch(Beat::EchoIpv4, 1);
  for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4, 1);
  ASSERT_TRUE(await([&] { return load(session(1).down_verdicts) == 1; }));
  EXPECT_EQ(load(session().down_verdicts), 0U);
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UP});
}

// Otherwise many CPUs, of which one or the other is always a little late, would hold back a verdict
// for as long as they are allowed to. A CPU of this machine may hold it back by rights.
TEST_F(Receiver, M3_ThatStoodStillAfterTheDeadlineDefersNothing) {
  constexpr std::uint32_t kLater = kStill - 1;
  constexpr std::uint64_t kDetectionNs = 3'000'000;
  set_params(0, 1000, 3, 1);
  watch(Beat::EchoIpv4);
  int in_time = 0;
  for (int round = 0; round < kRounds; ++round) {
    p->receiver_owes(kStill, kLongAgo);
    become_up();
    const std::uint64_t before = load(session().stall_deferrals);
    for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
    ASSERT_TRUE(await([&] { return load(session().stall_deferrals) > before; }));
    // Its last sign of life was due, and is overdue, when the deadline was already over.
    const std::uint64_t due = load(session().deferred_lost_ns) + kDetectionNs +
                              2 * load(p->accounts[0].receiver_period_ns);
    p->receiver_owes(kLater, due);
    ASSERT_TRUE(await(
        [&] { return monotonic_now() > from_kernel_ns(due) + std::chrono::milliseconds(1); }));
    p->receiver_owes(kStill, 0);
    ASSERT_TRUE(await([&] { return load(session().state) == HANET_SESSION_DOWN; }));
    in_time += session().verdict_ns < session().deadline_ns + HANET_STALL_MAX_NS ? 1 : 0;
    p->receiver_owes(kLater, 0);
  }
  expect_mostly("the verdict waits for no CPU that stood still afterwards", in_time);
}

// The kernel may need several goes for the frames that waited (net/core/dev.c, net_rx_action). The
// timer may fire before it was made late.
TEST_F(Receiver, M3_WhoseTimerCameLateDefersTheVerdictUntilItHasCaughtUp) {
  if (!p->has_bpf_timer()) GTEST_SKIP() << "skipped: without bpf_timer no CPU is watched";
  const OnOneCpu here;
  int to_the_limit = 0;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_NO_FATAL_FAILURE(lose_path_always_late(std::chrono::milliseconds(6)));
    const bool waited = session().deferred_lost_ns == session().first_lost_ns &&
                        session().verdict_ns >= session().deferred_since_ns + HANET_STALL_MAX_NS;
    to_the_limit += waited ? 1 : 0;
  }
  expect_mostly("the verdict waits to the limit for a CPU that never catches up", to_the_limit);
  EXPECT_TRUE(await([&] {
    foreign_frame();
    const auto now = p->receiver(here.cpu());
    return now.due_ns != 0 && now.due_ns == now.fires_ns;
  })) << "it catches up";
}

// Deep idle states: where every timer is late nothing can be learnt from that.
TEST_F(Receiver, M3_WhoseTimersAreAlwaysALittleLateDefersNoVerdictToTheLimit) {
  if (!p->has_bpf_timer()) GTEST_SKIP() << "skipped: without bpf_timer no CPU is watched";
  const OnOneCpu here;
  int in_time = 0;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_NO_FATAL_FAILURE(lose_path_always_late(std::chrono::microseconds(150)));
    in_time += session().verdict_ns < session().deadline_ns + HANET_STALL_MAX_NS ? 1 : 0;
  }
  expect_mostly("the verdict does not wait to the limit for timers that are a little late",
                in_time);
}

/// How long a CPU gets to catch up, in the kernel side's judgement.
struct Lateness {
  std::chrono::microseconds late;
  bool catching_up;
  std::chrono::microseconds gets;  ///< 0: it has nothing to catch up with
};

TEST_F(Receiver, M3_CatchesUpForAsLongAgainAsItWasLateUnlessItOnlyWokeUp) {
  using std::chrono::microseconds;
  catches_up_bpf* asked = catches_up_bpf__open_and_load();
  ASSERT_NE(asked, nullptr);
  asked->bss->period_ns = 5'000'000;
  for (const Lateness& given : {
           Lateness{microseconds(0), false, microseconds(0)},
           Lateness{microseconds(80), false, microseconds(80)},
           Lateness{microseconds(80), true, microseconds(0)},
           Lateness{microseconds(200), true, microseconds(0)},
           Lateness{microseconds(400), true, microseconds(400)},
           Lateness{microseconds(9000), false, microseconds(5000)},
       }) {
    asked->bss->late_ns = static_cast<std::uint64_t>(given.late.count()) * 1000;
    asked->bss->catching_up = given.catching_up;
    std::array<std::uint8_t, 64> frame{};
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = frame.data();
    options.data_size_in = frame.size();
    ASSERT_EQ(bpf_prog_test_run_opts(bpf_program__fd(asked->progs.ask), &options), 0);
    EXPECT_EQ(std::chrono::nanoseconds(asked->bss->answer_ns), given.gets)
        << given.late.count() << " us late";
  }
  catches_up_bpf__destroy(asked);
}

TEST_F(Receiver, M3_ThatNeverRunsAgainIsNotWaitedForForEver) {
  p->receiver_owes(kStill, kLongAgo);
  lose_path();
  ASSERT_TRUE(await([&] { return load(session().down_verdicts) == 1; }));
  EXPECT_GE(session().verdict_ns, session().deadline_ns + HANET_STALL_MAX_NS);
}

// A hypervisor may take all CPUs away for longer than that. The timer is armed for a long detection
// time, then the time in force becomes so short that the timer comes as late as after such a stall.
TEST_F(Receiver, M3_IsWaitedForFromWhenTheDeadlineIsFirstLookedAt) {
  set_params(0, 20'000, 3, 1);
  watch(Beat::EchoIpv4);
  become_up();
  p->receiver_owes(kStill, kLongAgo);
  for (int i = 0; i < 3; ++i) send(Beat::EchoIpv4);
  engine::store(session().interval_us, 1000U);
  ASSERT_TRUE(await([&] { return load(session().down_verdicts) == 1; })) << "deferred, not waived";
  ASSERT_GT(session().deferred_since_ns, session().deadline_ns + HANET_STALL_MAX_NS)
      << "the witness: it came that late";
  EXPECT_GE(session().verdict_ns, session().deferred_since_ns + HANET_STALL_MAX_NS);
  EXPECT_EQ(session().stall_deferrals, 1U);
}

// The sender goes on meanwhile, and the kernel side remembers HANET_WINDOW requests.
TEST_F(Receiver, M3_IsNotWaitedForAnewWithEveryRequestThatLeaves) {
  p->receiver_owes(kStill, kLongAgo);
  lose_path();
  const std::uint64_t oldest =
      session().window[(load(session().answered) + 1) % HANET_WINDOW].sent_ns;
  ASSERT_TRUE(await([&] { return load(session().stall_deferrals) > 0; })) << "the deadline passed";
  for (std::uint32_t i = 0; i < HANET_WINDOW; ++i) send(Beat::EchoIpv4);
  ASSERT_TRUE(await([&] {
    send(Beat::EchoIpv4);
    return load(session().down_verdicts) == 1;
  })) << "deferred, not waived";
  EXPECT_EQ(session().stall_deferrals, 1U);
  EXPECT_EQ(session().first_lost_ns, oldest) << "the record is of the first that was lost";
}

TEST_F(Receiver, M3_IsWatchedWhileItReceivesAndLeftAloneWhenItDoesNot) {
  if (!p->has_bpf_timer()) GTEST_SKIP() << "skipped: without bpf_timer no CPU is watched";
  const OnOneCpu here;
  set_params(0, 10'000, 3, 1);
  watch(Beat::EchoIpv4);
  EXPECT_EQ(p->receiver(here.cpu()).due_ns, 0U) << "nothing came in yet";
  const auto sent = static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count());
  send(Beat::EchoIpv4);
  foreign_frame();
  EXPECT_GT(p->receiver(here.cpu()).due_ns, sent) << "any frame shows that this CPU receives";
  EXPECT_TRUE(await([&] { return p->receiver(here.cpu()).due_ns == 0; }))
      << "an idle machine may sleep";
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
