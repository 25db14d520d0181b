/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * SipHash-2-4, the keyed hash of heartbeats of kind hanet (spec S3).
 *
 * J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012. It is made for short
 * messages: a tag costs 20 rounds, and without the key nobody can make one or learn the key from
 * those that he sees. The kernel side signs and checks, user space names keys; both by this code.
 *
 * Only messages of whole 64-bit words, which is all that is needed here. Pure and thread-safe.
 */
#ifndef HANET_SIPHASH_H
#define HANET_SIPHASH_H

#include <linux/types.h>

struct hanet_sip {
	__u64 v0, v1, v2, v3;
};

static inline __attribute__((always_inline)) __u64 hanet_sip_rotate(__u64 value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static inline __attribute__((always_inline)) void hanet_sip_round(struct hanet_sip *state)
{
	state->v0 += state->v1;
	state->v1 = hanet_sip_rotate(state->v1, 13) ^ state->v0;
	state->v0 = hanet_sip_rotate(state->v0, 32);
	state->v2 += state->v3;
	state->v3 = hanet_sip_rotate(state->v3, 16) ^ state->v2;
	state->v0 += state->v3;
	state->v3 = hanet_sip_rotate(state->v3, 21) ^ state->v0;
	state->v2 += state->v1;
	state->v1 = hanet_sip_rotate(state->v1, 17) ^ state->v2;
	state->v2 = hanet_sip_rotate(state->v2, 32);
}

static inline __attribute__((always_inline)) void hanet_sip_word(struct hanet_sip *state,
								 __u64 word)
{
	state->v3 ^= word;
	hanet_sip_round(state);
	hanet_sip_round(state);
	state->v0 ^= word;
}

/*
 * Of `count` words (0 .. 31), each as the number that its eight bytes are in little-endian order;
 * so is each half of the key.
 */
static inline __attribute__((always_inline)) __u64 hanet_siphash(const __u64 *key,
								 const __u64 *words, unsigned count)
{
	/* "somepseudorandomlygeneratedbytes" */
	struct hanet_sip state = {
		key[0] ^ 0x736f6d6570736575ULL,
		key[1] ^ 0x646f72616e646f6dULL,
		key[0] ^ 0x6c7967656e657261ULL,
		key[1] ^ 0x7465646279746573ULL,
	};

	/* Unrolled where the count is a constant, as the kernel's verifier wants it. */
#ifdef __bpf__
#pragma clang loop unroll(full)
#endif
	for (unsigned i = 0; i < count; i++)
		hanet_sip_word(&state, words[i]);
	hanet_sip_word(&state, (__u64)(count * 8) << 56);
	state.v2 ^= 0xff;
	hanet_sip_round(&state);
	hanet_sip_round(&state);
	hanet_sip_round(&state);
	hanet_sip_round(&state);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

#endif
