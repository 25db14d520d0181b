// SPDX-License-Identifier: Apache-2.0
//
// The same JSON, for people.
#pragma once

#include <string>

#include "service/status.h"

namespace hanet::ctl {

[[nodiscard]] std::string render_status(const service::Json& status);
[[nodiscard]] std::string render_offline(const service::Json& status);
/// The steps of `switch --dry-run`; nothing for a switch that was carried out.
[[nodiscard]] std::string render_steps(const service::Json& answer);
[[nodiscard]] std::string render_explain(const service::Json& explain);
[[nodiscard]] std::string render_notice(const service::Json& notice);

}  // namespace hanet::ctl
