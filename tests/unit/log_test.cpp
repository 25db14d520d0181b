// SPDX-License-Identifier: Apache-2.0
//
// Priority prefixes are for the journal alone: systemd says by $JOURNAL_STREAM which descriptor
// leads there, and a service may have sent its messages elsewhere since (O1, systemd.exec(5)).
#include "core/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "core/fd.h"

namespace hanet::log {
namespace {

TEST(Log, O1_OnlyTheDescriptorThatSystemdNamesIsTheJournal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  struct stat pipe{};
  ASSERT_EQ(::fstat(writer.get(), &pipe), 0);
  const std::string named = fmt::format("{}:{}", pipe.st_dev, pipe.st_ino);
  EXPECT_TRUE(is_journal(writer.get(), named.c_str()));
  EXPECT_FALSE(is_journal(writer.get(), nullptr)) << "no systemd, or another output";
  EXPECT_FALSE(is_journal(writer.get(), (named + "1").c_str())) << "sent elsewhere since";
  EXPECT_FALSE(is_journal(writer.get(), ""));
  EXPECT_FALSE(is_journal(-1, named.c_str()));
}

/// Standard error, for a while, is something that nobody reads.
class Unread {
 public:
  explicit Unread(bool is_socket) {
    std::array<int, 2> ends{};
    if (is_socket)
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    else
      EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader_.reset(ends[0]);
    const Fd writer(ends[1]);
    EXPECT_GE(::dup2(writer.get(), STDERR_FILENO), 0);
  }
  Unread(const Unread&) = delete;
  Unread& operator=(const Unread&) = delete;
  ~Unread() { ::dup2(before_.get(), STDERR_FILENO); }

  /// All that is there to be read.
  std::string read() {
    std::string text;
    std::array<char, 65536> part;
    for (ssize_t got = 1; got > 0;) {
      pollfd wanted{.fd = reader_.get(), .events = POLLIN, .revents = 0};
      got = ::poll(&wanted, 1, 0) > 0 ? ::read(reader_.get(), part.data(), part.size()) : 0;
      if (got > 0) text.append(part.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  Fd before_{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)};
  Fd reader_;
};

// Without that the test would not end: more than any pipe or socket holds.
TEST(Log, O5_ALogThatNobodyReadsStopsNothingAndSaysWhatItLost) {
  for (const bool is_socket : {false, true}) {
    SCOPED_TRACE(is_socket ? "socket" : "pipe");
    Unread log(is_socket);
    constexpr int kLines = 4000;
    const std::string line(1000, 'x');
    for (int i = 0; i < kLines; ++i) write_line(Level::Error, line);
    const std::string taken = log.read();
    const auto there = std::ranges::count(taken, '\n');
    EXPECT_GT(there, 10) << "the witness: a part was taken";
    EXPECT_LT(there, kLines) << "the witness: a part was not";
    write_line(Level::Error, "again");
    EXPECT_EQ(log.read(), fmt::format("{} lines of the log are lost: nobody took them\nagain\n",
                                      kLines - there));
  }
}

}  // namespace
}  // namespace hanet::log
