// SPDX-License-Identifier: Apache-2.0
//
// See programs.h. The context that BPF_PROG_TEST_RUN takes is described in net/bpf/test_run.c of
// the kernel: an xdp_md may name an interface and a queue of the caller's network namespace, an
// __sk_buff an interface and a mark.
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "core/clock.h"
#include "core/fd.h"
#include "engine/control_program.h"
#include "engine/port_table.h"
#include "hanet.skel.h"

namespace hanet::bpf_test {

bool bpf_is_refused() {
  const std::array<bpf_insn, 2> zero{
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const Fd loaded(
      bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, nullptr, "GPL", zero.data(), zero.size(), nullptr));
  return !loaded.valid();
}
namespace {

constexpr std::size_t kRoomForAnswer = 4096;

int stay_silent(libbpf_print_level, const char*, va_list) { return 0; }

/// Runs a program on a frame; the caller has set the context in `options`.
Outcome run(const bpf_program* program, bpf_test_run_opts& options, const net::Frame& frame,
            int repeat) {
  Outcome result;
  result.frame.resize(kRoomForAnswer);
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.data_out = result.frame.data();
  options.data_size_out = static_cast<std::uint32_t>(result.frame.size());
  options.repeat = repeat;
  const int failed = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
  if (failed != 0)
    ADD_FAILURE() << "BPF_PROG_TEST_RUN of " << bpf_program__name(program) << " on " << frame.size()
                  << " bytes: " << std::strerror(-failed);
  result.frame.resize(failed == 0 ? options.data_size_out : 0);
  result.verdict = options.retval;
  result.each = std::chrono::nanoseconds(options.duration);
  return result;
}

}  // namespace

void Programs::Destroy::operator()(hanet_bpf* skeleton) const { hanet_bpf__destroy(skeleton); }
void Programs::Destroy::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Result<std::unique_ptr<Programs>> Programs::load(bool link_poll, bool silence) {
  libbpf_set_print(stay_silent);
  std::unique_ptr<Programs> programs(new Programs);
  bool bpf_timer = std::getenv("HANET_TEST_NO_BPF_TIMER") == nullptr;
  int failed = programs->load_object(bpf_timer, link_poll, silence);
  if (failed == -EOPNOTSUPP && bpf_timer) {
    bpf_timer = false;
    failed = programs->load_object(bpf_timer, link_poll, silence);
  }
  if (failed != 0) return errno_error(failed, "load the BPF programs");
  if (Status mapped = programs->map_memory(); !mapped) return pass_on(mapped);
  for (std::uint32_t cpu = 0; cpu < static_cast<std::uint32_t>(libbpf_num_possible_cpus()); ++cpu)
    EXPECT_TRUE(await([&] { return programs->control(HANET_CONTROL_START_RECEIVER, cpu) == 0; }));
  if (bpf_timer) return programs;
  Result<std::unique_ptr<engine::Ticker>> ticker =
      engine::Ticker::start(bpf_program__fd(programs->skeleton_->progs.tc_control));
  if (!ticker) return pass_on(ticker);
  programs->ticker_ = std::move(*ticker);
  return programs;
}

int Programs::load_object(bool bpf_timer, bool link_poll, bool silence) {
  skeleton_.reset(hanet_bpf__open());
  if (!skeleton_) return -errno;
  skeleton_->rodata->use_bpf_timer = bpf_timer;
  skeleton_->rodata->use_link_poll = link_poll;
  skeleton_->bss->watch_silence = silence;
  skeleton_->rodata->cpu_count = kWatchedCpus;
  bpf_program__set_autoload(skeleton_->progs.carrier_off, false);
  bpf_program__set_autoload(skeleton_->progs.carrier_on, false);
  return hanet_bpf__load(skeleton_.get());
}

Status Programs::map_memory() {
  const auto& maps = skeleton_->maps;
  const auto map = [](auto& array, const bpf_map* from, std::size_t entries) -> Status {
    auto mapped = std::remove_reference_t<decltype(array)>::of(bpf_map__fd(from), entries, true);
    if (!mapped) return pass_on(mapped);
    array = std::move(*mapped);
    return {};
  };
  if (Status done = map(params, maps.params, HANET_MAX_GROUPS); !done) return done;
  if (Status done = map(sessions, maps.sessions, HANET_MAX_SESSIONS); !done) return done;
  if (Status done = map(ports, maps.ports, HANET_MAX_PORTS); !done) return done;
  if (Status done = map(steer, maps.steer, HANET_MAX_PORTS); !done) return done;
  if (Status done = map(trunks, maps.trunks, HANET_MAX_TRUNKS); !done) return done;
  if (Status done = map(devices, maps.devices, HANET_MAX_GROUPS); !done) return done;
  if (Status done = map(paced, maps.paced, HANET_MAX_SESSIONS); !done) return done;
  if (Status done = map(pacer, maps.pacer, 1); !done) return done;
  if (Status done = map(accounts, maps.engine, 1); !done) return done;
  if (Status done = map(flights, maps.flights, HANET_MAX_SESSIONS); !done) return done;
  if (Status done = map(lateness, maps.lateness, HANET_MAX_CPUS); !done) return done;
  const auto keep = [](void* self, void* record, std::size_t) {
    static_cast<Programs*>(self)->received_.push_back(*static_cast<const hanet_event*>(record));
    return 0;
  };
  ring_.reset(ring_buffer__new(bpf_map__fd(maps.events), keep, this, nullptr));
  if (!ring_) return errno_error(errno, "open the event ring");
  return {};
}

// No timer must find a session in use while the maps go away under a test that failed.
Programs::~Programs() { end_sessions(); }

void Programs::end_sessions() {
  for (std::size_t at = 0; sessions.valid() && at < HANET_MAX_SESSIONS; ++at)
    engine::store(sessions[at].in_use, 0);
  for (std::size_t at = 0; ports.valid() && at < HANET_MAX_PORTS; ++at)
    engine::store(ports[at].in_use, 0);
}

void Programs::clear() {
  end_sessions();
  loopback_is_no_port();
  const auto empty = [](auto& array, std::size_t entries) {
    for (std::size_t at = 0; at < entries; ++at) array[at] = {};
  };
  empty(params, HANET_MAX_GROUPS);
  empty(sessions, HANET_MAX_SESSIONS);
  empty(ports, HANET_MAX_PORTS);
  empty(steer, HANET_MAX_PORTS);
  empty(trunks, HANET_MAX_TRUNKS);
  empty(devices, HANET_MAX_GROUPS);
  empty(paced, HANET_MAX_SESSIONS);
  empty(pacer, 1);
  empty(accounts, 1);
  empty(flights, HANET_MAX_SESSIONS);
  empty(lateness, HANET_MAX_CPUS);
  [[maybe_unused]] const std::vector<hanet_event> forgotten = events();
}

Outcome Programs::xdp(const net::Frame& frame, int repeat) {
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  context.ingress_ifindex = kLoopback;
  bpf_test_run_opts options{};
  options.ctx_in = &context;
  options.ctx_size_in = sizeof(context);
  return run(skeleton_->progs.xdp_ingress, options, frame, repeat);
}

Outcome Programs::tc(const bpf_program* program, const net::Frame& frame, std::uint32_t mark,
                     int repeat) {
  __sk_buff context{};
  __sk_buff after{};
  context.ifindex = kLoopback;
  context.mark = mark;
  bpf_test_run_opts options{};
  options.ctx_in = &context;
  options.ctx_size_in = sizeof(context);
  options.ctx_out = &after;
  options.ctx_size_out = sizeof(after);
  Outcome result = run(program, options, frame, repeat);
  result.mark = after.mark;
  return result;
}

Outcome Programs::tc_ingress(const net::Frame& frame, std::uint32_t mark, int repeat) {
  return tc(skeleton_->progs.tc_ingress, frame, mark, repeat);
}

Outcome Programs::tc_egress(const net::Frame& frame, std::uint32_t mark, int repeat) {
  return tc(skeleton_->progs.tc_egress, frame, mark, repeat);
}

Outcome Programs::tc_device(const net::Frame& frame) {
  return tc(skeleton_->progs.tc_device, frame, 0, 1);
}

Outcome Programs::tc_pacer(const net::Frame& frame) {
  return tc(skeleton_->progs.tc_pacer, frame, 0, 1);
}

Outcome Programs::run_control(const net::Frame& bytes, int repeat) {
  bpf_test_run_opts options{};
  return run(skeleton_->progs.tc_control, options, bytes, repeat);
}

std::uint32_t Programs::control_with(const net::Frame& bytes) {
  return run_control(bytes, 1).verdict;
}

std::uint32_t Programs::control(std::uint32_t operation, std::uint32_t index) {
  const engine::ControlAnswer answer =
      engine::run_control(bpf_program__fd(skeleton_->progs.tc_control), operation, index);
  EXPECT_EQ(answer.error, 0) << "BPF_PROG_TEST_RUN of tc_control";
  return answer.value;
}

Receiver Programs::receiver(std::uint32_t cpu) {
  Receiver value{};
  EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.receivers), &cpu, &value), 0);
  return value;
}

void Programs::receiver_owes(std::uint32_t cpu, std::uint64_t due_ns) {
  const Receiver value{
      .timer = {}, .due_ns = due_ns, .seen = 0, .idle_periods = 0, .fires_ns = due_ns};
  EXPECT_EQ(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.receivers), &cpu, &value, BPF_ANY), 0);
}

void Programs::loopback_is(std::uint32_t port) {
  EXPECT_EQ(engine::enter_port(*skeleton_, kLoopback, port), 0);
}

void Programs::loopback_is_device(std::uint32_t group) {
  EXPECT_EQ(engine::enter_port(*skeleton_, kLoopback, HANET_MAX_PORTS + group), 0);
}

void Programs::loopback_is_no_port() { engine::strike_port(*skeleton_, kLoopback); }

std::vector<hanet_event> Programs::events() {
  received_.clear();
  ring_buffer__consume(ring_.get());
  return received_;
}

bool await(const std::function<bool()>& condition) {
  const MonotonicTime deadline = monotonic_now() + std::chrono::seconds(10);
  while (!condition()) {
    if (monotonic_now() > deadline) return condition();
    ::poll(nullptr, 0, 1);
  }
  return true;
}

}  // namespace hanet::bpf_test
