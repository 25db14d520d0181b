// SPDX-License-Identifier: Apache-2.0
//
// See log.h: one line, one write, a priority prefix for the journal alone.
#include "core/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <string>

namespace hanet::log {
namespace {

std::atomic<Level> threshold = Level::Info;

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
  std::string line;
  if (goes_to_journal()) fmt::format_to(std::back_inserter(line), "<{}>", static_cast<int>(level));
  line.append(text);
  line.push_back('\n');
  // Nothing useful can be done when stderr is gone.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace hanet::log
