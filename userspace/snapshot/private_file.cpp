// SPDX-License-Identifier: Apache-2.0
//
// See private_file.h.
#include "snapshot/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>

namespace hanet::snapshot {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

}  // namespace

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

// A daemon lives in one namespace; interface numbers mean nothing in another.
std::string own_netns() {
  std::error_code failed;
  const std::filesystem::path link =
      std::filesystem::read_symlink("/proc/thread-self/ns/net", failed);
  return failed ? std::string() : link.string();
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(errno, "write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::string> read_private_file(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return std::unexpected(Error{.code = errno, .message = std::strerror(errno)});
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno_error(errno, "look at it");
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0)
    return failure("somebody else may have written it");
  if (static_cast<std::size_t>(status.st_size) > kMaxBytes) return failure("it is too long");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + at, bytes.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return errno_error(got < 0 ? errno : EIO, "read it");
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<Fd> create_private_file(const std::filesystem::path& path) {
  ::unlink(path.c_str());
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error(errno, fmt::format("create {}", path.string()));
  return fd;
}

Status replace_private_file(const std::filesystem::path& path, std::string_view text) {
  const std::string fresh = path.string() + ".new";
  Result<Fd> fd = create_private_file(fresh);
  if (!fd) return pass_on(fd);
  if (Status done = write_all(fd->get(), text); !done) return done;
  if (::rename(fresh.c_str(), path.c_str()) != 0) return errno_error(errno, "rename " + fresh);
  return {};
}

}  // namespace hanet::snapshot
