// SPDX-License-Identifier: Apache-2.0
//
// The dummy parameters of a warm standby (spec F6): what the interface that waits has instead of
// the identity.
//
// At a switchover the failed interface gets the dummy's MAC address while the other one gets the
// identity's. If it were the identity's, one MAC address would be on two interfaces from the start;
// if it were a port's own, it would be back on the network when that card is reset or put into
// another slot. So whatever is somebody's is refused at the start.
#pragma once

#include <optional>

#include "group/port_list.h"
#include "group/standby.h"
#include "net/identity.h"

namespace hanet::group {

class WarmDummy {
 public:
  WarmDummy(const Context& context, const PortList& ports);

  /// Empty: the standby is not warm.
  [[nodiscard]] const std::optional<Dummy>& parameters() const { return dummy_; }
  /// What the port has while it waits. One port of a path is enough, and two that are up must not
  /// share one.
  [[nodiscard]] std::optional<Dummy> of(const Port& port) const;
  /// After a kill a standby may have its dummy address already; elsewhere it is a real address.
  [[nodiscard]] net::Identity without(net::Identity identity) const;
  /// Refuses dummy parameters that somebody on this host has already.
  [[nodiscard]] Status check(const net::MacAddress& identity) const;

 private:
  [[nodiscard]] Status check_address() const;
  [[nodiscard]] Status check_mac(const net::MacAddress& identity) const;

  const Context& context_;
  const PortList& ports_;
  std::optional<Dummy> dummy_;
};

}  // namespace hanet::group
