// SPDX-License-Identifier: Apache-2.0
//
// See log.h: one line, one write, a priority prefix for the journal alone.
#include "core/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>

#include "core/fd.h"

namespace hanet::log {
namespace {

std::atomic<Level> threshold = Level::Info;
std::atomic<std::uint64_t> lost = 0;

// A flag on the descriptor that we were given would be a flag on everybody's who has it. A socket
// can be asked each time, a pipe and a terminal can be opened once more.
bool write_at_once(int fd, std::string_view text) {
  struct stat file{};
  const mode_t kind = ::fstat(fd, &file) == 0 ? file.st_mode & S_IFMT : 0;
  ssize_t written = -1;
  if (kind == S_IFSOCK) {
    written = ::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } else if (kind == S_IFIFO || ::isatty(fd) == 1) {
    const std::string name = fmt::format("/proc/self/fd/{}", fd);
    const Fd own(::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!own.valid() && errno != ENXIO) return ::write(fd, text.data(), text.size()) >= 0;
    written = ::write(own.get(), text.data(), text.size());
  } else {
    written = ::write(fd, text.data(), text.size());
  }
  return written == static_cast<ssize_t>(text.size());
}

std::string line_of(Level level, std::string_view text) {
  std::string line;
  if (goes_to_journal()) fmt::format_to(std::back_inserter(line), "<{}>", static_cast<int>(level));
  line.append(text);
  line.push_back('\n');
  return line;
}

}  // namespace

bool is_journal(int fd, const char* journal_stream) {
  struct stat file{};
  return journal_stream != nullptr && ::fstat(fd, &file) == 0 &&
         fmt::format("{}:{}", file.st_dev, file.st_ino) == journal_stream;
}

bool goes_to_journal() {
  static const bool journal = is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
  return journal;
}

void set_level(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Level>, 5> kLevels{{{"error", Level::Error},
                                                                       {"warning", Level::Warning},
                                                                       {"notice", Level::Notice},
                                                                       {"info", Level::Info},
                                                                       {"debug", Level::Debug}}};
  for (const auto& [known, level] : kLevels)
    if (known == name) threshold = level;
}

void write_line(Level level, std::string_view text) {
  if (level > threshold) return;
  std::string line = line_of(level, text);
  const std::uint64_t before = lost.exchange(0);
  if (before > 0)
    line = line_of(Level::Warning,
                   fmt::format("{} lines of the log are lost: nobody took them", before)) +
           line;
  if (!write_at_once(STDERR_FILENO, line)) lost += before + 1;
}

}  // namespace hanet::log
