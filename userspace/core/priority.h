// SPDX-License-Identifier: Apache-2.0
//
// Real-time priority, and when to give it up.
//
// A switchover must not wait for a busy CPU, so hanetd's threads run under SCHED_FIFO. But a
// real-time thread takes the CPU from the programs whose traffic it saves, so only what they wait
// for is urgent: what follows the last netlink message (reading answers, verifying, recording) runs
// like any other program.
#pragma once

namespace hanet {

/// The sender's priority: requests go out on time even while a switchover is computed.
inline constexpr int kSenderPriority = 50;
/// That of deadlines that hanetd keeps: below the interrupt threads of a kernel with PREEMPT_RT
/// (50, kernel/irq/manage.c), so that on one CPU a reply that arrived in time is looked at before
/// its deadline is; and above the main thread, so that no verdict waits for another group's
/// switchover.
inline constexpr int kTickerPriority = 49;
/// The main thread's.
inline constexpr int kMainPriority = 48;

/// Puts the calling thread under SCHED_FIFO; false without CAP_SYS_NICE.
[[nodiscard]] bool become_real_time(int priority);
/// Names the calling thread (at most 15 characters), makes its sleeps exact and puts it under
/// SCHED_FIFO; false if it is not, without CAP_SYS_NICE.
[[nodiscard]] bool become_punctual(const char* name, int priority);
/// Puts the calling thread back under SCHED_OTHER.
void become_ordinary();

}  // namespace hanet
