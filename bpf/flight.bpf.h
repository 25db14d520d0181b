/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last moments before a down verdict, kept as they were (spec O4).
 *
 * What tells "nothing came back, and our timers ran on time" from "our own CPU stood still" is gone
 * 64 intervals later: requests go on leaving. So it is copied aside, once the host's frames go by
 * the standby, and stays until the session's next verdict, whoever asks for it and when. (After a
 * verdict that waited the newest requests are those of the wait.)
 */
#ifndef HANET_FLIGHT_BPF_H
#define HANET_FLIGHT_BPF_H

#include "deferral.bpf.h"

struct flight_search {
	__u64 now;
	__u64 latest_ns;
	__u32 cpu;
};

/* How late is the timer of a CPU that is watched: the one that waits, or else the newest. */
static long flight_look(__u32 cpu, struct flight_search *search)
{
	struct hanet_receiver *one = bpf_map_lookup_elem(&receivers, &cpu);
	struct hanet_lateness *of = bpf_map_lookup_elem(&lateness, &cpu);

	if (!one || !of)
		return 1;
	__u64 fires = one->fires_ns;

	if (!one->due_ns)
		return 0;
	__u64 late = search->now > fires ? search->now - fires : 0;

	late = late > of->last_ns ? late : of->last_ns;
	if (search->cpu == HANET_NONE || late > search->latest_ns) {
		search->latest_ns = late;
		search->cpu = cpu;
	}
	return 0;
}

static __always_inline void flight_requests(struct hanet_flight *flight,
					    struct hanet_session *session)
{
	__u64 sent = session->sent;

	for (__u32 i = 0; i < HANET_FLIGHT_REQUESTS; i++) {
		struct hanet_request *request = request_slot(session, sent - i);
		bool is_it = i < sent && request->sequence == sent - i;

		flight->requests[i].sequence = is_it ? request->sequence : 0;
		flight->requests[i].sent_ns = request->sent_ns;
		flight->requests[i].replied_ns = request->replied_ns;
	}
}

/* One writer: only one down verdict of a session is made at a time. */
static __noinline int flight_keep(__u32 index, struct hanet_session *session)
{
	struct hanet_flight *flight = bpf_map_lookup_elem(&flights, &index);

	if (!flight || !session)
		return 0;
	struct flight_search search = {.now = bpf_ktime_get_ns(), .cpu = HANET_NONE};
	bool waited = session->deferred_since_ns >= session->deadline_ns;

	__sync_lock_test_and_set(&flight->verdict_ns, 0);
	flight->last_reply_ns = session->last_reply_ns;
	flight->deferred_since_ns = waited ? session->deferred_since_ns : 0;
	flight->stalled_cpu = session->stalled_cpu;
	flight_requests(flight, session);
	bpf_loop(cpu_count, flight_look, &search, 0);
	flight->timer_late_ns = search.latest_ns;
	flight->timer_cpu = search.cpu;
	__sync_lock_test_and_set(&flight->verdict_ns, session->verdict_ns);
	return 0;
}

#endif
