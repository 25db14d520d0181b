// SPDX-License-Identifier: Apache-2.0
//
// Attaching programs to a port, and living with who is already there.
//
// XDP goes by bpf_link, native where the driver has it and can be relied on. If another XDP program
// holds the port, hanet does not fight: replies are then matched at TC ingress, and the status says
// whose program it is. TC goes by tcx where the kernel has it (6.6), else by clsact with a filter
// of our own priority and handle; the clsact qdisc is never deleted, because others may use it.
//
// Everything attached is owned by a PortAttachment and detached with it. After a kill, links vanish
// with the process; only a clsact filter stays, and the next start replaces it.
#pragma once

#include <linux/bpf.h>

#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::engine {

/// enum bpf_attach_type of Linux 6.6 and later; the build host's headers may be older.
inline constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
inline constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

/// The file descriptors of the three programs that a port gets.
struct Programs {
  int xdp_ingress = -1;
  int tc_ingress = -1;
  int tc_egress = -1;
};

class PortAttachment {
 public:
  PortAttachment() = default;
  PortAttachment(PortAttachment&&) noexcept;
  PortAttachment& operator=(PortAttachment&&) noexcept;
  PortAttachment(const PortAttachment&) = delete;
  PortAttachment& operator=(const PortAttachment&) = delete;
  ~PortAttachment();

  /// Attaches all three to an interface, or nothing. `name` is for messages only.
  [[nodiscard]] static Result<PortAttachment> attach(const Programs& programs, unsigned ifindex,
                                                     const std::string& name);

  /// False where another XDP program holds the port.
  [[nodiscard]] bool has_xdp() const { return xdp_.valid(); }
  /// The program sees what comes in by the card, and not what was redirected to the port.
  [[nodiscard]] bool has_native_xdp() const { return has_xdp() && xdp_mode_ == "native"; }
  /// "native", "generic", or "taken by NAME (id N)".
  [[nodiscard]] const std::string& xdp_mode() const { return xdp_mode_; }
  /// "tcx" or "clsact".
  [[nodiscard]] const std::string& tc_mode() const { return tc_mode_; }

 private:
  [[nodiscard]] Status attach_xdp(int program, unsigned ifindex, const std::string& name);
  [[nodiscard]] Status attach_tc(const Programs& programs, unsigned ifindex,
                                 const std::string& name);
  void detach();

  Fd xdp_;
  Fd tcx_ingress_;
  Fd tcx_egress_;
  unsigned clsact_ifindex_ = 0;  // 0: nothing of ours there
  std::string xdp_mode_;
  std::string tc_mode_;
};

}  // namespace hanet::engine
