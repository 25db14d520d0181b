// SPDX-License-Identifier: Apache-2.0
//
// An AF_PACKET socket bound to one port: how hanet speaks through a card whatever the routing
// table says.
//
// It only sends. What comes back is seen by the kernel side; the socket receives nothing
// (protocol 0), so no packet is ever copied here. It also holds the port's address filter open for
// the addresses that hanet receives on: memberships end with the socket, so nothing is left behind
// after a crash.
#pragma once

#include <cstdint>
#include <span>

#include "core/fd.h"
#include "core/result.h"
#include "net/types.h"

namespace hanet::net {

class PacketSocket {
 public:
  PacketSocket() = default;

  /// Opens and binds. Needs CAP_NET_RAW.
  [[nodiscard]] static Result<PacketSocket> open(unsigned ifindex);

  /// Lets the card accept frames to a further unicast or multicast address (packet(7),
  /// PACKET_ADD_MEMBERSHIP).
  [[nodiscard]] Status listen_to(const MacAddress& address);
  [[nodiscard]] Status stop_listening_to(const MacAddress& address);
  /// Lets the card accept frames to every multicast address.
  [[nodiscard]] Status listen_to_all_multicast();

  /// Sends one frame without waiting. Returns 0 or an errno value; never allocates.
  [[nodiscard]] int send(std::span<const std::uint8_t> frame) const;

  [[nodiscard]] bool valid() const { return fd_.valid(); }

 private:
  [[nodiscard]] Status change_membership(int operation, const MacAddress& address);

  Fd fd_;
  unsigned ifindex_ = 0;
};

}  // namespace hanet::net
