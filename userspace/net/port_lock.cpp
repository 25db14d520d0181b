// SPDX-License-Identifier: Apache-2.0
//
// See port_lock.h.
#include "net/port_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

#include "core/log.h"
#include "core/private_file.h"

namespace hanet::net {
namespace {

// The same for every hanetd of a host, whatever its own directories are.
constexpr const char* kLocks = "/run/hanet/locks";

// Who asks meanwhile; beyond what the kernel allows it takes that (net.core.somaxconn).
constexpr int kMayAsk = 4096;

// A file that its owner removes while we open it: another one is there with the next look.
constexpr int kLooks = 100;

struct AbstractAddress {
  sockaddr_un address{};
  socklen_t length = 0;
};

AbstractAddress address_of(const std::string& kind, const std::string& key) {
  AbstractAddress result;
  result.address.sun_family = AF_UNIX;
  // The leading NUL makes the address abstract. Names of locks are shorter than an address.
  const std::string name = fmt::format("hanet/{}/{}", kind, key);
  std::ranges::copy(name, result.address.sun_path + 1);
  result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return result;
}

std::optional<ucred> holder_of(const AbstractAddress& lock) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&lock.address), lock.length) != 0 ||
      ::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return std::nullopt;
  return credentials;
}

pid_t pid_in(int file) {
  std::array<char, 16> text{};
  pid_t pid = 0;
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  if (got > 0) std::from_chars(text.data(), text.data() + got, pid);
  return pid;
}

std::unexpected<Error> held(const std::string& subject, pid_t pid) {
  return failure(fmt::format("{} is in use by another hanetd{}; stop it first", subject,
                             pid > 0 ? fmt::format(", pid {}", pid) : ""));
}

bool is_at(int file, const std::filesystem::path& path) {
  struct stat opened{};
  struct stat found{};
  return ::fstat(file, &opened) == 0 && ::stat(path.c_str(), &found) == 0 &&
         opened.st_dev == found.st_dev && opened.st_ino == found.st_ino;
}

/// Invalid: there can be none, as in a sandbox that has another directory of its own.
Result<Fd> locked_file(const std::string& subject, const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  if (failed) {
    log::warning("{}: create {}: {}; any user of this host can take the lock that is left", subject,
                 path.parent_path().string(), failed.message());
    return Fd();
  }
  for (int look = 0; look < kLooks; ++look) {
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) return errno_error(errno, fmt::format("open the lock {}", path.string()));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return held(subject, pid_in(file.get()));
      return errno_error(errno, fmt::format("lock {}", path.string()));
    }
    if (!is_at(file.get(), path)) continue;
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), pid.data(), pid.size(), 0) < 0)
      return errno_error(errno, fmt::format("write the lock {}", path.string()));
    return file;
  }
  return failure(fmt::format("the lock {} is taken and left all the time", path.string()));
}

/// The name for those who do not see our files. Invalid: somebody who is not root has it.
Result<Fd> abstract_name(const std::string& subject, const AbstractAddress& lock) {
  Fd name(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!name.valid()) return errno_error(errno, "open a lock socket");
  if (::bind(name.get(), reinterpret_cast<const sockaddr*>(&lock.address), lock.length) == 0 &&
      ::listen(name.get(), kMayAsk) == 0)
    return name;
  if (errno != EADDRINUSE) return errno_error(errno, fmt::format("lock {}", subject));
  const std::optional<ucred> holder = holder_of(lock);
  if (holder && holder->uid == 0) return held(subject, holder->pid);
  log::warning(
      "{}: the name of its lock is held by {}, who is no hanetd; a hanetd in a container "
      "on this network would not be noticed",
      subject, holder ? fmt::format("pid {} of uid {}", holder->pid, holder->uid) : "somebody");
  return Fd();
}

}  // namespace

Result<PortLock> PortLock::take(const std::string& interface) {
  return take("port", interface, interface);
}

Result<PortLock> PortLock::take_directory(const std::string& directory) {
  return take("directory", directory, fmt::format("{:016x}", checksum(directory)));
}

Result<PortLock> PortLock::take(const std::string& kind, const std::string& subject,
                                const std::string& key) {
  struct stat network{};
  if (::stat("/proc/thread-self/ns/net", &network) != 0)
    return errno_error(errno, "tell the network namespace by /proc/thread-self/ns/net");
  const std::filesystem::path path =
      std::filesystem::path(kLocks) / fmt::format("{}-{}@{}", kind, key, network.st_ino);
  const std::string what = fmt::format("{} {}", kind, subject);
  Result<Fd> file = locked_file(what, path);
  if (!file) return pass_on(file);
  PortLock taken(std::move(*file), path);
  Result<Fd> name = abstract_name(what, address_of(kind, key));
  if (!name) return pass_on(name);
  taken.name_ = std::move(*name);
  return taken;
}

void PortLock::let_go() const {
  if (!name_.valid()) return;
  for (Fd asking;
       asking.reset(::accept4(name_.get(), nullptr, nullptr, SOCK_CLOEXEC)), asking.valid();) {
  }
}

PortLock::~PortLock() {
  if (file_.valid()) ::unlink(path_.c_str());
}

}  // namespace hanet::net
