/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is left to do where hanetd does not show itself any more (spec D7).
 *
 * hanetd stamps a word of the maps while it runs. The stamp is read where something hangs on it: at
 * a verdict, at a look at a port, and for each frame of a port that waits or is bridged, if the
 * group wants to be released. So it is released on every kernel, also where no timer runs without
 * hanetd; and a hanetd that was frozen and goes on has everything back at once, because no mode was
 * changed for it.
 */
#ifndef HANET_LOSS_BPF_H
#define HANET_LOSS_BPF_H

#include "params.bpf.h"

/* Since it showed itself; below 0 if it did so after `now` was read. */
static __always_inline __s64 daemon_away_ns(__u64 now)
{
	__u32 zero = 0;
	struct hanet_engine *accounts = bpf_map_lookup_elem(&engine, &zero);

	return accounts ? (__s64)(now - accounts->attended_ns) : 0;
}

/* Does hanetd run? Then it decides when bridging ends: it may be about to move the identity. */
static __always_inline bool engine_is_attended(__u64 now)
{
	return daemon_away_ns(now) < (__s64)HANET_UNATTENDED_MS * 1000000;
}

/* What is done for the group now (spec D7). The usual choice costs no clock. */
static __always_inline __u32 loss_of(__u32 group, __u64 now)
{
	struct hanet_params *live = bpf_map_lookup_elem(&params, &group);

	if (!live || live->on_daemon_loss == HANET_LOSS_STEER)
		return HANET_LOSS_STEER;
	return hanet_daemon_loss(live, daemon_away_ns(now ?: bpf_ktime_get_ns()));
}

/* Nothing is bridged, and what waits passes everything. */
static __always_inline bool is_released(__u32 group)
{
	return loss_of(group, 0) == HANET_LOSS_RELEASE;
}

#endif
