/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When something is due, and who comes then.
 *
 * A bpf_timer, where the kernel takes programs that use it: nothing is nearer to the verdict, and
 * it outlives hanetd. With PREEMPT_RT the verifier refuses them (kernel/bpf/verifier.c,
 * process_timer_func). There a timer is a time in a map, and a real-time thread of hanetd comes by
 * and runs what is due (HANET_CONTROL_TICK, userspace/engine/ticker.h). Whatever is armed and
 * decided is the same, here in the kernel, but for one thing: nobody watches whether a CPU that
 * receives stands still (receiver.bpf.h).
 */
#ifndef HANET_TIMER_BPF_H
#define HANET_TIMER_BPF_H

#include "maps.bpf.h"

enum {
	CLOCK_MONOTONIC_ID = 1,
	EBUSY_RESULT = -16,
};

/* Decided by hanetd from what the kernel takes, before loading. */
const volatile bool use_bpf_timer = true;

/*
 * bpf_timer_init() allocates without waiting and may find nothing at the moment (seen on 6.18);
 * hanetd asks again. EBUSY: it runs since an earlier start, which is as good.
 */
static __always_inline bool timer_is_there(struct bpf_timer *timer, void *map)
{
	long result = bpf_timer_init(timer, map, CLOCK_MONOTONIC_ID);

	return !result || result == EBUSY_RESULT;
}

/* Makes it due `after_ns` from now, whatever it was before. */
static __always_inline long timer_start(struct hanet_timer *timer, __u64 after_ns)
{
	if (use_bpf_timer)
		return bpf_timer_start(&timer->timer, after_ns, 0);
	timer->due_ns = bpf_ktime_get_ns() + after_ns;
	return 0;
}

/* As RFC 5880 has it: a path is down when nothing was answered for that long. */
static __always_inline __u64 detection_time_ns(const struct hanet_session *session)
{
	return (__u64)session->interval_us * 1000 * session->multiplier;
}

struct tick {
	__u64 now;
	__u64 next; /* the first time at which something else is due */
};

/* Whether it is due; then it is no longer armed. Who arms it anew at this moment is not forgotten.
 */
static __always_inline bool timer_expired(struct hanet_timer *timer, const struct tick *tick)
{
	__u64 due = timer->due_ns;

	return due && due <= tick->now &&
	       __sync_val_compare_and_swap(&timer->due_ns, due, 0) == due;
}

static __always_inline void timer_awaits(const struct hanet_timer *timer, struct tick *tick)
{
	__u64 due = timer->due_ns;

	if (due && due < tick->next)
		tick->next = due;
}

#endif
