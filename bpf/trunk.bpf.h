/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trunks: several ports used as one link (spec T1 to T5).
 *
 * The identity is on the interface of one port, the lead. Its frames are spread here over all ports
 * that are proved to work, and what comes in at any of them is handed to the lead's interface. So a
 * lost port costs its own flows until the verdict and nothing else: the next frame of a flow leaves
 * by another port, also when the lead's own cable is cut, and user space has nothing to do.
 *
 * Which port: rendezvous hashing of addresses and ports. Each working port gets a score for the
 * flow, and the highest wins, so a flow keeps its port while that port works, whatever happens to
 * the others.
 *
 * In independent mode the switches know nothing of the trunk, and would take an address that leaves
 * by two ports for one that moves to and fro. There one port speaks as the identity; what leaves by
 * the others has a source address of its own, as in the balance-tlb mode of the kernel's bonding
 * driver. Broadcasts reach every port, so only the speaker takes them in.
 *
 * `working` and `lost` are masks, one bit per slot: one store moves all flows at once.
 */
#ifndef HANET_TRUNK_BPF_H
#define HANET_TRUNK_BPF_H

#include <linux/pkt_cls.h>
#include "params.bpf.h"
#include "quorum.bpf.h"

static __always_inline struct hanet_trunk *trunk_of(const struct hanet_port *port)
{
	__u32 index = port->trunk - 1;

	return port->trunk ? bpf_map_lookup_elem(&trunks, &index) : NULL;
}

static __always_inline void mask_set(__u32 *mask, __u32 bit, bool on)
{
	if (on && !(*mask & bit))
		__sync_fetch_and_or(mask, bit);
	else if (!on && (*mask & bit))
		__sync_fetch_and_and(mask, ~bit);
}

static __always_inline __u32 trunk_weight(const struct hanet_trunk *trunk, __u32 slots)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < HANET_TRUNK_PORTS; i++)
		if (i < trunk->count && slots >> i & 1)
			sum += trunk->ports[i].weight;
	return sum;
}

/* The one meaning of the threshold; as below_threshold() in userspace/policy/path.cpp. */
static __always_inline bool trunk_below_threshold(const struct hanet_trunk *trunk, __u32 lost)
{
	return (__u64)lost * 100 >= (__u64)trunk->total * params_threshold(trunk->group);
}

static __always_inline bool trunk_is_down(const struct hanet_trunk *trunk)
{
	return trunk_below_threshold(trunk, trunk_weight(trunk, trunk->lost));
}

/* Who speaks stays, until it does not work any more: a move costs the switch's memory of it. */
static __always_inline void trunk_review_speaker(struct hanet_trunk *trunk)
{
	__u32 working = trunk->working, before = trunk->speaker, after = trunk->lead;

	if (!working || (before < HANET_TRUNK_PORTS && working >> before & 1))
		return;
	if (after >= HANET_TRUNK_PORTS || !(working >> after & 1))
		for (after = 0; after < HANET_TRUNK_PORTS - 1; after++)
			if (working >> after & 1)
				break;
	if (after != before &&
	    __sync_val_compare_and_swap(&trunk->speaker, before, after) == before)
		__sync_fetch_and_add(&trunk->speaker_changes, 1);
}

/* Which port a static trunk's reply comes in by is the switch's choice, so right after a carrier
 * was lost silence at another port says nothing of that port. */
static __always_inline bool trunk_rehashes(const struct hanet_trunk *trunk)
{
	return trunk->mode == HANET_TRUNK_STATIC && trunk->carrier_lost_ns &&
	       bpf_ktime_get_ns() < trunk->carrier_lost_ns + HANET_REHASH_NS;
}

/*
 * Tells a port's trunk what the port is worth now. Called with every verdict and link event, and by
 * the link poll, which also puts right what two CPUs did to each other. A paused port is not judged
 * by its heartbeats: it stays what it was, unless its link goes.
 */
static __noinline int trunk_review(struct hanet_port *port)
{
	if (!port)
		return 0;
	struct hanet_trunk *trunk = trunk_of(port);
	__u32 slot = port->trunk_slot;

	if (!trunk || slot >= HANET_TRUNK_PORTS)
		return 0;
	__u32 state = port_state(port);

	if (state == HANET_SESSION_DOWN && trunk_rehashes(trunk))
		state = HANET_SESSION_PAUSED;
	bool down = port->carrier == HANET_CARRIER_DOWN || state == HANET_SESSION_DOWN ||
		    !trunk->ports[slot].ifindex;
	bool proved = state == HANET_SESSION_UP ||
		      (state == HANET_SESSION_PAUSED && trunk->working >> slot & 1);

	mask_set(&trunk->lost, 1U << slot, down);
	mask_set(&trunk->working, 1U << slot, !down && proved);
	trunk_review_speaker(trunk);
	return 0;
}

/* The finalizer of MurmurHash3: every bit of the flow and the slot moves every bit of the score.
 */
static __always_inline __u32 flow_mix(__u32 value)
{
	value ^= value >> 16;
	value *= 0x85ebca6b;
	value ^= value >> 13;
	value *= 0xc2b2ae35;
	return value ^ value >> 16;
}

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* All fragments of a packet take one way, so none of them counts its ports. */
static __always_inline bool flow_ipv4(struct __sk_buff *skb, __u32 *hash)
{
	struct iphdr ip;
	__u32 ports = 0;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	if (has_ports(ip.protocol) && !(ip.frag_off & bpf_htons(0x3fff)))
		bpf_skb_load_bytes(skb, ETH_HLEN + (ip.ihl & 0xf) * 4, &ports, sizeof(ports));
	*hash = flow_mix(ip.saddr ^ flow_mix(ip.daddr ^ flow_mix(ports ^ ip.protocol)));
	return true;
}

/* ICMPv6 resolves neighbours, which must see the identity's address: the speaker's. */
static __always_inline bool flow_ipv6(struct __sk_buff *skb, __u32 *hash)
{
	struct ipv6hdr ip;
	__u32 ports = 0, sum = 0;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.nexthdr == IPPROTO_ICMPV6)
		return false;
	if (has_ports(ip.nexthdr))
		bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), &ports, sizeof(ports));
	for (int i = 0; i < 4; i++)
		sum = flow_mix(sum ^ ip.saddr.s6_addr32[i]) ^ ip.daddr.s6_addr32[i];
	*hash = flow_mix(sum ^ flow_mix(ports ^ ip.nexthdr));
	return true;
}

static __noinline __u32 trunk_choose(struct hanet_trunk *trunk, __u32 hash)
{
	if (!trunk)
		return 0;
	__u32 working = trunk->working, best = trunk->speaker, top = 0;

	for (__u32 i = 0; i < HANET_TRUNK_PORTS; i++) {
		__u32 score = flow_mix(hash + i * 0x9e3779b1); /* 2^32 / golden ratio */

		if (!(working >> i & 1) || score < top)
			continue;
		top = score;
		best = i;
	}
	return best;
}

/* As it is, by the port that speaks for the trunk. */
static __always_inline int trunk_send_by_speaker(struct __sk_buff *skb,
						 const struct hanet_trunk *trunk)
{
	__u32 slot = trunk->speaker;

	return slot < HANET_TRUNK_PORTS ? bpf_redirect(trunk->ports[slot].ifindex, 0) : TC_ACT_SHOT;
}

/* Sends one of the identity's frames by the trunk, from whatever port it was to leave. */
static __always_inline int trunk_send(struct __sk_buff *skb, struct hanet_trunk *trunk,
				      struct ethhdr *ethernet)
{
	__u32 hash = 0, slot = trunk->speaker;
	__be16 protocol = ethernet->h_proto;
	bool flow = !mac_is_group(ethernet->h_dest) &&
		    ((protocol == bpf_htons(ETH_P_IP) && flow_ipv4(skb, &hash)) ||
		     (protocol == bpf_htons(ETH_P_IPV6) && flow_ipv6(skb, &hash)));

	if (flow)
		slot = trunk_choose(trunk, hash);
	if (slot >= HANET_TRUNK_PORTS)
		return TC_ACT_UNSPEC;
	struct hanet_trunk_port *out = &trunk->ports[slot];

	if (trunk->mode == HANET_TRUNK_INDEPENDENT && slot != trunk->speaker)
		bpf_skb_store_bytes(skb, ETH_ALEN, out->wire_mac, ETH_ALEN, 0);
	if (!out->ifindex || out->ifindex == skb->ifindex)
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(&trunk->spread_out, 1);
	return bpf_redirect(out->ifindex, 0);
}

/* What a frame that came in at one of the trunk's ports is to the identity. */
enum trunk_arrival {
	TRUNK_FOREIGN,	    /* to somebody else */
	TRUNK_OURS,	    /* to the identity, or to everybody */
	TRUNK_OURS_BY_WIRE, /* to the address that the port has on the wire: an answer to a frame */
	TRUNK_SECOND_COPY,  /* flooded by a plain switch; the speaker has it as well */
};

static __always_inline int trunk_arrival(struct hanet_trunk *trunk, __u32 slot,
					 const __u8 *identity_mac, struct ethhdr *ethernet)
{
	bool independent = trunk->mode == HANET_TRUNK_INDEPENDENT;

	if (mac_is_group(ethernet->h_dest) || mac_equal(ethernet->h_dest, identity_mac)) {
		if (!independent || slot == trunk->speaker)
			return TRUNK_OURS;
		__sync_fetch_and_add(&trunk->second_copies, 1);
		return TRUNK_SECOND_COPY;
	}
	if (independent && slot < HANET_TRUNK_PORTS &&
	    mac_equal(ethernet->h_dest, trunk->ports[slot].wire_mac))
		return TRUNK_OURS_BY_WIRE;
	return TRUNK_FOREIGN;
}

/* What a static trunk's probe addresses are looked for by. */
enum trunk_search { BY_PROBE_MAC, BY_PROBE_IPV4, BY_PROBE_IPV6 };

static __always_inline bool trunk_matches(const struct hanet_port *port, int by, const void *key)
{
	if (by == BY_PROBE_MAC)
		return mac_equal(port->probe_mac, key);
	if (by == BY_PROBE_IPV4)
		return port->probe_ipv4 && port->probe_ipv4 == *(const __u32 *)key;
	return ipv6_equal(port->probe_ipv6, key);
}

/*
 * Whose probe address is it? Behind a static trunk the switch chooses the port that a reply comes
 * in by, so every port answers to the addresses of all. Returns the port's index or HANET_NONE.
 */
static __noinline __u32 trunk_sibling(struct hanet_port *port, int by, const void *key)
{
	if (!port || !key)
		return HANET_NONE;
	struct hanet_trunk *trunk = trunk_of(port);

	if (!trunk || trunk->mode != HANET_TRUNK_STATIC)
		return HANET_NONE;
	for (__u32 i = 0; i < HANET_TRUNK_PORTS; i++) {
		__u32 index = trunk->ports[i].port;
		struct hanet_port *sibling = bpf_map_lookup_elem(&ports, &index);

		if (i >= trunk->count || !sibling)
			break;
		if (trunk_matches(sibling, by, key))
			return index;
	}
	return HANET_NONE;
}

/* Whose probe address the frame goes to: the port's own, or that of its static trunk's other ports.
 */
static __always_inline bool probe_owner(const __u8 *mac, __u32 *index, struct hanet_port **port)
{
	__u8 wanted[ETH_ALEN];

	if (mac_equal(mac, (*port)->probe_mac))
		return true;
	if (!(*port)->trunk)
		return false;
	__builtin_memcpy(wanted, mac, ETH_ALEN);
	*index = trunk_sibling(*port, BY_PROBE_MAC, wanted);
	*port = bpf_map_lookup_elem(&ports, index);
	return *port;
}

#endif
