// SPDX-License-Identifier: Apache-2.0
//
// See priority.h.
#include "core/priority.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

namespace hanet {

bool become_real_time(int priority) {
  const sched_param wanted{.sched_priority = priority};
  return ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &wanted) == 0;
}

bool become_punctual(const char* name, int priority) {
  ::pthread_setname_np(::pthread_self(), name);
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  return become_real_time(priority);
}

void become_ordinary() {
  const sched_param none{};
  ::pthread_setschedparam(::pthread_self(), SCHED_OTHER, &none);
}

}  // namespace hanet
