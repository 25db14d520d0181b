/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes the CPU that runs this look as if its timer were late. User space cannot: writing the map's
 * entry would free the timer that is in it.
 */
#include "maps.bpf.h"

__u64 late_ns;
__u64 moved_to; /* the pending timer was made late */

SEC("tc")
int timer_is_late(struct __sk_buff* skb) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct hanet_receiver* me = bpf_map_lookup_elem(&receivers, &cpu);

  if (!me || me->fires_ns == moved_to) return 0;
  moved_to = me->fires_ns - late_ns;
  if (me->due_ns == me->fires_ns) me->due_ns = moved_to;
  me->fires_ns = moved_to;
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
