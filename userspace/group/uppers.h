// SPDX-License-Identifier: Apache-2.0
//
// Devices that come on top of a port while its group runs.
//
// A VLAN that both ports have is a part of the identity and moves. Everything else that is built on
// a port, a macvlan, a bridge, a bond, a VLAN that the other port has not, hangs on that interface
// and not on the identity: a switchover moves the addresses and leaves it behind, on a path that is
// dead. By `check`, at a reload and at `hanetctl add` such a port is refused
// (config/interfaces.cpp). Later nobody can be refused any more, and a service that starts anew has
// nobody to refuse: so it is an alarm while nothing has failed yet, and for as long as it lasts.
//
// Each rtnetlink message about a device has all that is needed. Only when messages were lost, and
// once at the start for what came since the check, all devices are read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "group/port_list.h"
#include "net/link.h"

namespace hanet::group {

/// A device on top of a port or of its VLANs, which a switchover would leave behind.
struct Upper {
  unsigned index = 0;
  net::InterfaceName below;  ///< the port, or the VLAN
  std::string name;
  std::string kind;
  bool is_master = false;      ///< a bridge or bond that `below` is a member of
  std::uint32_t vlan_tag = 0;  ///< of a VLAN that another port has not
};

/// What is known of a link now.
struct LinkUpdate {
  net::LinkInfo link;
  bool removed = false;
};

class Uppers {
 public:
  Uppers(const Context& context, const PortList& ports) : context_(context), ports_(ports) {}

  [[nodiscard]] const std::vector<Upper>& all() const { return uppers_; }
  void link_changed(const net::LinkInfo& link, bool removed);
  /// The VLANs of a port changed. They are compared a moment later: a card that goes takes its
  /// VLANs along, one by one and before itself.
  void expect_other_vlans(MonotonicTime now);
  /// Notifications were lost.
  void distrust() { unread_ = true; }

  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline(MonotonicTime now) const;
  /// Every link anew, if messages were lost; empty if not, or while a switchover runs. The caller
  /// gives each update to all parts that follow links.
  [[nodiscard]] std::vector<LinkUpdate> read_anew();

 private:
  void follow(const Port& port, const net::InterfaceName& below, const LinkUpdate& update);
  void forget_absent_ports();
  void review_vlans();
  void forget_vlans_with_twin(const Port& port, const std::vector<Upper>& without_twin);
  [[nodiscard]] std::vector<Upper> vlans_without_twin(const Port& port) const;
  void tell(const Upper& upper, const Port& port) const;
  void tell_gone(const Upper& upper, const Port& port) const;

  const Context& context_;
  const PortList& ports_;
  std::vector<Upper> uppers_;
  bool unread_ = true;
  MonotonicTime vlans_reviewed_from_{};  // not before
};

}  // namespace hanet::group
