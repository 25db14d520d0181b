/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a CPU that takes in frames standing still?
 *
 * A deadline that expires on one CPU says nothing while the reply waits on another that does not
 * run: a hypervisor takes virtual CPUs away for milliseconds, in the middle of whatever they do. A
 * CPU cannot be asked whether it runs, but it can be watched: while it receives frames of a watched
 * port it keeps a timer pinned to itself, and a timer that is overdue tells that nothing runs
 * there. The kernel handles received frames before expired timers (kernel/softirq.c, NET_RX before
 * HRTIMER), but not all of them: at most netdev_budget in one go, and what one virtual link hands
 * to the next waits for another (net/core/dev.c, net_rx_action). So a CPU whose timer came late
 * stays overdue for as long again, at most one period, to catch up, until a timer comes in time.
 * The deadline that waits for it is what sets an end to that (HANET_STALL_MAX_NS).
 *
 * Only a stall that began before the deadline counts: a reply that came after it is late anyway.
 * Otherwise a machine with many CPUs, of which one or the other is always a little late, would
 * hold back every verdict.
 *
 * A CPU that receives nothing keeps no timer. Replies are frames: a CPU that takes them in is woken
 * once in a quarter of the shortest detection time, at most every 50 us and at least every 5 ms.
 * Without bpf_timer nobody is watched, and the same period is that of hanetd's thread.
 */
#ifndef HANET_RECEIVER_BPF_H
#define HANET_RECEIVER_BPF_H

#include "lateness.bpf.h"
#include "timer.bpf.h"

enum {
	/* linux/bpf.h since 6.7; refused by older kernels */
	TIMER_CPU_PIN = 1 << 1,
	/* Signs of life in a detection time: overdue is visible well before the deadline. */
	RECEIVER_SHARE = 4,
	/* From one look at a waiting verdict to the next at least: twice the latest timer of a
	 * machine that was awake (24 us; design.md, measured facts). */
	RECEIVER_SLACK_NS = 50 * 1000,
	/* A timer that is later than this has waited for more than its CPU to wake up: the deepest
	 * idle states of servers are left within 310 us (drivers/idle/intel_idle.c). */
	RECEIVER_WAKE_UP_NS = 350 * 1000,
	/* A shorter period could not tell late from in time. */
	RECEIVER_PERIOD_MIN_NS = RECEIVER_SLACK_NS,
	/* A stall is seen well before no verdict waits for it any more. */
	RECEIVER_PERIOD_MAX_NS = HANET_STALL_MAX_NS / RECEIVER_SHARE,
	/* Without a frame for 16 of the shortest detection times a CPU is no receiver any more: the
	 * sessions of a host may differ by as much and are still watched at their deadlines. */
	RECEIVER_IDLE_PERIODS = 16 * RECEIVER_SHARE,
	EINVAL_RESULT = -22,
};

/* Decided by hanetd before loading: CPUs that the kernel may use. */
const volatile __u32 cpu_count = 1;

/*
 * Not pinned before 6.7, which refuses the flag: an idle CPU's timer may be moved there. It may
 * then fire before this function ends, so nothing is written once it runs but that there is none.
 */
static __always_inline void receiver_arm(struct hanet_receiver *me, __u64 after_ns,
					 bool catching_up)
{
	me->seen = 0;
	me->fires_ns = bpf_ktime_get_ns() + after_ns;
	if (!catching_up)
		me->due_ns = me->fires_ns;
	long failed = bpf_timer_start(&me->timer, after_ns, TIMER_CPU_PIN);

	if (failed == EINVAL_RESULT)
		failed = bpf_timer_start(&me->timer, after_ns, 0);
	if (failed)
		me->due_ns = 0;
}

static __always_inline __u64 receiver_period_ns(void)
{
	__u32 zero = 0;
	struct hanet_engine *accounts = bpf_map_lookup_elem(&engine, &zero);

	return accounts ? accounts->receiver_period_ns : 0;
}

/*
 * Nanoseconds that a CPU whose timer was so late gets to catch up with what waited while it stood
 * still, 0: it has caught up. A CPU that only slept too deeply is late once more, and has nothing
 * to catch up with.
 */
static __always_inline __u64 receiver_catches_up(const struct hanet_receiver *me, __u64 late,
						 __u64 period, __u64 usual)
{
	__u64 wake_up = period < RECEIVER_WAKE_UP_NS ? period : RECEIVER_WAKE_UP_NS;
	bool catching_up = me->due_ns != me->fires_ns;

	if (late <= (catching_up && wake_up > usual ? wake_up : usual))
		return 0;
	return late < period ? late : period;
}

/* Timer callback, on the CPU that is watched. */
static int receiver_fired(void *map, __u32 *cpu, struct hanet_receiver *me)
{
	__u64 period = receiver_period_ns(), now = bpf_ktime_get_ns();
	__u64 late = now > me->fires_ns ? now - me->fires_ns : 0;
	__u64 usual = lateness_limit_ns(*cpu, period * RECEIVER_SHARE);
	__u64 catches_up = receiver_catches_up(me, late, period, usual);

	if (bpf_get_smp_processor_id() == *cpu)
		lateness_note(*cpu, late, me->due_ns != me->fires_ns);

	me->idle_periods = me->seen ? 0 : me->idle_periods + 1;
	/* A timer that was moved watches the wrong CPU. */
	if (!period || bpf_get_smp_processor_id() != *cpu ||
	    me->idle_periods > RECEIVER_IDLE_PERIODS)
		me->due_ns = 0;
	else
		receiver_arm(me, catches_up ?: period, catches_up != 0);
	return 0;
}

static __noinline int receiver_begin(struct hanet_receiver *me)
{
	if (!me)
		return 0;
	__u64 period = receiver_period_ns();

	me->idle_periods = 0;
	if (period)
		receiver_arm(me, period, false);
	return 0;
}

/* A frame came in at a watched port. */
static __always_inline void receiver_runs(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct hanet_receiver *me = use_bpf_timer ? bpf_map_lookup_elem(&receivers, &cpu) : NULL;

	if (!me)
		return;
	if (!me->due_ns)
		receiver_begin(me);
	if (!me->seen)
		me->seen = 1;
}

struct receiver_search {
	__u64 now;
	__u64 latest_due; /* of a stall that began before the deadline */
	__u64 detection;
	__u32 stalled; /* CPU, or HANET_NONE */
};

static long receiver_look(__u32 cpu, struct receiver_search *search)
{
	struct hanet_receiver *one = bpf_map_lookup_elem(&receivers, &cpu);

	if (!one)
		return 1;
	__u64 due = one->due_ns;

	if (!due || due > search->latest_due || search->now <= due + LATENESS_FLOOR_NS ||
	    search->now <= due + lateness_limit_ns(cpu, search->detection))
		return 0;
	search->stalled = cpu;
	return 1;
}

/*
 * A receiving CPU that stands still since before `deadline`, or has not caught up yet, or
 * HANET_NONE. It ran at the latest one period before its sign of life was due.
 */
static __always_inline __u32 receiver_stalled(__u64 deadline, __u64 detection, __u64 now)
{
	struct receiver_search search = {
		.now = now,
		.latest_due = deadline + receiver_period_ns(),
		.detection = detection,
		.stalled = HANET_NONE,
	};

	bpf_loop(cpu_count, receiver_look, &search, 0);
	return search.stalled;
}

static long shorter_detection(__u32 index, __u64 *shortest)
{
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);

	if (!session)
		return 1;
	__u64 detection = detection_time_ns(session);

	if (session->in_use && detection && detection < *shortest)
		*shortest = detection;
	return 0;
}

/* Overdue must be visible well before the shortest deadline. Called when a session's timing
 * changes. */
static __noinline int receiver_period_update(void)
{
	__u64 shortest = ~0ULL;
	__u32 zero = 0;
	struct hanet_engine *accounts = bpf_map_lookup_elem(&engine, &zero);

	bpf_loop(HANET_MAX_SESSIONS, shorter_detection, &shortest, 0);
	if (!accounts)
		return 0;
	shortest /= RECEIVER_SHARE;
	accounts->receiver_period_ns = shortest < RECEIVER_PERIOD_MIN_NS   ? RECEIVER_PERIOD_MIN_NS
				       : shortest > RECEIVER_PERIOD_MAX_NS ? RECEIVER_PERIOD_MAX_NS
									   : shortest;
	return 0;
}

#endif
