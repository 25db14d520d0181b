// SPDX-License-Identifier: Apache-2.0
//
// See packet_socket.h: send only, bound to one port, memberships that die with the descriptor.
#include "net/packet_socket.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace hanet::net {

Result<PacketSocket> PacketSocket::open(unsigned ifindex) {
  PacketSocket socket;
  socket.fd_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.fd_.valid())
    return errno_error(errno, "open a packet socket (CAP_NET_RAW is needed)");
  socket.ifindex_ = ifindex;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(ifindex);
  if (::bind(socket.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return errno_error(errno, fmt::format("bind a packet socket to interface {}", ifindex));
  return socket;
}

Status PacketSocket::change_membership(int operation, const MacAddress& address) {
  packet_mreq request{};
  request.mr_ifindex = static_cast<int>(ifindex_);
  request.mr_type = (address[0] & 1) != 0 ? PACKET_MR_MULTICAST : PACKET_MR_UNICAST;
  request.mr_alen = static_cast<unsigned short>(address.size());
  std::copy(address.begin(), address.end(), request.mr_address);
  if (::setsockopt(fd_.get(), SOL_PACKET, operation, &request, sizeof(request)) != 0)
    return errno_error(
        errno, fmt::format("receive filter of interface {} for {}", ifindex_, to_text(address)));
  return {};
}

Status PacketSocket::listen_to(const MacAddress& address) {
  return change_membership(PACKET_ADD_MEMBERSHIP, address);
}

Status PacketSocket::stop_listening_to(const MacAddress& address) {
  return change_membership(PACKET_DROP_MEMBERSHIP, address);
}

Status PacketSocket::listen_to_all_multicast() {
  packet_mreq request{};
  request.mr_ifindex = static_cast<int>(ifindex_);
  request.mr_type = PACKET_MR_ALLMULTI;
  if (::setsockopt(fd_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) != 0)
    return errno_error(errno,
                       fmt::format("receive filter of interface {} for all multicast", ifindex_));
  return {};
}

int PacketSocket::send(std::span<const std::uint8_t> frame) const {
  return ::send(fd_.get(), frame.data(), frame.size(), MSG_DONTWAIT) < 0 ? errno : 0;
}

}  // namespace hanet::net
