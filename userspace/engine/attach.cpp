// SPDX-License-Identifier: Apache-2.0
//
// See attach.h for the rules of coexistence.
#include "engine/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "net/link.h"

namespace hanet::engine {
namespace {

// Our own place among the clsact filters of a port ("ha").
constexpr std::uint32_t kFilterPriority = 0x6861;
constexpr std::uint32_t kFilterHandle = 1;

std::string program_holding_xdp(unsigned ifindex, std::uint32_t id) {
  const Fd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (program.valid() && bpf_obj_get_info_by_fd(program.get(), &info, &length) == 0)
    return fmt::format("taken by {} (id {})", info.name, id);
  return fmt::format("taken on interface {}", ifindex);
}

// vmxnet3 (native since Linux 6.6) sets its program to none whenever the card stops or is reset
// (drivers/net/vmxnet3, vmxnet3_rq_cleanup_all), without a word: everybody still shows it, and it
// is never given back, so it stays loaded until the next boot. Who does not tell may be it.
bool forgets_native_xdp(unsigned ifindex) {
  const std::string driver = net::driver_of(ifindex);
  return driver.empty() || driver == "vmxnet3";
}

std::string attached_xdp_mode(unsigned ifindex) {
  bpf_xdp_query_opts query{};
  query.sz = sizeof(query);
  if (bpf_xdp_query(static_cast<int>(ifindex), 0, &query) != 0) return "unknown";
  return query.attach_mode == XDP_ATTACHED_DRV ? "native" : "generic";
}

bpf_tc_hook clsact_hook(unsigned ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = point;
  return hook;
}

int clsact_detach(unsigned ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook = clsact_hook(ifindex, point);
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.handle = kFilterHandle;
  options.priority = kFilterPriority;
  return bpf_tc_detach(&hook, &options);
}

int clsact_attach(int program, unsigned ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook = clsact_hook(ifindex, point);
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.prog_fd = program;
  options.handle = kFilterHandle;
  options.priority = kFilterPriority;
  options.flags = BPF_TC_F_REPLACE;  // our own filter of a killed instance, if it is there
  return bpf_tc_attach(&hook, &options);
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

PortAttachment::PortAttachment(PortAttachment&& other) noexcept { *this = std::move(other); }

PortAttachment& PortAttachment::operator=(PortAttachment&& other) noexcept {
  std::swap(xdp_, other.xdp_);
  std::swap(tcx_ingress_, other.tcx_ingress_);
  std::swap(tcx_egress_, other.tcx_egress_);
  std::swap(clsact_ifindex_, other.clsact_ifindex_);
  std::swap(xdp_mode_, other.xdp_mode_);
  std::swap(tc_mode_, other.tc_mode_);
  return *this;
}

PortAttachment::~PortAttachment() { detach(); }

void PortAttachment::detach() {
  if (clsact_ifindex_ == 0) return;
  const QuietLibbpf quiet;
  clsact_detach(clsact_ifindex_, BPF_TC_INGRESS);
  clsact_detach(clsact_ifindex_, BPF_TC_EGRESS);
  clsact_ifindex_ = 0;
}

Status PortAttachment::attach_xdp(int program, unsigned ifindex, const std::string& name) {
  const int index = static_cast<int>(ifindex);
  bpf_link_create_opts generic{};
  generic.sz = sizeof(generic);
  generic.flags = XDP_FLAGS_SKB_MODE;
  const bpf_link_create_opts* first = forgets_native_xdp(ifindex) ? &generic : nullptr;
  xdp_.reset(bpf_link_create(program, index, BPF_XDP, first));
  if (xdp_.valid()) {
    xdp_mode_ = attached_xdp_mode(ifindex);
    return {};
  }
  const int reason = errno;
  std::uint32_t holder = 0;
  if (bpf_xdp_query_id(index, 0, &holder) == 0 && holder != 0) {
    xdp_mode_ = program_holding_xdp(ifindex, holder);
    return {};
  }
  // Some drivers refuse native XDP for the port's present settings (MTU, offloads).
  xdp_.reset(bpf_link_create(program, index, BPF_XDP, &generic));
  if (!xdp_.valid()) return errno_error(reason, fmt::format("attach XDP to {}", name));
  xdp_mode_ = "generic";
  return {};
}

Status PortAttachment::attach_tc(const Programs& programs, unsigned ifindex,
                                 const std::string& name) {
  const int index = static_cast<int>(ifindex);
  tcx_ingress_.reset(bpf_link_create(programs.tc_ingress, index, kTcxIngress, nullptr));
  if (tcx_ingress_.valid()) {
    tcx_egress_.reset(bpf_link_create(programs.tc_egress, index, kTcxEgress, nullptr));
    if (!tcx_egress_.valid()) return errno_error(errno, fmt::format("attach tcx to {}", name));
    tc_mode_ = "tcx";
    return {};
  }
  const QuietLibbpf quiet;
  bpf_tc_hook both =
      clsact_hook(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  const int created = bpf_tc_hook_create(&both);
  if (created != 0 && created != -EEXIST)
    return errno_error(created, fmt::format("add a clsact qdisc to {}", name));
  clsact_ifindex_ = ifindex;
  int failed = clsact_attach(programs.tc_ingress, ifindex, BPF_TC_INGRESS);
  if (failed == 0) failed = clsact_attach(programs.tc_egress, ifindex, BPF_TC_EGRESS);
  if (failed != 0) return errno_error(failed, fmt::format("attach a TC program to {}", name));
  tc_mode_ = "clsact";
  return {};
}

Result<PortAttachment> PortAttachment::attach(const Programs& programs, unsigned ifindex,
                                              const std::string& name) {
  PortAttachment attachment;
  if (Status done = attachment.attach_tc(programs, ifindex, name); !done) return pass_on(done);
  if (Status done = attachment.attach_xdp(programs.xdp_ingress, ifindex, name); !done)
    return pass_on(done);
  return attachment;
}

}  // namespace hanet::engine
