// SPDX-License-Identifier: Apache-2.0
//
// Priority prefixes are for the journal alone: systemd says by $JOURNAL_STREAM which descriptor
// leads there, and a service may have sent its messages elsewhere since (O1, systemd.exec(5)).
#include "core/log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

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

}  // namespace
}  // namespace hanet::log
