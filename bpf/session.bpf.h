/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heartbeat sessions: a request that left, its reply, and when a deadline is armed. What is made of
 * a change of state is not known here (verdict.bpf.h).
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

#include "params.bpf.h"
#include "quorum.bpf.h"

static __always_inline struct hanet_request *request_slot(struct hanet_session *session,
							  __u64 sequence)
{
	return &session->window[sequence % HANET_WINDOW];
}

static __always_inline void arm_deadline(__u32 index, __u64 after_ns)
{
	struct hanet_timer *deadline = bpf_map_lookup_elem(&deadline_timers, &index);

	if (deadline)
		timer_start(deadline, after_ns);
}

/* Stamps a request that is leaving. Returns its sequence. */
static __always_inline __u64 session_request(__u32 index, struct hanet_session *session,
					     bool neighbour)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 sequence = session->sent + 1;
	struct hanet_request *request = request_slot(session, sequence);

	bool retimed = params_apply_session(session);

	request->replied_ns = 0;
	request->sent_ns = now;
	request->sequence = sequence;
	if (neighbour)
		session->last_neighbour_sequence = sequence;
	session->last_sent_ns = now;
	__sync_lock_test_and_set(&session->sent, sequence);
	if (session->answered + 1 == sequence || retimed)
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

/*
 * Counts towards "up": only replies to requests in a row, none missing between them. Returns true
 * when the session came up.
 */
static __always_inline bool session_alive(struct hanet_session *session, bool gap)
{
	__u32 before = session->state;

	if (before != HANET_SESSION_DOWN && before != HANET_SESSION_UNKNOWN)
		return false;
	session->replies_in_row = gap ? 1 : session->replies_in_row + 1;
	if (session->replies_in_row < session->up_count)
		return false;
	if (__sync_val_compare_and_swap(&session->state, before, HANET_SESSION_UP) != before)
		return false;
	session->up_verdicts++;
	return true;
}

/*
 * The deadline of a session in state `before` passed: `first_lost` is when the oldest unanswered
 * request left, `due` when the verdict was due. Returns true when the session went down.
 */
static __always_inline bool session_down(struct hanet_session *session, __u32 before,
					 __u64 first_lost, __u64 due, __u64 now)
{
	session->replies_in_row = 0;
	if (before != HANET_SESSION_UP && before != HANET_SESSION_UNKNOWN)
		return false;
	/* Only the timer writes these, and whoever sees the state must find them. */
	session->first_lost_ns = first_lost;
	session->deadline_ns = due;
	session->verdict_ns = now;
	if (__sync_val_compare_and_swap(&session->state, before, HANET_SESSION_DOWN) != before)
		return false;
	session->down_verdicts++;
	return true;
}

/*
 * Takes a reply to `sequence` that passed every check. Returns HANET_REJECT_COUNT when it counted,
 * or the reason why it did not. `gap`: requests before it stay unanswered.
 */
static __always_inline int session_take_reply(struct hanet_session *session, __u64 sequence,
					      __u64 now, bool *gap)
{
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
	*gap = sequence != answered + 1;
	session->gaps += *gap;
	return HANET_REJECT_COUNT;
}

/* Would a reply to `sequence` be one that nobody has given yet? */
static __always_inline bool session_awaits(struct hanet_session *session, __u64 sequence)
{
	struct hanet_request *request = request_slot(session, sequence);

	return sequence > session->answered && sequence <= session->sent &&
	       request->sequence == sequence && !request->replied_ns;
}

/* Arms the deadline of what is still outstanding after a reply to `sequence`. */
static __always_inline void session_rearm(__u32 index, struct hanet_session *session,
					  __u64 sequence, __u64 now)
{
	if (sequence >= session->sent)
		return;
	__u64 due = request_slot(session, sequence + 1)->sent_ns + detection_time_ns(session);

	arm_deadline(index, due > now ? due - now : 1000);
}

#endif
