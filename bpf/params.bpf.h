/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live parameters, as they are really in force.
 *
 * Anybody with the map can write anything into it (spec D4), so a value is clamped each time it is
 * used, and the first use of an out-of-range value is reported: also when it is clamped to what was
 * in force already, so the report can not hang on a change alone. Nothing is written back to what
 * the person wrote; sessions and ports show what is in force.
 */
#ifndef HANET_PARAMS_BPF_H
#define HANET_PARAMS_BPF_H

#include "event.bpf.h"
#include "receiver.bpf.h"

static __always_inline __u32 clamp_u32(__u32 value, __u32 low, __u32 high)
{
	return value < low ? low : value > high ? high : value;
}

static __noinline int report_clamped(struct hanet_params *live, __u32 group)
{
	struct hanet_event what = {.type = HANET_EVENT_PARAMS_CLAMPED, .group = group};

	if (!live)
		return 0;
	__sync_fetch_and_add(&live->clamped, 1);
	return event_submit(&what);
}

/* Percentage of a trunk's capacity; clamped on every use. */
static __always_inline __u32 params_threshold(__u32 group)
{
	struct hanet_params *live = bpf_map_lookup_elem(&params, &group);

	return live ? clamp_u32(live->threshold_percent, HANET_THRESHOLD_MIN_PERCENT,
				HANET_THRESHOLD_MAX_PERCENT)
		    : HANET_THRESHOLD_MAX_PERCENT;
}

/* The interval in force; with the multiplier it makes no detection time above the limit. */
static __always_inline __u32 params_interval_us(const struct hanet_params *live, __u32 multiplier)
{
	__u32 longest = HANET_DETECTION_MAX_US / multiplier;

	return clamp_u32(live->interval_us, HANET_INTERVAL_MIN_US,
			 longest < HANET_INTERVAL_MAX_US ? longest : HANET_INTERVAL_MAX_US);
}

/* Of a session whose requests a network answers in part (spec M10). */
static __always_inline __u32 params_paced_us(const struct hanet_session *session, __u32 wanted,
					     __u32 multiplier)
{
	__u32 longest = HANET_DETECTION_MAX_US / multiplier;
	__u32 pace = session->pace_us < longest ? session->pace_us : longest;

	return pace > wanted ? pace : wanted;
}

/*
 * Brings a session's parameters in force; called for every request that leaves and with each look
 * at the port. Returns whether something is new.
 */
static __always_inline bool params_apply_session(struct hanet_session *session)
{
	__u32 group = session->group;
	struct hanet_params *live = bpf_map_lookup_elem(&params, &group);

	if (!live)
		return false;
	__u32 multiplier = clamp_u32(live->multiplier, HANET_MULTIPLIER_MIN, HANET_MULTIPLIER_MAX);
	__u32 wanted = params_interval_us(live, multiplier);
	__u32 interval = params_paced_us(session, wanted, multiplier);
	__u32 up_count = clamp_u32(live->up_count, HANET_UP_COUNT_MIN, HANET_UP_COUNT_MAX);

	bool clamped = wanted != live->interval_us || multiplier != live->multiplier ||
		       up_count != live->up_count ||
		       params_threshold(group) != live->threshold_percent ||
		       live->daemon_loss_ms < HANET_DAEMON_LOSS_MIN_MS ||
		       live->daemon_loss_ms > HANET_DAEMON_LOSS_MAX_MS ||
		       live->on_daemon_loss > HANET_LOSS_RELEASE;

	if (interval == session->interval_us && multiplier == session->multiplier &&
	    up_count == session->up_count && clamped == session->clamped)
		return false;
	session->interval_us = interval;
	session->multiplier = multiplier;
	session->up_count = up_count;
	session->clamped = clamped;
	receiver_period_update();
	if (clamped)
		report_clamped(live, group);
	return true;
}

/* The link poll period in force for a port, in microseconds. */
static __always_inline __u32 params_apply_port(struct hanet_port *port)
{
	__u32 group = port->group;
	struct hanet_params *live = bpf_map_lookup_elem(&params, &group);

	if (!live)
		return HANET_LINK_POLL_MAX_US;
	__u32 period =
		clamp_u32(live->link_poll_us, HANET_LINK_POLL_MIN_US, HANET_LINK_POLL_MAX_US);

	bool clamped = period != live->link_poll_us;

	if (period != port->link_poll_us || clamped != port->clamped) {
		port->link_poll_us = period;
		port->clamped = clamped;
		if (clamped)
			report_clamped(live, group);
	}
	return period;
}

static __always_inline bool params_enabled(__u32 group)
{
	struct hanet_params *live = bpf_map_lookup_elem(&params, &group);

	return live && live->enabled;
}

#endif
