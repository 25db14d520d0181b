/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How late do the timers of this machine come (spec M13)?
 *
 * A timer of an idle CPU is late by what it takes to wake it: 14 us here, 50 there, 110 in a
 * virtual machine now and then. "That CPU stands still" has to mean later than is usual for it, or
 * a verdict waits for a CPU that only sleeps. So each CPU that is watched keeps a small histogram
 * of its own, and what 99 of 100 timers were not later than is reckoned every so often. Older ones
 * count half with each reckoning. Written on that CPU only.
 */
#ifndef HANET_LATENESS_BPF_H
#define HANET_LATENESS_BPF_H

#include "maps.bpf.h"

enum {
	/* Timers from one reckoning to the next: enough for one of a hundred to be seen. */
	LATENESS_TIMERS = 256,
	LATENESS_ONE_OF = 100,
	/* Beyond what is usual: a quarter of it. */
	LATENESS_MARGIN = 4,
	/* The floor, and all while nothing is known: a verdict that waits too often is better than
	 * a false one. */
	LATENESS_FLOOR_NS = 50 * 1000,
	/* The cap, a part of the detection time: deferral.md has the reckoning. */
	LATENESS_CAP = 3,
};

static __noinline int lateness_reckon(struct hanet_lateness *of)
{
	__u32 all = 0, sum = 0, usual = 0;

	if (!of)
		return 0;
	for (__u32 i = 0; i < HANET_LATENESS_BUCKETS; i++)
		all += of->timers[i];
	for (__u32 i = 0; i < HANET_LATENESS_BUCKETS; i++) {
		sum += of->timers[i];
		if (!usual && (all - sum) * LATENESS_ONE_OF <= all)
			usual = (i + 1) << HANET_LATENESS_SHIFT;
		of->timers[i] /= 2;
	}
	of->usual_ns = usual;
	of->samples = 0;
	return 0;
}

/* A timer of this CPU came so late. One that is later than any bucket waited for more than its CPU
 * to wake up, and says nothing of what is usual; nor does one of a CPU that catches up. */
static __always_inline void lateness_note(__u32 cpu, __u64 late, bool catching_up)
{
	struct hanet_lateness *of = bpf_map_lookup_elem(&lateness, &cpu);
	__u64 bucket = late >> HANET_LATENESS_SHIFT;

	if (!of)
		return;
	of->last_ns = late;
	if (catching_up || bucket >= HANET_LATENESS_BUCKETS)
		return;
	of->timers[bucket]++;
	if (++of->samples >= LATENESS_TIMERS)
		lateness_reckon(of);
}

/* A timer of that CPU that is later than this is later than usual. */
static __always_inline __u64 lateness_limit_ns(__u32 cpu, __u64 detection)
{
	struct hanet_lateness *of = bpf_map_lookup_elem(&lateness, &cpu);
	__u64 usual = of ? of->usual_ns : 0, limit = usual + usual / LATENESS_MARGIN;
	__u64 cap = detection / LATENESS_CAP;

	limit = limit < cap ? limit : cap;
	return limit > LATENESS_FLOOR_NS ? limit : LATENESS_FLOOR_NS;
}

#endif
