// SPDX-License-Identifier: Apache-2.0
//
// A configuration's values, and what another one would change, as JSON (hanetctl(1)).
#pragma once

#include "config/values.h"
#include "core/json.h"

namespace hanet::report {

/// {"log_level","groups":[{"group","values":{KEY:TEXT}}]}
[[nodiscard]] Json values_json(const config::ConfigValues& values);
/// Throws Json::exception where it is something else.
[[nodiscard]] config::ConfigValues values_of(const Json& json);

/// {"log_level":{"from","to"} or null,
///  "groups":[{"group","fate","keys":[{"key","from","to","effect"}]}]}
[[nodiscard]] Json changes_json(const config::Changes& changes);

}  // namespace hanet::report
