// SPDX-License-Identifier: Apache-2.0
//
// Telling the network where the identity is (spec F5): gratuitous ARP and unsolicited neighbour
// advertisements, `announce_count` times, by the port that has the identity.
//
// Each gap is twice as long as the one before, because some learn late: a switch port that begins
// to forward, a fabric that tells its far side. ARP goes out as a request and as a reply in turn,
// because some take only the one or the other. And a fabric that suppresses announcements passes
// what is sent to one host: with each repetition some neighbours are asked in the identity's name,
// gateways first, which also teaches the switches on the way. Few at a time, and none where the
// network limits the port: what it drops then are the host's own requests and hanet's heartbeats.
#pragma once

#include <optional>
#include <vector>

#include "failover/plan.h"
#include "group/judge.h"
#include "group/port_list.h"

namespace hanet::group {

/// No two repetitions are further apart, if the configured gap is not.
inline constexpr Nanoseconds kLongestGap = std::chrono::seconds(2);
/// Neighbours that are asked, and with each repetition: a switch that lets 15 ARP packets pass in a
/// second has room for those of the first second and for the host's own.
inline constexpr std::size_t kAskedNeighbours = 8;
inline constexpr std::size_t kAskedAtOnce = 2;

/// Questions from the identity to neighbours whose MAC address is known, gateways first; at most
/// kAskedNeighbours. A neighbour is asked by an address of its own subnet.
[[nodiscard]] std::vector<net::Frame> questions_of(
    const net::Identity& identity, const std::vector<net::KernelObject>& neighbours);

class Announcements {
 public:
  Announcements(const Context& context, const PortList& ports, const PortJudge& judge,
                const PaceWatch& paces)
      : context_(context), ports_(ports), judge_(judge), paces_(paces) {}

  /// Once, now, by the port that the plan goes to. False: nobody can have heard it.
  bool send(const failover::Plan& plan);
  /// The identity has moved as planned and was announced once: the others follow, and questions
  /// with them.
  void repeat(std::vector<net::Frame> frames, std::vector<net::Frame> questions, MonotonicTime now);
  /// All of them, from now on: of what has come back, or leaves by another port of its trunk.
  void send_all(std::vector<net::Frame> frames, MonotonicTime now);
  /// For an identity as it is, from where it is; and `more`, of the same kind.
  void send_all_of(const net::Identity& identity, MonotonicTime now,
                   std::vector<net::Frame> more = {});
  /// From now on by this socket, whichever port is used: that of a metanetwork device, which lives
  /// as long as this. By an independent trunk's lead they would come from the wrong port.
  void speak_by(const net::PacketSocket& device) { device_ = &device; }

  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  /// Did the last send() reach nobody?
  [[nodiscard]] bool were_in_vain() const { return in_vain_; }

 private:
  const Context& context_;
  const PortList& ports_;
  const PortJudge& judge_;
  const PaceWatch& paces_;
  void begin(std::vector<net::Frame> frames, std::vector<net::Frame> questions);
  void send_round(const Port& holder);
  void wait_longer();

  const net::PacketSocket* device_ = nullptr;
  std::vector<net::Frame> frames_;
  std::vector<net::Frame> questions_;
  std::size_t asked_ = 0;  // of these
  std::uint32_t left_ = 0;
  Nanoseconds gap_{};  // to the one behind the next
  MonotonicTime next_at_{};
  bool in_vain_ = false;
};

}  // namespace hanet::group
