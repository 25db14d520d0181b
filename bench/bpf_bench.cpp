// SPDX-License-Identifier: Apache-2.0
//
// What each program costs a packet, measured by the kernel (BPF_PROG_TEST_RUN, duration).
//
// The bar: traffic that is not ours pays at most 50 ns per packet in each program. The time is the
// program's own plus the kernel's loop around it (see the floor: a program that returns at once),
// without the driver and the stack. A frame runs many times in a row, so caches are warm; on a busy
// host they are for a hot path, too.
//
// A request that arms its timer and a reply that counts can happen once only. They run one by one,
// and their times include the cold start of a single run.
//
// Needs root. On a machine with other work, believe the minimum: --benchmark_repetitions=20.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bpf/scene.h"

namespace hanet::bench {
namespace {

using namespace bpf_test;

constexpr int kRepeat = 100000;
constexpr int kSingleRuns = 200;

/// The scene of the tests, without a test.
class World : public Scene {
 public:
  using Scene::p;
  using Scene::reply_to;
  using Scene::request;
  using Scene::send;
  using Scene::session;
  using Scene::watch;

  /// Empty where BPF is refused.
  static std::unique_ptr<World> make(benchmark::State& state, bool silence = false) {
    auto world = std::make_unique<World>();
    Result<std::unique_ptr<Programs>> loaded = Programs::load(true, silence);
    if (!loaded) loaded = Programs::load(false, silence);
    if (!loaded) {
      state.SkipWithError(loaded.error().message.c_str());
      return nullptr;
    }
    world->p = std::move(*loaded);
    world->watch(Beat::EchoIpv4);
    return world;
  }
  void TestBody() override {}
};

net::Frame tcp_frame(const net::MacAddress& to) {
  net::Frame frame = net::echo_request(to, kOtherMac, net::Ipv4Bytes{192, 0, 2, 7},
                                       net::Ipv4Bytes{192, 0, 2, 8}, 0, net::Frame(1400));
  frame[23] = 6;
  return frame;
}

enum class Hook { Xdp, TcIngress, TcEgress, ReturnsAtOnce };

Outcome run(World& world, Hook hook, const net::Frame& frame, int repeat) {
  switch (hook) {
    case Hook::Xdp:
      return world.p->xdp(frame, repeat);
    case Hook::TcIngress:
      return world.p->tc_ingress(frame, 0, repeat);
    case Hook::TcEgress:
      return world.p->tc_egress(frame, 0, repeat);
    case Hook::ReturnsAtOnce:
      return world.p->run_control(net::Frame(14), repeat);
  }
  return {};
}

void set_time(benchmark::State& state, std::chrono::nanoseconds each) {
  state.SetIterationTime(std::chrono::duration<double>(each).count());
}

void repeated(benchmark::State& state, World& world, Hook hook, const net::Frame& frame) {
  for ([[maybe_unused]] auto _ : state) set_time(state, run(world, hook, frame, kRepeat).each);
}

void other_traffic(benchmark::State& state, Hook hook) {
  const auto world = World::make(state);
  if (world) repeated(state, *world, hook, tcp_frame({0x52 & 0xfc, 0x54, 0, 0, 0, 7}));
}

/// A port that listens for kTargetMac, and a frame from there or from elsewhere.
void listening_port(benchmark::State& state, Hook hook, const net::MacAddress& from) {
  const auto world = World::make(state, true);
  if (!world) return;
  hanet_session& session = world->session();
  session.kind = HANET_HEARTBEAT_SILENCE;
  session.heard_at_xdp = hook == Hook::Xdp ? 1 : 0;
  std::copy(kTargetMac.begin(), kTargetMac.end(), session.target_mac);
  session.target_mac_known = HANET_MAC_CONFIGURED;
  net::Frame frame = tcp_frame(kOtherMac);
  std::copy(from.begin(), from.end(), frame.begin() + 6);
  repeated(state, *world, hook, frame);
}

void floor(benchmark::State& state) {
  const auto world = World::make(state);
  if (world) repeated(state, *world, Hook::ReturnsAtOnce, {});
}

void local_traffic(benchmark::State& state, Hook hook) {
  const auto world = World::make(state);
  if (world) repeated(state, *world, hook, tcp_frame(kOtherMac));
}

void unwatched_port(benchmark::State& state, Hook hook) {
  const auto world = World::make(state);
  if (!world) return;
  world->p->loopback_is_no_port();
  repeated(state, *world, hook, tcp_frame(kOtherMac));
}

void bridged_traffic(benchmark::State& state) {
  const auto world = World::make(state);
  if (!world) return;
  world->p->ports[0].ifindex = kLoopback;
  world->p->steer[0].mode = HANET_STEER_BRIDGE_OUT;
  repeated(state, *world, Hook::TcEgress, tcp_frame(kOtherMac));
}

void request(benchmark::State& state, Beat beat) {
  const auto world = World::make(state);
  if (!world) return;
  world->watch(beat);
  repeated(state, *world, Hook::TcEgress, world->request(beat));
}

void rejected_reply(benchmark::State& state, Hook hook) {
  const auto world = World::make(state);
  if (!world) return;
  const net::Frame reply = World::reply_to(world->send(Beat::EchoIpv4), Beat::EchoIpv4);
  static_cast<void>(world->p->xdp(reply));
  repeated(state, *world, hook, reply);
}

/// Requests and replies that count: the timer is armed and cancelled each time.
void exchange(benchmark::State& state, bool measure_request) {
  const auto world = World::make(state);
  if (!world) return;
  const net::Frame frame = world->request(Beat::EchoIpv4);
  for ([[maybe_unused]] auto _ : state) {
    std::chrono::nanoseconds total{};
    for (int i = 0; i < kSingleRuns; ++i) {
      const Outcome sent = world->p->tc_egress(frame);
      const Outcome got = world->p->xdp(World::reply_to(sent.frame, Beat::EchoIpv4));
      total += measure_request ? sent.each : got.each;
    }
    set_time(state, total / kSingleRuns);
  }
  if (world->session().replies != static_cast<std::uint64_t>(state.iterations()) * kSingleRuns)
    state.SkipWithError("a reply did not count");
}

void configure(benchmark::internal::Benchmark* one) {
  one->UseManualTime()->Iterations(20)->Unit(benchmark::kNanosecond);
}

BENCHMARK(floor)->Apply(configure);
BENCHMARK_CAPTURE(other_traffic, xdp_ingress, Hook::Xdp)->Apply(configure);
BENCHMARK_CAPTURE(other_traffic, tc_ingress, Hook::TcIngress)->Apply(configure);
BENCHMARK_CAPTURE(other_traffic, tc_egress, Hook::TcEgress)->Apply(configure);
BENCHMARK_CAPTURE(local_traffic, xdp_ingress, Hook::Xdp)->Apply(configure);
BENCHMARK_CAPTURE(unwatched_port, xdp_ingress, Hook::Xdp)->Apply(configure);
BENCHMARK_CAPTURE(unwatched_port, tc_egress, Hook::TcEgress)->Apply(configure);
BENCHMARK_CAPTURE(listening_port, xdp_ingress_other, Hook::Xdp, kOtherMac)->Apply(configure);
BENCHMARK_CAPTURE(listening_port, xdp_ingress_peer, Hook::Xdp, kTargetMac)->Apply(configure);
BENCHMARK_CAPTURE(listening_port, tc_ingress_other, Hook::TcIngress, kOtherMac)->Apply(configure);
BENCHMARK_CAPTURE(listening_port, tc_ingress_peer, Hook::TcIngress, kTargetMac)->Apply(configure);
BENCHMARK(bridged_traffic)->Apply(configure);
BENCHMARK_CAPTURE(request, echo_ipv4, Beat::EchoIpv4)->Apply(configure);
BENCHMARK_CAPTURE(request, echo_ipv6, Beat::EchoIpv6)->Apply(configure);
BENCHMARK_CAPTURE(request, arp, Beat::Arp)->Apply(configure);
BENCHMARK_CAPTURE(rejected_reply, xdp_ingress, Hook::Xdp)->Apply(configure);
BENCHMARK_CAPTURE(rejected_reply, tc_ingress, Hook::TcIngress)->Apply(configure);
BENCHMARK_CAPTURE(exchange, request_once, true)->Apply(configure);
BENCHMARK_CAPTURE(exchange, reply_once, false)->Apply(configure);

}  // namespace
}  // namespace hanet::bench

BENCHMARK_MAIN();
