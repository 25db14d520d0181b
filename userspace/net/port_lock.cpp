// SPDX-License-Identifier: Apache-2.0
//
// See port_lock.h.
#include "net/port_lock.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace hanet::net {
namespace {

constexpr std::size_t kMaxName = sizeof(sockaddr_un::sun_path) - 1;

struct AbstractAddress {
  sockaddr_un address{};
  socklen_t length = 0;
};

AbstractAddress address_of(const std::string& kind, const std::string& subject) {
  AbstractAddress result;
  result.address.sun_family = AF_UNIX;
  const std::string name = "hanet/" + kind + "/" + subject;
  // The leading NUL makes the address abstract. A long directory is told by its end.
  const std::string_view end(name.data() + name.size() - std::min(name.size(), kMaxName));
  std::copy(end.begin(), end.end(), result.address.sun_path + 1);
  result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + end.size());
  return result;
}

pid_t holder_of(const AbstractAddress& lock) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&lock.address), lock.length) != 0 ||
      ::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return 0;
  return credentials.pid;
}

}  // namespace

Result<PortLock> PortLock::take(const std::string& interface) { return take("port", interface); }

Result<PortLock> PortLock::take_directory(const std::string& directory) {
  return take("directory", directory);
}

Result<PortLock> PortLock::take(const std::string& kind, const std::string& subject) {
  const AbstractAddress lock = address_of(kind, subject);
  PortLock taken;
  taken.fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!taken.fd_.valid()) return errno_error(errno, "open a lock socket");
  if (::bind(taken.fd_.get(), reinterpret_cast<const sockaddr*>(&lock.address), lock.length) != 0) {
    if (errno != EADDRINUSE) return errno_error(errno, fmt::format("lock {} {}", kind, subject));
    const pid_t pid = holder_of(lock);
    return failure(fmt::format("{} {} is in use by another hanetd{}; stop it first", kind, subject,
                               pid > 0 ? fmt::format(", pid {}", pid) : ""));
  }
  if (::listen(taken.fd_.get(), 8) != 0)
    return errno_error(errno, fmt::format("lock {} {}", kind, subject));
  return taken;
}

}  // namespace hanet::net
