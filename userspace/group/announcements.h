// SPDX-License-Identifier: Apache-2.0
//
// Telling the network where the identity is (spec F5): gratuitous ARP and unsolicited neighbour
// advertisements, `announce_count` times with a gap, by the port that has the identity.
#pragma once

#include <optional>
#include <vector>

#include "failover/plan.h"
#include "group/judge.h"
#include "group/port_list.h"

namespace hanet::group {

class Announcements {
 public:
  Announcements(const Context& context, const PortList& ports, const PortJudge& judge)
      : context_(context), ports_(ports), judge_(judge) {}

  /// Once, now, by the port that the plan goes to. False: nobody can have heard it.
  bool send(const failover::Plan& plan);
  /// The identity has moved as planned and was announced once: the others follow.
  void repeat(std::vector<net::Frame> frames, MonotonicTime now);
  /// All of them, from now on: of what has come back, or leaves by another port of its trunk.
  void send_all(std::vector<net::Frame> frames, MonotonicTime now);
  /// For an identity as it is, from where it is.
  void send_all_of(const net::Identity& identity, MonotonicTime now);

  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  /// Did the last send() reach nobody?
  [[nodiscard]] bool were_in_vain() const { return in_vain_; }

 private:
  const Context& context_;
  const PortList& ports_;
  const PortJudge& judge_;
  std::vector<net::Frame> frames_;
  std::uint32_t left_ = 0;
  MonotonicTime next_at_{};
  bool in_vain_ = false;
};

/// Does the host forward IPv6 on the interface? Its neighbour advertisements say so (RFC 4861
/// section 4.4, R flag).
[[nodiscard]] bool is_router(const std::string& interface);

}  // namespace hanet::group
