/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pacer: requests that need no process (spec M12).
 *
 * A sender that is a process is late when the scheduler is, and silent when the process is dead. So
 * one frame, the token, goes round in a veth pair for ever: a queueing discipline holds it until
 * something is due, the far end runs tc_pacer, which sends what is due and sends the token on. It
 * leaves by the ports as any frame does, so tc_egress stamps what it sends.
 *
 * What is sent when is decided by the rules of hanetd's thread (userspace/engine/beat.h), which
 * sends while there is no token: after a stall one request and no burst; at most one search a
 * second; now and then a look at who else has the target's address.
 *
 * One writer: the token. A second one, which a hanetd may have put in because it took the first for
 * lost, has another number and is dropped.
 *
 * fq holds a frame until its departure time (skb->tstamp). tbf holds it until it has so many tokens
 * as the frame has bytes, at one byte in a microsecond, so its length is the time. What tbf has
 * saved up while it was late would let the next rounds through at once, so the pacer keeps the
 * account: `next_ns` is the time up to which everything is spent. It can only guess, and a guess
 * that is too high makes every round too long for good; so it never guesses high for long:
 *
 * - tbf saves no more than its burst, counted before it takes the frame (tbf_dequeue);
 * - a frame that is here has been paid, so nothing beyond now is spent;
 * - of what seems to be saved a sixteenth is forgotten in each round.
 */
#ifndef HANET_PACER_BPF_H
#define HANET_PACER_BPF_H

#include "port.bpf.h"

enum {
	PACER_SECOND_NS = 1000000000,
	PACER_LOOK_GAP = 10, /* seconds; userspace/engine/beat.h, kLookGap */
	/* So many requests leave in one round. */
	PACER_TOGETHER = 8,
	/* Two of a host's requests so near to each other leave in one round. */
	PACER_SLACK_NS = 20000,
	/* The shortest token: a round costs some microseconds, and one that is due at once is no
	 * reason to run without pause. */
	PACER_ROUND_MIN_NS = 64000,
	/* fq needs no short token: with long intervals it comes round seldom, because each round
	 * wakes a CPU. A change of an interval waits for it. */
	PACER_FQ_ROUND_MAX_NS = 10000000,
	/* A part of what seems to be saved. A wrong guess is gone in some 16 rounds; of what a
	 * timer is usually late (50 us) it takes less than PACER_SLACK_NS. */
	PACER_FORGETS = 16,
};

struct pacing {
	struct __sk_buff *skb;
	__u64 now;
	__u64 next;
};

static __always_inline bool pace_once_in(__u64 gap, __u64 *last, __u64 now)
{
	if (*last && now - *last < gap)
		return false;
	*last = now;
	return true;
}

/* Puts the frame on the token's back, and a copy of it on the wire. The token keeps its length. */
static __noinline int pace_send(struct __sk_buff *skb, const struct hanet_frame *frame,
				const struct hanet_session *session, __u32 ifindex)
{
	if (!frame || !session)
		return -1;
	__u32 length = frame->length;

	if (length < ETH_HLEN || length > HANET_PACED_BYTES)
		return -1;
	if (bpf_skb_change_tail(skb, HANET_PACED_BYTES, 0) ||
	    bpf_skb_store_bytes(skb, 0, frame->bytes, HANET_PACED_BYTES, 0))
		return -1;
	if (!mac_is_group(frame->bytes))
		bpf_skb_store_bytes(skb, 0, session->target_mac, ETH_ALEN, 0);
	if (bpf_skb_change_tail(skb, length, 0))
		return -1;
	return bpf_clone_redirect(skb, ifindex, 0) ? -1 : 0;
}

/* A frame that tc_egress stamps; does it? A program in front of hanet's may hide frames. */
static __always_inline void pace_request(struct __sk_buff *skb, struct hanet_paced *mine,
					 const struct hanet_frame *frame,
					 const struct hanet_session *session, __u32 ifindex)
{
	__u64 before = session->sent;

	if (pace_send(skb, frame, session, ifindex)) {
		mine->refused++;
		return;
	}
	mine->unstamped = session->sent != before ? 0 : mine->unstamped + 1;
}

static __always_inline bool pace_is_rivalled(const struct hanet_session *session, __u64 now)
{
	__u64 rival = session->rival_heard_ns;

	return rival && now - rival < (__u64)PACER_LOOK_GAP * PACER_SECOND_NS;
}

/* What a session sends with a beat that is due. */
static __noinline int pace_beat(struct __sk_buff *skb, struct hanet_paced *mine,
				const struct hanet_session *session, __u32 ifindex)
{
	if (!mine || !session)
		return 0;
	__u64 now = bpf_ktime_get_ns(), unanswered = session->sent - session->answered;
	bool known = session->target_mac_known, can_search = mine->search.length;
	bool missing = unanswered >= 2, is_signed = session->kind == HANET_HEARTBEAT_HANET;

	if (can_search && (!known || (missing && !is_signed)) &&
	    pace_once_in(PACER_SECOND_NS, &mine->searched_ns, now)) {
		mine->searches++;
		pace_request(skb, mine, &mine->search, session, ifindex);
		return 0;
	}
	if (!known)
		return 0;
	bool often = missing || pace_is_rivalled(session, now);
	__u64 gap = often ? PACER_SECOND_NS : (__u64)PACER_LOOK_GAP * PACER_SECOND_NS;

	/* Missing, and signed: nobody's answer to a search counts, so it takes no heartbeat's
	 * place. */
	if (can_search && (!unanswered || missing) && now - mine->searched_ns >= gap &&
	    pace_once_in(gap, &mine->looked_ns, now))
		pace_send(skb, &mine->search, session, ifindex);
	pace_request(skb, mine, &mine->heartbeat, session, ifindex);
	if (mine->refresh.length && pace_once_in(PACER_SECOND_NS, &mine->refreshed_ns, now))
		pace_send(skb, &mine->refresh, session, ifindex);
	return 0;
}

/* RFC 903: who am I? Hypervisors tell switches so where a guest is now. */
struct rarp_frame {
	struct ethhdr ethernet;
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u8 sender[ETH_ALEN];
	__u8 sender_address[4];
	__u8 target[ETH_ALEN];
	__u8 target_address[4];
	__u8 padding[18]; /* to the shortest frame of Ethernet */
} __attribute__((packed));

/*
 * The kernel side has begun to bridge by this port, or returned to it: a frame from the identity's
 * MAC address shows the switches where it is, although the host itself may be silent. They learn
 * it for frames without a VLAN tag.
 */
static __noinline int pace_announce(struct __sk_buff *skb, __u32 index, __u32 ifindex)
{
	struct hanet_steer *way = bpf_map_lookup_elem(&steer, &index);

	struct hanet_port *port = bpf_map_lookup_elem(&ports, &index);

	if (!way || !way->announce || !port)
		return 0;
	bool bridged_to = way->mode == HANET_STEER_BRIDGE_IN && !is_released(port->group);

	if (!bridged_to && way->mode != HANET_STEER_NONE && way->mode != HANET_STEER_LEAD &&
	    !is_used_by_device(way, index, port)) {
		way->announce = 0; /* it is elsewhere by now */
		return 0;
	}
	__u64 identity = identity_mac_of_port(way);
	struct rarp_frame frame = {
		.ethernet.h_proto = bpf_htons(0x8035),
		.hardware = bpf_htons(1),
		.protocol = bpf_htons(ETH_P_IP),
		.hardware_length = ETH_ALEN,
		.protocol_length = 4,
		.operation = bpf_htons(3),
	};

	way->announce--;
	if (!identity)
		return 0;
	__builtin_memset(frame.ethernet.h_dest, 0xff, ETH_ALEN);
	__builtin_memcpy(frame.ethernet.h_source, &identity, ETH_ALEN);
	__builtin_memcpy(frame.sender, &identity, ETH_ALEN);
	__builtin_memcpy(frame.target, &identity, ETH_ALEN);
	if (bpf_skb_change_tail(skb, sizeof(frame), 0) ||
	    bpf_skb_store_bytes(skb, 0, &frame, sizeof(frame), 0))
		return -1;
	return bpf_clone_redirect(skb, ifindex, 0) ? -1 : 0;
}

/*
 * The next beat of a session after `now`. Beats of one interval share a round, because each costs
 * one, but not more than PACER_TOGETHER: the rest of them come a round later, and so on, as far as
 * the interval has room for rounds. No burst fills a queue.
 */
static __always_inline __u64 pace_next(__u32 index, __u64 interval, __u64 now)
{
	__u64 phase = (__u64)(index / PACER_TOGETHER) * PACER_ROUND_MIN_NS % interval;
	__u64 due = now / interval * interval + phase;

	return due > now ? due : due + interval;
}

/*
 * The beat after one that was due then and left now. Held up, it is half an interval away: of two
 * requests of one moment a neighbour's answer says only the newer one (ARP has no number), the
 * other would count as lost, and the network as one that limits them (M10). Not more than half, or
 * a machine whose timers are always so late would ask every other time. Otherwise, and after a
 * stall, it is where it always is.
 */
static __always_inline __u64 pace_after(__u32 index, __u64 interval, __u64 due, __u64 now)
{
	__u64 late = now > due ? now - due : 0;

	if (late >= interval / 2 && late < interval)
		return now + interval / 2;
	return pace_next(index, interval, now + interval / 2);
}

static __always_inline __u64 pace_due(const struct hanet_paced *mine, __u32 index, __u64 interval,
				      __u64 now)
{
	/* It begins, or the interval became shorter: after a stall the next beat is at most one
	 * interval and a half away. */
	if (!mine->next_ns || mine->next_ns > now + interval + interval / 2)
		return pace_next(index, interval, now);
	return mine->next_ns;
}

static long pace_session(__u32 index, struct pacing *round)
{
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);
	struct hanet_paced *mine = bpf_map_lookup_elem(&paced, &index);

	if (!session || !mine)
		return 1;
	if (!mine->is_paced || !session->in_use || session->state == HANET_SESSION_PAUSED) {
		mine->next_ns = 0;
		return 0;
	}
	__u32 at = session->port;
	struct hanet_port *port = bpf_map_lookup_elem(&ports, &at);
	__u64 interval = (__u64)session->interval_us * 1000;

	if (!port || interval < HANET_INTERVAL_MIN_US * 1000)
		return 0;
	__u64 due = pace_due(mine, index, interval, round->now);

	if (due <= round->now + PACER_SLACK_NS) {
		if (port->ifindex && port_is_up(port)) {
			if (index == port->session)
				pace_announce(round->skb, at, port->ifindex);
			pace_beat(round->skb, mine, session, port->ifindex);
		}
		if (round->now > due && round->now - due > mine->late_max_ns)
			mine->late_max_ns = round->now - due;
		due = pace_after(index, interval, due, round->now);
	}
	mine->next_ns = due;
	if (due < round->next)
		round->next = due;
	return 0;
}

/* Up to when tbf's tokens are spent, now that a token of so many bytes has come round. */
static __always_inline __u64 token_spent(const struct hanet_pacer *me, __u64 now, __u32 bytes)
{
	__u64 price = (__u64)bytes * 1000, spent = me->next_ns;
	__u64 least = now - HANET_TOKEN_MAX_NS + price;

	if (spent < least)
		spent = least;
	if (spent > now)
		spent = now;
	return spent + (now - spent) / PACER_FORGETS;
}

/* The length by which tbf lets the token come at `next`, after one of `bytes` came. */
static __always_inline __u32 token_length(struct hanet_pacer *me, __u64 now, __u64 next,
					  __u32 bytes)
{
	__u64 spent = token_spent(me, now, bytes);
	__u64 length = next > spent ? next - spent : 0;

	if (length < PACER_ROUND_MIN_NS)
		length = PACER_ROUND_MIN_NS;
	if (length > HANET_TOKEN_MAX_NS)
		length = HANET_TOKEN_MAX_NS;
	length /= 1000;
	me->next_ns = spent + length * 1000;
	return length;
}

/* Sends the token on, which came with so many bytes, to come round when something is due. */
static __always_inline int token_go(struct __sk_buff *skb, struct hanet_pacer *me, __u32 bytes,
				    const struct pacing *round)
{
	struct {
		struct ethhdr ethernet;
		struct hanet_token token;
	} __attribute__((packed)) head = {
		.ethernet = {.h_proto = bpf_htons(HANET_TOKEN_TYPE)},
		.token = {.magic = HANET_TOKEN_MAGIC, .number = me->token},
	};
	__u32 length = HANET_PACED_BYTES;

	if (me->mode == HANET_PACER_TBF)
		length = token_length(me, round->now, round->next, bytes);
	else
		me->next_ns = round->next;
	if (bpf_skb_change_tail(skb, length, 0) ||
	    bpf_skb_store_bytes(skb, 0, &head, sizeof(head), 0))
		return TC_ACT_SHOT;
	return bpf_redirect(me->ifindex, 0);
}

/* Everything else that is on the pair is the network stack's own, and nobody's. */
static __always_inline bool token_is_ours(struct __sk_buff *skb, const struct hanet_pacer *me)
{
	struct cursor cursor = {(void *)(long)skb->data, (void *)(long)skb->data_end};
	struct ethhdr *ethernet = cursor_take(&cursor, struct ethhdr);
	struct hanet_token *token = cursor_take(&cursor, struct hanet_token);

	return ethernet && token && ethernet->h_proto == bpf_htons(HANET_TOKEN_TYPE) &&
	       token->magic == HANET_TOKEN_MAGIC && token->number == me->token;
}

static __always_inline int pacer_round(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct hanet_pacer *me = bpf_map_lookup_elem(&pacer, &zero);

	if (!me || me->mode == HANET_PACER_NONE || !token_is_ours(skb, me)) {
		if (me)
			me->strays++;
		return TC_ACT_SHOT;
	}
	__u32 bytes = skb->len; /* what is sent below goes by the same buffer */
	__u64 now = bpf_ktime_get_ns();
	__u64 most = me->mode == HANET_PACER_FQ ? PACER_FQ_ROUND_MAX_NS : HANET_TOKEN_MAX_NS;
	struct pacing round = {.skb = skb, .now = now, .next = now + most};

	me->rounds++;
	me->round_ns = now;
	bpf_loop(me->sessions, pace_session, &round, 0);
	return token_go(skb, me, bytes, &round);
}

/* At the end that the token is sent into: fq goes by what is written here. */
static __always_inline int pacer_departs(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct hanet_pacer *me = bpf_map_lookup_elem(&pacer, &zero);

	if (me && me->mode == HANET_PACER_FQ)
		skb->tstamp = me->next_ns;
	return TC_ACT_UNSPEC;
}

#endif
