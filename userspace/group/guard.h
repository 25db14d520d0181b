// SPDX-License-Identifier: Apache-2.0
//
// Other managers: what hanet moved stays moved.
//
// A network manager knows the primary by its configuration and nothing of a switchover: it may
// flush what it did not put on the standby, or give the primary its addresses back. The first cuts
// the host off, the second puts one address on two interfaces. Both are told in a notice, with the
// process as far as the kernel names it, and undone. On the primary, where the configuration of
// others is right, a removal is a removal and hanet follows it (spec F3). How often and after which
// pause is policy/repair.h.
//
// What others remove or replace by right is withdrawn: a repair must not bring it back.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "group/identity_keeper.h"
#include "group/port_list.h"
#include "policy/repair.h"

namespace hanet::group {

/// Why a part of the identity is to be put back.
enum class RepairDue : std::uint8_t {
  None,
  Taken,   ///< somebody took it
  CameUp,  ///< the interface was down, which took it; others may have taken more
};

class Guard {
 public:
  Guard(const Context& context, const PortList& ports, IdentityKeeper& keeper)
      : context_(context), ports_(ports), keeper_(keeper) {}

  /// A notification about addresses, routes, rules or neighbours. True: it is about something that
  /// will be put right, so the snapshot must not follow it.
  [[nodiscard]] bool hear(const nlmsghdr& message);
  /// The interface with the identity came up. Going down takes IPv6 addresses and all routes along,
  /// and coming up brings none of them back (net/ipv6/addrconf.c, addrconf_ifdown;
  /// net/ipv4/fib_frontend.c, fib_disable_ip).
  void expect_identity_back();
  /// A reading may be newer than the notifications that were heard. What it lacks of `held` is
  /// judged by them. True: something was taken, and `held` counts again.
  [[nodiscard]] bool was_taken_meanwhile(net::Identity held);
  /// The keeper holds what will be there after the repair that is due: what others changed
  /// meanwhile, and had the right to, stays changed. Returns what is there now.
  [[nodiscard]] Result<net::Identity> hold_what_will_be_back();
  /// The identity was read anew.
  void note_reading() {
    withdrawn_.clear();
    unread_.clear();
  }
  /// The identity was moved whole: nothing is to be put back.
  void forget() { repair_.reset(); }
  /// The identity has moved: what others gave to a port that waits in the meantime is taken off
  /// there.
  void take_off_standbys();
  /// Puts back what is due. While the interface is down that is a failure, and the snapshot counts.
  void restore();

  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  [[nodiscard]] RepairDue due() const;

 private:
  struct Repair {
    MonotonicTime at{};
    bool taken = false;    ///< somebody took it
    bool came_up = false;  ///< the interface was down, which took it
  };
  [[nodiscard]] bool is_intrusion(const nlmsghdr& message);
  [[nodiscard]] bool is_removal_to_repair(const nlmsghdr& message);
  [[nodiscard]] bool returned_to_standby(const nlmsghdr& message);
  [[nodiscard]] bool route_returned_to_standby(const nlmsghdr& message);
  /// A netlink port is the process id of the program that opened its first socket, nearly always.
  [[nodiscard]] static std::string who(std::uint32_t netlink_port);
  [[nodiscard]] static bool set_by_configuration(const nlmsghdr& message);
  [[nodiscard]] static bool is_of_configuration(std::uint8_t route_protocol);
  void take_off_what_returned(const Port& port);
  void take_off(const Port& port, const std::string& text, const net::InterfaceName& on,
                const std::string& given_by, net::NetlinkMessage removal);
  void index_routes();
  [[nodiscard]] bool may_repair();
  void note_withdrawal(const nlmsghdr& message);
  void note_replacement(const nlmsghdr& message);
  /// The part of the identity that a notification is about (net::part_in).
  [[nodiscard]] std::optional<net::Part> part_in(const nlmsghdr& message);
  void withdraw(net::Part part);
  [[nodiscard]] std::vector<net::Part> withdrawn() const;
  [[nodiscard]] Result<net::Identity> read_for_repair();
  void put_on_again(const net::Identity& there);
  void tell_what_is_not_back(const net::Identity& expected, const std::string& reasons);
  [[nodiscard]] bool is_own(const nlmsghdr& message) const;

  const Context& context_;
  const PortList& ports_;
  IdentityKeeper& keeper_;
  std::optional<Repair> repair_;
  std::unordered_map<std::string, net::Part> withdrawn_;  // by key, since the last reading
  std::vector<net::KernelObject> unread_;  // routes of the identity since then, in others' places
  net::RouteIndex index_;
  std::uint64_t indexed_ = 0;  // the change of the identity that index_ is of
  policy::Repairs repairs_;
  std::optional<MonotonicTime> truce_ends_;  // with a program that insists
};

}  // namespace hanet::group
