// SPDX-License-Identifier: Apache-2.0
//
// Is a port that waits fit to take the identity, as far as can be seen before the fault?
//
// What has to be the same on both ports of a group and can not move is compared all the time; so is
// what somebody configured on a port that waits, and whether an address of the identity is another
// host's. A difference is an alarm while nothing has failed yet, and where a part of the identity
// would be lost, the standby is not called ready (spec F13, F16).
//
// Threading: hanetd's main thread.
#pragma once

#include <optional>
#include <vector>

#include "group/dummy.h"
#include "group/findings.h"
#include "group/identity_keeper.h"
#include "group/ports.h"
#include "net/look.h"

namespace hanet::group {

class Readiness {
 public:
  Readiness(const Context& context, const Ports& ports, const IdentityKeeper& keeper,
            const WarmDummy& dummy)
      : context_(context), ports_(ports), keeper_(keeper), dummy_(dummy) {}

  void link_changed() { note_change(); }
  /// A notification about addresses or routes, this group's or not.
  void hear(const nlmsghdr& message);
  /// Notifications were lost.
  void distrust() { note_change(); }
  /// True: other strangers than before.
  [[nodiscard]] bool tick(MonotonicTime now);
  /// None while a switchover runs: nothing is looked at then.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const {
    return context_.state.running ? std::nullopt : std::optional(look_at_);
  }

  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  /// What is configured on a port that waits, and is nobody's identity.
  [[nodiscard]] const net::Configured& strangers_on(const Port& port) const;

 private:
  void note_change();
  [[nodiscard]] bool read_anew();
  [[nodiscard]] std::vector<Finding> look() const;
  void compare_links(const Port& waiting, std::vector<Finding>& findings) const;

  struct Seen {
    std::vector<net::LinkInfo> links{};  // the port and its VLANs; none: it is not there
    net::Configured strangers{};
  };
  const Context& context_;
  const Ports& ports_;
  const IdentityKeeper& keeper_;
  const WarmDummy& dummy_;
  std::vector<Seen> seen_;  // port by port
  std::vector<net::Address> duplicates_;
  std::vector<Finding> findings_;
  bool unread_ = true;
  MonotonicTime look_at_{};
  Nanoseconds last_reading_{};  // how long it took
};

}  // namespace hanet::group
