// SPDX-License-Identifier: Apache-2.0
//
// See probe.h.
#include "engine/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "core/fd.h"
#include "engine/attach.h"
#include "hanet/abi.h"

// Takes the place of libbpf's. Where the kernel lacks a weak kfunc (before Linux 6.2), libbpf lists
// the BTF objects of modules, which needs CAP_SYS_ADMIN, and before 1.5 it takes the refusal for a
// failure to load (tools/lib/bpf/libbpf.c, load_module_btfs). What hanet uses is in the kernel
// itself, so there is nothing to list: the least rights do.
extern "C" int bpf_btf_get_next_id(__u32 /*start_id*/, __u32* /*next_id*/) {
  errno = ENOENT;
  return -ENOENT;
}

namespace hanet::engine {

void KernelTypes::Free::operator()(btf* types) const { btf__free(types); }

KernelTypes::KernelTypes() : types_(btf__load_vmlinux_btf()) {}

int KernelTypes::function(const char* name) const {
  return types_ ? btf__find_by_name_kind(types_.get(), name, BTF_KIND_FUNC) : -ENOENT;
}

bool KernelTypes::have_link_poll() const {
  return function("bpf_rdonly_cast") > 0 && function("bpf_cast_to_kern_ctx") > 0;
}

// A program that does nothing, attached where the real one will be: kernels without ftrace load it
// and refuse the link (kernel/bpf/trampoline.c).
int KernelTypes::refuse_fentry() const {
  const int carrier_off = function("netif_carrier_off");
  if (carrier_off < 0) return carrier_off;
  constexpr std::array<bpf_insn, 2> kReturnZero{{
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  }};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_TRACE_FENTRY;
  options.attach_btf_id = static_cast<__u32>(carrier_off);
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_TRACING, "hanet_probe", "GPL", kReturnZero.data(),
                                 kReturnZero.size(), &options));
  if (!program.valid()) return -errno;
  const Fd link(bpf_link_create(program.get(), 0, BPF_TRACE_FENTRY, nullptr));
  return link.valid() ? 0 : -errno;
}

// A kernel that knows the attach type looks for the interface, and there is none.
bool kernel_has_tcx(int tc_program) {
  constexpr int kNoInterface = INT_MAX;
  const Fd link(bpf_link_create(tc_program, kNoInterface, kTcxIngress, nullptr));
  return errno == ENODEV;
}

std::uint32_t watched_cpus() {
  return static_cast<std::uint32_t>(
      std::clamp(libbpf_num_possible_cpus(), 1, static_cast<int>(HANET_MAX_CPUS)));
}

bool has_values_of(int map_fd, std::size_t bytes) {
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  return bpf_obj_get_info_by_fd(map_fd, &info, &length) == 0 && info.value_size == bytes;
}

}  // namespace hanet::engine
