// SPDX-License-Identifier: Apache-2.0
//
// See log.h: one line, one write, journald's priority prefix unless a person is watching.
#include "core/log.h"

#include <unistd.h>

#include <iterator>
#include <string>

namespace hanet::log {
namespace {

Level threshold = Level::Info;

}  // namespace

void set_level(Level level) { threshold = level; }

void write_line(Level level, std::string_view text) {
  if (level > threshold) return;
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  std::string line;
  if (!terminal) fmt::format_to(std::back_inserter(line), "<{}>", static_cast<int>(level));
  line.append(text);
  line.push_back('\n');
  // Nothing useful can be done when stderr is gone.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace hanet::log
