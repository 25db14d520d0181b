// SPDX-License-Identifier: Apache-2.0
//
// The last moments before a verdict, read from the kernel side's maps (spec O4): what tells
// "nothing came back, and we looked in time" from "our own CPU stood still".
#pragma once

#include "engine/engine.h"
#include "failover/record.h"

namespace hanet::group {

/// What a session knows of its newest down verdict. The requests are those that the window still
/// holds, so 64 intervals after the verdict none of those before it are left.
[[nodiscard]] failover::Flight flight_of(const hanet_session& session);

}  // namespace hanet::group
