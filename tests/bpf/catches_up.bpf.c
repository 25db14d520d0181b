/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asks receiver.bpf.h and lateness.bpf.h what they make of timers that were late: a real timer
 * cannot be made late by a given time.
 */
#pragma clang diagnostic ignored "-Wunused-function" /* only one of them is asked */
#include "receiver.bpf.h"

__u64 late_ns;
__u64 period_ns;
bool catching_up;
__u64 usual_ns = LATENESS_FLOOR_NS;
__u64 answer_ns;

SEC("tc")
int ask(struct __sk_buff* skb) {
  struct hanet_receiver me = {.fires_ns = 1, .due_ns = catching_up ? 0 : 1};

  answer_ns = receiver_catches_up(&me, late_ns, period_ns, usual_ns);
  return 0;
}

__u32 cpu;
bool catches_up_now;
__u64 detection_ns;

SEC("tc")
int note(struct __sk_buff* skb) {
  lateness_note(cpu, late_ns, catches_up_now);
  return 0;
}

SEC("tc")
int ask_limit(struct __sk_buff* skb) {
  answer_ns = lateness_limit_ns(cpu, detection_ns);
  return 0;
}

__u64 deadline_ns;
__u64 now_ns;

SEC("tc")
int ask_stalled(struct __sk_buff* skb) {
  answer_ns = receiver_stalled(deadline_ns, detection_ns, now_ns);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
