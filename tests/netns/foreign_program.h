// SPDX-License-Identifier: Apache-2.0
//
// A BPF program of somebody else: it does nothing but return one value.
#pragma once

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <array>
#include <cstdint>
#include <string>

#include "core/fd.h"

namespace hanet::test {

/// Invalid where the kernel refuses it.
[[nodiscard]] inline Fd foreign_program(bpf_prog_type type, const char* name, int value) {
  const std::array<bpf_insn, 2> code{
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K,
               .dst_reg = BPF_REG_0,
               .src_reg = 0,
               .off = 0,
               .imm = value},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  return Fd(bpf_prog_load(type, name, "GPL", code.data(), code.size(), nullptr));
}

/// What the service says of one: the kernel tells names to CAP_SYS_ADMIN alone, which it has not
/// (bpf_prog_get_fd_by_id, kernel/bpf/syscall.c).
[[nodiscard]] inline std::string unnamed_program(std::uint32_t id) {
  return fmt::format("a program (id {0}; 'bpftool prog show id {0}' names it)", id);
}
[[nodiscard]] inline std::uint32_t id_of_program(const Fd& program) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  return bpf_obj_get_info_by_fd(program.get(), &info, &length) == 0 ? info.id : 0;
}

}  // namespace hanet::test
