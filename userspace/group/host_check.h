// SPDX-License-Identifier: Apache-2.0
//
// Would hanetd start with this configuration on this host? Looks by the code that the start looks
// by, so that what `check` calls good does start, and touches nothing.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "core/result.h"
#include "engine/engine.h"

namespace hanet::group {

/// Which interfaces are not here yet. `run_directory` as below.
[[nodiscard]] Result<std::vector<std::string>> ports_not_here(
    const config::Config& config, const std::filesystem::path& run_directory);

/// Are the interfaces here and usable? `name`: the configuration file's, for messages.
/// `run_directory`: of the hanetd that it is for; what it kept of an identity says which card may
/// be missing.
[[nodiscard]] Status check_cards(const config::Config& config, std::string_view name,
                                 const std::filesystem::path& run_directory,
                                 config::DeviceOnPort on_port = config::DeviceOnPort::IsMistake);

/// And all else that PathGroup::look() looks at. `indexes`: of the groups in the engine; empty: in
/// the order of the file. `before_each`: called before each group, which takes its time.
[[nodiscard]] Status check_host(const config::Config& config, std::string_view name,
                                const std::filesystem::path& run_directory,
                                std::span<const engine::GroupIndex> indexes = {},
                                config::DeviceOnPort on_port = config::DeviceOnPort::IsMistake,
                                const std::function<void()>& before_each = {});

}  // namespace hanet::group
