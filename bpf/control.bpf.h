/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hanetd asks of the kernel side through tc_control (enum hanet_control_op): to start what is
 * timed, to look again at what user space changed, and, without bpf_timer, to run what is due.
 */
#ifndef HANET_CONTROL_BPF_H
#define HANET_CONTROL_BPF_H

#include "port.bpf.h"
#include "silence.bpf.h"

static __always_inline int review_port(__u32 index)
{
	return trunk_review(bpf_map_lookup_elem(&ports, &index));
}

static __always_inline bool is_silent(const struct hanet_session *session)
{
	return watch_silence && session->kind == HANET_HEARTBEAT_SILENCE;
}

static __always_inline bool prepare_deadline(const struct hanet_session *session,
					     struct hanet_timer *deadline)
{
	if (!use_bpf_timer)
		return true;
	if (!timer_is_there(&deadline->timer, &deadline_timers))
		return false;
	if (is_silent(session))
		return !bpf_timer_set_callback(&deadline->timer, silence_deadline);
	return !bpf_timer_set_callback(&deadline->timer, session_deadline);
}

static __always_inline int start_session(__u32 index)
{
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);
	struct hanet_timer *deadline = bpf_map_lookup_elem(&deadline_timers, &index);

	if (!session || !deadline || !prepare_deadline(session, deadline))
		return 1;
	session->answered = session->sent;
	session->counted_ns = 0;
	session->replies_in_row = 0;
	session->state_since_ns = bpf_ktime_get_ns();
	session->state = HANET_SESSION_UNKNOWN;
	params_apply_session(session);
	return review_port(session->port);
}

static __always_inline int start_port(__u32 index)
{
	struct hanet_timer *poll = bpf_map_lookup_elem(&link_timers, &index);

	if (!poll)
		return 1;
	if (use_bpf_timer && (!timer_is_there(&poll->timer, &link_timers) ||
			      bpf_timer_set_callback(&poll->timer, link_poll)))
		return 1;
	return timer_start(poll, 0) ? 1 : 0;
}

static __always_inline int start_receiver(__u32 cpu)
{
	struct hanet_receiver *receiver = bpf_map_lookup_elem(&receivers, &cpu);

	if (!use_bpf_timer)
		return 0;
	if (!receiver || !timer_is_there(&receiver->timer, &receivers))
		return 1;
	return bpf_timer_set_callback(&receiver->timer, receiver_fired) ? 1 : 0;
}

static long tick_session(__u32 index, struct tick *tick)
{
	struct hanet_timer *deadline = bpf_map_lookup_elem(&deadline_timers, &index);
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);

	if (!deadline || !session)
		return 1;
	if (timer_expired(deadline, tick)) {
		if (is_silent(session))
			silence_deadline(&deadline_timers, &index, deadline);
		else
			session_deadline(&deadline_timers, &index, deadline);
	}
	timer_awaits(deadline, tick);
	return 0;
}

static long tick_port(__u32 index, struct tick *tick)
{
	struct hanet_timer *poll = bpf_map_lookup_elem(&link_timers, &index);

	if (!poll)
		return 1;
	if (timer_expired(poll, tick))
		link_poll(&link_timers, &index, poll);
	timer_awaits(poll, tick);
	return 0;
}

/*
 * Runs what is due. Returns the nanoseconds until it is wanted again: when the next thing is due,
 * or when a deadline that is armed meanwhile might be.
 */
static __always_inline int tick_all(void)
{
	__u64 period = receiver_period_ns(), now = bpf_ktime_get_ns();
	struct tick tick = {.now = now};

	tick.next = now + (period ? period : RECEIVER_PERIOD_MAX_NS);
	if (use_bpf_timer)
		return RECEIVER_PERIOD_MAX_NS;
	bpf_loop(HANET_MAX_SESSIONS, tick_session, &tick, 0);
	bpf_loop(HANET_MAX_PORTS, tick_port, &tick, 0);
	now = bpf_ktime_get_ns();
	return tick.next > now ? tick.next - now : 0;
}

/*
 * hanetd sees a verdict in the maps before whoever made it came to bridge: on another CPU, or
 * because its task was preempted in between.
 */
static __always_inline int bridge_told(__u32 index)
{
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &index);
	__u64 now = bpf_ktime_get_ns();

	if (!port)
		return 0;
	if (port->carrier == HANET_CARRIER_DOWN)
		path_on_verdict(index, 0, now);
	else
		steer_if_silent(index, port, now);
	return 0;
}

static __always_inline int carrier_told(__u32 index, bool up)
{
	return carrier_seen(index, bpf_map_lookup_elem(&ports, &index), up, bpf_ktime_get_ns());
}

#endif
