/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is this frame a reply to one of our requests? And if not, why not.
 *
 * Only frames to the port's probe address (an address that nobody but hanet uses, 40 random bits)
 * come this far. Everything that is not a valid reply is passed on to the stack and counted under
 * one reason: a stray, late, duplicated, spoofed or truncated frame changes nothing.
 */
#ifndef HANET_REPLY_BPF_H
#define HANET_REPLY_BPF_H

#include "target.bpf.h"
#include "verdict.bpf.h"

/* Where the other end says that its identity is; see enum hanet_claim. */
static __always_inline void hear_claim(__u32 index, struct hanet_session *session, __u8 claim)
{
	if (!session->other_end)
		return;
	if (claim >= HANET_CLAIM_COUNT)
		claim = HANET_CLAIM_UNKNOWN;
	if (session->peer_claim == claim)
		return;
	session->peer_claim = claim;
	struct hanet_event what = {.type = HANET_EVENT_PEER_MOVED, .group = session->group};
	event_submit(&what);
}

/* Anybody can say so for a neighbour; where heartbeats are signed, they say it. */
static __always_inline void hear_neighbours_claim(__u32 index, struct hanet_session *session,
						  __u8 claim)
{
	if (session->kind != HANET_HEARTBEAT_HANET)
		hear_claim(index, session, claim);
}

/* An ARP reply or advertisement can carry no sequence: it answers the newest request of its kind.
 */
static __always_inline int neighbour_reply(__u32 index, struct hanet_session *session)
{
	/* A search found the peer; what counts is that it is heard (silence.bpf.h), or that it
	 * answers with its key (beat.bpf.h). */
	if (session->kind == HANET_HEARTBEAT_SILENCE || session->kind == HANET_HEARTBEAT_HANET)
		return HANET_REJECT_COUNT;
	/* Where echoes are the heartbeat, a fresh address says nothing of the target's life. */
	if (session->kind == HANET_HEARTBEAT_ECHO &&
	    session->last_neighbour_sequence <= session->answered)
		return HANET_REJECT_COUNT;
	/* It answers the look, and nothing else is asked. */
	if (session->looked_ns && session->answered == session->sent) {
		session->looked_ns = 0;
		return HANET_REJECT_COUNT;
	}
	if (!session->last_neighbour_sequence)
		return HANET_REJECT_FUTURE;
	return session_reply(index, session, session->last_neighbour_sequence);
}

static __always_inline int reply_arp(struct cursor *cursor, struct hanet_port *port)
{
	__u32 index;
	struct arp_ipv4 *arp = cursor_take(cursor, struct arp_ipv4);

	if (!arp)
		return HANET_REJECT_TRUNCATED;
	if (!arp_well_formed(arp) || arp->operation != bpf_htons(ARPOP_REPLY))
		return HANET_REJECT_NOT_A_REPLY;
	struct hanet_session *session = session_at(port, 0, &index);
	if (!session || session->family != HANET_AF_INET)
		return HANET_REJECT_WRONG_SESSION;
	session = session_asking(port, HANET_AF_INET, &arp->sender_ip, &index);
	if (!session || mac_is_group(arp->sender_mac))
		return HANET_REJECT_WRONG_SOURCE;
	if (!mac_equal(arp->target_mac, port->probe_mac))
		return HANET_REJECT_WRONG_COOKIE;
	if (!hop_heard_at(port, session, arp->sender_mac))
		return HANET_REJECT_WRONG_MAC;
	struct arp_place *said = cursor_take(cursor, struct arp_place);
	hear_neighbours_claim(index, session,
			      said && said->magic == bpf_htonl(HANET_CLAIM_MAGIC)
				      ? said->claim
				      : HANET_CLAIM_UNKNOWN);
	return neighbour_reply(index, session);
}

static __always_inline int reply_advertisement(struct cursor *cursor, struct hanet_port *port,
					       struct ipv6hdr *ip)
{
	__u32 index;
	struct neighbour_message *message = cursor_take(cursor, struct neighbour_message);

	if (!message)
		return HANET_REJECT_TRUNCATED;
	if (ip->hop_limit != ND_HOP_LIMIT || !message->icmp.icmp6_solicited)
		return HANET_REJECT_NOT_A_REPLY;
	struct hanet_session *session = session_at(port, 0, &index);
	if (!session || session->family != HANET_AF_INET6)
		return HANET_REJECT_WRONG_SESSION;
	session = session_asking(port, HANET_AF_INET6, &message->target, &index);
	if (!session)
		return HANET_REJECT_WRONG_SOURCE;
	if (!ipv6_equal(&ip->daddr, session->source))
		return HANET_REJECT_WRONG_COOKIE;
	struct link_layer_option *option = cursor_take(cursor, struct link_layer_option);
	if (option && option->type == ND_OPTION_TARGET && option->length == 1) {
		if (mac_is_group(option->mac))
			return HANET_REJECT_WRONG_SOURCE;
		if (!hop_heard_at(port, session, option->mac))
			return HANET_REJECT_WRONG_MAC;
	}
	hear_neighbours_claim(index, session,
			      bpf_ntohl(message->icmp.icmp6_dataun.un_data32[0]) & ND_CLAIM_MASK);
	return neighbour_reply(index, session);
}

/* Does a reply name a session of this port, by all that only the asked one can know? */
static __always_inline int reply_session(__u32 index, __u32 id, __u64 cookie, __u32 port_index,
					 __u8 kind, struct hanet_session **found)
{
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);

	if (!session || !session->in_use || session->id != id || session->kind != kind)
		return HANET_REJECT_WRONG_SESSION;
	if (session->port != port_index)
		return HANET_REJECT_WRONG_PORT;
	if (session->cookie != cookie)
		return HANET_REJECT_WRONG_COOKIE;
	*found = session;
	return HANET_REJECT_COUNT;
}

/* The echo's own identity: payload, session, port, cookie, and only then the sequence. */
static __always_inline int reply_echo_payload(struct cursor *cursor, __u32 port_index,
					      struct hanet_session **found, __u32 *index)
{
	struct hanet_echo_payload *payload = cursor_take(cursor, struct hanet_echo_payload);

	if (!payload)
		return HANET_REJECT_TRUNCATED;
	if (payload->magic != HANET_ECHO_MAGIC)
		return HANET_REJECT_WRONG_MAGIC;
	*index = payload->session;
	cursor->at = payload;
	return reply_session(*index, payload->id, payload->cookie, port_index, HANET_HEARTBEAT_ECHO,
			     found);
}

static __always_inline int reply_echo(struct cursor *cursor, __u32 port_index, __u16 family,
				      const void *source)
{
	__u32 index = 0;
	struct hanet_session *session = NULL;
	int reason = reply_echo_payload(cursor, port_index, &session, &index);

	if (reason != HANET_REJECT_COUNT || !session)
		return reason;
	if (session->family != family)
		return HANET_REJECT_WRONG_SESSION;
	bool from_target = family == HANET_AF_INET
				   ? *(const __u32 *)source == *(__u32 *)session->target
				   : ipv6_equal(source, session->target);
	if (!from_target)
		return HANET_REJECT_WRONG_SOURCE;
	struct hanet_echo_payload *payload = cursor_take(cursor, struct hanet_echo_payload);
	if (!payload)
		return HANET_REJECT_TRUNCATED;
	return session_reply(index, session, payload->sequence);
}

static __always_inline int reply_ipv4(struct cursor *cursor, __u32 port_index)
{
	struct iphdr *ip = cursor_take(cursor, struct iphdr);

	if (!ip || ip->ihl < 5 || !cursor_skip(cursor, ip->ihl * 4 - 20))
		return HANET_REJECT_TRUNCATED;
	if (ip->frag_off & bpf_htons(0x3fff))
		return HANET_REJECT_FRAGMENT;
	if (ip->protocol != IPPROTO_ICMP)
		return HANET_REJECT_NOT_A_REPLY;
	struct icmp_echo *icmp = cursor_take(cursor, struct icmp_echo);
	if (!icmp)
		return HANET_REJECT_TRUNCATED;
	if (icmp->type != ICMP_ECHOREPLY)
		return HANET_REJECT_NOT_A_REPLY;
	return reply_echo(cursor, port_index, HANET_AF_INET, &ip->saddr);
}

static __always_inline int reply_ipv6(struct cursor *cursor, __u32 port_index,
				      struct hanet_port *port)
{
	struct ipv6hdr *ip = cursor_take(cursor, struct ipv6hdr);

	/*
	 * An advertisement may end before its option only where its length says so. Compared as
	 * numbers, because the verifier of 6.12 knows no bound of a swapped value and lets none be
	 * added to a packet pointer.
	 */
	if (!ip || bpf_ntohs(ip->payload_len) > cursor->end - cursor->at)
		return HANET_REJECT_TRUNCATED;
	int protocol = ipv6_upper_layer(cursor, ip->nexthdr);
	if (protocol == -1)
		return HANET_REJECT_TRUNCATED;
	if (protocol == -2)
		return HANET_REJECT_FRAGMENT;
	if (protocol != IPPROTO_ICMPV6)
		return HANET_REJECT_NOT_A_REPLY;
	struct icmp6hdr *icmp = cursor->at;
	if ((void *)(icmp + 1) > cursor->end)
		return HANET_REJECT_TRUNCATED;
	if (icmp->icmp6_type == ND_ADVERTISEMENT)
		return reply_advertisement(cursor, port, ip);
	if (icmp->icmp6_type != ICMPV6_ECHO_REPLY)
		return HANET_REJECT_NOT_A_REPLY;
	cursor->at = icmp + 1;
	return reply_echo(cursor, port_index, HANET_AF_INET6, &ip->saddr);
}

/* Returns true when the frame was a valid reply and is used up. */
static __always_inline bool reply_consumes(struct cursor *cursor, struct ethhdr *ethernet,
					   __u32 port_index, struct hanet_port *port)
{
	__u32 reason = HANET_REJECT_NOT_A_REPLY;

	switch (ethernet->h_proto) {
	case bpf_htons(ETH_P_ARP):
		reason = reply_arp(cursor, port);
		break;
	case bpf_htons(ETH_P_IP):
		reason = reply_ipv4(cursor, port_index);
		break;
	case bpf_htons(ETH_P_IPV6):
		reason = reply_ipv6(cursor, port_index, port);
		break;
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		reason = HANET_REJECT_TAGGED;
		break;
	}
	if (reason >= HANET_REJECT_COUNT)
		return true;
	__sync_fetch_and_add(&port->rejected[reason], 1);
	return false;
}

#endif
