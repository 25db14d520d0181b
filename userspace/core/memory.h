// SPDX-License-Identifier: Apache-2.0
//
// The memory of hanetd: locked, because a page fault in the middle of a switchover would be an
// outage, and no more of it than is needed, because a full routing table is read, planned and
// written with several times of what is kept in the end.
#pragma once

namespace hanet {

/// Pages are locked as they are touched; false without CAP_IPC_LOCK.
[[nodiscard]] bool lock_memory();
/// Takes some milliseconds: not while a switchover runs.
void give_memory_back();

}  // namespace hanet
