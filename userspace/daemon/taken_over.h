// SPDX-License-Identifier: Apache-2.0
//
// What happened while no hanetd ran, in words (spec D7, O4): the one that takes over tells it.
#pragma once

#include <span>
#include <string>

#include "core/clock.h"
#include "engine/engine.h"
#include "group/notices.h"

namespace hanet::daemon {

/// `since`: when the one before was seen last. A path's verdict of after that is told, with what
/// had become of the path when it was taken over, and when its carrier last went or came.
[[nodiscard]] std::string taken_over_text(std::span<const engine::LeftEngine::Known> sessions,
                                          MonotonicTime since, MonotonicTime now);

/// Publishes it, where anything was taken over.
void tell_taken_over(const engine::Engine& engine, const group::Notices::Publish& publish);

}  // namespace hanet::daemon
