// SPDX-License-Identifier: Apache-2.0
//
// What this kernel offers, asked of the kernel itself: a version number says nothing of what a
// distribution has left out or brought back.
#pragma once

namespace hanet::engine {

/// The kfuncs with which a timer reads a device's carrier (Linux 6.2; bpf/port.bpf.h).
[[nodiscard]] bool kernel_has_link_poll();

/// Whether TC programs attach by tcx (Linux 6.6; attach.h). Attaches nothing; `tc_program` is one.
[[nodiscard]] bool kernel_has_tcx(int tc_program);

}  // namespace hanet::engine
