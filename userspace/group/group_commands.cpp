// SPDX-License-Identifier: Apache-2.0
//
// What a person asks of a group while it runs; see group_runner.h.
//
// Whoever asks waits for the answer, so it says what came of it: done, refused and why, or rolled
// back. What is refused changes nothing. To take a port out and to add it again is in
// group_replug.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "config/limits.h"
#include "group/group_runner.h"

namespace hanet::group {

Result<RunningPort*> GroupRunner::port_called(const std::string& interface) {
  const auto found = std::ranges::find_if(
      ports_, [&](const RunningPort& port) { return port.interface.name == interface; });
  if (found != ports_.end()) return &*found;
  return failure(fmt::format("group {} has no path {}; its paths are {} and {}", config_.name,
                             interface, path_name(0), path_name(1)));
}

// Any port names its path. Within the active trunk it names the port that is to be the lead.
policy::ManualSwitch GroupRunner::manual_switch(const RunningPort& port) const {
  if (port.path != state_.active) return {.to = port.path};
  return {.to = port.path, .port = port.slot};
}

bool GroupRunner::goes_there_anyway(const policy::ManualSwitch& wanted) const {
  return waiting_move_ && waiting_move_->switchover.to == wanted.to;
}

Result<const failover::Plan*> GroupRunner::preview(const std::string& interface) {
  Result<RunningPort*> to = port_called(interface);
  if (!to) return pass_on(to);
  const MonotonicTime now = monotonic_now();
  refresh(now);
  if (keeper_.stale()) recapture();
  const policy::ManualSwitch wanted = manual_switch(**to);
  const auto plan = [&](const policy::Switchover& switchover) {
    preview_ = plan_of(keeper_.identity(), port_of(switchover, false), port_of(switchover, true));
  };
  if (goes_there_anyway(wanted)) {
    plan(waiting_move_->switchover);
    return &preview_;
  }
  const policy::Decision decision = policy::decide(state_, wanted, now, rules_);
  for (const policy::Action& action : decision.actions) {
    if (const auto* refuse = std::get_if<policy::Refuse>(&action))
      return failure(fmt::format("{} to {}: {}", config_.name, interface, refuse->reason));
    if (const auto* start = std::get_if<policy::StartSwitchover>(&action)) plan(start->switchover);
  }
  return &preview_;
}

Status GroupRunner::switch_to(const std::string& interface) {
  Result<RunningPort*> port = port_called(interface);
  if (!port) return pass_on(port);
  refusal_.clear();
  const MonotonicTime now = monotonic_now();
  refresh(now);
  const policy::ManualSwitch wanted = manual_switch(**port);
  if (goes_there_anyway(wanted))
    perform_waiting_move();
  else
    apply(wanted, now);
  flush_notices();
  if (!refusal_.empty())
    return failure(fmt::format("{} to {}: {}", config_.name, interface, refusal_));
  if (state_.active != wanted.to || (wanted.port && !carries(**port)))
    return failure(fmt::format("{} to {}: rolled back; 'hanetctl explain' shows the failed step",
                               config_.name, interface));
  return {};
}

Status GroupRunner::set(const std::string& key, const std::string& value) {
  struct Parameter {
    std::string_view key;
    config::Range range;
    std::uint32_t hanet_params::* field;
  };
  static constexpr std::array<Parameter, 6> kParameters{{
      {"interval_us", config::kIntervalUs, &hanet_params::interval_us},
      {"multiplier", config::kMultiplier, &hanet_params::multiplier},
      {"up_count", config::kUpCount, &hanet_params::up_count},
      {"link_poll_us", config::kLinkPollUs, &hanet_params::link_poll_us},
      {"threshold_percent", config::kThresholdPercent, &hanet_params::threshold_percent},
      {"enabled", {0, 1}, &hanet_params::enabled},
  }};
  const auto* parameter = std::ranges::find(kParameters, key, &Parameter::key);
  if (parameter == kParameters.end())
    return failure(
        fmt::format("key '{}': no such live parameter; allowed: interval_us, "
                    "multiplier, up_count, link_poll_us, threshold_percent, enabled",
                    key));
  std::string_view text = value;
  if (key == "enabled" && text == "true") text = "1";
  if (key == "enabled" && text == "false") text = "0";
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size() || !parameter->range.holds(number))
    return failure(fmt::format(
        "key '{}': found {}, allowed: {}", key, value,
        key == "enabled" ? std::string("true or false")
                         : fmt::format("{} to {}", parameter->range.low, parameter->range.high)));
  hanet_params& params = around_.engine.params(index_);
  hanet_params wanted = params;
  wanted.*parameter->field = static_cast<std::uint32_t>(number);
  const std::chrono::microseconds detection{std::int64_t{wanted.interval_us} * wanted.multiplier};
  if (detection > config::kMaxDetectionTime)
    return failure(
        fmt::format("key '{}': {} us x {} is a detection time above {} s, which watches "
                    "nothing; choose a smaller interval_us or multiplier",
                    key, wanted.interval_us, wanted.multiplier, config::kMaxDetectionTime.count()));
  engine::store(params.*parameter->field, static_cast<std::uint32_t>(number));
  publish("set", state_.active, fmt::format("{} is {} now", key, value));
  refresh(monotonic_now());
  return {};
}

}  // namespace hanet::group
