// SPDX-License-Identifier: Apache-2.0
//
// A whole file of configuration, as long as it is of a sensible size.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "core/result.h"

namespace hanet::config {

/// Reads until the end or one byte beyond `max_bytes`: a file may grow while it is read. `name` is
/// for messages.
[[nodiscard]] inline Result<std::string> read_all(int fd, const std::string& name,
                                                  std::size_t max_bytes) {
  std::string text(max_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(fd, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error(errno, name + ": cannot read");
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > max_bytes)
    return failure(fmt::format("{}: found more than {} bytes, allowed: up to {} bytes", name,
                               max_bytes, max_bytes));
  text.resize(size);
  return text;
}

}  // namespace hanet::config
