// SPDX-License-Identifier: Apache-2.0
//
// The same JSON, for people.
#pragma once

#include <string>

#include "core/json.h"

namespace hanet::ctl {

[[nodiscard]] std::string render_status(const Json& status);
[[nodiscard]] std::string render_offline(const Json& status);
/// The steps of `switch --dry-run`; nothing for a switch that was carried out.
[[nodiscard]] std::string render_steps(const Json& answer);
[[nodiscard]] std::string render_explain(const Json& explain);
/// What a reload changes, or would.
[[nodiscard]] std::string render_changes(const Json& changes);
[[nodiscard]] std::string render_notice(const Json& notice);

}  // namespace hanet::ctl
