/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Redirection: traffic moves before the identity does.
 *
 * On a verdict the failed port's frames leave by the standby and what comes in at the standby is
 * handed to the failed port, so the sockets notice nothing while (or although nobody) reconfigures.
 * TC egress runs before the queueing discipline, so this works on a port without carrier, whose
 * queue would drop everything (net/core/dev.c, sch_handle_egress before __dev_xmit_skb).
 *
 * Where the standby is a trunk, the frames are spread over it, and where the failed path is one,
 * its lead speaks for it.
 *
 * A port that waits takes no broadcast and no multicast in: they arrive at the active port as well,
 * and the host would get each twice. (But where hanetd is gone and the group is released,
 * loss.bpf.h.)
 *
 * A port that bridges out is fenced inwards: what still arrives on the failed path is dropped, so
 * that a frame which the switch floods to both ports is received once.
 */
#ifndef HANET_STEER_BPF_H
#define HANET_STEER_BPF_H

#include "loss.bpf.h"
#include "mute.bpf.h"
#include "trunk.bpf.h"

/* One may be lost; they leave with heartbeats of the port, so an interval apart. */
#define STEER_ANNOUNCEMENTS 3

/* linux/if_packet.h, which pulls in more than a BPF target has. */
#define HANET_PACKET_HOST 0

/* Answers since `since` prove it: when the target itself dies, both paths fall silent together,
 * and bridging to a path that is only not yet declared dead helps nobody. */
static __always_inline bool port_is_proved(const struct hanet_port *port, __u64 since)
{
	return port->carrier != HANET_CARRIER_DOWN && port_answers_since(port, since);
}

/* A trunk has to be proved to stand although every port that is not were lost. */
static __noinline int path_is_proved(struct hanet_port *port, __u64 since)
{
	__u32 proved = 0;

	if (!port)
		return 0;
	struct hanet_trunk *trunk = trunk_of(port);

	if (!trunk)
		return port_is_proved(port, since);
	for (__u32 i = 0; i < HANET_TRUNK_PORTS; i++) {
		__u32 index = trunk->ports[i].port;
		struct hanet_port *one = bpf_map_lookup_elem(&ports, &index);

		if (i < trunk->count && one && port_is_proved(one, since))
			proved += trunk->ports[i].weight;
	}
	return !trunk_below_threshold(trunk, trunk->total - proved);
}

/* Changes the mode of all ports of the path, each only if it still is `before`. */
static __noinline int path_exchange_mode(__u32 lead, __u32 before, __u32 after)
{
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &lead);
	struct hanet_trunk *trunk = port ? trunk_of(port) : NULL;
	__u32 count = trunk ? trunk->count : 1;

	for (__u32 i = 0; i < HANET_TRUNK_PORTS; i++) {
		__u32 index = trunk ? trunk->ports[i].port : lead;
		struct hanet_steer *way = bpf_map_lookup_elem(&steer, &index);

		if (i >= count || !way)
			break;
		__sync_val_compare_and_swap(&way->mode, before, after);
	}
	return 0;
}

/* The port that speaks for the path of a port that has a verdict, or HANET_NONE while its trunk
 * stands. */
static __always_inline __u32 path_that_failed(__u32 index)
{
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &index);
	struct hanet_trunk *trunk = port ? trunk_of(port) : NULL;

	if (!trunk)
		return index;
	__u32 lead = trunk->lead;

	return lead < HANET_TRUNK_PORTS && trunk_is_down(trunk) ? trunk->ports[lead].port
								: HANET_NONE;
}

/*
 * Called with a verdict on `index`: bridges to the peer if the path is down with it, hanetd armed
 * it, and the peer's path has worked since the failure began (0: any proof will do). Returns 1 when
 * the kernel bridges now.
 */
static __noinline int steer_on_verdict(__u32 index, __u64 since, __u64 now)
{
	__u32 lead = path_that_failed(index);
	struct hanet_steer *failed = bpf_map_lookup_elem(&steer, &lead);

	if (!failed || !failed->armed)
		return 0;
	__u32 at_rest = failed->mode;

	if (at_rest != HANET_STEER_NONE && at_rest != HANET_STEER_LEAD)
		return 0;
	__u32 peer_index = failed->peer_port;
	struct hanet_port *peer = bpf_map_lookup_elem(&ports, &peer_index);

	if (!peer || !path_is_proved(peer, since) || !params_enabled(peer->group) ||
	    loss_of(peer->group, now) != HANET_LOSS_STEER)
		return 0;
	failed->steered_ns = now;
	if (__sync_val_compare_and_swap(&failed->mode, at_rest, HANET_STEER_BRIDGE_OUT) != at_rest)
		return 0;
	/* hanetd may begin to move the identity at this very moment: its mode wins. */
	path_exchange_mode(peer_index, HANET_STEER_IDLE, HANET_STEER_BRIDGE_IN);
	struct hanet_steer *instead = bpf_map_lookup_elem(&steer, &peer_index);

	if (instead)
		instead->announce = STEER_ANNOUNCEMENTS;
	/* This CPU stood still since, and the move is over: there is nothing to bridge to. */
	if (failed->mode != HANET_STEER_BRIDGE_OUT)
		path_exchange_mode(peer_index, HANET_STEER_BRIDGE_IN, HANET_STEER_IDLE);
	return 1;
}

static __always_inline bool path_works(const struct hanet_port *port)
{
	struct hanet_trunk *trunk = trunk_of(port);

	if (trunk)
		return !trunk_is_down(trunk);
	return port->carrier != HANET_CARRIER_DOWN && port_state(port) == HANET_SESSION_UP;
}

/*
 * The path works again from which the kernel side bridges: it returns. It stays armed: the next
 * verdict bridges again. A move by hanetd is no bridging of the kernel's: it disarms first
 * (Engine::begin_move).
 */
static __always_inline void steer_back(struct hanet_port *port, struct hanet_steer *way)
{
	__u32 at_rest = trunk_of(port) ? HANET_STEER_LEAD : HANET_STEER_NONE;

	if (__sync_val_compare_and_swap(&way->mode, HANET_STEER_BRIDGE_OUT, at_rest) !=
	    HANET_STEER_BRIDGE_OUT)
		return;
	way->announce = STEER_ANNOUNCEMENTS;
	path_exchange_mode(way->peer_port, HANET_STEER_BRIDGE_IN, HANET_STEER_IDLE);
	/* Another verdict at this very moment bridges again. */
	if (way->mode == HANET_STEER_BRIDGE_OUT)
		path_exchange_mode(way->peer_port, HANET_STEER_IDLE, HANET_STEER_BRIDGE_IN);
}

/* What port_unattended() does for a group without a device (device.bpf.h). */
static __noinline int steer_unattended(__u32 index, struct hanet_port *port, __u64 now)
{
	struct hanet_steer *way = bpf_map_lookup_elem(&steer, &index);

	if (!port || !way || !way->armed)
		return 0;
	if (way->mode == HANET_STEER_BRIDGE_OUT) {
		if (path_works(port))
			steer_back(port, way);
		return 0;
	}
	if (port->carrier == HANET_CARRIER_DOWN)
		return steer_on_verdict(index, 0, now);
	if (port_state(port) == HANET_SESSION_DOWN)
		return steer_on_verdict(index, port_silent_since(port), now);
	return 0;
}

/*
 * The port's mode, but where hanetd is away and the group is released: what waits passes
 * everything, and what failed sends as it always did. A move of hanetd's that was cut off is none
 * of the kernel's own bridges (it is not armed) and stays as it is: half of the identity is there.
 */
static __always_inline __u32 mode_in_force(const struct hanet_steer *way, struct hanet_port *port)
{
	__u32 mode = way->mode;
	bool bridges = mode == HANET_STEER_BRIDGE_OUT && way->armed;

	if (!bridges && mode != HANET_STEER_IDLE && mode != HANET_STEER_BRIDGE_IN)
		return mode;
	if (!is_released(port->group))
		return mode;
	return bridges && trunk_of(port) ? HANET_STEER_LEAD : HANET_STEER_NONE;
}

/* Of the interface that bridging goes to, 0 (which drops) if there is none. */
static __always_inline __u32 peer_ifindex(const struct hanet_steer *way)
{
	__u32 index = way->peer_port;
	struct hanet_port *peer = bpf_map_lookup_elem(&ports, &index);

	return peer ? peer->ifindex : 0;
}

/* In one load: hanetd may write another address at this moment. */
static __always_inline __u64 identity_mac_of_port(const struct hanet_steer *way)
{
	return *(const volatile __u64 *)&way->identity_mac;
}

static __always_inline int bridge_out(struct __sk_buff *skb, struct hanet_steer *way,
				      struct ethhdr *ethernet)
{
	__u32 index = way->peer_port;
	struct hanet_port *peer = bpf_map_lookup_elem(&ports, &index);
	struct hanet_trunk *trunk = peer ? trunk_of(peer) : NULL;

	__sync_fetch_and_add(&way->redirected_out, 1);
	if (trunk)
		return trunk_send(skb, trunk, ethernet);
	return bpf_redirect(peer ? peer->ifindex : 0, 0);
}

static __always_inline int steer_egress(struct __sk_buff *skb, struct cursor *cursor,
					struct hanet_steer *way, struct hanet_port *port,
					struct ethhdr *ethernet)
{
	__u32 mode = mode_in_force(way, port);

	if (misuses_identity(skb, cursor, mode, port, ethernet)) {
		__sync_fetch_and_add(&way->muted, 1);
		return TC_ACT_SHOT;
	}
	if (mode == HANET_STEER_BRIDGE_OUT)
		return bridge_out(skb, way, ethernet);
	/* Announcements leave by the port that the identity's frames will come in by. */
	if (mode == HANET_STEER_LEAD || mode == HANET_STEER_ADOPT ||
	    mode == HANET_STEER_BRIDGE_IN) {
		struct hanet_trunk *trunk = trunk_of(port);

		return trunk ? trunk_send(skb, trunk, ethernet) : TC_ACT_UNSPEC;
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int fence(struct hanet_steer *way)
{
	__sync_fetch_and_add(&way->fenced, 1);
	return TC_ACT_SHOT;
}

static __always_inline int hand_to(struct __sk_buff *skb, struct hanet_steer *way, __u32 ifindex)
{
	__sync_fetch_and_add(&way->redirected_in, 1);
	skb->mark = HANET_STEER_MARK;
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

/*
 * A frame that came in at a port of a trunk that has the identity, or will in a moment. Returns
 * a TC action, or -2 when it is to be handed to `ifindex`.
 */
static __always_inline int trunk_receive(struct __sk_buff *skb, struct hanet_steer *way,
					 struct hanet_trunk *trunk, struct hanet_port *port,
					 struct ethhdr *ethernet, __u32 ifindex)
{
	__u64 identity = identity_mac_of_port(way);

	switch (trunk_arrival(trunk, port->trunk_slot, (__u8 *)&identity, ethernet)) {
	case TRUNK_SECOND_COPY:
		return TC_ACT_SHOT;
	case TRUNK_FOREIGN:
		return TC_ACT_UNSPEC;
	case TRUNK_OURS_BY_WIRE:
		bpf_skb_store_bytes(skb, 0, &identity, ETH_ALEN, 0);
		if (skb->ifindex == ifindex)
			bpf_skb_change_type(skb, HANET_PACKET_HOST);
		break;
	}
	if (skb->ifindex == ifindex)
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(&trunk->gathered_in, 1);
	return hand_to(skb, way, ifindex);
}

/* At a port of the active trunk that is not its lead. */
static __always_inline int member_receive(struct __sk_buff *skb, struct hanet_steer *way,
					  struct hanet_trunk *trunk, struct hanet_port *port,
					  struct ethhdr *ethernet)
{
	__u32 slot = trunk->lead;

	if (slot >= HANET_TRUNK_PORTS)
		return TC_ACT_UNSPEC;
	__u32 lead = trunk->ports[slot].port;
	struct hanet_steer *leading = bpf_map_lookup_elem(&steer, &lead);

	if (leading && mode_in_force(leading, port) == HANET_STEER_BRIDGE_OUT)
		return fence(way);
	return trunk_receive(skb, way, trunk, port, ethernet, trunk->ports[slot].ifindex);
}

static __always_inline int bridge_in(struct __sk_buff *skb, struct hanet_steer *way,
				     struct hanet_trunk *trunk, struct hanet_port *port,
				     struct ethhdr *ethernet)
{
	if (trunk)
		return trunk_receive(skb, way, trunk, port, ethernet, peer_ifindex(way));
	/*
	 * A network that floods (a hub, a promiscuous port group) brings here what is for the
	 * failed path's probe addresses. Handed over it would prove a path by which nothing comes
	 * in, where XDP is generic or taken.
	 */
	__u32 failed = way->peer_port;
	struct hanet_port *peer = bpf_map_lookup_elem(&ports, &failed);

	__u32 ifindex = peer ? peer->ifindex : 0;

	if (peer && probe_owner(ethernet->h_dest, &failed, &peer))
		return TC_ACT_UNSPEC;
	return hand_to(skb, way, ifindex);
}

static __always_inline int steer_ingress(struct __sk_buff *skb, struct hanet_steer *way,
					 struct hanet_port *port, struct ethhdr *ethernet)
{
	struct hanet_trunk *trunk = trunk_of(port);
	bool handed = skb->mark == HANET_STEER_MARK;
	__u32 mode = mode_in_force(way, port);

	if (mode == HANET_STEER_IDLE)
		return mac_is_group(ethernet->h_dest) ? fence(way) : TC_ACT_UNSPEC;
	if (mode == HANET_STEER_BRIDGE_IN)
		return bridge_in(skb, way, trunk, port, ethernet);
	if (mode == HANET_STEER_MEMBER)
		return trunk ? member_receive(skb, way, trunk, port, ethernet) : TC_ACT_UNSPEC;
	if (mode == HANET_STEER_ADOPT) {
		skb->mark = handed ? 0 : skb->mark;
		__u64 identity = identity_mac_of_port(way);

		if (mac_equal(ethernet->h_dest, (__u8 *)&identity)) {
			__sync_fetch_and_add(&way->redirected_in, 1);
			bpf_skb_change_type(skb, HANET_PACKET_HOST);
		}
		return TC_ACT_UNSPEC;
	}
	if (handed && (mode == HANET_STEER_BRIDGE_OUT || mode == HANET_STEER_LEAD)) {
		skb->mark = 0;
		return TC_ACT_UNSPEC;
	}
	if (mode == HANET_STEER_LEAD)
		return trunk ? trunk_receive(skb, way, trunk, port, ethernet, skb->ifindex)
			     : TC_ACT_UNSPEC;
	return mode == HANET_STEER_BRIDGE_OUT ? fence(way) : TC_ACT_UNSPEC;
}

#endif
