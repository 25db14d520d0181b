// SPDX-License-Identifier: Apache-2.0
//
// See alarms.h.
#include "policy/alarms.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace hanet::policy {
namespace {

std::optional<std::size_t> find_other(const GroupState& state, std::size_t than, auto fits) {
  for (std::size_t at = 0; at < state.paths.size(); ++at)
    if (at != than && at != state.active && fits(state.paths[at])) return at;
  return std::nullopt;
}

// A cold standby is used although nobody can see whether it works.
bool is_fit(const PathState& path) {
  return health_of(path) == Health::Up || (!path.watched && health_of(path) == Health::Unknown);
}

// A trunk below its threshold carries what the rest of its ports can.
std::string down_text(const PathState& path, const std::string& name) {
  const Capacity sum = capacity_of(path);
  if (sum.working == 0) return fmt::format("{} is down", name);
  return fmt::format("{} is down (only {} of {} of its capacity works)", name, sum.working,
                     sum.total);
}

std::string disabled_text(const RaiseAlarm& alarm, const GroupState& state,
                          const GroupNames& names) {
  const auto works = [](const PathState& path) { return health_of(path) == Health::Up; };
  const std::optional<std::size_t> other = find_other(state, alarm.path, works);
  return fmt::format(
      "{}: {}, and because the group is disabled no path will be used in its place{}; "
      "'hanetctl set {} enabled true' enables it",
      other ? "THE ACTIVE PATH IS DOWN" : "NO WORKING PATH",
      down_text(state.paths[alarm.path], names.paths[alarm.path]),
      other ? fmt::format(", although {} works", names.paths[*other]) : "", names.group);
}

std::string no_path_text(const RaiseAlarm& alarm, const GroupState& state, const GroupNames& names,
                         MonotonicTime now) {
  if (!state.enabled) return disabled_text(alarm, state, names);
  const std::string down = down_text(state.paths[alarm.path], names.paths[alarm.path]);
  const std::optional<std::size_t> avoided =
      find_other(state, alarm.path,
                 [&](const PathState& path) { return is_fit(path) && now < path.avoid_until; });
  if (!avoided)
    return fmt::format(
        "NO WORKING PATH: {} and no other path works; the identity stays, the first path to "
        "recover is used",
        down);
  const auto in = std::chrono::duration<double>(state.paths[*avoided].avoid_until - now);
  return fmt::format(
      "NO WORKING PATH: {}, and {} failed or did not take the identity; the identity stays, {} is "
      "tried again in {:.1f} s",
      down, names.paths[*avoided], names.paths[*avoided], in.count());
}

}  // namespace

std::string alarm_text(const RaiseAlarm& alarm, const GroupState& state, const GroupNames& names,
                       MonotonicTime now) {
  if (alarm.no_path) return no_path_text(alarm, state, names, now);
  const std::optional<std::size_t> other = find_other(state, alarm.path, is_fit);
  return fmt::format("standby {} is down: {}", names.paths[alarm.path],
                     other ? fmt::format("only {} is left to fail over to", names.paths[*other])
                           : "there is nothing to fail over to");
}

std::string cleared_text(const ClearAlarm& alarm, const GroupState& state,
                         const GroupNames& names) {
  const std::string& name = names.paths[alarm.path];
  const PathState& path = state.paths[alarm.path];
  if (alarm.path == state.active && (!alarm.no_path || alarm.taken_over))
    return fmt::format("{} is the active path now", name);
  if (!is_fit(path))
    return fmt::format("{} is not known to be down any more, and not proved to work yet", name);
  return fmt::format("{} {}", name,
                     alarm.no_path ? "carries traffic again" : "can take over again");
}

}  // namespace hanet::policy
