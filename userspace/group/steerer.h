// SPDX-License-Identifier: Apache-2.0
//
// Switches a group whose identity is on a metanetwork device: nothing moves, the device uses
// another path (spec A3).
//
// Where a verdict led to the switch, the kernel side has made it already, and what is left is to
// tell the network, and to write down why.
#pragma once

#include "group/announcements.h"
#include "group/bridge.h"
#include "group/identity_keeper.h"
#include "group/judge.h"
#include "group/metanet_device.h"
#include "group/ports.h"
#include "group/standbys.h"
#include "group/switcher.h"

namespace hanet::group {

/// The parts of the group that a switch changes or asks.
struct SteererParts {
  Ports& ports;
  PortJudge& judge;
  const IdentityKeeper& keeper;
  Standbys& standbys;
  Bridge& bridge;
  Announcements& announcements;
  MetanetDevice& device;
};

class Steerer : public Switcher {
 public:
  Steerer(const Context& context, const SteererParts& parts) : context_(context), parts_(parts) {}

  void prepare() override;
  void mark_outdated() override {}
  void keep_ready() override {}
  void renew_lifetimes() override {}
  [[nodiscard]] MonotonicTime begin(const policy::Switchover& switchover,
                                    MonotonicTime received) override;
  [[nodiscard]] bool carry_out(const policy::Switchover& switchover,
                               const Beforehand& found) override;
  void settle(const policy::Switchover& switchover, bool moved) override;
  void abandon(const policy::Switchover& switchover) override;
  [[nodiscard]] const failover::Plan* preview(const policy::Switchover& switchover) override;
  [[nodiscard]] bool relies_on(const Port& /*port*/) const override { return false; }
  [[nodiscard]] Status give_back(const Port& port, const net::LinkInfo& link) override;
  /// The network learns by which path the device is reached now, and who is behind it.
  void tell_network();

 private:
  /// The kernel side's device uses the path of this port.
  [[nodiscard]] bool uses_path_of(const Port& port) const;

  const Context& context_;
  SteererParts parts_;
  failover::SwitchoverRecord record_;  // of the switchover that runs
  failover::Plan preview_;
};

}  // namespace hanet::group
