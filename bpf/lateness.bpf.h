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
	/* The cap, a part of the detection time, where the floor is not more: deferral.md has the
	 * reckoning. */
	LATENESS_CAP = 3,
};

struct lateness_count {
	struct hanet_lateness *of;
	__u32 all;
	__u32 sum; /* from the first bucket to the one that is looked at */
	__u32 usual;
};

static long lateness_add(__u32 bucket, struct lateness_count *count)
{
	if (bucket >= HANET_LATENESS_BUCKETS)
		return 1;
	count->all += count->of->timers[bucket];
	return 0;
}

/* The first bucket beyond which only one of so many is; and each forgets half of what it has. */
static long lateness_find(__u32 bucket, struct lateness_count *count)
{
	if (bucket >= HANET_LATENESS_BUCKETS)
		return 1;
	count->sum += count->of->timers[bucket];
	if (!count->usual && (count->all - count->sum) * LATENESS_ONE_OF <= count->all)
		count->usual = (bucket + 1) << HANET_LATENESS_SHIFT;
	count->of->timers[bucket] /= 2;
	return 0;
}

static __noinline int lateness_reckon(struct hanet_lateness *of)
{
	struct lateness_count count = {.of = of};

	if (!of)
		return 0;
	bpf_loop(HANET_LATENESS_BUCKETS, lateness_add, &count, 0);
	bpf_loop(HANET_LATENESS_BUCKETS, lateness_find, &count, 0);
	of->usual_ns = count.usual;
	of->samples = 0;
	return 0;
}

/* A timer of this CPU came so late. One that is later than any bucket waited for more than its CPU
 * to wake up, and says nothing of what is usual; nor does one of a CPU that catches up, once that
 * is known (before, a CPU whose timers are all later than the floor would never be known). */
static __always_inline void lateness_note(__u32 cpu, __u64 late, bool catching_up)
{
	struct hanet_lateness *of = bpf_map_lookup_elem(&lateness, &cpu);
	__u64 bucket = late >> HANET_LATENESS_SHIFT;

	if (!of)
		return;
	of->last_ns = late;
	if ((catching_up && of->usual_ns) || bucket >= HANET_LATENESS_BUCKETS)
		return;
	of->timers[bucket]++;
	if (++of->samples >= LATENESS_TIMERS)
		lateness_reckon(of);
}

/* A timer of that CPU that is later than this is later than usual. A detection time of 0 has the
 * floor. */
static __always_inline __u64 lateness_limit_ns(__u32 cpu, __u64 detection)
{
	struct hanet_lateness *of = bpf_map_lookup_elem(&lateness, &cpu);
	__u64 usual = of ? of->usual_ns : 0, limit = usual + usual / LATENESS_MARGIN;
	__u64 cap = detection / LATENESS_CAP;

	limit = limit < cap ? limit : cap;
	return limit > LATENESS_FLOOR_NS ? limit : LATENESS_FLOOR_NS;
}

#endif
