// SPDX-License-Identifier: Apache-2.0
//
// What this kernel offers, asked of the kernel itself: a version number says nothing of what a
// distribution has left out or brought back.
#pragma once

namespace hanet::engine {

/// The kfuncs with which a timer reads a device's carrier (Linux 6.2; bpf/port.bpf.h).
[[nodiscard]] bool kernel_has_link_poll();

/// Whether tracing programs can watch devices gain and lose their carrier: 0, or the negative errno
/// of the kernel's refusal. It costs a millisecond; to load all of hanet's programs in vain, 160.
[[nodiscard]] int kernel_refuses_fentry();

/// Whether TC programs attach by tcx (Linux 6.6; attach.h). Attaches nothing; `tc_program` is one.
[[nodiscard]] bool kernel_has_tcx(int tc_program);

}  // namespace hanet::engine
