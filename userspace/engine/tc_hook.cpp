// SPDX-License-Identifier: Apache-2.0
//
// See tc_hook.h.
#include "engine/tc_hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>

namespace hanet::engine {
namespace {

constexpr std::uint32_t kBefore = 1U << 3;  // BPF_F_BEFORE of Linux 6.6
constexpr std::size_t kMaxPrograms = 64;    // BPF_MPROG_MAX, include/linux/bpf_mprog.h

// Ours among the clsact filters of a port ("ha"). Of two with one priority the kernel runs the one
// that came last first (net/sched/cls_bpf.c, cls_bpf_change), so there is a second one for whoever
// starts while the first is a killed instance's.
constexpr std::array<std::uint32_t, 2> kFilterHandles{0x6861, 0x6862};
// The first place, or one of our own where another kind of filter has that.
constexpr std::array<std::uint32_t, 2> kFilterPriorities{1, 0x6861};

bpf_attach_type tcx_type(Direction direction) {
  return direction == Direction::Ingress ? kTcxIngress : kTcxEgress;
}

Fd attach_first(int program, unsigned ifindex, Direction direction) {
  bpf_link_create_opts first{};
  first.sz = sizeof(first);
  first.flags = kBefore;
  return Fd(bpf_link_create(program, static_cast<int>(ifindex), tcx_type(direction), &first));
}

std::uint32_t id_of(int program) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  return bpf_obj_get_info_by_fd(program, &info, &length) == 0 ? info.id : 0;
}

bpf_tc_hook clsact_hook(unsigned ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = point;
  return hook;
}

bpf_tc_attach_point point_of(Direction direction) {
  return direction == Direction::Ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

bpf_tc_opts options_of(const ClsactFilter& filter) {
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.handle = filter.handle;
  options.priority = filter.priority;
  return options;
}

void clsact_detach(unsigned ifindex, Direction direction, const ClsactFilter& filter) {
  if (filter.priority == 0) return;
  bpf_tc_hook hook = clsact_hook(ifindex, point_of(direction));
  const bpf_tc_opts options = options_of(filter);
  bpf_tc_detach(&hook, &options);
}

// Its id; 0: there is no such filter.
std::uint32_t program_at(unsigned ifindex, Direction direction, const ClsactFilter& filter) {
  const bpf_tc_hook hook = clsact_hook(ifindex, point_of(direction));
  bpf_tc_opts options = options_of(filter);
  return bpf_tc_query(&hook, &options) == 0 ? options.prog_id : 0;
}

int clsact_attach(int program, unsigned ifindex, Direction direction, const ClsactFilter& filter) {
  bpf_tc_hook hook = clsact_hook(ifindex, point_of(direction));
  bpf_tc_opts options = options_of(filter);
  options.prog_fd = program;
  return bpf_tc_attach(&hook, &options);
}

// What killed instances left: of two, the one that is in charge. Where nobody knows both go, as
// their order is not known either.
ClsactFilter left_at(unsigned ifindex, Direction direction, std::uint32_t in_charge) {
  std::vector<ClsactFilter> left;
  for (const std::uint32_t priority : kFilterPriorities)
    for (const std::uint32_t handle : kFilterHandles)
      if (const ClsactFilter filter{.priority = priority, .handle = handle};
          program_at(ifindex, direction, filter) != 0)
        left.push_back(filter);
  if (left.size() == 1) return left.front();
  ClsactFilter goes_on;
  for (const ClsactFilter& filter : left)
    if (in_charge != 0 && program_at(ifindex, direction, filter) == in_charge)
      goes_on = filter;
    else
      clsact_detach(ifindex, direction, filter);
  return goes_on;
}

// libbpf prints an error when the qdisc exists already, which is normal here.
class QuietLibbpf {
 public:
  QuietLibbpf() : before_(libbpf_set_print(nullptr)) {}
  ~QuietLibbpf() { libbpf_set_print(before_); }
  QuietLibbpf(const QuietLibbpf&) = delete;
  QuietLibbpf& operator=(const QuietLibbpf&) = delete;

 private:
  libbpf_print_fn_t before_;
};

}  // namespace

std::string_view to_text(Direction direction) {
  switch (direction) {
    case Direction::Ingress:
      return "ingress";
    case Direction::Egress:
      return "egress";
  }
  return "?";
}

std::string describe_program(std::uint32_t id) {
  const Fd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (!program.valid() || bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0)
    return fmt::format("a program (id {0}; 'bpftool prog show id {0}' names it)", id);
  return fmt::format("{} (id {})", info.name, id);
}

TcHook& TcHook::operator=(TcHook&& other) noexcept {
  std::swap(program_, other.program_);
  std::swap(ifindex_, other.ifindex_);
  std::swap(direction_, other.direction_);
  std::swap(pin_, other.pin_);
  std::swap(link_, other.link_);
  std::swap(left_link_, other.left_link_);
  std::swap(filter_, other.filter_);
  std::swap(left_filter_, other.left_filter_);
  return *this;
}

TcHook::~TcHook() {
  const QuietLibbpf quiet;
  clsact_detach(ifindex_, direction_, filter_);
  link_ = PinnedLink();  // first, so that its name is free
  left_link_.leave();
}

Result<TcHook> TcHook::attach(int program, unsigned ifindex, Direction direction,
                              const std::string& name, const std::filesystem::path& pins,
                              std::uint32_t in_charge) {
  TcHook hook;
  hook.program_ = program;
  hook.ifindex_ = ifindex;
  hook.direction_ = direction;
  hook.pin_ = pin_of(pins, ifindex, to_text(direction));
  hook.left_link_ = PinnedLink::take_left(hook.pin_, in_charge);
  Fd link = attach_first(program, ifindex, direction);
  if (!link.valid()) {
    if (Status attached = hook.attach_clsact(name, in_charge); !attached) return pass_on(attached);
    return hook;
  }
  Result<PinnedLink> pinned = PinnedLink::pin(std::move(link), hook.pin_);
  if (!pinned) return pass_on(pinned);
  hook.link_ = std::move(*pinned);
  return hook;
}

Status TcHook::attach_clsact(const std::string& name, std::uint32_t in_charge) {
  const QuietLibbpf quiet;
  bpf_tc_hook both =
      clsact_hook(ifindex_, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  const int created = bpf_tc_hook_create(&both);
  if (created != 0 && created != -EEXIST)
    return errno_error(created, fmt::format("add a clsact qdisc to {}", name));
  left_filter_ = left_at(ifindex_, direction_, in_charge);
  const std::uint32_t handle =
      left_filter_.handle == kFilterHandles[0] ? kFilterHandles[1] : kFilterHandles[0];
  int failed = 0;
  for (const std::uint32_t priority : kFilterPriorities) {
    const ClsactFilter filter{.priority = priority, .handle = handle};
    failed = clsact_attach(program_, ifindex_, direction_, filter);
    if (failed != 0) continue;
    filter_ = filter;
    return {};
  }
  return errno_error(failed, fmt::format("attach a TC program to {}", name));
}

void TcHook::end_left_filters(unsigned ifindex) {
  const QuietLibbpf quiet;
  for (const Direction direction : {Direction::Ingress, Direction::Egress})
    clsact_detach(ifindex, direction, left_at(ifindex, direction, 0));
}

void TcHook::end_left() {
  const QuietLibbpf quiet;
  left_link_ = PinnedLink();
  clsact_detach(ifindex_, direction_, std::exchange(left_filter_, {}));
}

Chain TcHook::chain() const {
  Chain chain;
  if (filter_.priority != 0) return chain;
  std::array<std::uint32_t, kMaxPrograms> ids{};
  std::uint32_t count = ids.size();
  if (bpf_prog_query(static_cast<int>(ifindex_), tcx_type(direction_), 0, nullptr, ids.data(),
                     &count) != 0)
    return chain;  // the interface is gone
  const std::uint32_t own = id_of(program_);
  for (const std::uint32_t id : std::span(ids).first(count)) {
    if (id == own) return chain;
    chain.before.push_back(describe_program(id));
  }
  chain.has_hanet = false;
  chain.before.clear();
  return chain;
}

Status TcHook::come_first() {
  // A program is in a chain once. Without it nothing is lost that it would have been given.
  link_ = PinnedLink();
  Fd link = attach_first(program_, ifindex_, direction_);
  if (!link.valid())
    return errno_error(
        errno, fmt::format("attach {} as the first program at the {} of interface {}",
                           describe_program(id_of(program_)), to_text(direction_), ifindex_));
  Result<PinnedLink> pinned = PinnedLink::pin(std::move(link), pin_);
  if (!pinned) return pass_on(pinned);
  link_ = std::move(*pinned);
  return {};
}

}  // namespace hanet::engine
