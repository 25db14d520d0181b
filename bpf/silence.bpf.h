/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Silence: a session that asks nobody (spec M5).
 *
 * Every frame from the peer's MAC address is a sign of life, whatever it is and to whom; frames of
 * others are not, or a neighbour's broadcasts would keep a dead peer alive. The path has failed
 * when nothing came for the detection time.
 *
 * A busy peer sends a million frames a second, so a frame costs a clock and a store: the timer is
 * not moved. It looks at the newest sign of life when it fires, and goes on from there. Once in an
 * interval a sign counts, as a reply does: parameters are applied, "up" comes nearer. Of several
 * CPUs that receive, a compare-and-swap chooses the one that counts.
 *
 * A session that heard nothing since its start has no timer: it is unknown, not down. Frames that
 * bridging hands to a failed port came in elsewhere. They pass no native XDP program, but a generic
 * one may see them, and cannot know them; so there, as without XDP, tc_ingress listens.
 */
#ifndef HANET_SILENCE_BPF_H
#define HANET_SILENCE_BPF_H

#include "target.bpf.h"
#include "verdict.bpf.h"

/* Set by hanetd with the first such session: until then nobody looks any further. */
volatile bool watch_silence;

/* Timer callback of silent sessions; session_deadline's counterpart. */
static int silence_deadline(void *map, __u32 *key, struct hanet_timer *deadline)
{
	__u32 index = *key;
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);

	if (!session || !session->in_use || !session->counted_ns)
		return 0;
	__u32 before = session->state;

	if (before == HANET_SESSION_PAUSED)
		return 0;
	__u64 heard = session->last_reply_ns, now = bpf_ktime_get_ns();
	__u64 detection = detection_time_ns(session);
	__u64 silent = now > heard ? now - heard : 0;

	if (silent < detection) {
		timer_start(deadline, detection - silent);
		return 0;
	}
	/* Who said meanwhile that he is the peer has given the sign of life. */
	if (session->rival_heard_ns > heard && target_moves(session, now)) {
		session->last_reply_ns = now;
		timer_start(deadline, detection);
		return 0;
	}
	__u64 wait = before == HANET_SESSION_UP ? deferral(session, heard, heard, now) : 0;
	/* As in session_deadline. */
	if (session->last_reply_ns != heard)
		wait = RECEIVER_SLACK_NS;
	if (wait) {
		timer_start(deadline, wait);
		return 0;
	}
	/* A path proves itself by a sign after the one that reached both. */
	if (session_down(session, before, heard + (__u64)session->interval_us * 1000,
			 heard + detection, now))
		session_changed(index, session, HANET_EVENT_SESSION_DOWN, now);
	return 0;
}

/* A sign that counts. While the path is up the timer goes on by itself. */
static __always_inline void silence_count(__u32 index, struct hanet_session *session, __u64 now)
{
	__u64 detection = detection_time_ns(session);
	__u32 before = session->state;

	params_apply_session(session);
	session->replies++;
	session_heard(index, session, false, now);
	if (before != HANET_SESSION_UP || detection != detection_time_ns(session))
		arm_deadline(index, detection_time_ns(session));
}

static __noinline int silence_broken(__u32 index, struct hanet_session *session)
{
	if (!session || session->state == HANET_SESSION_PAUSED)
		return 0;
	__u64 now = bpf_ktime_get_ns(), counted = session->counted_ns;

	session->last_reply_ns = now;
	if (counted && now - counted < (__u64)session->interval_us * 1000)
		return 0;
	if (__sync_val_compare_and_swap(&session->counted_ns, counted, now) == counted)
		silence_count(index, session, now);
	return 0;
}

/* A frame came in at a port. The Ethernet header says all: a VLAN tag is behind the addresses. */
static __always_inline void silence_listen(struct hanet_port *port, struct ethhdr *ethernet,
					   bool at_xdp)
{
	__u32 index;
	struct hanet_session *session = port ? session_at(port, 0, &index) : NULL;

	if (!session || session->kind != HANET_HEARTBEAT_SILENCE ||
	    session->heard_at_xdp != at_xdp || !session->target_mac_known ||
	    !mac_equal(ethernet->h_source, session->target_mac))
		return;
	silence_broken(index, session);
}

#endif
