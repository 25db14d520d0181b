/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests on their way out: recognised by their source address, stamped, numbered.
 *
 * The number is given here and not by the sender, so a request that was built but never left has
 * none, and a copy of one prepared frame can be sent again and again. What is signed is signed here
 * as well, behind everything that may still change it.
 */
#ifndef HANET_REQUEST_BPF_H
#define HANET_REQUEST_BPF_H

#include "datagram.bpf.h"
#include "keys.bpf.h"
#include "target.bpf.h"

/* Everything of an echo request that changes from one to the next, in one store. */
struct echo_stamp {
	__be16 echo_sequence;
	struct hanet_echo_payload payload;
} __attribute__((packed));

static __always_inline void stamp_echo(struct __sk_buff *skb, __u32 offset, __u32 index,
				       struct hanet_session *session)
{
	__u64 sequence = session_request(index, session, false);
	struct echo_stamp stamp = {
		.echo_sequence = bpf_htons(sequence & 0xffff),
		.payload =
			{
				.magic = HANET_ECHO_MAGIC,
				.session = index,
				.id = session->id,
				.cookie = session->cookie,
				.sequence = sequence,
				.sequence_complement = ~sequence,
				.echo_sequence_complement = bpf_htons(~sequence & 0xffff),
			},
	};

	/* The complements keep the sum, so the checksum in the frame stays valid. */
	bpf_skb_store_bytes(skb, offset, &stamp, sizeof(stamp), 0);
}

/*
 * A heartbeat of kind hanet leaves by ports[at], as a datagram if there is a `way`: to where the
 * target is, numbered and signed. Returns 1, or 0 where it is none that counts. A global function:
 * see quorum.bpf.h.
 */
__noinline int beat_leaves(__u32 at, struct hanet_beat *beat, const struct hanet_beat_way *way)
{
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &at);

	if (!beat || !port || beat->kind != HANET_BEAT_REQUEST)
		return 0;
	__u32 index = beat->session;
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);

	if (!session || !session->in_use || session->kind != HANET_HEARTBEAT_HANET ||
	    session->port != at || session->id != beat->id ||
	    session->state == HANET_SESSION_PAUSED || !session->target_mac_known)
		return 0;
	const struct hanet_key *key = key_that_signs(session->group);

	if (!key)
		return 0;
	target_moves(session, bpf_ktime_get_ns());
	__builtin_memcpy(beat->destination, session->target_mac, ETH_ALEN);
	beat->cookie = session->cookie;
	beat->claim = port->claim;
	beat->state = session->state;
	beat->sequence = bpf_cpu_to_be64(session_request(index, session, false));
	beat_seal(beat, way, key);
	return 1;
}

/*
 * False: it is not signed, and the other end would take it for one made with a foreign key. An
 * answer is signed already (beat.bpf.h).
 */
static __always_inline bool request_beat(struct __sk_buff *skb, __u32 at)
{
	struct hanet_beat beat;

	if (skb->len != sizeof(beat) || bpf_skb_load_bytes(skb, 0, &beat, sizeof(beat)))
		return false;
	if (beat.kind == HANET_BEAT_ANSWER)
		return true;
	return beat_leaves(at, &beat, NULL) && !bpf_skb_store_bytes(skb, 0, &beat, sizeof(beat), 0);
}

/* The same of one that is a datagram, whose UDP header is `header`. */
static __always_inline bool request_datagram(struct __sk_buff *skb, __u32 header, __u32 at)
{
	struct datagram sent;

	if (datagram_read(skb, false, header, &sent) != sizeof(sent.beat))
		return false;
	if (sent.beat.kind == HANET_BEAT_ANSWER)
		return true;
	return beat_leaves(at, &sent.beat, &sent.way) && datagram_write(skb, false, header, &sent);
}

/* The sender addressed it to where the target was. */
static __always_inline void request_follows_target(struct __sk_buff *skb,
						   struct hanet_session *session)
{
	if (target_moves(session, bpf_ktime_get_ns()))
		bpf_skb_store_bytes(skb, 0, session->target_mac, ETH_ALEN, 0);
}

/*
 * Everybody is asked although the target answers (broadcast or multicast): it is only a look at who
 * else does. A search for a target that is missing is a request; but where only signed answers
 * count, none can answer it, so it is one only as long as nothing else can be asked.
 */
static __always_inline bool is_a_look(const struct hanet_session *session)
{
	if (!session->target_mac_known)
		return false;
	return session->kind == HANET_HEARTBEAT_HANET ||
	       (session->state == HANET_SESSION_UP && session->answered == session->sent);
}

/*
 * The session that a frame from a probe address is a request of, by whom it asks. NULL: it is none
 * that counts.
 */
static __always_inline struct hanet_session *request_of(const struct hanet_port *port, __u16 family,
							const void *asked, bool multicast,
							__u32 *index)
{
	struct hanet_session *session = session_asking(port, family, asked, index);

	if (!session || session->state == HANET_SESSION_PAUSED ||
	    session->kind == HANET_HEARTBEAT_SILENCE)
		return NULL;
	if (multicast && is_a_look(session)) {
		session->looked_ns = bpf_ktime_get_ns();
		return NULL;
	}
	return session;
}

/*
 * Neighbour requests count as heartbeats where they are the heartbeat, and where they search for
 * the target (broadcast or multicast): a search that stays unanswered is a lost path, too.
 */
static __always_inline void request_neighbour(__u32 index, struct hanet_session *session,
					      bool multicast)
{
	if (session->kind == HANET_HEARTBEAT_NEIGHBOUR || multicast)
		session_request(index, session, true);
}

static __always_inline struct hanet_session *
request_arp(struct cursor *cursor, const struct hanet_port *port, bool multicast)
{
	__u32 index;
	struct arp_ipv4 *arp = cursor_take(cursor, struct arp_ipv4);

	if (!arp || arp->operation != bpf_htons(ARPOP_REQUEST))
		return NULL;
	struct hanet_session *session =
		request_of(port, HANET_AF_INET, &arp->target_ip, multicast, &index);

	if (session)
		request_neighbour(index, session, multicast);
	return session;
}

static __always_inline struct hanet_session *request_ipv4(struct __sk_buff *skb,
							  struct cursor *cursor,
							  const struct hanet_port *port,
							  bool multicast)
{
	__u32 index;
	struct iphdr *ip = cursor_take(cursor, struct iphdr);

	if (!ip || ip->ihl != 5 || ip->protocol != IPPROTO_ICMP)
		return NULL;
	struct icmp_echo *icmp = cursor_take(cursor, struct icmp_echo);
	if (!icmp || icmp->type != ICMP_ECHO || !cursor_take(cursor, struct hanet_echo_payload))
		return NULL;
	struct hanet_session *session =
		request_of(port, HANET_AF_INET, &ip->daddr, multicast, &index);

	if (session)
		stamp_echo(skb, ETH_HLEN + sizeof(*ip) + 6, index, session);
	return session;
}

static __always_inline struct hanet_session *request_ipv6(struct __sk_buff *skb,
							  struct cursor *cursor,
							  const struct hanet_port *port,
							  bool multicast)
{
	__u32 index;
	struct ipv6hdr *ip = cursor_take(cursor, struct ipv6hdr);

	if (!ip || ip->nexthdr != IPPROTO_ICMPV6)
		return NULL;
	struct neighbour_message *message = cursor_take(cursor, struct neighbour_message);
	if (!message)
		return NULL;
	bool echo = message->icmp.icmp6_type == ICMPV6_ECHO_REQUEST;
	if (!echo && message->icmp.icmp6_type != ND_SOLICITATION)
		return NULL;
	/* Its payload begins where a solicitation has its target. */
	if (echo) {
		cursor->at = &message->target;
		if (!cursor_take(cursor, struct hanet_echo_payload))
			return NULL;
	}
	struct hanet_session *session =
		request_of(port, HANET_AF_INET6, echo ? (void *)&ip->daddr : &message->target,
			   multicast, &index);
	if (!session)
		return NULL;
	if (echo)
		stamp_echo(skb, ETH_HLEN + sizeof(*ip) + 6, index, session);
	else
		request_neighbour(index, session, multicast);
	return session;
}

/* A frame that leaves from a probe address; false: it must not. */
static __always_inline bool request_stamp(struct __sk_buff *skb, struct cursor *cursor,
					  struct ethhdr *ethernet, const struct hanet_port *port,
					  __u32 port_index)
{
	bool multicast = mac_is_group(ethernet->h_dest);
	struct hanet_session *session = NULL;
	__u32 datagram = datagram_at(cursor, ethernet, port->beat_port);

	if (datagram)
		return request_datagram(skb, datagram, port_index);
	if (ethernet->h_proto == bpf_htons(ETH_P_ARP))
		session = request_arp(cursor, port, multicast);
	else if (ethernet->h_proto == bpf_htons(ETH_P_IP))
		session = request_ipv4(skb, cursor, port, multicast);
	else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
		session = request_ipv6(skb, cursor, port, multicast);
	else if (ethernet->h_proto == port->beat_type)
		return request_beat(skb, port_index);
	if (session && !multicast)
		request_follows_target(skb, session);
	return true;
}

#endif
