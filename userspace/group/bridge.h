// SPDX-License-Identifier: Apache-2.0
//
// What the kernel side is told of the identity: which path has it, under which MAC address its
// frames come, which ports must not speak in its name, and by which path to bridge on a verdict.
#pragma once

#include <string>

#include "group/ports.h"
#include "net/identity.h"

namespace hanet::group {

class Bridge {
 public:
  Bridge(const Context& context, Ports& ports) : context_(context), ports_(ports) {}

  /// Does the kernel send by a standby what the path of this lead would send?
  [[nodiscard]] bool is_bridging(const Port& lead) const;
  /// The port that it sends by then; null: it does not.
  [[nodiscard]] const Port* leads_to(const Port& lead) const;
  /// The identity's addresses and MAC address, as they are from now on.
  void set_identity(const net::Identity& identity);
  /// The same without the MAC address that the ports listen to.
  void set_addresses(const net::Identity& identity);
  /// Where to bridge on the next verdict.
  void arm(const Port& from, const Port& to, const net::MacAddress& mac) const;
  /// Whoever made a verdict may not have come to bridge yet (PREEMPT_RT).
  void bridge_now(const Port& from, const Port& verdict_port) const;
  /// The path of `lead` has the identity, the one of `idle` has not: no bridge.
  void settle(const Port& lead, const Port& idle, const net::MacAddress& mac) const;
  /// Bridging receives the identity's frames on a port that does not use its MAC address. A cold
  /// port on its own uses it when it needs to. Null: no port listens.
  [[nodiscard]] const net::MacAddress* listened_mac(const net::Identity& identity) const;

 private:
  const Context& context_;
  Ports& ports_;
  net::MacAddress listened_{};
  std::string naming_trouble_;  // as it was told last
};

}  // namespace hanet::group
