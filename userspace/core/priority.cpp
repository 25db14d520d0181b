// SPDX-License-Identifier: Apache-2.0
//
// See priority.h.
#include "core/priority.h"

#include <pthread.h>
#include <sched.h>

namespace hanet {

bool become_real_time(int priority) {
  const sched_param wanted{.sched_priority = priority};
  return ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &wanted) == 0;
}

void become_ordinary() {
  const sched_param none{};
  ::pthread_setschedparam(::pthread_self(), SCHED_OTHER, &none);
}

}  // namespace hanet
