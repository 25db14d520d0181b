// SPDX-License-Identifier: Apache-2.0
//
// Attaching programs to a port, and living with who is already there.
//
// XDP goes by bpf_link, native where the driver has it and can be relied on. If another XDP program
// holds the port, hanet does not fight: replies are then matched at TC ingress, and the status says
// whose program it is. TC is in tc_hook.h.
//
// Everything attached is owned by a PortAttachment and detached with it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "engine/tc_hook.h"

namespace hanet::engine {

/// The file descriptors of the three programs that a port gets.
struct Programs {
  int xdp_ingress = -1;
  int tc_ingress = -1;
  int tc_egress = -1;
  /// Ids of the ones at TC, ingress and egress, of the killed instance that is in charge; 0: nobody
  /// knows of any.
  std::array<std::uint32_t, 2> in_charge{};
};

class PortAttachment {
 public:
  /// Attaches all to an interface, but for XDP where another program holds it, or none: those of TC
  /// in front of what a killed instance left there, that of XDP in its place. `name` is for
  /// messages only; the links are pinned in `pins`.
  [[nodiscard]] static Result<PortAttachment> attach(const Programs& programs, unsigned ifindex,
                                                     const std::string& name,
                                                     const std::filesystem::path& pins);
  /// A killed instance's programs are there, behind these.
  [[nodiscard]] bool has_left() const { return ingress_.has_left() || egress_.has_left(); }
  /// Since when these are.
  [[nodiscard]] MonotonicTime attached_at() const { return attached_at_; }
  /// XDP stays when this ends, for whoever starts next: to take it off bounces some cards.
  void leave_xdp() { xdp_.leave(); }
  /// Takes what a killed instance left away.
  void end_left() {
    ingress_.end_left();
    egress_.end_left();
  }

  /// False for one that was moved from, or never attached.
  [[nodiscard]] bool is_attached() const { return ingress_.is_attached(); }
  /// False where another XDP program holds the port.
  [[nodiscard]] bool has_xdp() const { return xdp_.valid(); }
  /// The program sees what comes in by the card, and not what was redirected to the port.
  [[nodiscard]] bool has_native_xdp() const { return has_xdp() && xdp_mode_ == "native"; }
  /// A frame that the program sends back leaves the card. In generic mode it would too, but no
  /// sooner than at TC; and a veth drops it where its peer has no NAPI (drivers/net/veth.c,
  /// veth_xdp_xmit), which can not be seen from here.
  [[nodiscard]] bool sends_at_xdp() const { return has_native_xdp() && !is_veth_; }
  /// "native", "generic", or "taken by NAME (id N)".
  [[nodiscard]] const std::string& xdp_mode() const { return xdp_mode_; }
  [[nodiscard]] const TcHook& tc(Direction direction) const {
    return direction == Direction::Ingress ? ingress_ : egress_;
  }
  [[nodiscard]] TcHook& tc(Direction direction) {
    return direction == Direction::Ingress ? ingress_ : egress_;
  }

 private:
  [[nodiscard]] Status attach_xdp(int program, unsigned ifindex, const std::string& name,
                                  const std::filesystem::path& pin);

  PinnedLink xdp_;
  std::string xdp_mode_;
  bool is_veth_ = false;
  TcHook ingress_;
  TcHook egress_;
  MonotonicTime attached_at_{};
};

}  // namespace hanet::engine
