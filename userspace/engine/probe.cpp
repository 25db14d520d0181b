// SPDX-License-Identifier: Apache-2.0
//
// See probe.h.
#include "engine/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <cerrno>
#include <climits>
#include <memory>

#include "core/fd.h"
#include "engine/attach.h"

// Takes the place of libbpf's. Where the kernel lacks a weak kfunc (before Linux 6.2), libbpf lists
// the BTF objects of modules, which needs CAP_SYS_ADMIN, and before 1.5 it takes the refusal for a
// failure to load (tools/lib/bpf/libbpf.c, load_module_btfs). What hanet uses is in the kernel
// itself, so there is nothing to list: the least rights do.
extern "C" int bpf_btf_get_next_id(__u32 /*start_id*/, __u32* /*next_id*/) {
  errno = ENOENT;
  return -ENOENT;
}

namespace hanet::engine {

bool kernel_has_link_poll() {
  std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), btf__free);
  return kernel && btf__find_by_name_kind(kernel.get(), "bpf_rdonly_cast", BTF_KIND_FUNC) > 0 &&
         btf__find_by_name_kind(kernel.get(), "bpf_cast_to_kern_ctx", BTF_KIND_FUNC) > 0;
}

// A kernel that knows the attach type looks for the interface, and there is none.
bool kernel_has_tcx(int tc_program) {
  constexpr int kNoInterface = INT_MAX;
  const Fd link(bpf_link_create(tc_program, kNoInterface, kTcxIngress, nullptr));
  return errno == ENODEV;
}

}  // namespace hanet::engine
