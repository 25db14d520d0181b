/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bounded header cursor, and what a frame on a watched port is to hanet.
 *
 * Contract: `at` never moves past `end`; every accessor returns NULL instead of a pointer whose
 * bytes are not all inside the frame, and the caller turns NULL into "truncated". XDP and TC share
 * all of this: both give direct packet pointers.
 */
#ifndef HANET_PARSE_BPF_H
#define HANET_PARSE_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/icmpv6.h>
#include <bpf/bpf_endian.h>
#include "maps.bpf.h"

/* From <linux/if_arp.h>, <linux/icmp.h> and <sys/socket.h>, which need a hosted C library. */
#define ARPHRD_ETHER 1
#define ARPOP_REQUEST 1
#define ARPOP_REPLY 2
#define ICMP_ECHOREPLY 0
#define ICMP_ECHO 8
#define HANET_AF_INET 2
#define HANET_AF_INET6 10

struct cursor {
	void *at;
	void *end;
};

/* Takes the next header of a fixed type, or NULL when the frame ends before it does. */
#define cursor_take(cursor, type)                                                                  \
	({                                                                                         \
		type *header_ = (cursor)->at;                                                      \
		if ((void *)(header_ + 1) > (cursor)->end)                                         \
			header_ = NULL;                                                            \
		else                                                                               \
			(cursor)->at = header_ + 1;                                                \
		header_;                                                                           \
	})

/* RFC 826 for Ethernet and IPv4. */
struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__be32 sender_ip;
	__u8 target_mac[ETH_ALEN];
	__be32 target_ip;
} __attribute__((packed));

/* RFC 792, echo and echo reply. */
struct icmp_echo {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id;
	__be16 sequence;
} __attribute__((packed));

/* RFC 4861 sections 4.3 and 4.4: solicitation and advertisement have one layout. */
struct neighbour_message {
	struct icmp6hdr icmp;
	struct in6_addr target;
} __attribute__((packed));

struct link_layer_option {
	__u8 type;
	__u8 length; /* in units of 8 bytes */
	__u8 mac[ETH_ALEN];
} __attribute__((packed));

/* Where the answering end's identity is, in the padding of an ARP answer between two hanets. Others
 * ignore what stands there, and what others leave there lacks the magic. */
struct arp_place {
	__be32 magic;
	__u8 claim; /* enum hanet_claim */
} __attribute__((packed));

/* The same in an advertisement: the last byte of its reserved bits (RFC 4861 section 4.4: ignored
 * by the receiver, and 0 from everybody else). */
#define ND_ADVERTISEMENT_FLAGS 0x60000000 /* solicited, override */
#define ND_CLAIM_MASK 0xff

enum { ND_SOLICITATION = 135, ND_ADVERTISEMENT = 136, ND_HOP_LIMIT = 255 };
enum { ND_OPTION_SOURCE = 1, ND_OPTION_TARGET = 2 };

static __always_inline bool mac_equal(const __u8 *left, const __u8 *right)
{
	const __u16 *l = (const __u16 *)left, *r = (const __u16 *)right;

	return l[0] == r[0] && l[1] == r[1] && l[2] == r[2];
}

/* Broadcast or multicast: never the address of one host (IEEE 802-2014 section 8.2). */
static __always_inline bool mac_is_group(const __u8 *mac)
{
	return mac[0] & 1;
}

static __always_inline bool ipv6_equal(const void *left, const void *right)
{
	const __u32 *l = left, *r = right;

	return l[0] == r[0] && l[1] == r[1] && l[2] == r[2] && l[3] == r[3];
}

/* Options and extension headers are stepped over; both are rare, so the bounds are small. */
static __always_inline bool cursor_skip(struct cursor *cursor, __u32 bytes)
{
	if (cursor->at + (bytes & 0x7ff) > cursor->end)
		return false;
	cursor->at += bytes & 0x7ff;
	return true;
}

enum { IPV6_EXTENSIONS_MAX = 4 };

/*
 * Steps over IPv6 extension headers (RFC 8200 section 4). Returns the upper-layer protocol, -1 when
 * the frame is too short, -2 for a fragment.
 */
static __always_inline int ipv6_upper_layer(struct cursor *cursor, __u8 next)
{
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		if (next == IPPROTO_FRAGMENT)
			return -2;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING)
			return next;
		struct ipv6_opt_hdr *option = cursor_take(cursor, struct ipv6_opt_hdr);
		if (!option)
			return -1;
		next = option->nexthdr;
		if (!cursor_skip(cursor, option->hdrlen * 8 + 6))
			return -1;
	}
	return next;
}

/* A checksum of what bpf_csum_diff() has summed up (RFC 1071). */
static __always_inline __u16 folded(__s64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static __always_inline bool arp_well_formed(const struct arp_ipv4 *arp)
{
	return arp->hardware == bpf_htons(ARPHRD_ETHER) && arp->protocol == bpf_htons(ETH_P_IP) &&
	       arp->hardware_length == ETH_ALEN && arp->protocol_length == 4;
}

#endif
