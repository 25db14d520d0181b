// SPDX-License-Identifier: Apache-2.0
//
// What can be said without a daemon: the pinned maps hold the kernel side's state (spec D4, D5),
// and a file the history (O10).
#pragma once

#include <filesystem>

#include "asking.h"
#include "core/json.h"
#include "core/result.h"

namespace hanet::ctl {

/// {"daemon":null,"away_s","kernel_sends","kernel_bridges",
/// "kernel_bridged","paths":[{"name","steering","port",
/// "session"}]} of the maps under `pin_directory`.
[[nodiscard]] Result<Json> offline_status(const std::filesystem::path& pin_directory);

/// What hanetd answers to `explain`, with "daemon":null. The error says that there is no history,
/// or why it is not used.
[[nodiscard]] Result<Json> offline_explain(const Options& options);

/// Takes off what a hanetd that was killed left in the kernel, and says what was done. An error
/// while one runs: it would go on without its programs.
[[nodiscard]] Result<std::string> detach(const std::filesystem::path& run_directory,
                                         const std::filesystem::path& pin_directory);

}  // namespace hanet::ctl
