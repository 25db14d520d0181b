/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * May a verdict that is due be made now, or may the reply be here already and wait for a CPU?
 *
 * Two questions: did this machine run, and has it caught up with the frames that waited meanwhile?
 * The watch of the CPUs is in receiver.bpf.h; deferral.md explains both files as one mechanism, and
 * every constant.
 */
#ifndef HANET_DEFERRAL_BPF_H
#define HANET_DEFERRAL_BPF_H

#include "session.bpf.h"

enum {
	/* A verdict that is later than this part of the detection time was held up: by more than
	 * two signs of life of a receiving CPU. */
	DEFERRAL_LATE = 2,
	/* Looks at a waiting verdict in a detection time: each costs a real failure at most a
	 * sixteenth of what it had to wait for anyway. */
	DEFERRAL_LOOKS = 16,
};

/* Whether the verdict on what was asked after that one waits already. */
static __always_inline bool verdict_waits(const struct hanet_session *session, __u64 after)
{
	return session->deferred_after == after + 1;
}

/*
 * When the oldest outstanding request left, of those that the window still holds. While a verdict
 * waits requests go on, and push it out of the window: it stays what it was at the first look.
 */
static __always_inline __u64 oldest_sent_ns(struct hanet_session *session, __u64 answered,
					    __u64 sent)
{
	if (verdict_waits(session, answered))
		return session->deferred_lost_ns;
	__u64 oldest = sent - answered > HANET_WINDOW ? sent - HANET_WINDOW + 1 : answered + 1;

	return request_slot(session, oldest)->sent_ns;
}

/*
 * How often a waiting verdict is looked at: often enough to cost little of the detection time, and
 * seldom enough that many of them do not take the CPU that has to catch up.
 */
static __always_inline __u64 look_again_ns(__u64 detection)
{
	__u64 share = detection / DEFERRAL_LOOKS;

	return share > RECEIVER_SLACK_NS ? share : RECEIVER_SLACK_NS;
}

/*
 * What is due may wait for this many nanoseconds (0: no longer), because the reply may be here
 * already and only wait for a CPU. Both together: at most HANET_STALL_MAX_NS and a quarter of the
 * detection time from the first look on, while this CPU runs:
 *
 * - a CPU that takes in frames stands still: until it has caught up, at most HANET_STALL_MAX_NS;
 * - the verdict is late by more than half the detection time, because this CPU stood still or that
 *   one did: one second look, a quarter of the detection time later. What was handled last may
 *   have been the question, where the far end or a virtual link to it is on the same CPUs.
 *
 * `after` names the deadline: what had been answered, which does not move while nothing comes.
 */
static __always_inline __u64 deferral(struct hanet_session *session, __u64 after, __u64 first_lost,
				      __u64 now)
{
	__u64 detection = detection_time_ns(session), due = first_lost + detection, wait = 0;
	bool waits = verdict_waits(session, after);
	__u64 since = waits ? session->deferred_since_ns : now;
	__u32 second_look = waits && session->second_look;
	/* Who only listens may miss a frame that came in at any time up to the deadline: only the
	 * floor sees every such stall. */
	__u64 patience = session->kind == HANET_HEARTBEAT_SILENCE ? 0 : detection;
	__u32 stalled = now - since < HANET_STALL_MAX_NS ? receiver_stalled(due, patience, now)
							 : HANET_NONE;

	if (stalled != HANET_NONE) {
		wait = look_again_ns(detection);
	} else if (now > due + detection / DEFERRAL_LATE && !second_look) {
		stalled = bpf_get_smp_processor_id();
		second_look = 1;
		wait = detection / RECEIVER_SHARE;
	}
	if (wait && !waits) {
		session->deferred_lost_ns = first_lost;
		session->deferred_since_ns = now;
		session->deferred_after = after + 1;
		session->stalled_cpu = stalled;
		session->stall_deferrals++;
	}
	session->second_look = second_look;
	return wait;
}

#endif
