// SPDX-License-Identifier: Apache-2.0
//
// A UDP socket that belongs to another network namespace.
//
// A socket stays in the namespace it was created in, so one process can hold both ends of a
// conversation between two hosts of the lab: one clock stamps everything, and no second process has
// to be synchronised. setns(2) changes the calling thread only, so each socket is made by a thread
// that ends right after; the caller's own namespace is never touched.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::bench {

/// One end of a conversation.
struct Endpoint {
  std::string netns;    ///< name under /run/netns, or a path
  std::string address;  ///< IPv4 or IPv6, without scope
  std::uint16_t port = 9000;
};

struct UdpSocket {
  Fd fd;
  sockaddr_storage address{};  ///< what it is bound to
  socklen_t address_length = 0;
};

/// Opens a non-blocking UDP socket in the endpoint's namespace, bound to its address. Kernel
/// receive time stamps are on (SO_TIMESTAMPNS, CLOCK_REALTIME), and the receive buffer is large.
/// The socket stays usable while the address moves from one interface to another. Thread-safe.
[[nodiscard]] Result<UdpSocket> open_udp_socket(const Endpoint& endpoint);

}  // namespace hanet::bench
