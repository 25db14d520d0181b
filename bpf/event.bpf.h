/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ring-buffer records.
 *
 * A record tells user space that something in sessions or ports changed. When the ring is full the
 * record is dropped and counted; hanetd compares that count and reads the maps again.
 */
#ifndef HANET_EVENT_BPF_H
#define HANET_EVENT_BPF_H

#include "maps.bpf.h"

static __noinline int event_submit(const struct hanet_event *what)
{
	__u32 zero = 0;
	struct hanet_engine *accounts = bpf_map_lookup_elem(&engine, &zero);

	if (!accounts)
		return 0;
	struct hanet_event *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record) {
		__sync_fetch_and_add(&accounts->events_dropped, 1);
		return 0;
	}
	*record = *what;
	/* Without the forced wake-up a reader that is just going to sleep learns of it late. */
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	__sync_fetch_and_add(&accounts->events_submitted, 1);
	return 0;
}

#endif
