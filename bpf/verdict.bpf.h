/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happens on a verdict: the state, then the trunk, then steering, then what was seen before it
 * is kept, then the event.
 *
 * In this order, so that each finds the one before: a trunk is judged by the states of its ports,
 * steering asks whether the trunk is down, and who is woken by the event finds all of it in the
 * maps. The files below know nothing of each other: session.bpf.h says that a state changed,
 * trunk.bpf.h what the path is worth, steer.bpf.h where frames go.
 */
#ifndef HANET_VERDICT_BPF_H
#define HANET_VERDICT_BPF_H

#include "flight.bpf.h"
#include "device.bpf.h"

/* Its heartbeats have a verdict on the port if too few of its targets are left (quorum.bpf.h). */
static __always_inline void steer_if_silent(__u32 index, const struct hanet_port *port, __u64 now)
{
	if (port_state(port) == HANET_SESSION_DOWN)
		path_on_verdict(index, port_silent_since(port), now);
}

static __noinline int session_changed(__u32 index, struct hanet_session *session, __u32 type,
				      __u64 now)
{
	if (!session)
		return 0;
	__u32 at = session->port;
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &at);

	session->state_since_ns = now;
	trunk_review(port);
	if (type == HANET_EVENT_SESSION_DOWN && port)
		steer_if_silent(at, port, now);
	if (type == HANET_EVENT_SESSION_DOWN)
		flight_keep(index, session);
	struct hanet_event what = {.type = type, .group = session->group};

	return event_submit(&what);
}

/*
 * The carrier of a port is `up` now. `edge`: it was known before, so that this is an event and not
 * where it begins.
 */
static __always_inline int carrier_changed(__u32 index, struct hanet_port *port, bool up, bool edge,
					   __u64 now)
{
	struct hanet_trunk *trunk = trunk_of(port);
	struct hanet_event what = {
		.type = up ? HANET_EVENT_CARRIER_UP : HANET_EVENT_CARRIER_DOWN,
		.group = port->group,
	};

	if (trunk && !up)
		trunk->carrier_lost_ns = now;
	trunk_review(port);
	if (!edge)
		return 0;
	if (!up)
		path_on_verdict(index, 0, now);
	return event_submit(&what);
}

/*
 * Timer callback. The verdict needs the multiplier of unanswered requests in a row and the
 * detection time past the first of them (spec M3).
 */
static int session_deadline(void *map, __u32 *key, struct hanet_timer *deadline)
{
	__u32 index = *key;
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);

	if (!session || !session->in_use)
		return 0;
	__u32 before = session->state;
	__u64 sent = session->sent, answered = session->answered;

	if (sent <= answered || before == HANET_SESSION_PAUSED)
		return 0;
	__u64 now = bpf_ktime_get_ns();
	__u64 first_lost = oldest_sent_ns(session, answered, sent);
	__u64 detection = detection_time_ns(session);
	__u64 waited = now > first_lost ? now - first_lost : 0;

	if (waited < detection) {
		timer_start(deadline, detection - waited);
		return 0;
	}
	if (sent - answered < session->multiplier) {
		/* The sender was held up: wait for the requests that are still owed. */
		timer_start(deadline, (__u64)session->interval_us * 500);
		return 0;
	}
	__u64 wait = before == HANET_SESSION_UP ? deferral(session, answered, first_lost, now) : 0;
	/* Looking at all CPUs takes its time: one may have run again and handled the reply. */
	if (session->answered != answered)
		wait = RECEIVER_SLACK_NS;
	if (wait) {
		timer_start(deadline, wait);
		return 0;
	}
	if (session_down(session, before, first_lost, first_lost + detection, now))
		session_changed(index, session, HANET_EVENT_SESSION_DOWN, now);
	return 0;
}

/* A sign of life that counts; see session_alive(). */
static __always_inline void session_heard(__u32 index, struct hanet_session *session, bool gap,
					  __u64 now)
{
	if (session_alive(session, gap))
		session_changed(index, session, HANET_EVENT_SESSION_UP, now);
}

/*
 * A reply to `sequence` that passed every check. Returns HANET_REJECT_COUNT when it counted, or the
 * reason why it did not. The deadline is armed after the state: a timer that fires between the two
 * would find the session down and not go on. A global function, as in quorum.bpf.h: each kind of
 * reply ends here.
 */
__noinline int session_reply(__u32 index, struct hanet_session *session, __u64 sequence)
{
	if (!session)
		return HANET_REJECT_WRONG_SESSION;
	__u64 now = bpf_ktime_get_ns();
	bool gap = false;
	int reason = session_take_reply(session, sequence, now, &gap);

	if (reason != HANET_REJECT_COUNT)
		return reason;
	session_heard(index, session, gap, now);
	session_rearm(index, session, sequence, now);
	return HANET_REJECT_COUNT;
}

#endif
