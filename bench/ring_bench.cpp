// SPDX-License-Identifier: Apache-2.0
//
// What an event costs on its way through the ring: written by a program, read by user space.
//
// Each request of this scene carries one record, because its group's parameters change to another
// value that is out of range. Reading is timed for a full batch; what a wake-up costs on top is the
// scheduler's and is measured by outage_bench. Needs root.
#include <benchmark/benchmark.h>

#include <chrono>

#include "bpf/scene.h"
#include "core/clock.h"

namespace hanet::bench {
namespace {

using namespace bpf_test;

constexpr std::uint32_t kBatch = 2000;

class World : public Scene {
 public:
  using Scene::p;
  using Scene::request;
  using Scene::watch;
  void TestBody() override {}

  /// Writes one batch; returns the kernel's time for all of it.
  Nanoseconds produce(const net::Frame& frame, bool with_records) {
    Nanoseconds spent{};
    for (std::uint32_t i = 0; i < kBatch; ++i) {
      const std::uint32_t extreme = i % 2 == 0 ? 0 : UINT32_MAX;
      engine::store(p->params[0].interval_us,
                    with_records ? extreme : std::uint32_t{HANET_INTERVAL_MAX_US});
      spent += p->tc_egress(frame).each;
    }
    return spent;
  }
};

void through_the_ring(benchmark::State& state) {
  World world;
  Result<std::unique_ptr<Programs>> loaded = Programs::load();
  if (!loaded) {
    state.SkipWithError(loaded.error().message.c_str());
    return;
  }
  world.p = std::move(*loaded);
  world.watch(Beat::EchoIpv4);
  const net::Frame frame = world.request(Beat::EchoIpv4);
  Nanoseconds with{};
  Nanoseconds without{};
  for ([[maybe_unused]] auto _ : state) {
    static_cast<void>(world.produce(frame, false));
    static_cast<void>(world.p->events());
    without += world.produce(frame, false);
    with += world.produce(frame, true);
    const MonotonicTime start = monotonic_now();
    const std::size_t got = world.p->events().size();
    const Nanoseconds reading = monotonic_now() - start;
    if (got != kBatch) state.SkipWithError("records were lost");
    state.SetIterationTime(std::chrono::duration<double>(reading).count() / kBatch);
  }
  const auto runs = static_cast<double>(state.iterations()) * kBatch;
  state.counters["write_ns"] = static_cast<double>((with - without).count()) / runs;
}

BENCHMARK(through_the_ring)->UseManualTime()->Iterations(10)->Unit(benchmark::kNanosecond);

}  // namespace
}  // namespace hanet::bench

BENCHMARK_MAIN();
