/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asks receiver.bpf.h what it makes of a timer that was late: a real timer cannot be made late by a
 * given time.
 */
#pragma clang diagnostic ignored "-Wunused-function" /* only one of them is asked */
#include "receiver.bpf.h"

__u64 late_ns;
__u64 period_ns;
bool catching_up;
__u64 answer_ns;

SEC("tc")
int ask(struct __sk_buff* skb) {
  struct hanet_receiver me = {.fires_ns = bpf_ktime_get_ns() - late_ns};

  me.due_ns = catching_up ? me.fires_ns - 1 : me.fires_ns;
  answer_ns = receiver_catches_up(&me, period_ns);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
