/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys of heartbeats of kind hanet, and the tags that are made with them (spec S3).
 *
 * A group has two keys at most. Frames made with either are taken, and requests are made with the
 * one that `signs`, so the two ends of a path can change to another key one after the other. An
 * answer is made with the key of its request: who asks certainly has it.
 */
#ifndef HANET_KEYS_BPF_H
#define HANET_KEYS_BPF_H

#include "parse.bpf.h"

/* NULL: the group has no such key. */
static __always_inline const struct hanet_key *key_named(__u32 group, __u32 id)
{
	const struct hanet_keys *known = bpf_map_lookup_elem(&keys, &group);

	if (!known || !id)
		return NULL;
	if (known->key[0].id == id)
		return &known->key[0];
	return known->key[1].id == id ? &known->key[1] : NULL;
}

/* NULL: the group has none. */
static __always_inline const struct hanet_key *key_that_signs(__u32 group)
{
	const struct hanet_keys *known = bpf_map_lookup_elem(&keys, &group);

	if (!known)
		return NULL;
	const struct hanet_key *key = known->signs ? &known->key[1] : &known->key[0];

	return key->id ? key : NULL;
}

/* A global function: its rounds are walked once for a program, and not once for each call. */
__noinline __u64 frame_tag(const struct hanet_beat *beat, const struct hanet_key *key)
{
	__u64 words[HANET_BEAT_WORDS];

	if (!beat || !key)
		return 0;
	for (int i = 0; i < HANET_BEAT_WORDS; i++)
		words[i] = __le64_to_cpu(((const __u64 *)beat)[i]);
	return __cpu_to_le64(hanet_siphash(key->half, words, HANET_BEAT_WORDS));
}

/* See struct hanet_beat_way. */
__noinline __u64 datagram_tag(const struct hanet_beat *beat, const struct hanet_beat_way *way,
			      const struct hanet_key *key)
{
	__u64 words[HANET_DATAGRAM_WORDS];

	if (!beat || !way || !key)
		return 0;
	for (int i = 0; i < 4; i++)
		words[i] = __le64_to_cpu(((const __u64 *)way)[i]);
	for (int i = 1; i < HANET_BEAT_WORDS; i++)
		words[3 + i] = __le64_to_cpu(((const __u64 *)beat)[i]);
	words[4] &= ~0ULL << 8 * (offsetof(struct hanet_beat, version) - 8);
	return __cpu_to_le64(hanet_siphash(key->half, words, HANET_DATAGRAM_WORDS));
}

/* `way`: of a datagram; NULL: it is a frame. */
static __always_inline __u64 beat_tag(const struct hanet_beat *beat,
				      const struct hanet_beat_way *way, const struct hanet_key *key)
{
	return way ? datagram_tag(beat, way, key) : frame_tag(beat, key);
}

/* The last that is done to a frame. */
static __always_inline void beat_seal(struct hanet_beat *beat, const struct hanet_beat_way *way,
				      const struct hanet_key *key)
{
	beat->key = bpf_htonl(key->id);
	beat->tag = beat_tag(beat, way, key);
}

#endif
