/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A port may ask several targets, each in a session of its own (spec M9). Here is what the sessions
 * of one port say together, and which of them a frame belongs to.
 *
 * Nothing of it is stored: sessions change on several CPUs at once, and a stored sum would be one
 * more thing that can be old. Whoever changes a session does so by a compare-and-swap and asks
 * then, so of two that take a quorum away together at least one finds it gone.
 */
#ifndef HANET_QUORUM_BPF_H
#define HANET_QUORUM_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

/* The port's session number `i`, counted from 0; NULL: it has no such session. */
static __always_inline struct hanet_session *session_at(const struct hanet_port *port, __u32 i,
							__u32 *index)
{
	if (i >= port->targets)
		return NULL;
	*index = port->session + i;
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, index);

	return session && session->in_use ? session : NULL;
}

static __always_inline bool session_asks(const struct hanet_session *session, __u16 family,
					 const void *address)
{
	if (session->family != family)
		return false;
	return family == HANET_AF_INET ? *(const __u32 *)address == *(__u32 *)session->next_hop
				       : ipv6_equal(address, session->next_hop);
}

/* The port's session whose requests go to this address. */
static __always_inline struct hanet_session *
session_asking(const struct hanet_port *port, __u16 family, const void *address, __u32 *index)
{
	for (__u32 i = 0; i < HANET_PORT_TARGETS; i++) {
		struct hanet_session *session = session_at(port, i, index);

		if (!session)
			break;
		if (session_asks(session, family, address))
			return session;
	}
	return NULL;
}

/*
 * The three below are global functions: the verifier walks their loops once for a program, and not
 * once for each way that leads to them.
 */

/* enum hanet_session_state, of all sessions together. */
__noinline __u32 port_state(const struct hanet_port *port)
{
	__u32 up = 0, down = 0, paused = 0, index;

	if (!port)
		return HANET_SESSION_UNKNOWN;
	for (__u32 i = 0; i < HANET_PORT_TARGETS; i++) {
		struct hanet_session *session = session_at(port, i, &index);

		if (!session)
			break;
		up += session->state == HANET_SESSION_UP;
		down += session->state == HANET_SESSION_DOWN;
		paused += session->state == HANET_SESSION_PAUSED;
	}
	return hanet_quorum_state(port, up, down, paused);
}

/* The newest loss among the sessions that are down; 0: none is. */
__noinline __u64 port_silent_since(const struct hanet_port *port)
{
	__u64 since = 0;
	__u32 index;

	if (!port)
		return 0;
	for (__u32 i = 0; i < HANET_PORT_TARGETS; i++) {
		struct hanet_session *session = session_at(port, i, &index);

		if (!session)
			break;
		if (session->state == HANET_SESSION_DOWN && session->first_lost_ns > since)
			since = session->first_lost_ns;
	}
	return since;
}

/* 1: a quorum is up and has answered since then. */
__noinline __u32 port_answers_since(const struct hanet_port *port, __u64 since)
{
	__u32 answer = 0, index;

	if (!port || !port->targets)
		return 0;
	for (__u32 i = 0; i < HANET_PORT_TARGETS; i++) {
		struct hanet_session *session = session_at(port, i, &index);

		if (!session)
			break;
		answer += session->state == HANET_SESSION_UP && session->last_reply_ns > since;
	}
	return answer >= port->quorum;
}

#endif
