/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map of the engine: who writes, who reads, how long it lives.
 *
 * The maps hold the truth and the ring only wakes (spec D3), so a full ring loses no decision. Maps
 * that user space maps into memory can not hold a bpf_timer (kernel/bpf/syscall.c, bpf_map_mmap
 * refuses maps with special fields), so the timers live apart under the same index.
 *
 * All of them are pinned by hanetd and vanish with the last pin and descriptor.
 */
#ifndef HANET_MAPS_BPF_H
#define HANET_MAPS_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "hanet/abi.h"

/* Live parameters, one entry per group. Written by people; clamped on every use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_GROUPS);
	__type(key, __u32);
	__type(value, struct hanet_params);
} params SEC(".maps");

/* Heartbeat sessions. Configured by hanetd, run by the programs and the deadline timer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_SESSIONS);
	__type(key, __u32);
	__type(value, struct hanet_session);
} sessions SEC(".maps");

/* Watched ports. Configured by hanetd, counted by the programs and the link poll. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct hanet_port);
} ports SEC(".maps");

/*
 * Interface index to index into ports, or, from HANET_MAX_PORTS on, to the group whose metanetwork
 * device sends there. Written by hanetd. Every packet asks, so most interfaces are found in an
 * array, which the JIT reads in place (2 ns; the hash takes some 20), by index + 1.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HANET_LOW_IFINDEX);
	__type(key, __u32);
	__type(value, __u32);
} port_of_low_ifindex SEC(".maps");

/* The interfaces with numbers from HANET_LOW_IFINDEX on. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HANET_MAX_PORTS + HANET_MAX_GROUPS);
	__type(key, __u32);
	__type(value, __u32);
} port_of_ifindex SEC(".maps");

/* What each port does with the host's frames. Armed by hanetd, switched by the verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct hanet_steer);
} steer SEC(".maps");

/* Metanetwork devices, one entry per group. Configured by hanetd; switched by it and by verdicts.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_GROUPS);
	__type(key, __u32);
	__type(value, struct hanet_device);
} devices SEC(".maps");

/* IPv4 addresses of the identities. Written by hanetd, looked up for ARP that leaves a port. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HANET_MAX_IDENTITY_IPV4);
	__type(key, struct hanet_identity_ipv4);
	__type(value, struct hanet_identity_mac);
} identity_ipv4 SEC(".maps");

/* Trunks. Configured by hanetd, reviewed by verdicts and the link poll. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_TRUNKS);
	__type(key, __u32);
	__type(value, struct hanet_trunk);
} trunks SEC(".maps");

/* What the pacer sends. Frames by hanetd, times and counts by the pacer alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_SESSIONS);
	__type(key, __u32);
	__type(value, struct hanet_paced);
} paced SEC(".maps");

/* The pacer itself; one entry. Set up by hanetd, run by the token. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hanet_pacer);
} pacer SEC(".maps");

/* Events for hanetd's epoll. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, HANET_EVENT_RING_BYTES);
} events SEC(".maps");

/* Accounts of the instance; one entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hanet_engine);
} engine SEC(".maps");

/* See timer.bpf.h. */
struct hanet_timer {
	struct bpf_timer timer;
	__u64 due_ns; /* without bpf_timer only; 0: not armed */
};

/* One deadline per session; armed by tc_egress and by replies. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HANET_MAX_SESSIONS);
	__type(key, __u32);
	__type(value, struct hanet_timer);
} deadline_timers SEC(".maps");

/* One link poll per port; re-arms itself while the port is in use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HANET_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct hanet_timer);
} link_timers SEC(".maps");

struct hanet_receiver {
	struct bpf_timer timer;
	__u64 due_ns;	    /* when it has to show next that it runs; 0: it owes nothing */
	__u32 seen;	    /* 1: a frame came since the timer was armed */
	__u32 idle_periods; /* in a row without a frame */
	__u64 fires_ns;	    /* the pending timer; later than due_ns while the CPU catches up */
};

/* One per CPU, written there only; read by deadlines on any CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HANET_MAX_CPUS);
	__type(key, __u32);
	__type(value, struct hanet_receiver);
} receivers SEC(".maps");

/*
 * Keys of heartbeats, one entry per group. By hanetd. It can not be mapped into memory and is not
 * pinned, so no path leads to it: who wants to read it needs CAP_SYS_ADMIN, and can read the key
 * file as well.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HANET_MAX_GROUPS);
	__type(key, __u32);
	__type(value, struct hanet_keys);
} keys SEC(".maps");

/* Who asks this host. By whoever answers; only requests with a right tag enter anybody here. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HANET_MAX_BEAT_PEERS);
	__type(key, struct hanet_beat_asker);
	__type(value, struct hanet_beat_peer);
} beat_peers SEC(".maps");

/* Where datagrams are answered beside the probe addresses. By hanetd. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HANET_MAX_BEAT_ADDRESSES);
	__type(key, struct hanet_beat_address);
	__type(value, __u32);
} beat_addresses SEC(".maps");

/* See flight.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_SESSIONS);
	__type(key, __u32);
	__type(value, struct hanet_flight);
} flights SEC(".maps");

/* One per CPU, written there only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HANET_MAX_CPUS);
	__type(key, __u32);
	__type(value, struct hanet_lateness);
} lateness SEC(".maps");

#endif
