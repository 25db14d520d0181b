// SPDX-License-Identifier: Apache-2.0
//
// Configuration texts for tests.
//
// A test of a configuration is about one key. These functions put the lines of the test where they
// belong and keep everything else right and, above all, on known lines: a message is compared
// complete, with its line number.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace hanet::config::samples {

/// `lines` begin at line 5, inside [[group]].
inline std::string in_group(std::string_view lines) {
  return fmt::format(
      "[[group]]\n"
      "name = \"mether0\"\n"
      "primary = \"eth0\"\n"
      "standby = \"eth1\"\n"
      "{}\n"
      "[group.heartbeat]\n"
      "target = \"192.0.2.10\"\n",
      lines);
}

/// `lines` begin at line 6, inside [group.heartbeat], which holds nothing else.
inline std::string in_heartbeat(std::string_view lines) {
  return fmt::format(
      "[[group]]\n"
      "name = \"mether0\"\n"
      "primary = \"eth0\"\n"
      "standby = \"eth1\"\n"
      "[group.heartbeat]\n"
      "{}\n",
      lines);
}

/// `line` is line 7, inside [group.heartbeat], after an IPv4 target.
inline std::string in_timing(std::string_view line) {
  return in_heartbeat(fmt::format("target = \"192.0.2.10\"\n{}", line));
}

/// One complete group of six lines.
inline std::string group(std::string_view name, std::string_view primary,
                         std::string_view standby) {
  return fmt::format(
      "[[group]]\n"
      "name = \"{}\"\n"
      "primary = \"{}\"\n"
      "standby = \"{}\"\n"
      "[group.heartbeat]\n"
      "target = \"192.0.2.10\"\n",
      name, primary, standby);
}

/// One complete group of eight lines; `warm` is in the table of line 6.
inline std::string warm_group(std::string_view name, std::string_view warm) {
  return fmt::format(
      "[[group]]\n"
      "name = \"m{0}\"\n"
      "primary = \"{0}0\"\n"
      "standby = \"{0}1\"\n"
      "mode = \"warm\"\n"
      "warm = {{{1}}}\n"
      "[group.heartbeat]\n"
      "target = \"192.0.2.10\"\n",
      name, warm);
}

/// Six lines per group, nothing used twice.
inline std::string groups(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += group(fmt::format("m{}", i), fmt::format("p{}", i), fmt::format("s{}", i));
  }
  return text;
}

}  // namespace hanet::config::samples
