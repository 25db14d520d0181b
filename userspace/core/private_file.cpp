// SPDX-License-Identifier: Apache-2.0
//
// See private_file.h.
#include "core/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace hanet {
namespace {

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(errno, "write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<std::optional<std::string>> read_private_file(const std::filesystem::path& file,
                                                     std::size_t max_bytes) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid() && errno == ENOENT) return std::nullopt;
  if (!fd.valid()) return failure(std::strerror(errno));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno_error(errno, "look at it");
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0)
    return failure("somebody else may have written it");
  if (static_cast<std::size_t>(status.st_size) > max_bytes) return failure("it is too long");
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

std::string fresh_name(const std::filesystem::path& file) { return file.string() + ".new"; }

Result<Fd> write_fresh(const std::filesystem::path& file,
                       std::initializer_list<std::string_view> parts) {
  const std::string fresh = fresh_name(file);
  ::unlink(fresh.c_str());
  Fd fd(::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error(errno, "create " + fresh);
  for (const std::string_view part : parts)
    if (!write_all(fd.get(), part)) return errno_error(errno, "write " + fresh);
  return fd;
}

Status put_in_place(const std::filesystem::path& file) {
  const std::string fresh = fresh_name(file);
  if (::rename(fresh.c_str(), file.c_str()) != 0) return errno_error(errno, "rename " + fresh);
  return {};
}

// http://www.isthe.com/chongo/tech/comp/fnv/
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace hanet
