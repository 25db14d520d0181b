// SPDX-License-Identifier: Apache-2.0
//
// What hanetctl prints for people fits the terminal, and is plain text everywhere else (O3).
#include "terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "core/fd.h"

namespace hanet::ctl {
namespace {

constexpr Terminal kNarrow{.columns = 40, .has_colour = false};
constexpr Terminal kColoured{.columns = 0, .has_colour = true};

TEST(TerminalTest, O3_ALineThatFitsStaysAsItIs) {
  const std::string text = "mether0: protected, active path p0\n  p0              active   up\n";
  EXPECT_EQ(shown_on(kNarrow, text), text);
  EXPECT_EQ(shown_on({}, std::string(500, 'x') + " y\n"), std::string(500, 'x') + " y\n");
}

TEST(TerminalTest, O3_ALongLineGoesOnBelowItsValue) {
  EXPECT_EQ(shown_on(kNarrow, "      requests   12 sent, 12 answered, 0 lost, 0 unanswered now\n"),
            "      requests   12 sent, 12 answered, 0\n"
            "                 lost, 0 unanswered now\n");
  EXPECT_EQ(shown_on(kNarrow, "not protected: group a: no standby since 2026-11-28\nnext"),
            "not protected: group a: no standby since\n"
            "  2026-11-28\nnext");
}

TEST(TerminalTest, O3_AWordThatIsLongerThanALineStaysWhole) {
  const std::string address = "2001:db8:0001:0002:0003:0004:0005:0006/128";
  EXPECT_EQ(shown_on(kNarrow, "  identity  " + address + " and more\n"),
            "  identity\n            " + address + "\n            and more\n");
}

TEST(TerminalTest, O3_AByteThatGoesOnTakesNoColumn) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "\xC3\xA4";
  EXPECT_EQ(shown_on(kNarrow, text + "\n"), text + "\n");
}

TEST(TerminalTest, O3_ColourIsOnWhatNeedsAttentionAndNowhereElse) {
  EXPECT_EQ(shown_on(kColoured, "not protected: group a\n"),
            "\033[1;31mnot protected\033[0m: group a\n");
  EXPECT_EQ(shown_on(kColoured, "protected since noon\n"), "\033[32mprotected since noon\033[0m\n");
  EXPECT_EQ(shown_on(kColoured, "  LOSS: p1 lacks it\n"), "  \033[1;31mLOSS\033[0m: p1 lacks it\n");
  EXPECT_EQ(shown_on(kColoured, "      verdicts   3 down, 4 up\n"),
            "      verdicts   3 down, 4 up\n");
}

TEST(TerminalTest, O3_APipeHasNoColourAndNoWidth) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reading(ends[0]);
  const Fd writing(ends[1]);
  const Terminal terminal = terminal_of(writing.get());
  EXPECT_EQ(terminal.columns, 0U);
  EXPECT_FALSE(terminal.has_colour);
}

TEST(TerminalTest, O3_ATerminalSaysHowWideItIsAndNoColorIsRespected) {
  const winsize size{.ws_row = 24, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
  int ends[2];
  ASSERT_EQ(::openpty(&ends[0], &ends[1], nullptr, nullptr, &size), 0);
  const Fd master(ends[0]);
  const Fd terminal(ends[1]);
  ASSERT_EQ(::setenv("TERM", "xterm", 1), 0);
  ASSERT_EQ(::unsetenv("NO_COLOR"), 0);
  EXPECT_EQ(terminal_of(terminal.get()).columns, 60U);
  EXPECT_TRUE(terminal_of(terminal.get()).has_colour);
  ASSERT_EQ(::setenv("NO_COLOR", "1", 1), 0);
  EXPECT_FALSE(terminal_of(terminal.get()).has_colour);
  ASSERT_EQ(::unsetenv("NO_COLOR"), 0);
  ASSERT_EQ(::setenv("TERM", "dumb", 1), 0);
  EXPECT_FALSE(terminal_of(terminal.get()).has_colour);
}

}  // namespace
}  // namespace hanet::ctl
