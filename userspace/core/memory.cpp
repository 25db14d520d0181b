// SPDX-License-Identifier: Apache-2.0
//
// See memory.h.
#include "core/memory.h"

#include <malloc.h>
#include <sys/mman.h>

namespace hanet {

bool lock_memory() { return ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0; }

// The kernel takes back no page that is locked (mm/madvise.c, MADV_DONTNEED).
void give_memory_back() {
  ::munlockall();
  ::malloc_trim(0);
  [[maybe_unused]] const bool locked = lock_memory();  // the start has told if it can not be
}

}  // namespace hanet
