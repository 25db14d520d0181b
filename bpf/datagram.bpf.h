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

enum { DATAGRAM_HOPS = 64 }; /* RFC 1340: what hosts begin with */

/* A heartbeat and the UDP header that it came in, or is to leave in. The MAC addresses and the
 * EtherType of `beat` are those of the frame. It is on the stack together with all that looks at a
 * reply, so nothing more is kept. */
struct datagram {
	struct hanet_beat beat;
	struct hanet_beat_way way;
	struct udphdr udp;
};

/* An IPv4 address as IPv6 writes one (RFC 4291 section 2.5.5.2). */
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

/*
 * Where the UDP header of a datagram from and to `port` begins; 0: it is none. The cursor is behind
 * the Ethernet header afterwards. A mapped address is no IPv6 header's (RFC 4291 section 2.5.5.2):
 * the datagram would have the tag of an IPv4 one.
 */
static __always_inline __u32 datagram_at(struct cursor *cursor, const struct ethhdr *ethernet,
					 __be16 port)
{
	struct udphdr *udp = NULL;
	__u32 at = ETH_HLEN;

	if (!port)
		return 0;
	cursor->at = (void *)(ethernet + 1);
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = cursor_take(cursor, struct iphdr);

		at += sizeof(*ip);
		if (ip && ip->ihl == 5 && ip->protocol == IPPROTO_UDP &&
		    !(ip->frag_off & bpf_htons(0x3fff)))
			udp = cursor_take(cursor, struct udphdr);
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = cursor_take(cursor, struct ipv6hdr);

		at += sizeof(*ip);
		if (ip && ip->nexthdr == IPPROTO_UDP && !is_mapped_ipv4((__u8 *)&ip->saddr) &&
		    !is_mapped_ipv4((__u8 *)&ip->daddr))
			udp = cursor_take(cursor, struct udphdr);
	}
	cursor->at = (void *)(ethernet + 1);
	return udp && udp->source == port && udp->dest == port ? at : 0;
}

/* Both kinds of context have helpers of their own, which reach what is not in the linear part, too.
 * The packet is written by them only: a direct write would make the kernel copy every cloned frame
 * that passes, and drop it where there is no memory for that. */
static __always_inline long load_bytes(void *ctx, bool at_xdp, __u32 from, void *to, __u32 length)
{
	return at_xdp ? bpf_xdp_load_bytes(ctx, from, to, length)
		      : bpf_skb_load_bytes(ctx, from, to, length);
}

static __always_inline long store_bytes(void *ctx, bool at_xdp, __u32 to, void *from, __u32 length)
{
	return at_xdp ? bpf_xdp_store_bytes(ctx, to, from, length)
		      : bpf_skb_store_bytes(ctx, to, from, length, 0);
}

static __always_inline bool is_ipv4_datagram(const struct datagram *one)
{
	return one->beat.type == bpf_htons(ETH_P_IP);
}

/* The addresses in the IP header of a datagram; false: it ends before them. */
static __always_inline bool way_read(void *ctx, bool at_xdp, struct datagram *taken)
{
	struct hanet_beat_way *way = &taken->way;

	if (!is_ipv4_datagram(taken))
		return !load_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct ipv6hdr, saddr), way,
				   sizeof(*way));
	way->source[10] = way->source[11] = 0xff;
	way->destination[10] = way->destination[11] = 0xff;
	return !load_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct iphdr, saddr), way->source + 12,
			   4) &&
	       !load_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct iphdr, daddr),
			   way->destination + 12, 4);
}

/* Takes the heartbeat out of its frame, whose UDP header is `at`. Its length, as that of the other
 * form: headers that are not there count as those that are; 0 where the frame ends before it does.
 */
static __always_inline __u32 datagram_read(void *ctx, bool at_xdp, __u32 at, struct datagram *taken)
{
	__builtin_memset(taken, 0, sizeof(*taken));
	if (load_bytes(ctx, at_xdp, 0, &taken->beat, ETH_HLEN) ||
	    load_bytes(ctx, at_xdp, at, &taken->udp, sizeof(taken->udp)) ||
	    !way_read(ctx, at_xdp, taken))
		return 0;
	__u32 length = bpf_ntohs(taken->udp.len);

	if (length < sizeof(taken->udp) + HANET_BEAT_PAYLOAD ||
	    load_bytes(ctx, at_xdp, at + sizeof(taken->udp), &taken->beat.version,
		       HANET_BEAT_PAYLOAD))
		return 0;
	return length - sizeof(taken->udp) + offsetof(struct hanet_beat, version);
}

/* RFC 768, and RFC 8200 section 8.1. A mapped address and the plain one have the same sum: what
 * stands before it is 0xffff, which is 0 there. Uses up what stands before the payload. */
static __always_inline __u16 udp_checksum(struct datagram *sent)
{
	__be32 rest[2] = {bpf_htonl(sizeof(sent->udp) + HANET_BEAT_PAYLOAD),
			  bpf_htonl(IPPROTO_UDP)};
	__s64 sum = bpf_csum_diff(NULL, 0, (__be32 *)&sent->way, sizeof(sent->way), 0);

	sent->udp.check = 0;
	__builtin_memset(&sent->beat, 0, offsetof(struct hanet_beat, version));
	sum = bpf_csum_diff(NULL, 0, rest, sizeof(rest), sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&sent->udp, sizeof(sent->udp), sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&sent->beat, sizeof(sent->beat), sum);
	__u16 checksum = folded(sum);

	return checksum ? checksum : 0xffff; /* 0 says that there is none */
}

/* Puts the heartbeat into its frame, behind an IP header that is right; `sent` is used up. False:
 * it could not be. */
static __always_inline bool datagram_write(void *ctx, bool at_xdp, __u32 at, struct datagram *sent)
{
	if (store_bytes(ctx, at_xdp, 0, &sent->beat, 2 * ETH_ALEN))
		return false;
	sent->udp.check = udp_checksum(sent);
	return !store_bytes(ctx, at_xdp, at, &sent->udp, sizeof(sent->udp)) &&
	       !store_bytes(ctx, at_xdp, at + sizeof(sent->udp), &sent->beat.version,
			    HANET_BEAT_PAYLOAD);
}

/* From the time to live to the checksum of an IPv4 header. */
struct ipv4_middle {
	__be16 hops_and_protocol;
	__be16 checksum;
};
_Static_assert(offsetof(struct iphdr, check) ==
		       offsetof(struct iphdr, ttl) + offsetof(struct ipv4_middle, checksum),
	       "nothing is between");

/* The IP header of an answer, whose way is that of the request, turned round: that changes no sum,
 * and the hops change it as RFC 1624 says. False: it could not be written. */
static __always_inline bool datagram_turn(void *ctx, bool at_xdp, struct datagram *sent)
{
	struct hanet_beat_way *way = &sent->way;
	__u8 hops = DATAGRAM_HOPS;

	if (!is_ipv4_datagram(sent))
		return !store_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct ipv6hdr, saddr), way,
				    sizeof(*way)) &&
		       !store_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct ipv6hdr, hop_limit),
				    &hops, sizeof(hops));
	struct ipv4_middle middle;

	if (load_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct iphdr, ttl), &middle,
		       sizeof(middle)))
		return false;
	__be16 now = bpf_htons(DATAGRAM_HOPS << 8 | IPPROTO_UDP);
	__u32 sum = (__u16)~middle.checksum + (__u16)~middle.hops_and_protocol + now;

	middle.checksum = folded(sum);
	middle.hops_and_protocol = now;
	return !store_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct iphdr, ttl), &middle,
			    sizeof(middle)) &&
	       !store_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct iphdr, saddr), way->source + 12,
			    4) &&
	       !store_bytes(ctx, at_xdp, ETH_HLEN + offsetof(struct iphdr, daddr),
			    way->destination + 12, 4);
}

#endif
