/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heartbeats of kind hanet as UDP datagrams, for paths with routers between (spec M1).
 *
 * The payload is struct hanet_beat from `version` on, so all that looks at a heartbeat is the same
 * for both forms. Here is what differs: where it is in a frame, which addresses the tag covers
 * (struct hanet_beat_way), and the checksums of the headers.
 *
 * Only datagrams without IP options, extension headers and fragments are taken for one; hanet sends
 * no others. What is not one passes as any frame does.
 */
#ifndef HANET_DATAGRAM_BPF_H
#define HANET_DATAGRAM_BPF_H

#include <linux/udp.h>
#include "parse.bpf.h"

/* The payload as it is on the wire, aligned to two bytes. */
struct beat_payload {
	__u16 pairs[HANET_BEAT_PAYLOAD / 2];
};
_Static_assert(sizeof(struct beat_payload) == HANET_BEAT_PAYLOAD, "no byte is left over");

enum { DATAGRAM_HOPS = 64 }; /* RFC 1340: what hosts begin with */

/* A heartbeat, taken out of its frame. The MAC addresses in `beat` are those of the frame. */
struct datagram {
	struct hanet_beat beat;
	struct hanet_beat_way way;
};

/* The UDP header of a datagram to `port`, and the cursor is behind it; NULL: it is none, and the
 * cursor is behind the Ethernet header. */
static __always_inline struct udphdr *datagram_open(struct cursor *cursor,
						    const struct ethhdr *ethernet, __be16 port)
{
	struct udphdr *udp = NULL;

	if (!port)
		return NULL;
	cursor->at = (void *)(ethernet + 1);
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = cursor_take(cursor, struct iphdr);

		if (ip && ip->ihl == 5 && ip->protocol == IPPROTO_UDP &&
		    !(ip->frag_off & bpf_htons(0x3fff)))
			udp = cursor_take(cursor, struct udphdr);
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = cursor_take(cursor, struct ipv6hdr);

		if (ip && ip->nexthdr == IPPROTO_UDP)
			udp = cursor_take(cursor, struct udphdr);
	}
	if (udp && udp->dest == port)
		return udp;
	cursor->at = (void *)(ethernet + 1);
	return NULL;
}

/* An IPv4 address as IPv6 writes one (RFC 4291 section 2.5.5.2). */
static __always_inline void mapped_ipv4(__u8 *address, const __be32 *ipv4)
{
	__builtin_memset(address, 0, 10);
	address[10] = address[11] = 0xff;
	__builtin_memcpy(address + 12, ipv4, 4);
}

static __always_inline bool is_mapped_ipv4(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

/* The address of one host that may be on the other side of a router (RFC 1122 section 3.2.1.3,
 * RFC 4291 section 2.5.3). */
static __always_inline bool is_one_host(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;
	__u8 first = address[12];

	if (is_mapped_ipv4(address))
		return first != 0 && first != 127 && first < 224;
	return address[0] != 0xff && (words[0] | words[1] | words[2] | bpf_ntohl(words[3]) >> 1);
}

/* Takes the heartbeat out of its frame. Its length, as that of the other form: headers that are not
 * there count as those that are; 0 where the frame ends before it does. */
static __always_inline __u32 datagram_read(struct cursor *cursor, const struct ethhdr *ethernet,
					   const struct udphdr *udp, struct datagram *taken)
{
	struct beat_payload *payload = cursor_take(cursor, struct beat_payload);
	__u32 length = bpf_ntohs(udp->len);

	__builtin_memset(taken, 0, sizeof(*taken));
	__builtin_memcpy(&taken->beat, ethernet, sizeof(*ethernet));
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		const struct iphdr *ip = (const void *)udp - sizeof(*ip);

		mapped_ipv4(taken->way.source, &ip->saddr);
		mapped_ipv4(taken->way.destination, &ip->daddr);
	} else {
		const struct ipv6hdr *ip = (const void *)udp - sizeof(*ip);

		__builtin_memcpy(taken->way.source, &ip->saddr, 16);
		__builtin_memcpy(taken->way.destination, &ip->daddr, 16);
	}
	if (!payload || length < sizeof(*udp) + sizeof(*payload))
		return 0;
	__builtin_memcpy(&taken->beat.version, payload, sizeof(*payload));
	return length - sizeof(*udp) + offsetof(struct hanet_beat, version);
}

/* RFC 768, and RFC 8200 section 8.1. A mapped address and the plain one have the same sum: what
 * stands before it is 0xffff, which is 0 there. */
static __always_inline __u16 udp_checksum(const struct datagram *sent, struct udphdr *udp)
{
	__be32 rest[2] = {bpf_htonl(sizeof(*udp) + HANET_BEAT_PAYLOAD), bpf_htonl(IPPROTO_UDP)};
	__s64 sum = bpf_csum_diff(NULL, 0, (__be32 *)&sent->way, sizeof(sent->way), 0);

	sum = bpf_csum_diff(NULL, 0, rest, sizeof(rest), sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)udp, sizeof(*udp), sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&sent->beat, sizeof(sent->beat), sum);
	__u16 checksum = folded(sum);

	return checksum ? checksum : 0xffff; /* 0 says that there is none */
}

/* Puts the heartbeat into its frame, whose addresses are right; `sent` is used up. */
static __always_inline void datagram_write(struct ethhdr *ethernet, struct udphdr *udp,
					   struct beat_payload *payload, struct datagram *sent)
{
	__builtin_memcpy(ethernet->h_dest, sent->beat.destination, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, sent->beat.source, ETH_ALEN);
	__builtin_memcpy(payload, &sent->beat.version, sizeof(*payload));
	__builtin_memset(&sent->beat, 0, offsetof(struct hanet_beat, version));
	udp->check = 0;
	udp->check = udp_checksum(sent, udp);
}

/* Its IP and UDP headers, for the way back. */
static __always_inline void datagram_turn(const struct ethhdr *ethernet, struct udphdr *udp,
					  const struct hanet_beat_way *way)
{
	__be16 port = udp->source;

	udp->source = udp->dest;
	udp->dest = port;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)udp - sizeof(*ip);

		__builtin_memcpy(&ip->saddr, way->source + 12, 4);
		__builtin_memcpy(&ip->daddr, way->destination + 12, 4);
		ip->ttl = DATAGRAM_HOPS;
		ip->check = 0;
		ip->check = folded(bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0));
	} else {
		struct ipv6hdr *ip = (void *)udp - sizeof(*ip);

		__builtin_memcpy(&ip->saddr, way->source, 16);
		__builtin_memcpy(&ip->daddr, way->destination, 16);
		ip->hop_limit = DATAGRAM_HOPS;
	}
}

#endif
