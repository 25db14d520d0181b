// SPDX-License-Identifier: Apache-2.0
//
// See probe.h.
#include "engine/probe.h"

#include <bpf/btf.h>

#include <memory>

namespace hanet::engine {

bool kernel_has_link_poll() {
  std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), btf__free);
  return kernel && btf__find_by_name_kind(kernel.get(), "bpf_rdonly_cast", BTF_KIND_FUNC) > 0 &&
         btf__find_by_name_kind(kernel.get(), "bpf_cast_to_kern_ctx", BTF_KIND_FUNC) > 0;
}

}  // namespace hanet::engine
