// SPDX-License-Identifier: Apache-2.0
//
// What a group has found that a person should know while it lasts (spec F13, F14).
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "group/notices.h"

namespace hanet::group {

struct Finding {
  std::string port;      ///< the interface that it is about
  std::string text;      ///< what is so, and what to do about it; the same text is the same finding
  bool is_loss = false;  ///< a part of the identity is missing, or would be after a switchover
  bool operator==(const Finding&) const = default;
};

/// The first few of them, and how many more there are: a full routing table is no message.
[[nodiscard]] inline std::string listed(const std::vector<std::string>& lines) {
  constexpr std::size_t kNamed = 8;
  const std::size_t named = std::min(lines.size(), kNamed);
  std::string text = fmt::format(
      "{}", fmt::join(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(named), ", "));
  if (lines.size() > named) text += fmt::format(" and {} more", lines.size() - named);
  return text;
}

/// Says what is new as an alarm, and what is no longer so.
inline void tell_changes(Notices& notices, AlarmKind kind, const std::vector<Finding>& before,
                         const std::vector<Finding>& now) {
  for (const Finding& finding : now)
    if (std::ranges::count(before, finding) == 0) notices.alarm(kind, finding.port, finding.text);
  for (const Finding& finding : before)
    if (std::ranges::count(now, finding) == 0)
      notices.alarm_cleared(kind, finding.port, "no longer so: " + finding.text);
}

}  // namespace hanet::group
