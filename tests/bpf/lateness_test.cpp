// SPDX-License-Identifier: Apache-2.0
//
// What "stood still" means on this machine (M13): later than is usual for its timers.
//
// A real timer cannot be made late by a given time, so the functions themselves are asked, for any
// machine there may be: times are arguments, and no clock is read.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <memory>

#include "catches_up.skel.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::uint32_t kCpus = 8;
constexpr std::uint32_t kCpu = 3;
constexpr nanoseconds kFloor = microseconds(50);
constexpr int kTimers = 256;  // from one reckoning to the next

class UsualLateness : public testing::Test {
 protected:
  void SetUp() override {
    asked_.reset(catches_up_bpf__open());
    ASSERT_NE(asked_, nullptr);
    asked_->rodata->cpu_count = kCpus;
    const int failed = catches_up_bpf__load(asked_.get());
    if (failed != 0 && bpf_is_refused()) GTEST_SKIP() << "skipped: BPF is refused here";
    ASSERT_EQ(failed, 0);
    asked_->bss->cpu = kCpu;
  }
  void run(const bpf_program* program) {
    std::array<std::uint8_t, 64> frame{};
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = frame.data();
    options.data_size_in = frame.size();
    ASSERT_EQ(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0);
  }
  static std::uint64_t count(nanoseconds time) { return static_cast<std::uint64_t>(time.count()); }

  void timers_come(int times, nanoseconds late) {
    asked_->bss->late_ns = count(late);
    for (int i = 0; i < times; ++i) run(asked_->progs.note);
  }
  nanoseconds limit(nanoseconds detection = milliseconds(30)) {
    asked_->bss->detection_ns = count(detection);
    run(asked_->progs.ask_limit);
    return nanoseconds(asked_->bss->answer_ns);
  }
  /// The CPU that stands still at `now`, whose sign of life was due then.
  std::uint32_t stalled(nanoseconds due, nanoseconds deadline, nanoseconds detection,
                        nanoseconds now) {
    const Receiver owes{
        .timer = {}, .due_ns = count(due), .seen = 0, .idle_periods = 0, .fires_ns = count(due)};
    EXPECT_EQ(bpf_map_update_elem(bpf_map__fd(asked_->maps.receivers), &kCpu, &owes, BPF_ANY), 0);
    asked_->bss->deadline_ns = count(deadline);
    asked_->bss->detection_ns = count(detection);
    asked_->bss->now_ns = count(now);
    run(asked_->progs.ask_stalled);
    return static_cast<std::uint32_t>(asked_->bss->answer_ns);
  }

  struct Destroyer {
    void operator()(catches_up_bpf* skeleton) const { catches_up_bpf__destroy(skeleton); }
  };
  std::unique_ptr<catches_up_bpf, Destroyer> asked_;
};

TEST_F(UsualLateness, M13_WhileNothingIsKnownTheFloorCounts) {
  EXPECT_EQ(limit(), kFloor);
  timers_come(kTimers - 1, microseconds(200));
  EXPECT_EQ(limit(), kFloor) << "not enough of them yet";
}

TEST_F(UsualLateness, M13_WhatIsUsualIsNotLate) {
  timers_come(kTimers, microseconds(100));
  EXPECT_GT(limit(), microseconds(100));
  EXPECT_LT(limit(), microseconds(150));
}

TEST_F(UsualLateness, M13_AMachineThatIsAlwaysAwakeHasTheFloor) {
  timers_come(kTimers, microseconds(5));
  EXPECT_EQ(limit(), kFloor);
}

TEST_F(UsualLateness, M13_NeverMoreThanAThirdOfTheDetectionTime) {
  timers_come(kTimers, microseconds(300));
  EXPECT_GT(limit(), microseconds(300));
  EXPECT_EQ(limit(microseconds(300)), microseconds(100));
  EXPECT_EQ(limit(microseconds(100)), kFloor) << "nor less than the floor";
}

TEST_F(UsualLateness, M13_OneTimerOfAHundredMayBeLater) {
  timers_come(kTimers - 2, microseconds(20));
  timers_come(2, microseconds(250));
  EXPECT_EQ(limit(), kFloor);
  timers_come(kTimers - 8, microseconds(20));
  timers_come(8, microseconds(250));
  EXPECT_GT(limit(), microseconds(250));
}

TEST_F(UsualLateness, M13_ACpuIsThroughWithCatchingUpWhenItsTimersAreAsLateAsUsual) {
  asked_->data->usual_ns = count(microseconds(100));
  asked_->bss->period_ns = count(microseconds(75));
  asked_->bss->catching_up = true;
  asked_->bss->late_ns = count(microseconds(90));
  run(asked_->progs.ask);
  EXPECT_EQ(asked_->bss->answer_ns, 0U);
  asked_->bss->late_ns = count(microseconds(110));
  run(asked_->progs.ask);
  EXPECT_EQ(nanoseconds(asked_->bss->answer_ns), microseconds(75)) << "at most a period";
}

TEST_F(UsualLateness, M13_ACpuWhoseTimersAreAllLaterThanTheFloorIsKnownAsWell) {
  asked_->bss->catches_up_now = true;
  timers_come(kTimers, microseconds(100));
  EXPECT_GT(limit(), microseconds(100));
  timers_come(9 * kTimers, microseconds(300));
  EXPECT_LT(limit(), microseconds(150)) << "once it is known, who catches up teaches nothing";
}

TEST_F(UsualLateness, M13_M5_WhoOnlyListensHasTheFloor) {
  timers_come(kTimers, microseconds(300));
  EXPECT_EQ(limit(nanoseconds(0)), kFloor);
}

TEST_F(UsualLateness, M13_AStallTeachesNothing) {
  timers_come(2 * kTimers, milliseconds(10));
  EXPECT_EQ(limit(), kFloor);
}

TEST_F(UsualLateness, M13_WhatIsUsualFollowsTheMachine) {
  timers_come(4 * kTimers, microseconds(200));
  ASSERT_GT(limit(), microseconds(200));
  timers_come(9 * kTimers, microseconds(20));
  EXPECT_EQ(limit(), kFloor);
}

TEST_F(UsualLateness, M13_ACpuStandsStillOnceItIsLaterThanIsUsualForIt) {
  const nanoseconds due = milliseconds(10), deadline = milliseconds(11),
                    detection = milliseconds(3);
  EXPECT_EQ(stalled(due, deadline, detection, due + microseconds(80)), kCpu);
  timers_come(kTimers, microseconds(100));
  EXPECT_EQ(stalled(due, deadline, detection, due + microseconds(80)), HANET_NONE);
  EXPECT_EQ(stalled(due, deadline, detection, due + microseconds(200)), kCpu);
}

// The reply came in a quarter of the detection time after the CPU had stopped, and the CPU had
// shown itself a moment before it did.
// Shorter detection times: bpf/deferral.md.
TEST_F(UsualLateness, M13_M3_AStallThatHidAReplyIsSeenWhateverIsUsual) {
  for (const nanoseconds detection :
       {nanoseconds(microseconds(200)), nanoseconds(microseconds(300)),
        nanoseconds(microseconds(600)), nanoseconds(milliseconds(3)), nanoseconds(milliseconds(30)),
        nanoseconds(std::chrono::seconds(1))}) {
    const nanoseconds period = std::clamp<nanoseconds>(detection / 4, kFloor, milliseconds(5));
    const nanoseconds sent = std::chrono::seconds(5), stopped = sent + detection / 4;
    for (int usual = 0; usual < HANET_LATENESS_BUCKETS; ++usual) {
      timers_come(8 * kTimers, nanoseconds((usual << HANET_LATENESS_SHIFT) + 1));
      EXPECT_EQ(stalled(stopped + period, sent + detection, detection, sent + detection), kCpu)
          << detection.count() << " ns, " << limit(detection).count() << " ns are usual";
    }
  }
}

}  // namespace
}  // namespace hanet::bpf_test
