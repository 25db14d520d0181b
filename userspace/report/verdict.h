// SPDX-License-Identifier: Apache-2.0
//
// The verdict for the host: the first line of `hanetctl status`, and its exit code.
//
// Made of what the report says of every group, and of nothing else: a group is protected if the
// policy calls it so, every watched session still sends, and nothing would be left behind.
#pragma once

#include "core/json.h"

namespace hanet::report {

/// `groups`: of group_json(). `late`: [{"name", "reason"}] of those that have not begun. `last`:
/// the newest switchover of record_json(), or null.
/// {"protected", "text", "since" (null where that is not known), "reasons": [{"group", "reason",
/// "since"}], "last_switchover"}.
[[nodiscard]] Json verdict_json(const Json& groups, const Json& late, const Json& last);

}  // namespace hanet::report
