// SPDX-License-Identifier: Apache-2.0
//
// Log lines for journald.
//
// journald reads a priority from a "<N>" prefix on stderr (sd-daemon(3)), so this needs no library.
// People read the same lines in a terminal, a file or a pipe, where the prefix would be noise. An
// error is logged where it is handled, once. Nothing logs between an event and the last netlink
// message of a switchover; and a log that nobody reads any more (a stuck journald, a pipe to a
// program that sleeps, a terminal at the other end of a dead line) stops nothing: a line that would
// have to wait is lost and counted. A file waits for its disk, and so does a pipe or terminal that
// another user owns; a service's log is a socket.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace hanet::log {

/// syslog(3) severities.
enum class Level { Error = 3, Warning = 4, Notice = 5, Info = 6, Debug = 7 };

/// Whether what is written to `fd` goes to the journal. `journal_stream`: $JOURNAL_STREAM,
/// "device:inode" of the descriptor that systemd gave to a service (systemd.exec(5)), or null.
[[nodiscard]] bool is_journal(int fd, const char* journal_stream);

/// The same of standard error, which is where lines go.
[[nodiscard]] bool goes_to_journal();

/// Lines below this level are dropped. `name`: "error", "warning", "notice", "info" or "debug"; any
/// other changes nothing. Thread-safe.
void set_level(std::string_view name);
/// Writes one line with one system call. Thread-safe. After lines were lost it says how many.
void write_line(Level level, std::string_view text);

template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write_line(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write_line(Level::Warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
  write_line(Level::Notice, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write_line(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write_line(Level::Debug, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace hanet::log
