/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A port that does not have the identity says nothing in its name.
 *
 * Linux takes any address of the host, if need be of another interface, as the sender of an ARP
 * request (net/ipv4/arp.c, arp_solicit; net/ipv4/devinet.c, inet_select_addr). So a packet that was
 * under way when the addresses went to the other port, and a socket that is bound to this one, make
 * this port tell everybody that the identity is at its own MAC address, and they send there until
 * the next announcement. arp_announce does not help: it chooses among the same addresses. IPv6 asks
 * with addresses of the port only (net/ipv6/ndisc.c, ndisc_solicit).
 *
 * What can not be judged passes: a VLAN tag inside the frame (reorder_hdr off), ARP beyond the
 * linear part. The interface that has the identity, or that it is being moved to, is never
 * muted: a person may give it another MAC address, and hanetd hears of it later. (What it sends by
 * another port of its trunk is judged there, and passes again then.)
 */
#ifndef HANET_MUTE_BPF_H
#define HANET_MUTE_BPF_H

#include "parse.bpf.h"

/* VLAN_VID_MASK of linux/if_vlan.h, which a BPF target has not. */
#define HANET_VLAN_ID 0xfff

static __always_inline struct hanet_identity_mac *identity_mac_of(struct hanet_identity_ipv4 *key,
								  __u32 group)
{
	key->group = group;
	return bpf_map_lookup_elem(&identity_ipv4, key);
}

/* A waiting port has nothing of its own to ask for with an address of any identity. */
static __always_inline bool is_identity(struct hanet_identity_ipv4 *key)
{
	for (__u32 group = 0; group < HANET_MAX_GROUPS; group++)
		if (identity_mac_of(key, group))
			return true;
	return false;
}

/* The frame of a port in `mode` is ARP whose sender is an address of an identity, and the port must
 * not say so. */
static __always_inline bool misuses_identity(struct __sk_buff *skb, struct cursor *cursor,
					     __u32 mode, const struct hanet_port *port,
					     const struct ethhdr *ethernet)
{
	bool waits = mode == HANET_STEER_IDLE;

	if (ethernet->h_proto != bpf_htons(ETH_P_ARP) ||
	    (!waits && mode != HANET_STEER_BRIDGE_OUT && mode != HANET_STEER_BRIDGE_IN &&
	     mode != HANET_STEER_MEMBER))
		return false;
	struct arp_ipv4 *arp = cursor_take(cursor, struct arp_ipv4);

	if (!arp || !arp_well_formed(arp))
		return false;
	struct hanet_identity_ipv4 sender = {
		.vlan = skb->vlan_present ? skb->vlan_tci & HANET_VLAN_ID : 0,
		.address = arp->sender_ip,
	};

	if (waits)
		return is_identity(&sender);
	/* What bridging and trunks send by this port is true. */
	struct hanet_identity_mac *at = identity_mac_of(&sender, port->group);

	return at && !mac_equal(arp->sender_mac, at->mac);
}

#endif
