// SPDX-License-Identifier: Apache-2.0
//
// What the programs cost the verifier, kernel by kernel (D1).
//
// Every kernel's verifier walks other paths, and gives up at a million instructions. A program near
// that limit on one kernel is refused by the next, so each stays within a budget that leaves room.
// The numbers are printed, for tests/vm to report from each kernel.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "engine/probe.h"
#include "hanet.skel.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

/// A tenth of the kernel's limit (include/linux/bpf.h, BPF_COMPLEXITY_LIMIT_INSNS, since 5.2).
constexpr unsigned kInstructionBudget = 100'000;
/// Of one function, in bytes: half of what the kernel allows for all functions on one way down
/// (MAX_BPF_STACK, which the verifier itself keeps: check_max_stack_depth).
constexpr unsigned kStackBudget = 256;

constexpr unsigned kLogStatistics = 4;  // BPF_LOG_STATS

struct Cost {
  unsigned instructions = 0;
  std::vector<unsigned> stack;  ///< bytes, function by function
};

/// Reads "processed 123 insns ..." and "stack depth 64+0+32" out of the verifier's log.
Cost cost_of(const std::string& log) {
  Cost cost;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    std::string second;
    words >> first;
    if (first == "processed") words >> cost.instructions;
    if (first != "stack" || !(words >> second) || second != "depth") continue;
    for (std::string one; std::getline(words, one, '+');)
      cost.stack.push_back(static_cast<unsigned>(std::stoul(one)));
  }
  return cost;
}

class Verifier : public Scene {
 protected:
  using Logs = std::map<std::string, std::vector<char>>;

  /// Loads everything that can be switched on. Returns 0 or -errno.
  int load_all(bool bpf_timer, bool tracing) {
    logs_.clear();
    const std::unique_ptr<hanet_bpf, decltype(&hanet_bpf__destroy)> skeleton(hanet_bpf__open(),
                                                                             hanet_bpf__destroy);
    if (!skeleton) return -errno;
    skeleton->rodata->use_bpf_timer = bpf_timer;
    skeleton->rodata->use_link_poll = engine::KernelTypes().have_link_poll();
    skeleton->rodata->cpu_count = kWatchedCpus;
    bpf_program__set_autoload(skeleton->progs.carrier_off, tracing);
    bpf_program__set_autoload(skeleton->progs.carrier_on, tracing);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton->obj) {
      if (!bpf_program__autoload(program)) continue;
      std::vector<char>& log = logs_[bpf_program__name(program)];
      log.resize(std::size_t{1} << 16);
      bpf_program__set_log_level(program, kLogStatistics);
      bpf_program__set_log_buf(program, log.data(), log.size());
    }
    return hanet_bpf__load(skeleton.get());
  }

  Logs logs_;
};

TEST_F(Verifier, D1_TakesEveryProgramWithinItsBudget) {
  const bool bpf_timer = p->has_bpf_timer();
  bool tracing = true;
  int failed = load_all(bpf_timer, tracing);
  if (failed == -EPERM) {
    tracing = false;
    failed = load_all(bpf_timer, tracing);
  }
  ASSERT_EQ(failed, 0);
  ASSERT_EQ(logs_.size(), tracing ? 9U : 7U);
  for (const auto& [name, log] : logs_) {
    const Cost cost = cost_of(log.data());
    fmt::print("measured: {}: {} instructions; stack {}\n", name, cost.instructions,
               fmt::join(cost.stack, "+"));
    ASSERT_GT(cost.instructions, 0U) << log.data();
    ASSERT_FALSE(cost.stack.empty()) << log.data();
    EXPECT_LE(cost.instructions, kInstructionBudget) << name;
    EXPECT_LE(*std::ranges::max_element(cost.stack), kStackBudget) << name;
  }
}

// A program that writes into frames directly begins with a copy of each that is cloned, and drops
// it where there is no memory (net/core/filter.c, tc_cls_act_prologue): TCP keeps a clone of all it
// sends.
TEST_F(Verifier, D6_NoFrameThatLeavesIsCopiedForThePrograms) {
  const auto begins_with_a_copy = [](const bpf_program* program) {
    std::array<bpf_insn, 8> begin{};  // before anything of ours
    bpf_prog_info info{};
    std::uint32_t length = sizeof(info);
    info.xlated_prog_insns = reinterpret_cast<std::uintptr_t>(begin.data());
    info.xlated_prog_len = sizeof(begin);
    EXPECT_EQ(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length), 0);
    return std::ranges::any_of(begin, [](const bpf_insn& one) {
      return one.code == (BPF_JMP | BPF_CALL) && one.src_reg == 0;
    });
  };
  EXPECT_FALSE(begins_with_a_copy(p->skeleton()->progs.tc_egress));
  EXPECT_TRUE(begins_with_a_copy(p->skeleton()->progs.tc_ingress))
      << "the witness: answers to ARP are written in place";
}

}  // namespace
}  // namespace hanet::bpf_test
