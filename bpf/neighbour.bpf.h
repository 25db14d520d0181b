/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hanet's own manners as a neighbour: it answers for its probe addresses, and it listens.
 *
 * A standby has no identity, so the kernel answers nothing for the addresses that probes are sent
 * from, and a target that can not resolve them would stop replying. The answers are made here from
 * the question itself and go out of the port it came from.
 *
 * It also hears a target's new address in what the target announces (gratuitous ARP, unsolicited
 * advertisement; target.bpf.h): when the peer of a pair switches, its MAC addresses change places,
 * and requests to the old one stay unanswered. And its answers
 * say whether the identity is on this port, so that two ends which judged differently find each
 * other.
 */
#ifndef HANET_NEIGHBOUR_BPF_H
#define HANET_NEIGHBOUR_BPF_H

#include "reply.bpf.h"

static __always_inline bool ipv6_is_zero(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return !(words[0] | words[1] | words[2] | words[3]);
}

/* The port whose probe address is asked for: this one, or one of its static trunk; else NULL. */
static __always_inline struct hanet_port *asked_port(struct hanet_port *port, int by,
						     const void *address)
{
	__u32 key[4] = {};

	if (trunk_matches(port, by, address))
		return port;
	if (!port->trunk)
		return NULL;
	__builtin_memcpy(key, address, by == BY_PROBE_IPV4 ? 4 : 16);
	__u32 index = trunk_sibling(port, by, key);

	return bpf_map_lookup_elem(&ports, &index);
}

static __always_inline int answer(struct __sk_buff *skb, struct ethhdr *ethernet,
				  struct hanet_port *port)
{
	__builtin_memcpy(ethernet->h_dest, ethernet->h_source, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, port->probe_mac, ETH_ALEN);
	__sync_fetch_and_add(&port->answered_for_neighbours, 1);
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline int neighbour_arp(struct __sk_buff *skb, struct cursor *cursor,
					 struct ethhdr *ethernet, struct hanet_port *port)
{
	__u32 index;
	struct arp_ipv4 *arp = cursor_take(cursor, struct arp_ipv4);

	if (!arp || !arp_well_formed(arp))
		return TC_ACT_UNSPEC;
	struct hanet_session *session =
		session_asking(port, HANET_AF_INET, &arp->sender_ip, &index);
	if (session && arp->sender_ip && !mac_is_group(arp->sender_mac))
		hop_heard_at(port, session, arp->sender_mac);
	if (arp->operation != bpf_htons(ARPOP_REQUEST))
		return TC_ACT_UNSPEC;
	port = asked_port(port, BY_PROBE_IPV4, &arp->target_ip);
	if (!port)
		return TC_ACT_UNSPEC;
	arp->operation = bpf_htons(ARPOP_REPLY);
	arp->target_ip = arp->sender_ip;
	arp->sender_ip = port->probe_ipv4;
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, port->probe_mac, ETH_ALEN);
	struct arp_place *said = cursor_take(cursor, struct arp_place);
	if (said && port->claim != HANET_CLAIM_UNKNOWN) {
		said->magic = bpf_htonl(HANET_CLAIM_MAGIC);
		said->claim = port->claim;
	}
	return answer(skb, ethernet, port);
}

/* RFC 4443 section 2.3 over RFC 8200 section 8.1's pseudo header. */
static __always_inline __u16 icmpv6_checksum(struct ipv6hdr *ip, void *message, __u32 length)
{
	__be32 rest[2] = {bpf_htonl(length), bpf_htonl(IPPROTO_ICMPV6)};
	__s64 sum = bpf_csum_diff(NULL, 0, (__be32 *)&ip->saddr, 32, 0);

	sum = bpf_csum_diff(NULL, 0, rest, sizeof(rest), sum);
	sum = bpf_csum_diff(NULL, 0, message, length, sum);
	return folded(sum);
}

struct solicitation {
	struct neighbour_message message;
	struct link_layer_option option;
} __attribute__((packed));

static __always_inline int answer_solicitation(struct __sk_buff *skb, struct ethhdr *ethernet,
					       struct ipv6hdr *ip, struct solicitation *question,
					       struct hanet_port *port)
{
	ip->daddr = ip->saddr;
	__builtin_memcpy(&ip->saddr, port->probe_ipv6, 16);
	question->message.icmp.icmp6_type = ND_ADVERTISEMENT;
	question->message.icmp.icmp6_cksum = 0;
	question->message.icmp.icmp6_dataun.un_data32[0] =
		bpf_htonl(ND_ADVERTISEMENT_FLAGS | (port->claim & ND_CLAIM_MASK));
	question->option.type = ND_OPTION_TARGET;
	__builtin_memcpy(question->option.mac, port->probe_mac, ETH_ALEN);
	question->message.icmp.icmp6_cksum = icmpv6_checksum(ip, question, sizeof(*question));
	return answer(skb, ethernet, port);
}

static __always_inline int neighbour_discovery(struct __sk_buff *skb, struct cursor *cursor,
					       struct ethhdr *ethernet, struct hanet_port *port)
{
	__u32 index;
	struct ipv6hdr *ip = cursor_take(cursor, struct ipv6hdr);

	if (!ip || ip->nexthdr != IPPROTO_ICMPV6 || ip->hop_limit != ND_HOP_LIMIT)
		return TC_ACT_UNSPEC;
	struct solicitation *question = cursor_take(cursor, struct solicitation);
	if (!question || question->option.length != 1)
		return TC_ACT_UNSPEC;
	struct neighbour_message *message = &question->message;
	struct hanet_session *session =
		session_asking(port, HANET_AF_INET6, &message->target, &index);

	if (message->icmp.icmp6_type == ND_ADVERTISEMENT &&
	    question->option.type == ND_OPTION_TARGET && session &&
	    !mac_is_group(question->option.mac))
		hop_heard_at(port, session, question->option.mac);
	if (message->icmp.icmp6_type != ND_SOLICITATION ||
	    question->option.type != ND_OPTION_SOURCE ||
	    ipv6_is_zero((const __u8 *)&message->target) ||
	    ipv6_is_zero((const __u8 *)&ip->saddr) || /* invalid with this option, section 7.1.1 */
	    ip->payload_len != bpf_htons(sizeof(*question)))
		return TC_ACT_UNSPEC;
	port = asked_port(port, BY_PROBE_IPV6, &message->target);
	if (!port)
		return TC_ACT_UNSPEC;
	return answer_solicitation(skb, ethernet, ip, question, port);
}

/* Returns a TC action: the frame became our answer, or goes on. */
static __always_inline int neighbour_listen(struct __sk_buff *skb, struct cursor *cursor,
					    struct ethhdr *ethernet, struct hanet_port *port)
{
	if (ethernet->h_proto == bpf_htons(ETH_P_ARP))
		return neighbour_arp(skb, cursor, ethernet, port);
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
		return neighbour_discovery(skb, cursor, ethernet, port);
	return TC_ACT_UNSPEC;
}

#endif
