// SPDX-License-Identifier: Apache-2.0
//
// See port_lock.h.
#include "service/port_lock.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace hanet::service {
namespace {

struct AbstractAddress {
  sockaddr_un address{};
  socklen_t length = 0;
};

AbstractAddress address_of(const std::string& interface) {
  AbstractAddress result;
  result.address.sun_family = AF_UNIX;
  const std::string name = "hanet/port/" + interface;
  std::copy(name.begin(), name.end(), result.address.sun_path + 1);  // the leading NUL: abstract
  result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return result;
}

pid_t holder_of(const AbstractAddress& lock) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&lock.address), lock.length) != 0 ||
      ::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return 0;
  return credentials.pid;
}

}  // namespace

Result<PortLock> PortLock::take(const std::string& interface) {
  const AbstractAddress lock = address_of(interface);
  PortLock taken;
  taken.fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!taken.fd_.valid()) return errno_error(errno, "open a lock socket");
  if (::bind(taken.fd_.get(), reinterpret_cast<const sockaddr*>(&lock.address), lock.length) != 0) {
    if (errno != EADDRINUSE) return errno_error(errno, fmt::format("lock port {}", interface));
    const pid_t pid = holder_of(lock);
    return failure(fmt::format("port {} is in use by another hanetd{}; stop it first", interface,
                               pid > 0 ? fmt::format(", pid {}", pid) : ""));
  }
  if (::listen(taken.fd_.get(), 8) != 0)
    return errno_error(errno, fmt::format("lock port {}", interface));
  return taken;
}

}  // namespace hanet::service
