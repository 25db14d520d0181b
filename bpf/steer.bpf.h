/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Redirection: traffic moves before the identity does.
 *
 * On a verdict the failed port's frames leave by the standby and what comes in at the standby is
 * handed to the failed port, so the sockets notice nothing while (or although nobody) reconfigures.
 * TC egress runs before the queueing discipline, so this works on a port without carrier, whose
 * queue would drop everything (net/core/dev.c, sch_handle_egress before __dev_xmit_skb).
 *
 * A port that bridges out is fenced inwards: what still arrives on the failed path is dropped, so
 * that a frame which the switch floods to both ports is received once.
 */
#ifndef HANET_STEER_BPF_H
#define HANET_STEER_BPF_H

#include <linux/pkt_cls.h>
#include "params.bpf.h"
#include "parse.bpf.h"

/* linux/if_packet.h, which pulls in more than a BPF target has. */
#define HANET_PACKET_HOST 0

/* A reply since `since` proves it: when the target itself dies, both paths fall silent together,
 * and bridging to a path that is only not yet declared dead helps nobody. */
static __always_inline bool session_proves_path(__u32 index, __u64 since)
{
	if (index == HANET_NONE)
		return false;
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);

	return session && session->state == HANET_SESSION_UP && session->last_reply_ns > since;
}

/*
 * Called with a verdict on `index`: bridges to the peer if hanetd armed it and the peer's path has
 * worked since the failure began (0: any proof will do). Returns 1 when the kernel bridges now.
 */
static __noinline int steer_on_verdict(__u32 index, __u64 since, __u64 now)
{
	struct hanet_steer *failed = bpf_map_lookup_elem(&steer, &index);

	if (!failed || !failed->armed || failed->mode != HANET_STEER_NONE)
		return 0;
	__u32 peer_index = failed->peer_port;
	struct hanet_steer *standby = bpf_map_lookup_elem(&steer, &peer_index);
	struct hanet_port *peer = bpf_map_lookup_elem(&ports, &peer_index);

	if (!standby || !peer || peer->carrier == HANET_CARRIER_DOWN)
		return 0;
	if (!session_proves_path(peer->session, since) || !params_enabled(peer->group))
		return 0;
	failed->steered_ns = now;
	if (__sync_val_compare_and_swap(&failed->mode, HANET_STEER_NONE, HANET_STEER_BRIDGE_OUT) !=
	    HANET_STEER_NONE)
		return 0;
	/* hanetd may begin to move the identity at this very moment: its mode wins. */
	__sync_val_compare_and_swap(&standby->mode, HANET_STEER_NONE, HANET_STEER_BRIDGE_IN);
	/* This CPU stood still since, and the move is over: there is nothing to bridge to. */
	if (failed->mode != HANET_STEER_BRIDGE_OUT)
		__sync_val_compare_and_swap(&standby->mode, HANET_STEER_BRIDGE_IN,
					    HANET_STEER_NONE);
	return 1;
}

static __always_inline int steer_egress(struct hanet_steer *way)
{
	if (way->mode == HANET_STEER_BRIDGE_OUT) {
		__sync_fetch_and_add(&way->redirected_out, 1);
		return bpf_redirect(way->peer_ifindex, 0);
	}
	if (way->mode == HANET_STEER_FENCE) {
		__sync_fetch_and_add(&way->fenced, 1);
		return TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int steer_ingress(struct __sk_buff *skb, struct hanet_steer *way,
					 struct ethhdr *ethernet)
{
	if (way->mode == HANET_STEER_BRIDGE_IN) {
		__sync_fetch_and_add(&way->redirected_in, 1);
		skb->mark = HANET_STEER_MARK;
		return bpf_redirect(way->peer_ifindex, BPF_F_INGRESS);
	}
	if (way->mode == HANET_STEER_ADOPT) {
		if (mac_equal(ethernet->h_dest, way->identity_mac)) {
			__sync_fetch_and_add(&way->redirected_in, 1);
			bpf_skb_change_type(skb, HANET_PACKET_HOST);
		}
		return TC_ACT_UNSPEC;
	}
	if (way->mode == HANET_STEER_BRIDGE_OUT && skb->mark == HANET_STEER_MARK) {
		skb->mark = 0;
		return TC_ACT_UNSPEC;
	}
	__sync_fetch_and_add(&way->fenced, 1);
	return TC_ACT_SHOT;
}

#endif
