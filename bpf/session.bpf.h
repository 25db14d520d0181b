/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heartbeat sessions: a request that left, its reply, the deadline, the verdict.
 *
 * Three writers run at once on any CPU and share no lock (a map with a lock can not be mapped into
 * memory): tc_egress alone advances `sent`, replies alone advance `answered` (compare-and-swap,
 * never backwards), and the state changes by compare-and-swap only. What is outstanding is derived:
 * answered < sequence <= sent.
 *
 * The deadline belongs to the oldest outstanding request. It is armed by whoever makes a request
 * the oldest: tc_egress after publishing `sent` when the one before it is answered, and a reply
 * after publishing `answered` when something is still outstanding. Each publishes with a full
 * barrier before it reads the other's counter, so at least one of the two sees the other and a
 * request without a timer can not happen. The timer decides nothing by firing: it looks again.
 */
#ifndef HANET_SESSION_BPF_H
#define HANET_SESSION_BPF_H

#include "steer.bpf.h"

static __always_inline __u64 detection_time_ns(const struct hanet_session *session)
{
	return (__u64)session->interval_us * 1000 * session->multiplier;
}

static __always_inline struct hanet_request *request_slot(struct hanet_session *session,
							  __u64 sequence)
{
	return &session->window[sequence % HANET_WINDOW];
}

/* Whether the verdict on what was asked after that one waits already. */
static __always_inline bool verdict_waits(const struct hanet_session *session, __u64 after)
{
	return session->deferred_after == after + 1;
}

/*
 * When the oldest outstanding request left, of those that the window still holds. While a verdict
 * waits requests go on, and push it out of the window: it stays what it was at the first look.
 */
static __always_inline __u64 oldest_sent_ns(struct hanet_session *session, __u64 answered,
					    __u64 sent)
{
	if (verdict_waits(session, answered))
		return session->deferred_lost_ns;
	__u64 oldest = sent - answered > HANET_WINDOW ? sent - HANET_WINDOW + 1 : answered + 1;

	return request_slot(session, oldest)->sent_ns;
}

static __always_inline void arm_deadline(__u32 index, __u64 after_ns)
{
	struct hanet_timer *deadline = bpf_map_lookup_elem(&deadline_timers, &index);

	if (deadline)
		timer_start(deadline, after_ns);
}

static __noinline int session_changed(__u32 index, struct hanet_session *session, __u32 type,
				      __u64 now)
{
	struct hanet_event what = {
		.type = type,
		.session = index,
		.at_ns = now,
	};

	if (!session)
		return 0;
	__u32 port = session->port;

	session->state_since_ns = now;
	trunk_review(bpf_map_lookup_elem(&ports, &port));
	what.group = session->group;
	what.port = session->port;
	what.unanswered = session->sent - session->answered;
	if (type == HANET_EVENT_SESSION_DOWN) {
		what.first_lost_ns = session->first_lost_ns;
		what.deadline_ns = session->deadline_ns;
		what.steered = steer_on_verdict(session->port, session->first_lost_ns, now);
	}
	return event_submit(&what);
}

static __always_inline void session_down(__u32 index, struct hanet_session *session, __u32 before,
					 __u64 first_lost, __u64 due, __u64 now)
{
	session->replies_in_row = 0;
	if (before != HANET_SESSION_UP && before != HANET_SESSION_UNKNOWN)
		return;
	/* Only the timer writes these, and whoever sees the state must find them. */
	session->first_lost_ns = first_lost;
	session->deadline_ns = due;
	session->verdict_ns = now;
	if (__sync_val_compare_and_swap(&session->state, before, HANET_SESSION_DOWN) != before)
		return;
	session->down_verdicts++;
	session_changed(index, session, HANET_EVENT_SESSION_DOWN, now);
}

/*
 * How often a waiting verdict is looked at: often enough to cost little of the detection time, and
 * seldom enough that many of them do not take the CPU that has to catch up.
 */
static __always_inline __u64 look_again_ns(__u64 detection)
{
	return detection / 16 > RECEIVER_SLACK_NS ? detection / 16 : RECEIVER_SLACK_NS;
}

/*
 * What is due may wait for this many nanoseconds (0: no longer), because the reply may be here
 * already and only wait for a CPU. Both together: at most HANET_STALL_MAX_NS and a quarter of the
 * detection time from the first look on, while this CPU runs:
 *
 * - a CPU that takes in frames stands still: until it has caught up, at most HANET_STALL_MAX_NS;
 * - the verdict is late by more than half the detection time, because this CPU stood still or that
 *   one did: one second look, a quarter of the detection time later. What was handled last may
 *   have been the question, where the far end or a virtual link to it is on the same CPUs.
 *
 * `after` names the deadline: what had been answered, which does not move while nothing comes.
 */
static __always_inline __u64 deferral(struct hanet_session *session, __u64 after, __u64 first_lost,
				      __u64 now)
{
	__u64 detection = detection_time_ns(session), due = first_lost + detection, wait = 0;
	bool waits = verdict_waits(session, after);
	__u64 since = waits ? session->deferred_since_ns : now;
	__u32 second_look = waits && session->second_look;
	__u32 stalled = now - since < HANET_STALL_MAX_NS ? receiver_stalled(due, now) : HANET_NONE;

	if (stalled != HANET_NONE) {
		wait = look_again_ns(detection);
	} else if (now > due + detection / 2 && !second_look) {
		stalled = bpf_get_smp_processor_id();
		second_look = 1;
		wait = detection / 4;
	}
	if (wait && !waits) {
		session->deferred_lost_ns = first_lost;
		session->deferred_since_ns = now;
		session->deferred_after = after + 1;
		session->stalled_cpu = stalled;
		session->stall_deferrals++;
	}
	session->second_look = second_look;
	return wait;
}

/*
 * Timer callback. The verdict needs the multiplier of unanswered requests in a row and the
 * detection time past the first of them (spec M3).
 */
static int session_deadline(void *map, __u32 *key, struct hanet_timer *deadline)
{
	__u32 index = *key;
	struct hanet_session *session = bpf_map_lookup_elem(&sessions, &index);

	if (!session || !session->in_use)
		return 0;
	__u32 before = session->state;
	__u64 sent = session->sent, answered = session->answered;

	if (sent <= answered || before == HANET_SESSION_PAUSED)
		return 0;
	__u64 now = bpf_ktime_get_ns();
	__u64 first_lost = oldest_sent_ns(session, answered, sent);
	__u64 detection = detection_time_ns(session);
	__u64 waited = now > first_lost ? now - first_lost : 0;

	if (waited < detection) {
		timer_start(deadline, detection - waited);
		return 0;
	}
	if (sent - answered < session->multiplier) {
		/* The sender was held up: wait for the requests that are still owed. */
		timer_start(deadline, (__u64)session->interval_us * 500);
		return 0;
	}
	__u64 wait = before == HANET_SESSION_UP ? deferral(session, answered, first_lost, now) : 0;
	/* Looking at all CPUs takes its time: one may have run again and handled the reply. */
	if (session->answered != answered)
		wait = RECEIVER_SLACK_NS;
	if (wait) {
		timer_start(deadline, wait);
		return 0;
	}
	session_down(index, session, before, first_lost, first_lost + detection, now);
	return 0;
}

/* Stamps a request that is leaving. Returns its sequence. */
static __always_inline __u64 session_request(__u32 index, struct hanet_session *session,
					     bool neighbour)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 sequence = session->sent + 1;
	struct hanet_request *request = request_slot(session, sequence);

	params_apply_session(session);
	request->replied_ns = 0;
	request->sent_ns = now;
	request->sequence = sequence;
	if (neighbour)
		session->last_neighbour_sequence = sequence;
	session->last_sent_ns = now;
	__sync_lock_test_and_set(&session->sent, sequence);
	if (session->answered + 1 == sequence)
		arm_deadline(index, detection_time_ns(session));
	return sequence;
}

static __always_inline __u32 log2_u64(__u64 value)
{
	__u32 log = 0;

	for (int step = 32; step; step /= 2) {
		if (value >> step) {
			value >>= step;
			log += step;
		}
	}
	return log;
}

static __always_inline void record_rtt(struct hanet_session *session, __u64 rtt)
{
	__u64 before = session->rtt_last_ns;
	__u32 bucket = log2_u64(rtt);

	if (bucket >= HANET_RTT_BUCKETS)
		bucket = HANET_RTT_BUCKETS - 1;
	session->rtt_log2_ns[bucket]++;
	session->rtt_last_ns = rtt;
	session->rtt_sum_ns += rtt;
	if (!session->rtt_min_ns || rtt < session->rtt_min_ns)
		session->rtt_min_ns = rtt;
	if (rtt > session->rtt_max_ns)
		session->rtt_max_ns = rtt;
	if (session->replies++) {
		__u64 difference = rtt > before ? rtt - before : before - rtt;

		/* J += (|D| - J) / 16, RFC 3550 section 6.4.1 */
		session->jitter_ns += difference / 16 - session->jitter_ns / 16;
	}
}

/* Counts towards "up": only replies to requests in a row, none missing between them. */
static __always_inline void session_alive(__u32 index, struct hanet_session *session, bool gap,
					  __u64 now)
{
	__u32 before = session->state;

	if (before != HANET_SESSION_DOWN && before != HANET_SESSION_UNKNOWN)
		return;
	session->replies_in_row = gap ? 1 : session->replies_in_row + 1;
	if (session->replies_in_row < session->up_count)
		return;
	if (__sync_val_compare_and_swap(&session->state, before, HANET_SESSION_UP) != before)
		return;
	session->up_verdicts++;
	session_changed(index, session, HANET_EVENT_SESSION_UP, now);
}

/*
 * A reply to `sequence` that passed every check. Returns HANET_REJECT_COUNT when it counted, or the
 * reason why it did not.
 */
static __noinline int session_reply(__u32 index, struct hanet_session *session, __u64 sequence)
{
	if (!session)
		return HANET_REJECT_WRONG_SESSION;
	__u64 now = bpf_ktime_get_ns();
	__u64 sent = session->sent, answered = session->answered;
	struct hanet_request *request = request_slot(session, sequence);

	if (sequence > sent || sequence == 0)
		return HANET_REJECT_FUTURE;
	if (request->sequence != sequence)
		return HANET_REJECT_LATE;
	if (__sync_val_compare_and_swap(&request->replied_ns, 0, now))
		return HANET_REJECT_DUPLICATE;
	if (sequence <= answered)
		return HANET_REJECT_LATE;
	if (__sync_val_compare_and_swap(&session->answered, answered, sequence) != answered)
		return HANET_REJECT_LATE; /* another CPU accepted a reply at this very moment */
	session->lost += sequence - answered - 1;
	session->last_reply_ns = now;
	record_rtt(session, now - request->sent_ns);
	session_alive(index, session, sequence != answered + 1, now);

	sent = session->sent;
	if (sequence < sent) {
		__u64 due =
			request_slot(session, sequence + 1)->sent_ns + detection_time_ns(session);

		arm_deadline(index, due > now ? due - now : 1000);
	}
	return HANET_REJECT_COUNT;
}

#endif
