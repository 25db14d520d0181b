/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The metanetwork device: the identity stays where it is, and the device uses another path (spec
 * A3).
 *
 * What the device sends leaves by the path that it uses, and what comes in at a port of that path
 * is handed to it. `hanet_device.port` says which path, both ways, so a switch is one store. A path
 * that it does not use takes nothing in: its frames would be second copies, or show a bridge above
 * the device the same host behind two paths.
 *
 * All paths of such a group are equal. On a verdict the next one that is proved is used, and it
 * stays so: with hanetd, which asks for another one where a person or `failback` wants that, and
 * without.
 */
#ifndef HANET_DEVICE_BPF_H
#define HANET_DEVICE_BPF_H

#include "steer.bpf.h"

static __always_inline struct hanet_device *device_of(__u32 group)
{
	struct hanet_device *device = bpf_map_lookup_elem(&devices, &group);

	return device && device->ifindex ? device : NULL;
}

/* Is it a port of the path that `other` is a port of? */
static __always_inline bool is_on_path_of(__u32 index, const struct hanet_port *port, __u32 other)
{
	if (index == other)
		return true;
	if (!port->trunk)
		return false;
	struct hanet_port *there = bpf_map_lookup_elem(&ports, &other);

	return there && there->trunk == port->trunk;
}

/* IEEE 802.1Q, table 8-1: what stays on the link. LLDP, LACP, pause and 802.1X are about the port;
 * spanning tree is about the bridge that the device may belong to. */
static __always_inline bool is_of_the_link(const __u8 *mac)
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && !mac[3] && !mac[4] && mac[5] &&
	       mac[5] < 0x10;
}

/* A frame that came in at a port of the path that the device uses. Returns a TC action. */
static __always_inline int device_receive(struct __sk_buff *skb, struct hanet_device *device,
					  __u32 index, struct hanet_port *port,
					  struct ethhdr *ethernet)
{
	if (is_of_the_link(ethernet->h_dest))
		return TC_ACT_UNSPEC;
	if (!is_on_path_of(index, port, device->port)) {
		__sync_fetch_and_add(&device->refused, 1);
		return TC_ACT_SHOT;
	}
	struct hanet_trunk *trunk = trunk_of(port);

	if (!trunk)
		return bpf_redirect(device->ifindex, BPF_F_INGRESS);
	__u64 mac = *(const volatile __u64 *)&device->mac;

	switch (trunk_arrival(trunk, port->trunk_slot, (__u8 *)&mac, ethernet)) {
	case TRUNK_SECOND_COPY:
		return TC_ACT_SHOT;
	case TRUNK_FOREIGN:
		/* A guest's, where the device is a bridge's: plain switches flood it to every port.
		 */
		if (trunk->mode == HANET_TRUNK_INDEPENDENT && port->trunk_slot != trunk->speaker)
			return TC_ACT_SHOT;
		break;
	case TRUNK_OURS_BY_WIRE:
		bpf_skb_store_bytes(skb, 0, &mac, ETH_ALEN, 0);
		break;
	}
	return bpf_redirect(device->ifindex, BPF_F_INGRESS);
}

/* A frame of the device. Returns a TC action. */
static __always_inline int device_send(struct __sk_buff *skb, struct hanet_device *device,
				       struct ethhdr *ethernet)
{
	__u32 index = device->port;
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &index);

	if (!port) {
		__sync_fetch_and_add(&device->unsent, 1);
		return TC_ACT_SHOT;
	}
	struct hanet_trunk *trunk = trunk_of(port);

	if (!trunk)
		return bpf_redirect(port->ifindex, 0);
	__u64 mac = *(const volatile __u64 *)&device->mac;

	/* A guest's behind a bridge: its address is on one port, and has no other on the wire. */
	if (trunk->mode == HANET_TRUNK_INDEPENDENT && !mac_equal(ethernet->h_source, (__u8 *)&mac))
		return trunk_send_by_speaker(skb, trunk);
	int action = trunk_send(skb, trunk, ethernet);

	return action == TC_ACT_UNSPEC ? TC_ACT_SHOT : action;
}

/* Does the path of the port carry what a device sends? */
static __always_inline bool is_used_by_device(const struct hanet_steer *way, __u32 index,
					      const struct hanet_port *port)
{
	struct hanet_device *device =
		way->mode == HANET_STEER_DEVICE ? device_of(port->group) : NULL;

	return device && is_on_path_of(index, port, device->port);
}

/* The first other path that is proved since `since`, by one of its ports; HANET_NONE: none is. */
static __always_inline __u32 device_next(const struct hanet_device *device, __u32 failed,
					 const struct hanet_port *port, __u64 since)
{
	for (__u32 i = 0; i < HANET_MAX_PATHS; i++) {
		if (i >= device->paths)
			break;
		__u32 lead = device->leads[i];
		struct hanet_port *other = bpf_map_lookup_elem(&ports, &lead);

		if (!other || is_on_path_of(failed, port, lead))
			continue;
		if (path_is_proved(other, since))
			return lead;
	}
	return HANET_NONE;
}

/* Switches are shown the way by the port that speaks, and the next hanetd that there is something
 * to announce. */
static __noinline int device_show(__u32 index, __u32 before, __u64 now)
{
	struct hanet_port *chosen = bpf_map_lookup_elem(&ports, &index);
	struct hanet_trunk *trunk = chosen ? trunk_of(chosen) : NULL;
	__u32 slot = trunk ? trunk->speaker : 0;
	struct hanet_steer *left = bpf_map_lookup_elem(&steer, &before);

	if (trunk && slot < HANET_TRUNK_PORTS)
		index = trunk->ports[slot].port;
	struct hanet_steer *way = bpf_map_lookup_elem(&steer, &index);

	if (way)
		way->announce = STEER_ANNOUNCEMENTS;
	if (left)
		left->steered_ns = now;
	return 0;
}

/*
 * As steer_on_verdict(), for a group with a device. A global function: verified once for all that
 * leads here. Returns 1 when the device uses another path now.
 */
__noinline int device_on_verdict(__u32 index, __u64 since, __u64 now)
{
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &index);
	struct hanet_device *device = port ? device_of(port->group) : NULL;

	if (!device || !device->armed || path_that_failed(index) == HANET_NONE)
		return 0;
	__u32 before = device->port;

	if (!is_on_path_of(index, port, before) || !params_enabled(port->group) ||
	    loss_of(port->group, now) != HANET_LOSS_STEER)
		return 0;
	__u32 next = device_next(device, index, port, since);

	if (next == HANET_NONE)
		return 0;
	/* hanetd may choose at this very moment: it knows as much. */
	if (__sync_val_compare_and_swap(&device->port, before, next) != before)
		return 0;
	device->switched_ns = now;
	__sync_fetch_and_add(&device->switches, 1);
	device_show(next, before, now);
	return 1;
}

/* The path of `index` has failed with it, or has not: what is done about it is the group's kind. */
static __always_inline int path_on_verdict(__u32 index, __u64 since, __u64 now)
{
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &index);

	if (port && device_of(port->group))
		return device_on_verdict(index, since, now);
	return steer_on_verdict(index, since, now);
}

/*
 * At each look at a port: what hanetd would see to if it ran. The verdict alone is not enough: at
 * that moment no other path may have been proved.
 */
static __noinline int port_unattended(__u32 index, struct hanet_port *port, __u64 now)
{
	if (!port || engine_is_attended(now))
		return 0;
	if (!device_of(port->group))
		return steer_unattended(index, port, now);
	if (port->carrier == HANET_CARRIER_DOWN)
		return device_on_verdict(index, 0, now);
	if (port_state(port) == HANET_SESSION_DOWN)
		return device_on_verdict(index, port_silent_since(port), now);
	return 0;
}

#endif
