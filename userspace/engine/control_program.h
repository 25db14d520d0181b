// SPDX-License-Identifier: Apache-2.0
//
// Asking the kernel side for something: one run of tc_control (BPF_PROG_TEST_RUN).
#pragma once

#include <bpf/bpf.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "hanet/abi.h"

namespace hanet::engine {

struct ControlAnswer {
  int error = 0;            ///< errno; 0: the program ran
  std::uint32_t value = 0;  ///< what it returned
};

/// Thread-safe, allocates nothing. `program`: the descriptor of tc_control.
[[nodiscard]] inline ControlAnswer run_control(int program, std::uint32_t operation,
                                               std::uint32_t index) {
  constexpr std::size_t kEthernetHeader = 14;
  std::array<std::uint8_t, kEthernetHeader + sizeof(hanet_control)> data{};
  const hanet_control command{.op = operation, .index = index};
  std::memcpy(data.data() + kEthernetHeader, &command, sizeof(command));
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.data_in = data.data();
  run.data_size_in = data.size();
  run.repeat = 1;
  const int failed = bpf_prog_test_run_opts(program, &run);
  return {.error = -failed, .value = run.retval};
}

}  // namespace hanet::engine
