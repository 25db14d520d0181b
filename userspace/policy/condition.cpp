// SPDX-License-Identifier: Apache-2.0
//
// See condition.h.
#include "policy/condition.h"

namespace hanet::policy {
namespace {

struct Standbys {
  std::size_t down = 0;
  std::size_t unproved = 0;
  std::size_t fit = 0;  ///< proved, or idle by intent
};

Standbys count_standbys(const GroupState& state) {
  Standbys count;
  for (std::size_t at = 0; at < state.paths.size(); ++at) {
    const PathState& path = state.paths[at];
    if (at == state.active) continue;
    if (state.standby_alarm[at])
      ++count.down;
    else if (path.watched && health_of(path) != Health::Up)
      ++count.unproved;
    else
      ++count.fit;
  }
  return count;
}

}  // namespace

Condition condition_of(const GroupState& state, const Losses& losses) {
  if (!state.enabled) return Condition::Disabled;
  if (state.no_path_alarm) return Condition::NoWorkingPath;
  if (state.running) return Condition::SwitchoverRuns;
  if (losses.active) return Condition::Incomplete;
  const Standbys standbys = count_standbys(state);
  if (standbys.down > 0 && standbys.fit == 0) return Condition::NoStandby;
  if (health_of(state.paths[state.active]) == Health::Unknown) return Condition::ActiveNotProved;
  if (standbys.down > 0) return Condition::FewerStandbys;
  if (standbys.unproved > 0) return Condition::StandbyNotProved;
  return losses.standby ? Condition::StandbyNotReady : Condition::Protected;
}

std::string_view to_text(Condition condition) {
  switch (condition) {
    case Condition::Protected:
      return "protected";
    case Condition::Disabled:
      return "disabled";
    case Condition::NoWorkingPath:
      return "no working path";
    case Condition::SwitchoverRuns:
      return "a switchover runs";
    case Condition::Incomplete:
      return "incomplete";
    case Condition::NoStandby:
      return "no standby";
    case Condition::ActiveNotProved:
      return "active path not proved";
    case Condition::FewerStandbys:
      return "fewer standbys";
    case Condition::StandbyNotProved:
      return "standby not proved";
    case Condition::StandbyNotReady:
      return "standby not ready";
  }
  return "?";
}

}  // namespace hanet::policy
