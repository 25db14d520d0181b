// SPDX-License-Identifier: Apache-2.0
//
// What a plan costs, for 1, 10 and 100 addresses.
//
// A plan is made when the identity changes, not when a path fails; the time here is what a change
// of an address costs the daemon, and the upper limit of what a cold restart of the plan may cost.
#include <benchmark/benchmark.h>

#include "failover/plan.h"
#include "net/encode.h"
#include "unit/identity_samples.h"

namespace hanet::failover {
namespace {

const net::InterfaceName kTo{.name = "eth1", .index = 3};
constexpr net::MacAddress kToMac{2, 0, 0, 0, 0, 2};

net::Identity identity_of(std::int64_t addresses) {
  net::Identity identity = net::samples::identity();
  identity.addresses.clear();
  for (std::int64_t at = 0; at < addresses; ++at) {
    const auto last = static_cast<std::uint8_t>(at + 1);
    identity.addresses.push_back(at % 2 == 0 ? net::samples::ipv4(last) : net::samples::ipv6(last));
  }
  return identity;
}

void plan_of_addresses(benchmark::State& bench) {
  const net::Identity identity = identity_of(bench.range(0));
  const PlanSettings settings{.spare_mac = {2, 0, 0, 0, 0, 3}};
  std::size_t bytes = 0;
  for ([[maybe_unused]] auto _ : bench) {
    const Plan plan = make_plan(identity, kTo, kToMac, settings);
    bytes = 0;
    for (const Step& step : plan.steps)
      for (const net::NetlinkMessage& message : step.messages) bytes += message.size();
  }
  bench.counters["netlink_bytes"] = static_cast<double>(bytes);
}

void encode_addresses(benchmark::State& bench) {
  const net::Identity identity = identity_of(bench.range(0));
  for ([[maybe_unused]] auto _ : bench)
    for (const net::Address& address : identity.addresses)
      benchmark::DoNotOptimize(net::add_address(address, 3).data());
}

void verify_addresses(benchmark::State& bench) {
  const net::Identity identity = identity_of(bench.range(0));
  for ([[maybe_unused]] auto _ : bench)
    benchmark::DoNotOptimize(net::missing_from(identity, identity, false).size());
}

BENCHMARK(plan_of_addresses)->Arg(1)->Arg(10)->Arg(100)->Unit(benchmark::kMicrosecond);
BENCHMARK(encode_addresses)->Arg(1)->Arg(10)->Arg(100)->Unit(benchmark::kMicrosecond);
BENCHMARK(verify_addresses)->Arg(1)->Arg(10)->Arg(100)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hanet::failover

BENCHMARK_MAIN();
