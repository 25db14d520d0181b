// SPDX-License-Identifier: Apache-2.0
//
// A BPF program of somebody else: it does nothing but return one value.
#pragma once

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <array>

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

}  // namespace hanet::test
