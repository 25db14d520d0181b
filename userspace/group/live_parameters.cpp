// SPDX-License-Identifier: Apache-2.0
//
// See live_parameters.h.
#include "group/live_parameters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <vector>

#include "config/parameters.h"
#include "config/text.h"

namespace hanet::group {
namespace {

std::string allowed(const config::LiveParameter& parameter) {
  if (!parameter.words.empty()) return fmt::format("{}", fmt::join(parameter.words, ", "));
  return fmt::format("{} to {}", parameter.range.low, parameter.range.high);
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> names;
  for (const config::LiveParameter& parameter : config::kLiveParameters)
    names.push_back(parameter.name);
  return names;
}

std::optional<std::int64_t> number_of(const config::LiveParameter& parameter,
                                      std::string_view text) {
  if (const auto word = std::ranges::find(parameter.words, text); word != parameter.words.end())
    return word - parameter.words.begin();
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The limits of the factors allow products that nobody wants to wait for.
Status check_detection_time(const hanet_params& wanted, std::string_view key) {
  const std::chrono::microseconds detection{std::int64_t{wanted.interval_us} * wanted.multiplier};
  if (detection <= config::kMaxDetectionTime) return {};
  return failure(
      fmt::format("key '{}': {} us x {} is a detection time above {} s, which watches "
                  "nothing; choose a smaller {} or {}",
                  key, wanted.interval_us, wanted.multiplier, config::kMaxDetectionTime.count(),
                  config::kInterval.name, config::kMultiplier.name));
}

// A number that means nothing is the usual choice, as for the kernel side (hanet_daemon_loss).
config::OnDaemonLoss on_daemon_loss_of(std::uint32_t number) {
  if (number > HANET_LOSS_RELEASE) return config::OnDaemonLoss::Steer;
  return static_cast<config::OnDaemonLoss>(number);
}

}  // namespace

Status set_live_parameter(engine::Engine& engine, engine::GroupIndex group, const std::string& key,
                          const std::string& value) {
  const auto* parameter =
      std::ranges::find(config::kLiveParameters, key, &config::LiveParameter::name);
  if (parameter == config::kLiveParameters.end())
    return failure(fmt::format("key '{}': no such live parameter; allowed: {}{}", key,
                               config::listed(names()), config::suggestion_for(key, names())));
  const std::optional<std::int64_t> number = number_of(*parameter, value);
  if (!number || !parameter->range.holds(*number))
    return failure(fmt::format("key '{}': found {}, allowed: {}", key, value, allowed(*parameter)));
  hanet_params& params = engine.params(group);
  hanet_params wanted = params;
  wanted.*parameter->field = static_cast<std::uint32_t>(*number);
  if (Status sane = check_detection_time(wanted, key); !sane) return sane;
  engine::store(params.*parameter->field, static_cast<std::uint32_t>(*number));
  return {};
}

void store_live_parameters(engine::Engine& engine, engine::GroupIndex group,
                           const config::LiveParameters& live) {
  hanet_params& params = engine.params(group);
  const auto put = [](std::uint32_t& field, auto value) {
    engine::store(field, static_cast<std::uint32_t>(value));
  };
  put(params.interval_us, live.interval.count());
  put(params.multiplier, live.multiplier);
  put(params.up_count, live.up_count);
  put(params.link_poll_us, live.link_poll.count());
  put(params.threshold_percent, live.threshold_percent);
  put(params.enabled, live.enabled ? 1 : 0);
  put(params.on_daemon_loss, live.on_daemon_loss);
  put(params.daemon_loss_ms, live.daemon_loss.count());
}

config::LiveParameters live_parameters_of(const hanet_params& params) {
  return {.interval = std::chrono::microseconds(engine::load(params.interval_us)),
          .multiplier = engine::load(params.multiplier),
          .up_count = engine::load(params.up_count),
          .link_poll = std::chrono::microseconds(engine::load(params.link_poll_us)),
          .threshold_percent = engine::load(params.threshold_percent),
          .enabled = engine::load(params.enabled) != 0,
          .on_daemon_loss = on_daemon_loss_of(engine::load(params.on_daemon_loss)),
          .daemon_loss = std::chrono::milliseconds(engine::load(params.daemon_loss_ms))};
}

}  // namespace hanet::group
