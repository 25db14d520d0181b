// SPDX-License-Identifier: Apache-2.0
//
// One session and one port as the kernel side's maps hold them, as JSON. Needs the maps' memory and
// nothing else, so hanetctl uses it without a daemon.
#pragma once

#include "core/clock.h"
#include "core/json.h"
#include "hanet/abi.h"

namespace hanet::report {

[[nodiscard]] Json session_json(const hanet_session& session, MonotonicTime now);
[[nodiscard]] Json port_json(const hanet_port& port);

}  // namespace hanet::report
