// SPDX-License-Identifier: Apache-2.0
//
// See netns_socket.h. The address is bound with IP_FREEBIND: during a failover it is on no
// interface for a moment, and a bench that starts in that moment must not fail for it.
#include "bench/netns_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <thread>

namespace hanet::bench {
namespace {

// Room for 100 ms at 100,000 packets/s, in skb bytes; a starved receiver must not look like loss.
constexpr int kReceiveBuffer = 32 * 1024 * 1024;

bool parse_address(const Endpoint& endpoint, UdpSocket& socket) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(endpoint.port);
  if (::inet_pton(AF_INET, endpoint.address.c_str(), &v4.sin_addr) == 1) {
    std::memcpy(&socket.address, &v4, sizeof v4);
    socket.address_length = sizeof v4;
    return true;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  if (::inet_pton(AF_INET6, endpoint.address.c_str(), &v6.sin6_addr) != 1) return false;
  std::memcpy(&socket.address, &v6, sizeof v6);
  socket.address_length = sizeof v6;
  return true;
}

Status set_option(const Fd& fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd.get(), level, option, &value, sizeof value) == 0) return {};
  return errno_error(errno, fmt::format("set {}", name));
}

Status configure(const Fd& fd, int family) {
  Status status = family == AF_INET
                      ? set_option(fd, IPPROTO_IP, IP_FREEBIND, 1, "IP_FREEBIND")
                      : set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1, "IPV6_FREEBIND");
  if (!status) return status;
  status = set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer, "SO_RCVBUFFORCE");
  if (!status) return status;
  return set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
}

Status open_here(const Endpoint& endpoint, UdpSocket& socket) {
  const bool is_path = endpoint.netns.find('/') != std::string::npos;
  const std::string path = is_path ? endpoint.netns : "/run/netns/" + endpoint.netns;
  const Fd netns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!netns.valid()) return errno_error(errno, fmt::format("open namespace {}", path));
  if (::setns(netns.get(), CLONE_NEWNET) != 0) {
    return errno_error(errno, fmt::format("enter namespace {}", path));
  }
  const int family = socket.address.ss_family;
  socket.fd = Fd(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.fd.valid()) return errno_error(errno, "open a UDP socket");
  if (Status status = configure(socket.fd, family); !status) return status;
  const auto* address = reinterpret_cast<const sockaddr*>(&socket.address);
  if (::bind(socket.fd.get(), address, socket.address_length) != 0) {
    return errno_error(
        errno, fmt::format("bind to {} port {} in {}", endpoint.address, endpoint.port, path));
  }
  return {};
}

}  // namespace

Result<UdpSocket> open_udp_socket(const Endpoint& endpoint) {
  UdpSocket socket;
  if (!parse_address(endpoint, socket)) {
    return failure(fmt::format("'{}' is not an IPv4 or IPv6 address", endpoint.address));
  }
  Status status;
  std::thread([&] { status = open_here(endpoint, socket); }).join();
  if (!status) return pass_on(status);
  return socket;
}

}  // namespace hanet::bench
