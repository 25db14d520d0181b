// SPDX-License-Identifier: Apache-2.0
//
// What a decision costs: it stands between the kernel's event and the first netlink message.
//
// Fractions of a microsecond are the aim, so that the decision is never what an outage waits for.
// The states are those of the daemon: nothing changed (the common case), and a failover.
#include <benchmark/benchmark.h>

#include "policy/group.h"

namespace hanet::policy {
namespace {

constexpr MonotonicTime kNow{std::chrono::hours(1)};

PortState port(SessionState session) {
  return {.present = true, .admin_up = true, .carrier = true, .session = session};
}

GroupState healthy_group(std::size_t paths, const GroupRules& rules) {
  GroupState state = initial_state(std::vector<std::size_t>(paths, 1), 0, rules);
  for (PathState& path : state.paths) path.ports.front() = port(SessionState::Up);
  return state;
}

void decide_nothing(benchmark::State& bench) {
  const GroupRules rules;
  GroupState state = healthy_group(static_cast<std::size_t>(bench.range(0)), rules);
  for ([[maybe_unused]] auto _ : bench) {
    Decision decision = decide(std::move(state), TimePassed{}, kNow, rules);
    state = std::move(decision.state);
    benchmark::DoNotOptimize(decision.actions.data());
  }
}

void decide_failover_and_end(benchmark::State& bench) {
  const GroupRules rules;
  GroupState state = healthy_group(static_cast<std::size_t>(bench.range(0)), rules);
  for ([[maybe_unused]] auto _ : bench) {
    const std::size_t active = state.active;
    const auto take = [&](const Event& event) {
      Decision decision = decide(std::move(state), event, kNow, rules);
      state = std::move(decision.state);
      return decision.actions.size();
    };
    const std::size_t started =
        take(PathChanged{.path = active, .ports = {port(SessionState::Down)}});
    if (started == 0) bench.SkipWithError("no failover");
    take(SwitchoverEnded{.moved = true});
    take(PathChanged{.path = active, .ports = {port(SessionState::Up)}});
  }
}

BENCHMARK(decide_nothing)->Arg(2)->Arg(8);
BENCHMARK(decide_failover_and_end)->Arg(2)->Arg(8);

}  // namespace
}  // namespace hanet::policy

BENCHMARK_MAIN();
