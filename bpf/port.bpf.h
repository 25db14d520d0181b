/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Link state: who tells that a cable is gone, and how it is counted once.
 *
 * rtnetlink alone can not: the kernel limits non-urgent link events to one a second and merges what
 * lies between (net/core/link_watch.c, LW_URGENT). So the kernel side looks for itself: with
 * fentry on netif_carrier_off and netif_carrier_on where the kernel allows tracing programs, else
 * with a timer that reads net_device->state. Never with both: fentry comes before the bit changes
 * (net/sched/sch_generic.c), and a look at that moment would be an edge back and forth.
 */
#ifndef HANET_PORT_BPF_H
#define HANET_PORT_BPF_H

#include "verdict.bpf.h"
#include <bpf/bpf_core_read.h>

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct net_device {
	unsigned int flags;
	unsigned long state;
	int ifindex;
	possible_net_t nd_net;
} __attribute__((preserve_access_index));

struct sk_buff {
	struct net_device *dev;
} __attribute__((preserve_access_index));

enum netdev_state_t { __LINK_STATE_NOCARRIER = 2 };

/* linux/if.h, which pulls in more than a BPF target has. */
#ifndef IFF_UP
#define IFF_UP 1
#endif

/* kernel/bpf/helpers.c and net/core/xdp.c, since 6.2. */
extern void *bpf_cast_to_kern_ctx(void *obj) __ksym __weak;
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* Decided by hanetd from what the kernel offers, before loading. */
const volatile bool use_link_poll = false;
/* The number of hanetd's network namespace: interface numbers repeat between namespaces. */
const volatile __u32 own_netns = 0;

static __noinline int carrier_seen(__u32 index, struct hanet_port *port, bool up, __u64 now)
{
	if (!port)
		return 0;
	__u32 before = port->carrier, after = up ? HANET_CARRIER_UP : HANET_CARRIER_DOWN;

	if (before == after || __sync_val_compare_and_swap(&port->carrier, before, after) != before)
		return 0;
	port->carrier_changed_ns = now;
	bool edge = before != HANET_CARRIER_UNKNOWN;

	if (edge)
		__sync_fetch_and_add(up ? &port->carrier_up_events : &port->carrier_down_events, 1);
	return carrier_changed(index, port, up, edge, now);
}

/* Keeps the address of the device for the link poll. Called for heartbeats only. */
static __always_inline void remember_device(struct __sk_buff *skb, struct hanet_port *port)
{
	if (!use_link_poll || port->net_device)
		return;
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);

	port->net_device = (__u64)kernel_skb->dev;
}

/* Whether the interface is up, as `ip link` has it; true where the kernel does not tell. */
static __always_inline bool port_is_up(const struct hanet_port *port)
{
	if (!use_link_poll || !port->net_device)
		return true;
	struct net_device *device = bpf_rdonly_cast((void *)port->net_device,
						    bpf_core_type_id_kernel(struct net_device));

	return device->ifindex != (int)port->ifindex || device->flags & IFF_UP;
}

/*
 * Where another source tells of links, all that is due here is what hangs on time alone and a look
 * at the parameters. A timer that fires ten times in a millisecond would wake a CPU for nothing.
 */
static __always_inline __u32 next_poll_us(__u32 link_poll_us)
{
	return use_link_poll || link_poll_us > HANET_REVIEW_US ? link_poll_us : HANET_REVIEW_US;
}

/*
 * New parameters hold at once and not from the next request or frame on, which may be an old
 * interval away. So does a shorter detection time for what is under way.
 */
static __noinline int params_follow(struct hanet_port *port)
{
	if (!port)
		return 0;
	for (__u32 i = 0; i < HANET_PORT_TARGETS; i++) {
		__u32 index;
		struct hanet_session *session = session_at(port, i, &index);

		if (!session)
			break;
		if (!params_apply_session(session))
			continue;
		if (session->state != HANET_SESSION_PAUSED &&
		    (session->sent > session->answered || session->counted_ns))
			arm_deadline(index, detection_time_ns(session));
	}
	return 0;
}

/*
 * Timer callback. Reading through bpf_rdonly_cast is safe for any address (a fault reads zero);
 * hanetd clears net_device when the device unregisters, so that a reused address is never believed.
 */
static int link_poll(void *map, __u32 *key, struct hanet_timer *poll)
{
	__u32 index = *key;
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &index);

	if (!port || !port->in_use)
		return 0;
	__u64 now = bpf_ktime_get_ns();

	if (use_link_poll && port->net_device) {
		struct net_device *device = bpf_rdonly_cast(
			(void *)port->net_device, bpf_core_type_id_kernel(struct net_device));
		__u32 bit = bpf_core_enum_value(enum netdev_state_t, __LINK_STATE_NOCARRIER);

		if (device->ifindex == (int)port->ifindex)
			carrier_seen(index, port, !(device->state >> bit & 1), now);
	}
	/* Whoever tells of links: what hangs on time alone is due here (bpf/trunk.bpf.h). */
	trunk_review(port);
	port_unattended(index, port, now);
	params_follow(port);
	port->link_polls++;
	port->last_link_poll_ns = now;
	timer_start(poll, (__u64)next_poll_us(params_apply_port(port)) * 1000);
	return 0;
}

#endif
