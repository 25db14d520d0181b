/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * At which MAC address is the target? (spec S2, M11)
 *
 * Anybody on the LAN can say that the target's address is at his own MAC address, and a target
 * really may get another one: a router's successor takes its address over, a host gets a new card.
 * What tells the two apart is whether the known MAC address still answers. While it does nothing is
 * learned: who says otherwise is a rival, and is counted. Once it has been silent for half of the
 * detection time, the rival that spoke last is taken for the target, in time to be asked before the
 * verdict. A single lost answer is no such silence unless one makes a verdict.
 *
 * Written by one CPU at a time in practice; a torn address costs one request.
 */
#ifndef HANET_TARGET_BPF_H
#define HANET_TARGET_BPF_H

#include "deferral.bpf.h"

static __always_inline __u64 target_silent_ns(struct hanet_session *session, __u64 now)
{
	__u64 sent = session->sent, answered = session->answered, since = now;

	if (session->kind == HANET_HEARTBEAT_SILENCE)
		since = session->last_reply_ns;
	else if (sent > answered)
		since = oldest_sent_ns(session, answered, sent);
	return now > since ? now - since : 0;
}

static __always_inline bool target_is_silent(struct hanet_session *session, __u64 now)
{
	__u64 enough = detection_time_ns(session);

	if (session->state == HANET_SESSION_DOWN || !session->target_mac_known)
		return true;
	/* A peer that is only listened to may be silent between two of its own frames. */
	if (session->kind != HANET_HEARTBEAT_SILENCE)
		enough /= 2;
	return target_silent_ns(session, now) >= enough;
}

static __always_inline void target_is_at(struct hanet_session *session, const __u8 *mac, __u64 now)
{
	__builtin_memcpy(session->target_mac, mac, ETH_ALEN);
	session->rival_heard_ns = 0;
	session->target_mac_learned_ns = now;
	session->target_mac_known = HANET_MAC_LEARNED;
}

/* Somebody says that the target is at `mac`. Returns whether that is true. */
static __noinline bool target_heard_at(struct hanet_session *session, const __u8 *mac)
{
	if (!session)
		return false;
	__u64 now = bpf_ktime_get_ns();

	if (session->target_mac_known && mac_equal(session->target_mac, mac)) {
		session->target_mac_learned_ns = now;
		return true;
	}
	if (session->target_mac_known != HANET_MAC_CONFIGURED && target_is_silent(session, now)) {
		target_is_at(session, mac, now);
		return true;
	}
	__builtin_memcpy(session->rival_mac, mac, ETH_ALEN);
	session->rival_heard_ns = now;
	session->rival_claims++;
	return false;
}

/* Somebody says that who is asked by `session` is at `mac`: the port's other sessions that ask by
 * the same router hear it, too. Returns whether that is true. */
static __noinline bool hop_heard_at(const struct hanet_port *port, struct hanet_session *session,
				    const __u8 *mac)
{
	__u32 index;

	for (__u32 i = 0; i < HANET_PORT_TARGETS; i++) {
		struct hanet_session *other = session_at(port, i, &index);

		if (!other)
			break;
		if (other != session && other->family == session->family &&
		    ipv6_equal(other->next_hop, session->next_hop))
			target_heard_at(other, mac);
	}
	return target_heard_at(session, mac);
}

/* The known MAC address fell silent after a rival had spoken: the rival's place is asked. Returns
 * whether the target is at another MAC address now. */
static __always_inline bool target_moves(struct hanet_session *session, __u64 now)
{
	__u64 heard = session->rival_heard_ns;

	if (!heard || now - heard > HANET_RIVAL_COUNTS_NS ||
	    session->target_mac_known == HANET_MAC_CONFIGURED || !target_is_silent(session, now))
		return false;
	target_is_at(session, session->rival_mac, now);
	return true;
}

#endif
