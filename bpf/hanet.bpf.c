// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of contents of the data plane.
 *
 *   xdp_ingress    matches replies as early as a frame can be seen; hears silent sessions' peers;
 *                  answers another hanet's heartbeats
 *   tc_ingress     does all of it where XDP can not; bridging inwards; answers for probe addresses
 *   tc_egress      stamps requests that really leave; bridging outwards; muting
 *   tc_device      sends what the metanetwork device sends by the path that it uses
 *   tc_pacer       sends the requests that are due each time the token comes round
 *   tc_departs     says when the token is to come round, where fq goes by that
 *   tc_control     starts timers, or comes by in their claim; run by hanetd with
 *                  BPF_PROG_TEST_RUN, never attached
 *   carrier_off/on link events at their source, where the kernel allows fentry
 *
 * Fail open (spec D6): whatever is not ours, malformed or unexpected passes untouched.
 */
#include "beat.bpf.h"
#include "control.bpf.h"
#include "maps.bpf.h"
#include "neighbour.bpf.h"
#include "pacer.bpf.h"
#include "request.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* Which of hanet's ports and devices an interface is; HANET_NONE: none. */
static __always_inline __u32 place_of(__u32 ifindex)
{
	if (ifindex < HANET_LOW_IFINDEX) {
		__u32 *low = bpf_map_lookup_elem(&port_of_low_ifindex, &ifindex);

		return low ? *low - 1 : HANET_NONE;
	}
	__u32 *found = bpf_map_lookup_elem(&port_of_ifindex, &ifindex);

	return found ? *found : HANET_NONE;
}

/* There is none of a place that is not a port's. */
static __always_inline struct hanet_port *port_of(__u32 ifindex, __u32 *index)
{
	*index = place_of(ifindex);
	return bpf_map_lookup_elem(&ports, index);
}

/* A frame on the wire is only aligned to two bytes. */
struct beat_bytes {
	__u16 pairs[sizeof(struct hanet_beat) / 2];
};

static __always_inline int xdp_fate(int fate)
{
	return fate == BEAT_ANSWERED ? XDP_TX : fate == BEAT_USED_UP ? XDP_DROP : XDP_PASS;
}

static __always_inline int xdp_beat(struct xdp_md *ctx, const struct ethhdr *ethernet, __u32 index)
{
	struct beat_bytes *there = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	bool whole = (void *)(there + 1) <= end;
	struct hanet_beat beat = {};

	if (whole)
		__builtin_memcpy(&beat, there, sizeof(*there));
	else
		__builtin_memcpy(&beat, ethernet, sizeof(*ethernet));
	int fate = beat_arrives(index, &beat, NULL, end - (void *)there, true);

	if (fate == BEAT_ANSWERED && whole)
		__builtin_memcpy(there, &beat, sizeof(*there));
	return xdp_fate(fate);
}

/* What a host sees most of is none, whatever is configured (config/signed_kind.cpp). */
static __always_inline bool may_be_beat(__be16 type)
{
	return type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6) &&
	       type != bpf_htons(ETH_P_ARP);
}

SEC("xdp")
int xdp_ingress(struct xdp_md *ctx)
{
	struct cursor cursor = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	struct ethhdr *ethernet = cursor_take(&cursor, struct ethhdr);
	__u32 index;

	receiver_runs();
	if (watch_silence && ethernet)
		silence_listen(port_of(ctx->ingress_ifindex, &index), ethernet, true);
	if (ethernet && may_be_beat(ethernet->h_proto)) {
		struct hanet_port *asked = port_of(ctx->ingress_ifindex, &index);

		if (asked && ethernet->h_proto == asked->beat_type)
			return xdp_beat(ctx, ethernet, index);
	}
	/* Probe addresses are locally administered: most other traffic ends here. */
	if (!ethernet || !(ethernet->h_dest[0] & 2 || answer_datagrams))
		return XDP_PASS;
	struct hanet_port *port = port_of(ctx->ingress_ifindex, &index);

	if (!port)
		return XDP_PASS;
	__u32 datagram = datagram_at(&cursor, ethernet, port->beat_port);

	if (datagram)
		return xdp_fate(datagram_arrives(ctx, true, datagram, index));
	if (!probe_owner(ethernet->h_dest, &index, &port))
		return XDP_PASS;
	return reply_consumes(&cursor, ethernet, index, port) ? XDP_DROP : XDP_PASS;
}

static __always_inline int tc_beat(struct __sk_buff *skb, const struct ethhdr *ethernet,
				   __u32 index)
{
	struct hanet_beat beat = {};

	if (bpf_skb_load_bytes(skb, 0, &beat, sizeof(beat)))
		__builtin_memcpy(&beat, ethernet, sizeof(*ethernet));
	switch (beat_arrives(index, &beat, NULL, skb->len, false)) {
	case BEAT_USED_UP:
		return TC_ACT_SHOT;
	case BEAT_ANSWERED:
		/* Never on to what is below: the pointers into the frame are not valid any more. */
		if (bpf_skb_store_bytes(skb, 0, &beat, sizeof(beat), 0) ||
		    bpf_redirect(skb->ifindex, 0) != TC_ACT_REDIRECT)
			return TC_ACT_SHOT;
		return TC_ACT_REDIRECT;
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int tc_datagram(struct __sk_buff *skb, __u32 at, __u32 index)
{
	switch (datagram_arrives(skb, false, at, index)) {
	case BEAT_USED_UP:
		return TC_ACT_SHOT;
	case BEAT_ANSWERED:
		return bpf_redirect(skb->ifindex, 0) == TC_ACT_REDIRECT ? TC_ACT_REDIRECT
									: TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}

/*
 * Frames that concern hanet itself. The stack has moved a VLAN tag out of the frame by now
 * (net/core/dev.c, skb_vlan_untag), so what looks plain may belong to another network.
 */
static __always_inline int tc_listen(struct __sk_buff *skb, struct cursor *cursor,
				     struct ethhdr *ethernet, __u32 index, struct hanet_port *port)
{
	/* With XDP on the port, the rest to this address was looked at and counted there. */
	if (!port->replies_at_xdp)
		receiver_runs();
	if (watch_silence) {
		remember_device(skb, port); /* no heartbeat leaves that could show it */
		/* What bridging hands over came in at another port. */
		if (skb->mark != HANET_STEER_MARK)
			silence_listen(port, ethernet, false);
	}
	if (ethernet->h_proto == port->beat_type && !skb->vlan_present)
		return tc_beat(skb, ethernet, index);
	__u32 datagram = skb->vlan_present ? 0 : datagram_at(cursor, ethernet, port->beat_port);

	if (datagram)
		return tc_datagram(skb, datagram, index);
	struct hanet_port *asked = port;
	bool reply = !port->replies_at_xdp && probe_owner(ethernet->h_dest, &index, &asked);

	if (skb->vlan_present) {
		if (reply)
			__sync_fetch_and_add(&port->rejected[HANET_REJECT_TAGGED], 1);
		return TC_ACT_UNSPEC;
	}
	if (reply && asked && reply_consumes(cursor, ethernet, index, asked))
		return TC_ACT_SHOT;
	cursor->at = ethernet + 1;
	return neighbour_listen(skb, cursor, ethernet, port);
}

/* Takes the Ethernet header off a frame at one of hanet's ports; NULL: not one, or no header. */
static __always_inline struct ethhdr *tc_open(struct __sk_buff *skb, struct cursor *cursor,
					      struct hanet_port **port, __u32 *index)
{
	cursor->at = (void *)(long)skb->data;
	cursor->end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = cursor_take(cursor, struct ethhdr);

	*port = port_of(skb->ifindex, index);
	return *port ? ethernet : NULL;
}

SEC("tc")
int tc_ingress(struct __sk_buff *skb)
{
	struct cursor cursor;
	struct hanet_port *port;
	__u32 index;
	struct ethhdr *ethernet = tc_open(skb, &cursor, &port, &index);

	if (!ethernet || !port)
		return TC_ACT_UNSPEC;
	int action = tc_listen(skb, &cursor, ethernet, index, port);
	if (action != TC_ACT_UNSPEC)
		return action;
	struct hanet_steer *way = bpf_map_lookup_elem(&steer, &index);
	if (!way || way->mode == HANET_STEER_NONE)
		return TC_ACT_UNSPEC;
	if (way->mode == HANET_STEER_DEVICE) {
		struct hanet_device *device = device_of(port->group);

		return device ? device_receive(skb, device, index, port, ethernet) : TC_ACT_UNSPEC;
	}
	return steer_ingress(skb, way, port, ethernet);
}

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	struct cursor cursor;
	struct hanet_port *port;
	__u32 index;
	struct ethhdr *ethernet = tc_open(skb, &cursor, &port, &index);

	if (!ethernet || !port)
		return TC_ACT_UNSPEC;
	if (mac_equal(ethernet->h_source, port->probe_mac)) {
		remember_device(skb, port);
		if (!request_stamp(skb, &cursor, ethernet, port, index))
			return TC_ACT_SHOT;
		return TC_ACT_OK; /* a killed hanetd's program behind this one stamps nothing */
	}
	struct hanet_port *other = port;
	__u32 owner = index;

	/* An answer for the probe address of another port of a static trunk. */
	if (ethernet->h_source[0] & 2 && probe_owner(ethernet->h_source, &owner, &other))
		return TC_ACT_UNSPEC;
	struct hanet_steer *way = bpf_map_lookup_elem(&steer, &index);

	return way ? steer_egress(skb, &cursor, way, port, ethernet) : TC_ACT_UNSPEC;
}

SEC("tc")
int tc_device(struct __sk_buff *skb)
{
	struct cursor cursor = {(void *)(long)skb->data, (void *)(long)skb->data_end};
	struct ethhdr *ethernet = cursor_take(&cursor, struct ethhdr);
	__u32 group = place_of(skb->ifindex) - HANET_MAX_PORTS;
	struct hanet_device *device = bpf_map_lookup_elem(&devices, &group);

	return ethernet && device ? device_send(skb, device, ethernet) : TC_ACT_UNSPEC;
}

SEC("tc")
int tc_pacer(struct __sk_buff *skb)
{
	return pacer_round(skb);
}

SEC("tc")
int tc_departs(struct __sk_buff *skb)
{
	return pacer_departs(skb);
}

SEC("tc")
int tc_control(struct __sk_buff *skb)
{
	struct cursor cursor = {(void *)(long)skb->data, (void *)(long)skb->data_end};
	struct hanet_control *control;

	if (!cursor_take(&cursor, struct ethhdr))
		return 1;
	control = cursor_take(&cursor, struct hanet_control);
	if (!control)
		return 1;
	if (control->op == HANET_CONTROL_START_SESSION)
		return start_session(control->index);
	if (control->op == HANET_CONTROL_START_PORT)
		return start_port(control->index);
	if (control->op == HANET_CONTROL_START_RECEIVER)
		return start_receiver(control->index);
	if (control->op == HANET_CONTROL_REVIEW_PORT)
		return review_port(control->index);
	if (control->op == HANET_CONTROL_TICK)
		return tick_all();
	if (control->op == HANET_CONTROL_BRIDGE)
		return bridge_told(control->index);
	if (control->op == HANET_CONTROL_CARRIER_UP || control->op == HANET_CONTROL_CARRIER_DOWN)
		return carrier_told(control->index, control->op == HANET_CONTROL_CARRIER_UP);
	return 1;
}

static __always_inline int carrier_at_source(struct net_device *device, bool up)
{
	__u32 index;
	struct hanet_port *port = port_of(device->ifindex, &index);

	if (!port || device->nd_net.net->ns.inum != own_netns)
		return 0;
	return carrier_seen(index, port, up, bpf_ktime_get_ns());
}

SEC("fentry/netif_carrier_off")
int BPF_PROG(carrier_off, struct net_device *device)
{
	return carrier_at_source(device, false);
}

SEC("fentry/netif_carrier_on")
int BPF_PROG(carrier_on, struct net_device *device)
{
	return carrier_at_source(device, true);
}
