// SPDX-License-Identifier: Apache-2.0
//
// See log.h: one line, one write, a priority prefix for the journal alone.
#include "core/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>
#include <string>

namespace hanet::log {
namespace {

Level threshold = Level::Info;

}  // namespace

bool is_journal(int fd, const char* journal_stream) {
  struct stat file{};
  return journal_stream != nullptr && ::fstat(fd, &file) == 0 &&
         fmt::format("{}:{}", file.st_dev, file.st_ino) == journal_stream;
}

void set_level(Level level) { threshold = level; }

void write_line(Level level, std::string_view text) {
  if (level > threshold) return;
  static const bool journal = is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
  std::string line;
  if (journal) fmt::format_to(std::back_inserter(line), "<{}>", static_cast<int>(level));
  line.append(text);
  line.push_back('\n');
  // Nothing useful can be done when stderr is gone.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace hanet::log
