// SPDX-License-Identifier: Apache-2.0
//
// The engine's sixth part: what of it this kernel takes; see engine.h. The best is tried first:
// tracing programs are optional, so a kernel that refuses them gets the same object without them,
// and the status says why.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "engine/engine.h"
#include "engine/probe.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

// The kernel's number of our network namespace (fs/nsfs.c); 0: /proc does not show it.
std::uint32_t own_netns() {
  struct stat status{};
  return ::stat("/proc/self/ns/net", &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

hanet_bpf* open_skeleton(LinkSource source, bool use_bpf_timer) {
  hanet_bpf* skeleton = hanet_bpf__open();
  if (skeleton == nullptr) return nullptr;
  const bool tracing = source == LinkSource::Fentry;
  skeleton->rodata->use_link_poll = source == LinkSource::Poll;
  skeleton->rodata->use_bpf_timer = use_bpf_timer;
  skeleton->rodata->own_netns = own_netns();
  skeleton->rodata->cpu_count = watched_cpus();
  bpf_program__set_autoload(skeleton->progs.carrier_off, tracing);
  bpf_program__set_autoload(skeleton->progs.carrier_on, tracing);
  return skeleton;
}

}  // namespace

// Without one requests are as punctual as a process is.
void Engine::start_pacer(const Options& options) {
  Pacer::end_left(pin_directory_.string(), left_.goes_on() ? left_.pacer_interface() : 0);
  if (!options.no_pacer_because.empty()) {
    capabilities_.pacer = fmt::format("hanetd, {}", options.no_pacer_because);
    return;
  }
  Result<std::unique_ptr<Pacer>> pacer =
      Pacer::start({.tc_pacer = bpf_program__fd(skeleton_->progs.tc_pacer),
                    .tc_departs = bpf_program__fd(skeleton_->progs.tc_departs),
                    .paced = bpf_map__fd(skeleton_->maps.paced),
                    .pacer = bpf_map__fd(skeleton_->maps.pacer),
                    .pins = pin_directory_},
                   pin_directory_.string());
  if (!pacer) {
    capabilities_.pacer = fmt::format("hanetd, no pacer ({})", pacer.error().message);
    return;
  }
  pacer_ = std::move(*pacer);
  capabilities_.pacer = fmt::format("kernel ({})", pacer_->discipline());
}

int Engine::load_object(LinkSource source) {
  skeleton_.reset(open_skeleton(source, use_bpf_timer_));
  return skeleton_ ? hanet_bpf__load(skeleton_.get()) : -errno;
}

int Engine::try_to_load(LinkSource source) {
  int failed = load_object(source);
  // What the verifier answers on PREEMPT_RT (kernel/bpf/verifier.c, process_timer_func).
  if (failed == -EOPNOTSUPP && use_bpf_timer_) {
    use_bpf_timer_ = false;
    capabilities_.deadlines = fmt::format("hanetd, no bpf_timer ({})", std::strerror(-failed));
    failed = load_object(source);
  }
  if (failed != 0) return failed;
  link_source_ = source;
  if (source != LinkSource::Fentry) return 0;
  for (const bpf_program* program : {skeleton_->progs.carrier_off, skeleton_->progs.carrier_on}) {
    Fd link(bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_FENTRY, nullptr));
    if (!link.valid()) {
      const int refused = -errno;
      tracing_links_.clear();
      return refused;
    }
    tracing_links_.push_back(std::move(link));
  }
  return 0;
}

std::string Engine::poll_name() const { return use_bpf_timer_ ? "bpf_timer poll" : "hanetd poll"; }

void Engine::tell_capabilities(bool fentry, bool poll) {
  if (fentry) capabilities_.link_sources.emplace_back("fentry");
  if (poll) capabilities_.link_sources.push_back(poll_name());
  capabilities_.link_sources.emplace_back("rtnetlink");
  if (kernel_has_tcx(bpf_program__fd(skeleton_->progs.tc_ingress)))
    capabilities_.tc_modes.emplace_back("tcx");
  capabilities_.tc_modes.emplace_back("clsact");
  if (use_bpf_timer_) capabilities_.timers.emplace_back("bpf_timer");
}

Status Engine::open_and_load(const Options& options) {
  if (!options.bpf_timer) {
    use_bpf_timer_ = false;
    capabilities_.deadlines = "hanetd, as asked for (--no-bpf-timer)";
  }
  const bool knows_netns = own_netns() != 0;  // or else fentry would take no device for its own
  auto types = std::make_unique<const KernelTypes>();
  const bool poll = types->have_link_poll();
  int refused = knows_netns ? types->refuse_fentry() : -ENOENT;
  types.reset();
  if (refused == 0) refused = try_to_load(LinkSource::Fentry);
  if (refused == 0) {
    capabilities_.link_source = "fentry";
    tell_capabilities(true, poll);
    return {};
  }
  const int failed = try_to_load(poll ? LinkSource::Poll : LinkSource::Rtnetlink);
  if (failed != 0)
    return errno_error(failed,
                       "load the BPF programs (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON "
                       "are needed; log_level = \"debug\" shows the verifier's words)");
  capabilities_.link_source =
      fmt::format("{}, no fentry ({})", poll ? poll_name() : "rtnetlink only",
                  knows_netns ? std::strerror(-refused) : "/proc/self/ns/net can not be read");
  tell_capabilities(false, poll);
  return {};
}

}  // namespace hanet::engine
