/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests on their way out: recognised by their source address, stamped, numbered.
 *
 * The number is given here and not by the sender, so a request that was built but never left has
 * none, and a copy of one prepared frame can be sent again and again.
 */
#ifndef HANET_REQUEST_BPF_H
#define HANET_REQUEST_BPF_H

#include "parse.bpf.h"
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

static __always_inline void request_ipv4(struct __sk_buff *skb, struct cursor *cursor, __u32 index,
					 struct hanet_session *session)
{
	struct iphdr *ip = cursor_take(cursor, struct iphdr);

	if (!ip || ip->ihl != 5 || ip->protocol != IPPROTO_ICMP)
		return;
	struct icmp_echo *icmp = cursor_take(cursor, struct icmp_echo);
	if (!icmp || icmp->type != ICMP_ECHO || !cursor_take(cursor, struct hanet_echo_payload))
		return;
	stamp_echo(skb, ETH_HLEN + sizeof(*ip) + 6, index, session);
}

static __always_inline void request_ipv6(struct __sk_buff *skb, struct cursor *cursor,
					 bool multicast, __u32 index, struct hanet_session *session)
{
	struct ipv6hdr *ip = cursor_take(cursor, struct ipv6hdr);

	if (!ip || ip->nexthdr != IPPROTO_ICMPV6)
		return;
	struct icmp6hdr *icmp = cursor_take(cursor, struct icmp6hdr);
	if (!icmp)
		return;
	if (icmp->icmp6_type == ND_SOLICITATION) {
		if (session->kind == HANET_HEARTBEAT_NEIGHBOUR || multicast)
			session_request(index, session, true);
		return;
	}
	if (icmp->icmp6_type == ICMPV6_ECHO_REQUEST &&
	    cursor_take(cursor, struct hanet_echo_payload))
		stamp_echo(skb, ETH_HLEN + sizeof(*ip) + 6, index, session);
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
 * else does. A search for a target that is missing is a request.
 */
static __always_inline bool is_a_look(const struct hanet_session *session)
{
	return session->target_mac_known && session->state == HANET_SESSION_UP &&
	       session->answered == session->sent;
}

/*
 * A frame that leaves from a probe address. Neighbour requests count as heartbeats where they are
 * the heartbeat, and where they search for the target (broadcast or multicast): a search that stays
 * unanswered is a lost path, too.
 */
static __always_inline void request_stamp(struct __sk_buff *skb, struct cursor *cursor,
					  struct ethhdr *ethernet, struct hanet_port *port)
{
	__u32 index;
	struct hanet_session *session = session_of_port(port, &index);

	if (!session || session->state == HANET_SESSION_PAUSED ||
	    session->kind == HANET_HEARTBEAT_SILENCE)
		return;
	bool multicast = ethernet->h_dest[0] & 1;

	if (multicast && is_a_look(session)) {
		session->looked_ns = bpf_ktime_get_ns();
		return;
	}
	if (ethernet->h_proto == bpf_htons(ETH_P_ARP)) {
		struct arp_ipv4 *arp = cursor_take(cursor, struct arp_ipv4);

		if (arp && arp->operation == bpf_htons(ARPOP_REQUEST) &&
		    (session->kind == HANET_HEARTBEAT_NEIGHBOUR || multicast))
			session_request(index, session, true);
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		request_ipv4(skb, cursor, index, session);
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		request_ipv6(skb, cursor, multicast, index, session);
	}
	if (!multicast)
		request_follows_target(skb, session);
}

#endif
