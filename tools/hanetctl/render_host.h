// SPDX-License-Identifier: Apache-2.0
//
// What a switchover would move, what differs and what would be lost (group/host_table.h), as a
// table for people.
#pragma once

#include <string>

#include "core/json.h"

namespace hanet::ctl {

/// `groups`: of `hanetctl --json check --host`.
[[nodiscard]] std::string render_host(const Json& groups);

}  // namespace hanet::ctl
