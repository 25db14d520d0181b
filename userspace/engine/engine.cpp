// SPDX-License-Identifier: Apache-2.0
//
// See engine.h.
#include "engine/engine.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <algorithm>
#include <system_error>
#include <thread>

#include "core/log.h"
#include "engine/control_program.h"
#include "engine/port_table.h"
#include "engine/probe.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

constexpr int kControlAttempts = 20;

int log_libbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[512];
  std::vsnprintf(line, sizeof(line), format, arguments);
  std::string_view text(line);
  if (text.ends_with('\n')) text.remove_suffix(1);
  log::debug("libbpf: {}", text);
  return 0;
}

Status mount_bpffs() {
  constexpr const char* kMountPoint = "/sys/fs/bpf";
  struct statfs file_system{};
  if (::statfs(kMountPoint, &file_system) == 0 && file_system.f_type == BPF_FS_MAGIC) return {};
  if (::mount("bpf", kMountPoint, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
    return errno_error(errno, fmt::format("mount the BPF file system on {}", kMountPoint));
  return {};
}

// .rodata and .bss are not interfaces.
// Without the keys: what is pinned can be opened by its path.
std::vector<bpf_map*> own_maps(const hanet_bpf& skeleton) {
  std::vector<bpf_map*> maps;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton.obj) {
    if (map != skeleton.maps.keys &&
        std::string_view(bpf_map__name(map)).find('.') == std::string_view::npos)
      maps.push_back(map);
  }
  return maps;
}

std::uint32_t program_id(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length) == 0 ? info.id : 0;
}

}  // namespace

void Engine::SkeletonDeleter::operator()(hanet_bpf* skeleton) const {
  hanet_bpf__destroy(skeleton);
}
void Engine::RingDeleter::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Result<std::unique_ptr<Engine>> Engine::load(const Options& options) {
  libbpf_set_print(log_libbpf);
  std::unique_ptr<Engine> engine(new Engine);
  if (Status done = engine->open_and_load(options); !done) return pass_on(done);
  if (Status done = engine->open_pins(options.pin_directory); !done) return pass_on(done);
  if (Status done = engine->map_memory(); !done) return pass_on(done);
  for (std::uint32_t cpu = 0; cpu < watched_cpus(); ++cpu)
    if (Status done = engine->control(HANET_CONTROL_START_RECEIVER, cpu); !done)
      return pass_on(done);
  if (!engine->use_bpf_timer_) {
    Result<std::unique_ptr<Ticker>> ticker =
        Ticker::start(bpf_program__fd(engine->skeleton_->progs.tc_control));
    if (!ticker) return pass_on(ticker);
    engine->ticker_ = std::move(*ticker);
  }
  engine->start_pacer(options);
  return engine;
}

Status Engine::open_pins(const std::filesystem::path& directory) {
  if (Status mounted = mount_bpffs(); !mounted) return mounted;
  if (struct statfs parent{};
      ::statfs(directory.parent_path().c_str(), &parent) != 0 || parent.f_type != BPF_FS_MAGIC)
    return failure(
        fmt::format("pin directory {}: not on a BPF file system; choose a directory below "
                    "/sys/fs/bpf",
                    directory.string()));
  std::error_code failed;
  std::filesystem::create_directory(directory, failed);
  if (failed) return errno_error(failed.value(), fmt::format("create {}", directory.string()));
  pin_directory_ = directory;
  left_ = LeftEngine::open(directory);
  left_alone_since_ = left_.last_attended();
  if (left_.is_foreign())
    log::warning(
        "{}: what a killed hanetd of another version left there steers on, but makes no verdict "
        "until this one watches; 'hanetctl detach' before a start takes it off",
        directory.string());
  if (Status pinned = pin(); !pinned || left_.goes_on()) return pinned;
  if (Status named = name_pins(); !named) return named;
  name_tracing();
  return {};
}

// Under other names until this instance takes over: then they are renamed, which takes
// microseconds, and a kill before leaves those of whoever is in charge.
Status Engine::pin() {
  std::error_code failed;
  for (const bpf_map* map : own_maps(*skeleton_)) {
    const std::filesystem::path path = new_pin(pin_directory_, bpf_map__name(map));
    std::filesystem::remove(path, failed);
    if (const int error = bpf_obj_pin(bpf_map__fd(map), path.c_str()); error != 0)
      return errno_error(error, fmt::format("pin map {} as {}", bpf_map__name(map), path.string()));
  }
  for (const char* name : kTracing)
    const PinnedLink ends = PinnedLink::adopt(new_pin(pin_directory_, name));
  for (std::size_t at = 0; at < tracing_links_.size(); ++at) {
    Result<PinnedLink> pinned =
        PinnedLink::pin(std::move(tracing_links_[at]), new_pin(pin_directory_, kTracing[at]));
    if (!pinned) return pass_on(pinned);
    pinned_tracing_.push_back(std::move(*pinned));
  }
  tracing_links_.clear();
  return {};
}

// All of them, or none: with some of each instance the next one would find neither.
Status Engine::name_pins() {
  std::error_code failed;
  for (const bpf_map* map : own_maps(*skeleton_))
    if (const std::filesystem::path name = pin_directory_ / bpf_map__name(map);
        std::filesystem::is_directory(name, failed))
      return failure(fmt::format("{} is in the way of a pin; remove it", name.string()));
  for (const bpf_map* map : own_maps(*skeleton_)) {
    const std::filesystem::path path = new_pin(pin_directory_, bpf_map__name(map));
    std::filesystem::rename(path, pin_directory_ / bpf_map__name(map), failed);
    if (failed) return errno_error(failed.value(), fmt::format("rename {}", path.string()));
  }
  has_names_ = true;
  return {};
}

// Those of a killed instance write to maps that nobody reads any more.
void Engine::name_tracing() {
  for (std::size_t at = 0; at < kTracing.size(); ++at) {
    const std::filesystem::path name = pin_directory_ / kTracing[at];
    {
      const PinnedLink ends = PinnedLink::adopt(name);
    }
    if (at < pinned_tracing_.size()) pinned_tracing_[at].take_name(name);
  }
}

// By name, so that a mistyped directory loses nothing that is not ours.
void Engine::remove_own_pins() {
  if (!skeleton_) return;
  std::error_code ignored;
  for (const bpf_map* map : own_maps(*skeleton_)) {
    if (!left_.goes_on()) std::filesystem::remove(pin_directory_ / bpf_map__name(map), ignored);
    std::filesystem::remove(new_pin(pin_directory_, bpf_map__name(map)), ignored);
  }
}

Nanoseconds Engine::usual_lateness() const {
  std::uint32_t latest = 0;
  for (std::uint32_t cpu = 0; cpu < watched_cpus(); ++cpu)
    latest = std::max(latest, engine::load(lateness_[cpu].usual_ns));
  return Nanoseconds(latest);
}

Status Engine::map_memory() {
  const auto& maps = skeleton_->maps;
  const auto map = [](auto& array, const bpf_map* from, std::size_t entries) -> Status {
    auto mapped = std::remove_reference_t<decltype(array)>::of(bpf_map__fd(from), entries, true);
    if (!mapped) return pass_on(mapped);
    array = std::move(*mapped);
    return {};
  };
  Status done = map(params_, maps.params, HANET_MAX_GROUPS);
  if (done) done = map(sessions_, maps.sessions, HANET_MAX_SESSIONS);
  if (done) done = map(ports_, maps.ports, HANET_MAX_PORTS);
  if (done) done = map(steer_, maps.steer, HANET_MAX_PORTS);
  if (done) done = map(trunks_, maps.trunks, HANET_MAX_TRUNKS);
  if (done) done = map(devices_, maps.devices, HANET_MAX_GROUPS);
  if (done) done = map(accounts_, maps.engine, 1);
  if (done) done = map(lateness_, maps.lateness, HANET_MAX_CPUS);
  if (done) done = map(flights_, maps.flights, HANET_MAX_SESSIONS);
  if (!done) return done;
  store(accounts_[0].abi, HANET_ABI);
  accounts_[0].tc_programs[0] = program_id(skeleton_->progs.tc_ingress);
  accounts_[0].tc_programs[1] = program_id(skeleton_->progs.tc_egress);
  show_presence(monotonic_now());
  const auto deliver = [](void* self, void* record, std::size_t) {
    const MonotonicTime received = monotonic_now();
    static_cast<Engine*>(self)->handler_(*static_cast<const hanet_event*>(record), received);
    return 0;
  };
  ring_.reset(ring_buffer__new(bpf_map__fd(maps.events), deliver, this, nullptr));
  if (!ring_) return errno_error(errno, "open the event ring");
  return {};
}

Engine::~Engine() {
  pacer_.reset();
  ticker_.reset();
  if (skeleton_ && steer_.valid())
    for (std::size_t port = 0; port < HANET_MAX_PORTS; ++port)
      store(steer_[port].mode, HANET_STEER_NONE);
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (attachments_[port].is_attached() && is_left_at(ports_[port].ifindex)) {
      give_back(port);
      attachments_[port].leave_xdp();
    }
  if (began_) {
    for (PortAttachment& attachment : attachments_) attachment.end_left();
    for (TcHook& hook : device_hooks_) hook.end_left();
  }
  attachments_.clear();
  device_hooks_ = {};
  leftovers_.clear();
  pinned_tracing_.clear();
  if (pin_directory_.empty()) return;
  if (began_) end_left_links(pin_directory_, {});
  remove_own_pins();
  if (left_.goes_on()) return;
  std::error_code ignored;
  std::filesystem::remove(pin_directory_, ignored);  // only if nothing else is in it
}

Status Engine::control(hanet_control_op operation, std::uint32_t index) {
  // The kernel side may be short of memory for a moment (bpf/timer.bpf.h).
  for (int attempt = 0; attempt < kControlAttempts; ++attempt) {
    const ControlAnswer answer =
        run_control(bpf_program__fd(skeleton_->progs.tc_control), operation, index);
    if (answer.error != 0) return errno_error(answer.error, "run tc_control");
    if (answer.value == 0) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return failure(
      fmt::format("tc_control refused operation {} on {}", static_cast<int>(operation), index));
}

Result<PortIndex> Engine::add_port(const PortSpec& spec) {
  PortIndex index = 0;
  while (index < HANET_MAX_PORTS && ports_[index].in_use != 0) ++index;
  if (index == HANET_MAX_PORTS)
    return failure(fmt::format("{}: hanet watches at most {} ports", spec.name,
                               static_cast<int>(HANET_MAX_PORTS)));
  hanet_port& port = ports_[index];
  port = hanet_port{};
  spec.name.copy(port.name, sizeof(port.name) - 1);
  port.ifindex = spec.ifindex;
  port.group = spec.group;
  port.session = HANET_NONE;
  copy_to(port.probe_mac, spec.probe_mac);
  port.probe_ipv4 = spec.probe_ipv4;
  copy_to(port.probe_ipv6, spec.probe_ipv6);
  copy_to(port.own_mac, spec.own_mac);
  port.beat_type = htons(spec.beat_type);
  port.beat_port = htons(spec.beat_port);
  port.quorum = spec.quorum;
  steer_[index] = hanet_steer{};
  waits_[index] = false;
  if (Status kept = reserve_sessions(index, spec.targets); !kept) return pass_on(kept);
  store(port.in_use, 1);
  if (spec.ifindex != 0)
    if (Status attached = attach_port(index, spec.ifindex, spec.name); !attached) {
      rows_[index] = {};
      store(port.in_use, 0);
      return pass_on(attached);
    }
  if (Status started = control(HANET_CONTROL_START_PORT, index); !started) return pass_on(started);
  return index;
}

Status Engine::attach_port(PortIndex index, unsigned ifindex, const std::string& name) {
  const bool is_taken_over = !is_left_at(ifindex);
  if (is_taken_over) {
    const int updated = enter_port(*skeleton_, ifindex, index);
    if (updated != 0) return errno_error(updated, fmt::format("register port {}", name));
  }
  if (auto leftover = leftovers_.extract(ifindex)) {
    attachments_[index] = std::move(leftover.mapped());
    take_attachment(index);
    return {};
  }
  if (!is_taken_over) left_.hear_at_tc(ifindex);
  const Programs programs{.xdp_ingress = bpf_program__fd(skeleton_->progs.xdp_ingress),
                          .tc_ingress = bpf_program__fd(skeleton_->progs.tc_ingress),
                          .tc_egress = bpf_program__fd(skeleton_->progs.tc_egress),
                          .in_charge = left_.programs()};
  Result<PortAttachment> attached = PortAttachment::attach(programs, ifindex, name, pin_directory_);
  if (!attached) {
    strike_port(*skeleton_, ifindex);
    return pass_on(attached);
  }
  attachments_[index] = std::move(*attached);
  left_steers_[index] = attachments_[index].has_left();
  take_attachment(index);
  if (!is_taken_over) not_taken_over_.insert(index);
  return {};
}

void Engine::take_attachment(PortIndex index) {
  store(ports_[index].replies_at_xdp, attachments_[index].has_xdp() ? 1 : 0);
  store(ports_[index].answers_at_xdp, attachments_[index].sends_at_xdp() ? 1 : 0);
  choose_listener(index);
}

// See bpf/silence.bpf.h for what a generic XDP program cannot know.
void Engine::choose_listener(PortIndex index) {
  if (ports_[index].session == HANET_NONE) return;
  store(sessions_[ports_[index].session].heard_at_xdp,
        attachments_[index].has_native_xdp() ? 1 : 0);
}

void Engine::unbind_port(PortIndex port) {
  // First: no flow of the trunk may leave by it any more.
  if (hanet_trunk_port* slot = slot_of(port)) store(slot->ifindex, 0);
  review(port);
  strike_port(*skeleton_, ports_[port].ifindex);
  if (began_) attachments_[port].end_left();
  if (std::exchange(left_steers_[port], false) && waits_[port])
    store(steer_[port].mode, HANET_STEER_IDLE);
  attachments_[port] = PortAttachment();
  // Last: a frame on its way out would have stored the address again.
  store(ports_[port].net_device, 0);
  store(ports_[port].carrier, HANET_CARRIER_UNKNOWN);
}

Status Engine::rebind_port(PortIndex port, unsigned ifindex, const std::string& name) {
  std::fill(std::begin(ports_[port].name), std::end(ports_[port].name), '\0');
  name.copy(ports_[port].name, sizeof(ports_[port].name) - 1);
  store(ports_[port].ifindex, ifindex);
  // A look at the old interface that was on its way may have come after unbind_port().
  store(ports_[port].carrier, HANET_CARRIER_UNKNOWN);
  if (Status attached = attach_port(port, ifindex, name); !attached) return attached;
  if (hanet_trunk_port* slot = slot_of(port)) store(slot->ifindex, ifindex);
  review(port);
  return {};
}

int Engine::event_descriptor() const { return ring_buffer__epoll_fd(ring_.get()); }

void Engine::read_events(const EventHandler& handler) {
  handler_ = handler;
  ring_buffer__consume(ring_.get());
}

void Engine::set_claim(PortIndex port, hanet_claim claim) { store(ports_[port].claim, claim); }

}  // namespace hanet::engine
