// SPDX-License-Identifier: Apache-2.0
//
// Live parameters (spec D4): what can change while a group runs, by name, into the BPF map.
#pragma once

#include <string>

#include "config/config.h"
#include "engine/engine.h"

namespace hanet::group {

/// Checks the value and stores it. The error names the key, what was found and what is allowed;
/// then nothing has changed.
[[nodiscard]] Status set_live_parameter(engine::Engine& engine, engine::GroupIndex group,
                                        const std::string& key, const std::string& value);

/// All of them, as a configuration has them, into the map: each takes effect at the next heartbeat.
void store_live_parameters(engine::Engine& engine, engine::GroupIndex group,
                           const config::LiveParameters& live);
/// What the map has, whoever wrote it.
[[nodiscard]] config::LiveParameters live_parameters_of(const hanet_params& params);

}  // namespace hanet::group
