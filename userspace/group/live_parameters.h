// SPDX-License-Identifier: Apache-2.0
//
// Live parameters (spec D4): what can change while a group runs, by name, into the BPF map.
#pragma once

#include <string>

#include "engine/engine.h"

namespace hanet::group {

/// Checks the value and stores it. The error names the key, what was found and what is allowed;
/// then nothing has changed.
[[nodiscard]] Status set_live_parameter(engine::Engine& engine, engine::GroupIndex group,
                                        const std::string& key, const std::string& value);

}  // namespace hanet::group
