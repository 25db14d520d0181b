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

}  // namespace

Status PortAttachment::attach_xdp(int program, unsigned ifindex, const std::string& name,
                                  const std::filesystem::path& pin) {
  const int index = static_cast<int>(ifindex);
  xdp_ = PinnedLink::adopt(pin);
  if (xdp_.valid() && bpf_link_update(xdp_.get(), program, nullptr) == 0) {
    xdp_mode_ = attached_xdp_mode(ifindex);
    return {};
  }
  xdp_ = PinnedLink();
  bpf_link_create_opts generic{};
  generic.sz = sizeof(generic);
  generic.flags = XDP_FLAGS_SKB_MODE;
  const bpf_link_create_opts* first = forgets_native_xdp(ifindex) ? &generic : nullptr;
  Fd link(bpf_link_create(program, index, BPF_XDP, first));
  const int reason = errno;
  std::uint32_t holder = 0;
  if (!link.valid() && bpf_xdp_query_id(index, 0, &holder) == 0 && holder != 0) {
    xdp_mode_ = "taken by " + describe_program(holder);
    return {};
  }
  // Some drivers refuse native XDP for the port's present settings (MTU, offloads).
  if (!link.valid()) link.reset(bpf_link_create(program, index, BPF_XDP, &generic));
  if (!link.valid()) return errno_error(reason, fmt::format("attach XDP to {}", name));
  Result<PinnedLink> pinned = PinnedLink::pin(std::move(link), pin);
  if (!pinned) return pass_on(pinned);
  xdp_ = std::move(*pinned);
  xdp_mode_ = attached_xdp_mode(ifindex);
  return {};
}

Result<PortAttachment> PortAttachment::attach(const Programs& programs, unsigned ifindex,
                                              const std::string& name,
                                              const std::filesystem::path& pins) {
  PortAttachment attachment;
  attachment.attached_at_ = monotonic_now();
  attachment.is_veth_ = net::driver_of(ifindex) == "veth";
  Result<TcHook> ingress = TcHook::attach(programs.tc_ingress, ifindex, Direction::Ingress, name,
                                          pins, programs.in_charge[0]);
  if (!ingress) return pass_on(ingress);
  Result<TcHook> egress = TcHook::attach(programs.tc_egress, ifindex, Direction::Egress, name, pins,
                                         programs.in_charge[1]);
  if (!egress) return pass_on(egress);
  attachment.ingress_ = std::move(*ingress);
  attachment.egress_ = std::move(*egress);
  if (Status attached =
          attachment.attach_xdp(programs.xdp_ingress, ifindex, name, pin_of(pins, ifindex, "xdp"));
      !attached)
    return pass_on(attached);
  return attachment;
}

}  // namespace hanet::engine
