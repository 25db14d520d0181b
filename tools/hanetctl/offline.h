// SPDX-License-Identifier: Apache-2.0
//
// What can be said without a daemon: the pinned maps hold the kernel side's state (spec D4, D5).
#pragma once

#include <filesystem>

#include "core/json.h"
#include "core/result.h"

namespace hanet::ctl {

/// {"daemon":null,"paths":[{"port","session"}]} of the maps under `pin_directory`.
[[nodiscard]] Result<Json> offline_status(const std::filesystem::path& pin_directory);

}  // namespace hanet::ctl
