// SPDX-License-Identifier: Apache-2.0
//
// What a person asks of a group while it runs; see path_group.h.
//
// Whoever asks waits for the answer, so it says what came of it: done, refused and why, or rolled
// back. What is refused changes nothing.
#include <fmt/format.h>

#include "group/path_group.h"

namespace hanet::group {

// Any port names its path. Within the active trunk it names the port that is to be the lead.
policy::ManualSwitch PathGroup::manual_switch(const Port& port) const {
  if (port.path != state_.active) return {.to = port.path};
  return {.to = port.path, .port = port.slot};
}

Result<const failover::Plan*> PathGroup::preview(const std::string& interface) {
  Result<const Port*> to = parts_.ports.named(interface);
  if (!to) return pass_on(to);
  const MonotonicTime now = monotonic_now();
  refresh(now);
  if (parts_.keeper.stale()) recapture();
  const policy::Decision decision = policy::decide(state_, manual_switch(**to), now, rules_);
  for (const policy::Action& action : decision.actions) {
    if (const auto* refuse = std::get_if<policy::Refuse>(&action))
      return failure(fmt::format("{} to {}: {}", config_.name, interface, refuse->reason));
    if (const auto* start = std::get_if<policy::StartSwitchover>(&action))
      return parts_.switcher.preview(start->switchover);
    if (const auto* waits = std::get_if<policy::CarryOutSwitchover>(&action))
      return parts_.switcher.preview(waits->switchover);
  }
  return failure(fmt::format("{} to {}: nothing would happen", config_.name, interface));
}

Status PathGroup::switch_to(const std::string& interface) {
  Result<const Port*> port = parts_.ports.named(interface);
  if (!port) return pass_on(port);
  refusal_.clear();
  const MonotonicTime now = monotonic_now();
  refresh(now);
  const policy::ManualSwitch wanted = manual_switch(**port);
  apply(wanted, now);
  notices_.flush();
  if (!refusal_.empty())
    return failure(fmt::format("{} to {}: {}", config_.name, interface, refusal_));
  if (state_.active != wanted.to || (wanted.port && !parts_.ports.is_holder(**port)))
    return failure(fmt::format("{} to {}: rolled back; 'hanetctl explain' shows the failed step",
                               config_.name, interface));
  return {};
}

Status PathGroup::take_out(const std::string& interface) {
  if (Status done = parts_.replug.take_out(interface); !done) return done;
  refresh(monotonic_now());
  return {};
}

Status PathGroup::put_back(const std::string& interface) {
  if (Status done = parts_.replug.put_back(interface); !done) return done;
  refresh(monotonic_now());
  return {};
}

}  // namespace hanet::group
