// SPDX-License-Identifier: Apache-2.0
//
// The last moments before a verdict, as the kernel side has kept them (spec O4): what tells
// "nothing came back, and we looked in time" from "our own CPU stood still".
#pragma once

#include <optional>

#include "engine/engine.h"
#include "failover/record.h"

namespace hanet::group {

/// Of the verdict that was made then; empty if the kernel side has kept those of another one, or is
/// just writing them down.
[[nodiscard]] std::optional<failover::Flight> flight_of(const hanet_flight& kept,
                                                        MonotonicTime verdict);

}  // namespace hanet::group
