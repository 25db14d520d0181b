/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heartbeats of kind hanet that come in, as frames or as datagrams: requests of others, answered
 * here and now, and answers to our own.
 *
 * An answer waits for no process and no IP stack, so it says how the path is and nothing else. It
 * is the request itself, turned round: as long as that, to the one address that asked, and only for
 * who has a key. So nobody can make this host send more than he sends himself, or to somebody else.
 *
 * What comes in is looked at once: answers where replies are (xdp_ingress, if it is attached),
 * requests where an answer can be sent from. Each frame that was sent to us and changes nothing
 * counts under one reason, and goes on to the stack, which knows no such protocol.
 *
 * A request changes nothing but the account of who asks (beat_peers). What an end says of its
 * identity is believed in answers only: they have the number of a request of ours, so they are new.
 */
#ifndef HANET_BEAT_BPF_H
#define HANET_BEAT_BPF_H

#include "datagram.bpf.h"
#include "keys.bpf.h"
#include "reply.bpf.h"

/* Set by hanetd with the first port that answers datagrams at an address of its interface: until
 * then nobody looks for them in what is not to a probe address. */
volatile bool answer_datagrams;

enum beat_fate {
	BEAT_PASSES = 0,   /* not ours, or refused */
	BEAT_USED_UP = 1,  /* an answer that counted */
	BEAT_ANSWERED = 2, /* the frame is the answer now, to be sent out of the port it came by */
};

/* HANET_REJECT_COUNT: it is one, as far as it can be said without its key. */
static __always_inline int beat_form(const struct hanet_beat *beat,
				     const struct hanet_beat_way *way, __u32 length)
{
	if (length < sizeof(*beat))
		return HANET_REJECT_TRUNCATED;
	if (beat->version != HANET_BEAT_VERSION)
		return HANET_REJECT_UNKNOWN_VERSION;
	if (length > sizeof(*beat) || mac_is_group(beat->source) ||
	    (way && !is_one_host(way->source)) ||
	    (beat->kind != HANET_BEAT_REQUEST && beat->kind != HANET_BEAT_ANSWER))
		return HANET_REJECT_MALFORMED;
	return HANET_REJECT_COUNT;
}

/* A newer request of a session that is known, or the first of one that is not: HANET_REJECT_COUNT.
 * A global function: what it keeps on the stack is not there while a reply is looked at. */
__noinline int beat_peer_may_ask(__u32 port, const struct hanet_beat *beat,
				 const struct hanet_beat_way *way)
{
	if (!beat)
		return HANET_REJECT_TRUNCATED;
	struct hanet_beat_asker asker = {.cookie = beat->cookie, .id = beat->id, .port = port};
	struct hanet_beat_peer *peer = bpf_map_lookup_elem(&beat_peers, &asker);
	__u64 sequence = bpf_be64_to_cpu(beat->sequence), now = bpf_ktime_get_ns();

	if (!peer) {
		struct hanet_beat_peer first = {.sequence = sequence, .next_ns = now};

		bpf_map_update_elem(&beat_peers, &asker, &first, BPF_ANY);
		peer = bpf_map_lookup_elem(&beat_peers, &asker);
		if (!peer)
			return HANET_REJECT_COUNT;
	} else {
		__u64 newest = peer->sequence;

		if (sequence <= newest ||
		    __sync_val_compare_and_swap(&peer->sequence, newest, sequence) != newest)
			return HANET_REJECT_REPLAYED;
	}
	__u64 next = peer->next_ns;

	if (next > now + HANET_ANSWER_BURST * HANET_ANSWER_GAP_NS)
		return HANET_REJECT_TOO_OFTEN;
	peer->next_ns = (next > now ? next : now) + HANET_ANSWER_GAP_NS;
	peer->heard_ns = now;
	peer->answered++;
	__builtin_memcpy(peer->mac, beat->source, ETH_ALEN);
	if (way)
		__builtin_memcpy(peer->address, way->source, sizeof(peer->address));
	peer->claim = beat->claim;
	peer->state = beat->state;
	return HANET_REJECT_COUNT;
}

static __always_inline void way_back(struct hanet_beat_way *way)
{
	__u8 asked[16];

	__builtin_memcpy(asked, way->destination, 16);
	__builtin_memcpy(way->destination, way->source, 16);
	__builtin_memcpy(way->source, asked, 16);
}

/* Makes the answer of a request. */
static __always_inline int beat_answer(__u32 index, struct hanet_port *port,
				       struct hanet_beat *beat, struct hanet_beat_way *way,
				       const struct hanet_key *key)
{
	__u8 asked[ETH_ALEN];
	int reason = beat_peer_may_ask(index, beat, way);

	if (reason != HANET_REJECT_COUNT)
		return reason;
	__builtin_memcpy(asked, beat->destination, ETH_ALEN);
	__builtin_memcpy(beat->destination, beat->source, ETH_ALEN);
	__builtin_memcpy(beat->source, asked, ETH_ALEN);
	beat->kind = HANET_BEAT_ANSWER;
	beat->claim = port->claim;
	beat->state = port_state(port);
	if (way)
		way_back(way);
	beat_seal(beat, way, key);
	__sync_fetch_and_add(&port->answered_beats, 1);
	return HANET_REJECT_COUNT;
}

/* The address that a session asks, as in hanet_beat_way. */
static __always_inline bool is_target(const struct hanet_session *session, const __u8 *address)
{
	if (session->family == HANET_AF_INET)
		return is_mapped_ipv4(address) &&
		       *(const __u32 *)(address + 12) == *(__u32 *)session->target;
	return ipv6_equal(address, session->target);
}

static __always_inline int beat_reply(__u32 port_index, const struct hanet_beat *beat,
				      const struct hanet_beat_way *way)
{
	struct hanet_session *session = NULL;
	__u32 index = beat->session;
	int reason = reply_session(index, beat->id, beat->cookie, port_index, HANET_HEARTBEAT_HANET,
				   &session);

	if (reason != HANET_REJECT_COUNT || !session)
		return reason;
	__u64 sequence = bpf_be64_to_cpu(beat->sequence);

	/* A datagram comes from whichever router sends it on. */
	if (way && !is_target(session, way->source))
		return HANET_REJECT_WRONG_SOURCE;
	/* What was recorded earlier has a good tag as well: only its number says that it is old. */
	if (!way && session_awaits(session, sequence) && !target_heard_at(session, beat->source))
		return HANET_REJECT_WRONG_MAC;
	reason = session_reply(index, session, sequence);
	if (reason == HANET_REJECT_COUNT)
		hear_claim(index, session, beat->claim);
	return reason;
}

static __always_inline bool has_own_mac(const struct hanet_port *port)
{
	const __u8 *mac = port->own_mac;

	return mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5];
}

/* Anybody can send a datagram from afar; what is not signed by a key of ours is told of who is
 * asked here only (group/target_watch.cpp). A port that asks nobody knows no strangers. */
static __always_inline bool is_strangers(const struct hanet_port *port, const __u8 *source,
					 __u32 reason)
{
	__u32 index;

	if (reason != HANET_REJECT_UNKNOWN_KEY && reason != HANET_REJECT_WRONG_TAG)
		return false;
	for (__u32 i = 0; i < HANET_PORT_TARGETS; i++) {
		struct hanet_session *session = session_at(port, i, &index);

		if (!session)
			return i > 0;
		if (is_target(session, source))
			return false;
	}
	return true;
}

/* A router that runs hanet passes on what is for others, although it is sent to its MAC address. */
static __always_inline bool is_own_address(const struct hanet_port *port, __u32 index,
					   const __u8 *address)
{
	struct hanet_beat_address own = {.port = index};

	if (is_mapped_ipv4(address)) {
		if (port->probe_ipv4 && *(const __u32 *)(address + 12) == port->probe_ipv4)
			return true;
	} else if (ipv6_equal(address, port->probe_ipv6)) {
		return is_one_host(address);
	}
	__builtin_memcpy(own.address, address, 16);
	return bpf_map_lookup_elem(&beat_addresses, &own);
}

/*
 * A frame of `length` bytes came in at ports[at], or a datagram that took this `way`, of the length
 * that the frame would have; what is behind its end is 0 in `beat`. Returns enum beat_fate. A
 * global function: it is verified once for a program.
 */
__noinline int beat_arrives(__u32 at, struct hanet_beat *beat, struct hanet_beat_way *way,
			    __u32 length, __u32 at_xdp)
{
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &at), *asked = port;

	if (!beat || !port)
		return BEAT_PASSES;
	bool own = has_own_mac(port) && mac_equal(beat->destination, port->own_mac);

	if ((!own && !probe_owner(beat->destination, &at, &asked)) || !asked)
		return BEAT_PASSES;
	if (way && !is_own_address(asked, at, way->destination)) {
		if (!own && port->replies_at_xdp == at_xdp)
			__sync_fetch_and_add(&asked->rejected[HANET_REJECT_NOT_A_REPLY], 1);
		return BEAT_PASSES;
	}
	__u32 reason = beat_form(beat, way, length);
	bool request = reason == HANET_REJECT_COUNT && beat->kind == HANET_BEAT_REQUEST;

	if ((request ? port->answers_at_xdp : port->replies_at_xdp) != at_xdp)
		return BEAT_PASSES;
	if (reason == HANET_REJECT_COUNT) {
		const struct hanet_key *key = key_named(asked->group, bpf_ntohl(beat->key));

		if (!key)
			reason = HANET_REJECT_UNKNOWN_KEY;
		else if (beat->tag != beat_tag(beat, way, key))
			reason = HANET_REJECT_WRONG_TAG;
		else
			reason = request ? beat_answer(at, asked, beat, way, key)
					 : beat_reply(at, beat, way);
	}
	if (way && is_strangers(asked, way->source, reason))
		reason = HANET_REJECT_WRONG_SOURCE;
	/* The verifier of 6.1 does not see that a copy of 32 bits has the bounds of what was
	 * compared. */
	__u64 counted = reason;

	barrier_var(counted);
	if (counted >= HANET_REJECT_COUNT)
		return request ? BEAT_ANSWERED : BEAT_USED_UP;
	__sync_fetch_and_add(&asked->rejected[counted], 1);
	return BEAT_PASSES;
}

/*
 * A datagram of ports[index], whose UDP header is `at`. Its frame is the answer if that is what
 * became of it. Returns enum beat_fate.
 */
static __always_inline int datagram_arrives(void *ctx, bool at_xdp, __u32 at, __u32 index)
{
	struct datagram came;
	__u32 length = datagram_read(ctx, at_xdp, at, &came);
	int fate = beat_arrives(index, &came.beat, &came.way, length, at_xdp);

	if (fate != BEAT_ANSWERED)
		return fate;
	return datagram_turn(ctx, at_xdp, &came) && datagram_write(ctx, at_xdp, at, &came)
		       ? BEAT_ANSWERED
		       : BEAT_USED_UP;
}

#endif
