/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the kernel side and user space agree on: map values, event records, heartbeat payload,
 * limits.
 *
 * Both languages include this file and siphash.h and nothing else in common, so a layout can not
 * differ between them: widths are fixed, padding is written out, sizes are asserted by both
 * compilers, and a test compares them with the BTF that the kernel loaded. Every field names its
 * unit. Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns).
 *
 * Who writes: "config" fields are written by hanetd before `in_use` is set; everything else in
 * sessions and ports is written by the kernel side and only read by user space. params is written
 * by people and programs (hanetctl, bpftool) at any time and never trusted: the kernel side clamps.
 *
 * What changes while the programs run is a field of 4 or 8 bytes, written by one store and read by
 * one load, with three exceptions that are six bytes: target_mac, rival_mac and wire_mac. Who reads
 * one of them at the moment of the change may get bytes of both addresses; a frame with such an
 * address reaches nobody, and the next one has the new address.
 */
#ifndef HANET_ABI_H
#define HANET_ABI_H

#include <linux/types.h>

#include "hanet/siphash.h"

#ifdef __cplusplus
#define HANET_ASSERT(condition) static_assert(condition, #condition)
#else
#define HANET_ASSERT(condition) _Static_assert(condition, #condition)
#endif

enum {
	HANET_MAX_PORTS = 64,
	HANET_MAX_SESSIONS = 128,
	HANET_PORT_TARGETS = 4, /* whom one port asks, a session each */
	HANET_MAX_GROUPS = 16,
	HANET_MAX_PATHS = 8,	  /* of a group */
	HANET_LOW_IFINDEX = 4096, /* interface numbers below it are found fastest */
	HANET_MAX_TRUNKS = 32,
	HANET_MAX_IDENTITY_IPV4 = 4096, /* of all groups together */
	HANET_TRUNK_PORTS = 16,
	HANET_WINDOW = 64, /* requests remembered per session; above the largest multiplier */
	HANET_RTT_BUCKETS = 32,
	HANET_MAX_CPUS = 1024,	       /* watched for standing still */
	HANET_STALL_MAX_NS = 20000000, /* a verdict waits no longer for other CPUs, counted from its
					  first look; single stalls of 20 ms were measured on
					  virtual machines */
	HANET_REHASH_NS = 200000000,   /* static trunk: after a lost carrier the switch chooses new
					  ports for its flows, and until then replies are lost that
					  it sends by the dead one */
	HANET_RIVAL_COUNTS_NS = 1000000000, /* so long somebody is remembered who said that he is
					       the target, in case the target falls silent */
	HANET_UNATTENDED_MS = 2000, /* hanetd shows 20 times a second that it runs, but not while it
				     * moves an identity; the kernel side takes nothing back
				     * before it is away for that long */
	HANET_REVIEW_US = 5000,	    /* at least, from one look at a port to the next, where no link
				       poll is needed: fentry or rtnetlink tells */
	HANET_EVENT_RING_BYTES = 256 * 1024,
	HANET_PACED_BYTES =
		128, /* the longest frame that the pacer sends: an ICMPv6 echo has 110 */
	HANET_TOKEN_MAX_NS = 2000000, /* the pacer comes by that often, whatever is due: so late is
					 a shorter interval in force */
	HANET_NONE = 0xffffffff,
};

/* Ranges of the live parameters: the configuration checks them, the kernel side clamps to them. */
enum {
	HANET_INTERVAL_MIN_US = 100,
	HANET_INTERVAL_MAX_US = 10000000,
	HANET_MULTIPLIER_MIN = 1,
	HANET_MULTIPLIER_MAX = 50,
	HANET_DETECTION_MAX_US = 60000000, /* interval x multiplier; the interval is clamped */
	HANET_UP_COUNT_MIN = 1,
	HANET_UP_COUNT_MAX = 1000,
	HANET_LINK_POLL_MIN_US = 50,
	HANET_LINK_POLL_MAX_US = 1000000,
	HANET_THRESHOLD_MIN_PERCENT = 1,
	HANET_THRESHOLD_MAX_PERCENT = 100,
	HANET_DAEMON_LOSS_MIN_MS = 5000, /* longer than hanetd ever takes between two stamps */
	HANET_DAEMON_LOSS_MAX_MS = 3600000,
};

/* on_daemon_loss: what the kernel side does when hanetd has been away for daemon_loss_ms (D7). */
enum hanet_on_daemon_loss {
	HANET_LOSS_STEER = 0,	/* all that it can: finds, bridges, returns, as long as it takes */
	HANET_LOSS_DETECT = 1,	/* verdicts are counted, and no bridging begins */
	HANET_LOSS_RELEASE = 2, /* nothing is bridged, and a port that waits passes everything */
};

/* params[group]: what can change while everything runs (spec D4). */
struct hanet_params {
	__u32 interval_us;
	__u32 multiplier;
	__u32 up_count;
	__u32 link_poll_us;
	__u32 enabled; /* 0: watch, never steer or switch */
	__u32 clamped; /* written by the kernel side: how often a value was out of range */
	__u32 threshold_percent; /* a trunk is down when so much of its capacity is lost */
	__u32 on_daemon_loss;	 /* enum hanet_on_daemon_loss */
	__u32 daemon_loss_ms;
	__u32 pad;
};
HANET_ASSERT(sizeof(struct hanet_params) == 40);

/*
 * What is done for a group (enum hanet_on_daemon_loss) whose hanetd has not shown itself for
 * `away_ns`: all that can be while it runs. A number that means nothing is the usual choice. Both
 * the kernel side and hanetctl ask here.
 */
static inline __u32 hanet_daemon_loss(const struct hanet_params *params, __s64 away_ns)
{
	__u32 patience_ms = params->daemon_loss_ms;

	if (params->on_daemon_loss > HANET_LOSS_RELEASE)
		return HANET_LOSS_STEER;
	if (patience_ms < HANET_DAEMON_LOSS_MIN_MS)
		patience_ms = HANET_DAEMON_LOSS_MIN_MS;
	if (patience_ms > HANET_DAEMON_LOSS_MAX_MS)
		patience_ms = HANET_DAEMON_LOSS_MAX_MS;
	if (away_ns < (__s64)patience_ms * 1000000)
		return HANET_LOSS_STEER;
	return params->on_daemon_loss;
}

enum hanet_heartbeat_kind {
	HANET_HEARTBEAT_NEIGHBOUR =
		1,		  /* ARP request, or neighbour solicitation (RFC 826, RFC 4861) */
	HANET_HEARTBEAT_ECHO = 2, /* ICMP or ICMPv6 echo (RFC 792, RFC 4443) */
	HANET_HEARTBEAT_SILENCE = 3, /* no requests: every frame from the peer counts */
	HANET_HEARTBEAT_HANET = 4,   /* struct hanet_beat, answered by a hanet in its kernel */
};

enum hanet_session_state {
	HANET_SESSION_UNKNOWN = 0, /* nothing has been decided: starting, or nothing was sent */
	HANET_SESSION_UP = 1,
	HANET_SESSION_DOWN = 2,
	HANET_SESSION_PAUSED = 3, /* hanetd asked for silence: no verdict */
};

/* target_mac_known: where the address comes from. */
enum hanet_mac_origin {
	HANET_MAC_UNKNOWN = 0,
	HANET_MAC_LEARNED = 1,
	HANET_MAC_CONFIGURED = 2, /* what the network says does not change it */
};

enum hanet_carrier {
	HANET_CARRIER_UNKNOWN = 0,
	HANET_CARRIER_UP = 1,
	HANET_CARRIER_DOWN = 2,
};

/*
 * What a hanet says of its identity when it answers for a probe address. Where hanet runs on both
 * ends, and was told so, each end learns so with every heartbeat whether the other one is on the
 * same path. Anybody on the LAN can say such a thing, so else nobody says it and nobody listens.
 */
enum hanet_claim {
	HANET_CLAIM_UNKNOWN = 0, /* it does not say: not a hanet, or it has not decided */
	HANET_CLAIM_ELSEWHERE = 1,
	HANET_CLAIM_HERE = 2,
	HANET_CLAIM_HERE_BY_HAND = 3, /* a person has just moved it here */
	HANET_CLAIM_COUNT,
};

/* Why a frame that was sent to a probe address (or to own_mac) changed nothing. Counted per port.
 */
enum hanet_reject {
	HANET_REJECT_TRUNCATED = 0,
	HANET_REJECT_TAGGED, /* VLAN tag: sessions are on the port itself */
	HANET_REJECT_FRAGMENT,
	HANET_REJECT_NOT_A_REPLY,  /* another protocol or message type */
	HANET_REJECT_WRONG_SOURCE, /* not from the target's address */
	HANET_REJECT_WRONG_MAGIC,
	HANET_REJECT_WRONG_SESSION, /* no such session, or another session id */
	HANET_REJECT_WRONG_PORT,    /* a session of another port */
	HANET_REJECT_WRONG_COOKIE,
	HANET_REJECT_FUTURE, /* a sequence that was never sent */
	HANET_REJECT_LATE,   /* a later request is answered already, or out of the window */
	HANET_REJECT_DUPLICATE,
	HANET_REJECT_WRONG_MAC, /* another MAC address, while the target's own answers */
	/* of struct hanet_beat */
	HANET_REJECT_UNKNOWN_VERSION,
	HANET_REJECT_MALFORMED,	  /* longer than a heartbeat, or neither request nor answer */
	HANET_REJECT_UNKNOWN_KEY, /* made with a key that this end does not have */
	HANET_REJECT_WRONG_TAG,	  /* made without the key, or changed on the way */
	HANET_REJECT_REPLAYED,	  /* a request that is not newer than the newest of its session */
	HANET_REJECT_TOO_OFTEN,	  /* a peer asks oftener than any heartbeat may */
	HANET_REJECT_COUNT,
};

/* One request that left. */
struct hanet_request {
	__u64 sequence;
	__u64 sent_ns;
	__u64 replied_ns; /* 0 while unanswered */
};
HANET_ASSERT(sizeof(struct hanet_request) == 24);

/* sessions[index]: one heartbeat on one path. */
struct hanet_session {
	/* config */
	__u32 in_use;
	__u32 id;
	__u64 cookie;
	__u32 port;	   /* index into ports */
	__u32 group;	   /* index into params */
	__u16 family;	   /* AF_INET or AF_INET6 */
	__u8 kind;	   /* enum hanet_heartbeat_kind */
	__u8 heard_at_xdp; /* silence: 1: xdp_ingress listens for the peer, 0: tc_ingress does */
	__u8 other_end; /* 1: hanet runs there too, and what it says of its identity is believed */
	__u8 pad0[3];
	__u8 target[16];
	__u8 next_hop[16]; /* whose MAC address requests go to; equals target on the link */
	__u8 source[16];   /* all zero: an ARP probe (RFC 5227) */

	/* state, kernel side */
	__u32 state; /* enum hanet_session_state */
	__u32 replies_in_row;
	__u8 target_mac[6];
	__u8 target_mac_known;	     /* enum hanet_mac_origin */
	__u8 peer_claim;	     /* enum hanet_claim, from the newest answer of a neighbour */
	__u64 target_mac_learned_ns; /* when the target was heard last by this address */
	__u64 rival_heard_ns;	     /* when another one was said to be the target's; 0: never */
	__u8 rival_mac[6];
	__u8 pad1[2];
	__u64 rival_claims; /* how often */
	__u64 looked_ns; /* everybody was asked, and the target's answer is not here yet; else 0 */
	__u64 state_since_ns;
	__u64 sent;		       /* sequence of the newest request, 0 before the first */
	__u64 answered;		       /* everything up to this sequence is answered or given up */
	__u64 last_neighbour_sequence; /* newest request that an ARP or NA reply answers */
	__u64 last_sent_ns;
	__u64 last_reply_ns; /* silence: the newest frame from the peer */
	__u64 counted_ns;    /* silence: the newest that counted; 0: none since the start */

	/* the newest down verdict */
	__u64 first_lost_ns;
	__u64 deadline_ns;
	__u64 verdict_ns;

	/* config: requests leave no oftener than this, in microseconds, whatever params say; 0: as
	 * often as they say */
	__u32 pace_us;
	__u32 gaps; /* statistics: how often one or more in a row were lost */

	/* parameters in force, after clamping */
	__u32 interval_us;
	__u32 multiplier;
	__u32 up_count;
	__u32 clamped; /* 1: a value of params is out of range, and that was reported */

	/* statistics */
	__u64 replies;
	__u64 lost;
	__u64 down_verdicts;
	__u64 up_verdicts;
	__u64 stall_deferrals; /* deadlines that waited for a CPU that stood still */
	__u64 deferred_after;  /* the newest of them: 1 more than what had been `answered` (silence:
				  than when the peer was heard last); nothing else is taken for it */
	__u64 deferred_lost_ns;	 /* when the first request left that was not (silence: the same) */
	__u64 deferred_since_ns; /* when it was looked at first */
	__u32 stalled_cpu;	 /* whose standing still deferred it */
	__u32 second_look;	 /* 1: it was late and had its second look */
	__u64 rtt_last_ns;
	__u64 rtt_min_ns; /* 0 before the first reply */
	__u64 rtt_max_ns;
	__u64 rtt_sum_ns;
	__u64 jitter_ns;		      /* RFC 3550 section 6.4.1, of round-trip times */
	__u64 rtt_log2_ns[HANET_RTT_BUCKETS]; /* bucket i counts 2^i <= rtt < 2^(i+1) */

	struct hanet_request window[HANET_WINDOW]; /* [sequence % HANET_WINDOW] */
};
HANET_ASSERT(sizeof(struct hanet_session) == 608 + HANET_WINDOW * 24);

/* ports[index]: one watched network interface. */
struct hanet_port {
	/* config */
	char name[16]; /* of the interface when hanetd attached to it */
	__u32 in_use;
	__u32 ifindex;
	__u32 group;
	__u32 session;	     /* index of its first one, or HANET_NONE; the others follow it */
	__u8 probe_mac[6];   /* source of this port's heartbeats; 40 random bits are its cookie */
	__u8 replies_at_xdp; /* 1: xdp_ingress is attached, so tc_ingress need not look for them */
	__u8 clamped;	     /* kernel side, as in hanet_session: link_poll_us */
	__u32 probe_ipv4;    /* network order; 0: hanet answers no ARP here */
	__u8 probe_ipv6[16]; /* all zero: hanet answers no solicitation here */
	__u32 claim;	     /* enum hanet_claim: what answers from here say */
	__u32 targets;	     /* how many sessions */
	__u32 quorum;	     /* so many of them must be up; see hanet_quorum_state() */

	/* state, kernel side */
	__u64 net_device; /* address of the struct net_device, 0 until a heartbeat left or after it
			     went */
	__u32 trunk;	  /* config: index into trunks + 1; 0: the only port of its path */
	__u32 trunk_slot; /* config: which of the trunk's ports this is */
	__u32 carrier;	  /* enum hanet_carrier */
	__u32 link_poll_us; /* in force, after clamping */
	__u64 carrier_up_events;
	__u64 carrier_down_events;
	__u64 carrier_changed_ns;
	__u64 link_polls;
	__u64 last_link_poll_ns;
	__u64 answered_for_neighbours; /* ARP and NS that hanet answered for its probe addresses */
	__u64 answered_beats;	       /* requests of kind hanet that were answered here */
	__u8 own_mac[6]; /* config: heartbeats to this address are answered, too; all zero: none */
	__u8 answers_at_xdp; /* config: 1: xdp_ingress can send an answer, 0: tc_ingress does */
	__u8 pad0;
	__be16 beat_type; /* config: EtherType of the heartbeats of kind hanet here */
	__be16 beat_port; /* config: UDP port of those that are datagrams; 0: none are */
	__u8 pad1[4];
	__u64 rejected[HANET_REJECT_COUNT];
};
HANET_ASSERT(sizeof(struct hanet_port) == 72 + 96 + 8 * HANET_REJECT_COUNT);

/*
 * What a port's sessions say of it together, as enum hanet_session_state (spec M9): down when too
 * few are left that could be up, up when so many are. One that is paused stands for all of them,
 * because hanetd pauses a port's sessions together. The kernel side and hanetd both ask here.
 */
static inline __u32 hanet_quorum_state(const struct hanet_port *port, __u32 up, __u32 down,
				       __u32 paused)
{
	if (!port->targets)
		return HANET_SESSION_UNKNOWN;
	if (paused)
		return HANET_SESSION_PAUSED;
	if (up >= port->quorum)
		return HANET_SESSION_UP;
	return port->targets - down < port->quorum ? HANET_SESSION_DOWN : HANET_SESSION_UNKNOWN;
}

/* What a port does with the host's own frames. */
enum hanet_steer_mode {
	HANET_STEER_NONE = 0,
	HANET_STEER_BRIDGE_OUT =
		1, /* a failed port: its frames leave by the peer, nothing comes in */
	HANET_STEER_BRIDGE_IN = 2, /* the standby: frames that come in are handed to the peer */
	HANET_STEER_ADOPT = 3,	   /* the standby while the identity is moved: frames are its own */
	HANET_STEER_LEAD = 4,	   /* of the active trunk: frames leave by the trunk's ports */
	HANET_STEER_MEMBER = 5,	   /* of the active trunk: frames that come in are the lead's */
	HANET_STEER_IDLE = 6,	   /* of a path that waits: no broadcast or multicast comes in */
	HANET_STEER_DEVICE = 7,	   /* of a group with a metanetwork device: what comes in is the
				      device's, or nobody's while the device uses another path */
};

/* How a trunk's ports are used as one link (spec T3). */
enum hanet_trunk_mode {
	HANET_TRUNK_INDEPENDENT = 1, /* plain switches: each MAC address on one port at a time */
	HANET_TRUNK_STATIC = 2,	     /* the switch treats the ports as one aggregate */
};

struct hanet_trunk_port {
	__u32 port; /* index into ports */
	__u32 ifindex;
	__u32 weight;	  /* share of the capacity */
	__u8 wire_mac[6]; /* independent: the source of what leaves here, if not the speaker */
	__u8 pad[2];
};
HANET_ASSERT(sizeof(struct hanet_trunk_port) == 20);

/*
 * trunks[index]: several ports used as one link. The identity is on the interface of one of them,
 * the lead; where the kernel side sends does not depend on the lead's own cable.
 */
struct hanet_trunk {
	/* config */
	__u32 count; /* of ports; 0: not in use */
	__u32 mode;  /* enum hanet_trunk_mode */
	__u32 group; /* index into params */
	__u32 lead;  /* slot of the lead */
	__u32 total; /* sum of the weights */

	/* state, kernel side: a bit for each slot */
	__u32 working;	       /* proved to work: flows are spread over these */
	__u32 lost;	       /* known to be down */
	__u32 speaker;	       /* independent: the slot that sends and receives as the identity */
	__u64 carrier_lost_ns; /* when a port last lost it */
	__u64 speaker_changes;
	__u64 spread_out;    /* frames that left by another port than the lead */
	__u64 gathered_in;   /* frames that came in by another port than the lead */
	__u64 second_copies; /* independent: broadcasts and floods that came in twice, dropped */
	struct hanet_trunk_port ports[HANET_TRUNK_PORTS];
};
HANET_ASSERT(sizeof(struct hanet_trunk) == 72 + 20 * HANET_TRUNK_PORTS);

/* steer[port]: written by hanetd (armed, peer, modes), by the verdict and, without hanetd, by the
 * look at the port (modes, announce), and by the pacer (announce). */
struct hanet_steer {
	__u32 mode;
	__u32 armed;	    /* 1: on a verdict, bridge to the peer without asking user space */
	__u32 peer_port;    /* index into ports, which has the interface number as well */
	__u32 announce;	    /* so many frames of the identity are owed that show switches its way */
	__u64 identity_mac; /* its six bytes as in a frame, then two of 0 */
	__u64 steered_ns;   /* when the kernel last switched this port to BRIDGE_OUT */
	__u64 redirected_out;
	__u64 redirected_in;
	__u64 fenced; /* frames that were not let in */
	__u64 muted;  /* ARP in an identity's name, not let out */
};
HANET_ASSERT(sizeof(struct hanet_steer) == 64);

/*
 * devices[group]: the metanetwork device that has the identity of a group (spec A3). Its frames
 * leave by the path that it uses, and what comes in there is its own.
 *
 * `port` names that path by one of its ports. It is written by hanetd, and by the verdict on the
 * path: one store is the whole switch.
 */
struct hanet_device {
	/* config */
	__u32 ifindex; /* 0: the group has none; what comes in is received there */
	__u32 sends; /* ifindex at which its frames are taken: the other end of a pair, or itself */
	__u64 mac;   /* its six bytes as in a frame, then two of 0 */
	__u32 armed; /* 1: a verdict chooses another path without asking user space */
	__u32 paths; /* so many of `leads` are in use */
	__u32 leads[HANET_MAX_PATHS]; /* a port of each path, in the order of their preference */

	__u32 port; /* HANET_NONE: none yet */
	__u32 pad;
	__u64 switches;	   /* by verdicts */
	__u64 switched_ns; /* the newest of them */
	__u64 refused;	   /* frames that came in by a path that it does not use */
	__u64 unsent;	   /* its frames while it had no path */
};
HANET_ASSERT(sizeof(struct hanet_device) == 24 + 4 * HANET_MAX_PATHS + 40);

/* identity_ipv4: address of a group's identity -> MAC address that it is at. By hanetd. */
struct hanet_identity_ipv4 {
	__u16 group;
	__u16 vlan; /* id; 0: none */
	__be32 address;
};
HANET_ASSERT(sizeof(struct hanet_identity_ipv4) == 8);

struct hanet_identity_mac {
	__u8 mac[6];
	__u8 pad0[2];
};
HANET_ASSERT(sizeof(struct hanet_identity_mac) == 8);

/* A frame that is ready but for the address of its target. */
struct hanet_frame {
	__u32 length; /* 0: there is none; at most HANET_PACED_BYTES */
	__u32 pad;
	__u8 bytes[HANET_PACED_BYTES];
};
HANET_ASSERT(sizeof(struct hanet_frame) == 8 + HANET_PACED_BYTES);

/*
 * paced[session]: what the pacer sends for it (spec M12). Frames are hanetd's, and there before
 * `is_paced` is; the rest is the kernel side's.
 */
struct hanet_paced {
	struct hanet_frame heartbeat;
	struct hanet_frame search;  /* broadcast or multicast */
	struct hanet_frame refresh; /* unicast neighbour request, where the heartbeat is none */
	__u32 is_paced;
	__u32 unstamped; /* heartbeats in a row that tc_egress did not see */
	__u64 next_ns;	 /* when the next one is due; 0: as soon as it is not paused */
	__u64 searched_ns;
	__u64 looked_ns;
	__u64 refreshed_ns;
	__u64 searches;
	__u64 refused;	   /* frames that the port did not take */
	__u64 late_max_ns; /* the latest that a heartbeat was */
};
HANET_ASSERT(sizeof(struct hanet_paced) == 3 * (8 + HANET_PACED_BYTES) + 64);

/* What delays the token, the frame that goes round and makes the pacer come by. */
enum hanet_pacer_mode {
	HANET_PACER_NONE = 0, /* there is no token: hanetd's thread sends */
	HANET_PACER_FQ = 1,   /* fq, by the departure time of a frame */
	HANET_PACER_TBF = 2,  /* tbf, by the length of a frame: a byte is a microsecond */
};

/* pacer[0]. hanetd writes the first four, before it puts the token in. */
struct hanet_pacer {
	__u32 mode;	/* enum hanet_pacer_mode */
	__u32 ifindex;	/* of the end of the pair that the token is sent into */
	__u32 token;	/* the number of the token that counts; any other is dropped */
	__u32 sessions; /* those from this index on are not paced */
	/* state, kernel side */
	__u64 next_ns; /* when the token is to come round next; with tbf also what it is ahead of */
	__u64 round_ns; /* when it came round last */
	__u64 rounds;
	__u64 strays; /* frames of the pair that are not the token */
};
HANET_ASSERT(sizeof(struct hanet_pacer) == 48);

/* The token, behind its Ethernet header. */
struct hanet_token {
	__u32 magic; /* HANET_TOKEN_MAGIC */
	__u32 number;
};

enum hanet_event_type {
	HANET_EVENT_SESSION_DOWN = 1,
	HANET_EVENT_SESSION_UP = 2,
	HANET_EVENT_CARRIER_DOWN = 3,
	HANET_EVENT_CARRIER_UP = 4,
	HANET_EVENT_PARAMS_CLAMPED = 5,
	HANET_EVENT_PEER_MOVED = 6, /* the session's peer_claim has changed */
};

/* A record of the ring. It only wakes: what changed stands in sessions, ports and params. */
struct hanet_event {
	__u32 type; /* enum hanet_event_type */
	__u32 group;
};
HANET_ASSERT(sizeof(struct hanet_event) == 8);

/* engine[0]: accounts of the whole instance. */
enum {
	/* Of all that is pinned: it grows with whatever another hanetd would take for something
	 * else although no value has another size. */
	HANET_ABI = 1,
};

struct hanet_engine {
	__u64 events_submitted;
	__u64 events_dropped;	  /* the ring was full; the truth is in the maps */
	__u64 receiver_period_ns; /* a receiving CPU has to show that often that it runs; 0: never
				   */
	__u64 attended_ns;	  /* by hanetd: when it last showed that it runs */
	__u32 abi;		  /* config: HANET_ABI, by which the next hanetd knows these maps */
	__u32 tc_programs[2]; /* config: ids of tc_ingress and tc_egress, by which it knows whose
			       * a program at a hook is */
	__u32 pad0;
};
HANET_ASSERT(sizeof(struct hanet_engine) == 48);

/* lateness[cpu]: how late its timers come while it is watched (spec M13), by its own count. */
enum {
	HANET_LATENESS_SHIFT = 14,   /* a bucket is 16.384 us wide */
	HANET_LATENESS_BUCKETS = 22, /* up to 360 us: the deepest idle states of servers are left
					within 310 us (drivers/idle/intel_idle.c) */
};

struct hanet_lateness {
	__u64 last_ns;	/* the newest timer's, however late */
	__u32 usual_ns; /* 99 of 100 timers were not later; 0: not known yet */
	__u32 samples;	/* since that was reckoned */
	__u32 timers[HANET_LATENESS_BUCKETS];
};
HANET_ASSERT(sizeof(struct hanet_lateness) == 104);

/* flights[session]: the last moments before its newest down verdict (spec O4). */
enum {
	HANET_FLIGHT_REQUESTS = 16, /* more than the unanswered ones of usual settings */
};

struct hanet_flight {
	__u64 verdict_ns; /* whose they are; written last. 0: none, or they are being written */
	__u64 last_reply_ns;
	__u64 deferred_since_ns; /* 0: it did not wait */
	__u64 timer_late_ns;	 /* how late the watched CPU whose timer was the latest was then */
	__u32 timer_cpu;	 /* that CPU; HANET_NONE: none is watched */
	__u32 stalled_cpu;	 /* for which it waited */
	struct hanet_request requests[HANET_FLIGHT_REQUESTS]; /* newest first; sequence 0: none */
};
HANET_ASSERT(sizeof(struct hanet_flight) == 40 + HANET_FLIGHT_REQUESTS * 24);

/*
 * The payload of an echo request. The kernel side writes sequence at egress; the complements keep
 * the one's complement sum of the message constant (RFC 1071), so the checksum that user space
 * computed once stays right.
 */
struct hanet_echo_payload {
	__u32 magic;
	__u32 session; /* index */
	__u32 id;
	__u32 pad;
	__u64 cookie;
	__u64 sequence;
	__u64 sequence_complement;
	__u16 echo_sequence_complement; /* complement of the sequence field of the ICMP header */
	__u16 pad1[3];
};
HANET_ASSERT(sizeof(struct hanet_echo_payload) == 48);

enum {
	HANET_BEAT_TYPE =
		0x88b5, /* unless configured: EtherType for local experiments (IEEE 802, 9.2.4) */
	HANET_BEAT_VERSION = 1,
	HANET_BEAT_WORDS = 7,		 /* 64-bit words before the tag: what it is made of */
	HANET_BEAT_PAYLOAD = 50,	 /* bytes of a datagram: all from `version` on */
	HANET_DATAGRAM_WORDS = 10,	 /* what the tag of a datagram is made of */
	HANET_MAX_BEAT_ADDRESSES = 1024, /* own ones at which datagrams are answered */
	HANET_KEYS = 2,			 /* at a time, so that one can follow the other */
	HANET_MAX_BEAT_PEERS =
		256, /* sessions that ask this host, the least recent one is forgotten
		      */
	HANET_ANSWER_GAP_NS =
		HANET_INTERVAL_MIN_US * 1000 / 2, /* half of the shortest interval: a peer that
						     keeps to one is never refused ... */
	HANET_ANSWER_BURST = 16, /* ... also not when so many of its requests come together */
};

enum hanet_beat_kind {
	HANET_BEAT_REQUEST = 1,
	HANET_BEAT_ANSWER = 2,
};

/*
 * A heartbeat of kind hanet, from its Ethernet header on: request and answer have one form and one
 * length. An answer is the request with the addresses exchanged, the other kind, and the answering
 * end's own claim, state and tag. It is made with the key of the request.
 *
 * Numbers are in network order but for the tag, which is little-endian as SipHash is, and for what
 * only its sender reads. Nothing before `version` depends on the version, and no version is
 * shorter.
 */
struct hanet_beat {
	__u8 destination[6];
	__u8 source[6];
	__be16 type; /* hanet_port.beat_type, of both ends */
	__u8 version;
	__u8 kind;	 /* enum hanet_beat_kind */
	__u32 session;	 /* of who asks: index ... */
	__u32 id;	 /* ... and id; an answer repeats them */
	__u64 cookie;	 /* the session's */
	__be64 sequence; /* the kernel side numbers requests as they leave; an answer repeats it */
	__be32 key;	 /* id of the key that the tag is made with */
	__u8 claim;	 /* enum hanet_claim, of the sender of this frame */
	__u8 state;	 /* enum hanet_session_state of its own heartbeats on this path */
	__u8 reserved[10];
	__u64 tag; /* SipHash-2-4 of all before it, addresses and kind included */
};
HANET_ASSERT(sizeof(struct hanet_beat) == 64);

/*
 * A heartbeat of kind hanet as a UDP datagram: hanet_beat from `version` on, from and to
 * hanet_port.beat_port. Routers write other MAC addresses into the frame, so its tag is made of
 * these addresses in their place: of the four words here, then the second to seventh of the
 * heartbeat, with 0 for what stands before `version`. IPv4 addresses are mapped ones (RFC 4291
 * section 2.5.5.2).
 */
struct hanet_beat_way {
	__u8 source[16];
	__u8 destination[16];
};
HANET_ASSERT(sizeof(struct hanet_beat_way) == 32);
HANET_ASSERT(HANET_DATAGRAM_WORDS == 4 + HANET_BEAT_WORDS - 1);

/* beat_addresses: an address of a port whose own_mac is answered for. By hanetd. */
struct hanet_beat_address {
	__u8 address[16]; /* as in hanet_beat_way */
	__u32 port;	  /* index into ports */
};
HANET_ASSERT(sizeof(struct hanet_beat_address) == 20);

/* keys[group]: what heartbeats of kind hanet are signed with (spec S3). Written by hanetd, in an
 * order that leaves no moment without a key (userspace/engine/keys.cpp). */
struct hanet_key {
	__u64 half[2]; /* little-endian numbers of its bytes */
	__u32 id;      /* see hanet_key_id(); 0: there is none here */
	__u32 pad;
};
HANET_ASSERT(sizeof(struct hanet_key) == 24);

struct hanet_keys {
	struct hanet_key key[HANET_KEYS]; /* frames made with either are taken */
	__u32 signs;			  /* index of the one that requests are made with */
	__u32 pad;
};
HANET_ASSERT(sizeof(struct hanet_keys) == HANET_KEYS * 24 + 8);

/*
 * How a key is named on the wire, in reports and in messages: by what it makes of nothing, so that
 * both ends call it the same and the name tells nothing of the key. Never 0.
 */
static inline __u32 hanet_key_id(const __u64 *half)
{
	__u32 id = (__u32)hanet_siphash(half, half, 0);

	return id ? id : 1;
}

/* beat_peers[asker]: a session of another host that asks this one. By the kernel side. */
struct hanet_beat_asker {
	__u64 cookie;
	__u32 id;
	__u32 port; /* index into ports: by which it came in */
};
HANET_ASSERT(sizeof(struct hanet_beat_asker) == 16);

struct hanet_beat_peer {
	__u64 sequence; /* the newest that came */
	__u64 next_ns;	/* up to when its requests are spent; see HANET_ANSWER_GAP_NS */
	__u64 heard_ns; /* when the newest came */
	__u64 answered;
	__u8 mac[6];
	__u8 claim; /* of the newest, as in hanet_beat */
	__u8 state;
	__u8 address[16]; /* of a datagram, as in hanet_beat_way; else all zero */
};
HANET_ASSERT(sizeof(struct hanet_beat_peer) == 56);

enum {
	HANET_ECHO_MAGIC = 0x48614e65,
	HANET_CLAIM_MAGIC = 0x48614e67, /* before the place in an ARP answer's padding */
	HANET_TOKEN_MAGIC = 0x48614e68,
	HANET_TOKEN_TYPE = 0x88b5, /* EtherType for local experiments (IEEE 802, 9.2.4) */
	HANET_STEER_MARK =
		0x48614e66, /* skb mark of a frame that bridging hands to the failed port */
};

/* Commands of the program tc_control, run with BPF_PROG_TEST_RUN after 14 bytes of Ethernet. */
enum hanet_control_op {
	HANET_CONTROL_START_SESSION = 1,  /* timer of sessions[index]; state becomes unknown */
	HANET_CONTROL_START_PORT = 2,	  /* link poll of ports[index] */
	HANET_CONTROL_START_RECEIVER = 3, /* watch of the CPU index */
	HANET_CONTROL_REVIEW_PORT = 4,	  /* tell the trunk of ports[index] what became of it */
	HANET_CONTROL_CARRIER_UP = 5,	  /* user space knows it of ports[index] ... */
	HANET_CONTROL_CARRIER_DOWN = 6,	  /* ... where an edge was missed, or none came yet */
	HANET_CONTROL_TICK = 7, /* without bpf_timer: run what is due; returns ns until the next */
	HANET_CONTROL_BRIDGE = 8, /* from ports[index], which has a verdict */
};

struct hanet_control {
	__u32 op;
	__u32 index;
};

#endif
