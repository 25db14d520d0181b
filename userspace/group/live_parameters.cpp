// SPDX-License-Identifier: Apache-2.0
//
// See live_parameters.h.
#include "group/live_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "config/limits.h"

namespace hanet::group {
namespace {

struct Parameter {
  std::string_view key;
  config::Range range;
  std::uint32_t hanet_params::* field;
};
constexpr std::array<Parameter, 6> kParameters{{
    {"interval_us", config::kIntervalUs, &hanet_params::interval_us},
    {"multiplier", config::kMultiplier, &hanet_params::multiplier},
    {"up_count", config::kUpCount, &hanet_params::up_count},
    {"link_poll_us", config::kLinkPollUs, &hanet_params::link_poll_us},
    {"threshold_percent", config::kThresholdPercent, &hanet_params::threshold_percent},
    {"enabled", {0, 1}, &hanet_params::enabled},
}};
}  // namespace

Status set_live_parameter(engine::Engine& engine, engine::GroupIndex group,
                          const std::string& key, const std::string& value) {
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
  hanet_params& params = engine.params(group);
  hanet_params wanted = params;
  wanted.*parameter->field = static_cast<std::uint32_t>(number);
  const std::chrono::microseconds detection{std::int64_t{wanted.interval_us} * wanted.multiplier};
  if (detection > config::kMaxDetectionTime)
    return failure(
        fmt::format("key '{}': {} us x {} is a detection time above {} s, which watches "
                    "nothing; choose a smaller interval_us or multiplier",
                    key, wanted.interval_us, wanted.multiplier, config::kMaxDetectionTime.count()));
  engine::store(params.*parameter->field, static_cast<std::uint32_t>(number));
  return {};
}

}  // namespace hanet::group
