// SPDX-License-Identifier: Apache-2.0
//
// What hanet shows, as JSON: the one source of `hanetctl status`, `explain` and `watch`, with and
// without --json. Field names are documented in hanetctl(1); units are in the names.
#pragma once

#include <vector>

#include "core/json.h"
#include "engine/engine.h"
#include "engine/sender.h"
#include "failover/record.h"
#include "group/path_group.h"

namespace hanet::report {

/// What is on the group's ports and would stay there at a switchover.
[[nodiscard]] std::vector<const group::Upper*> left_behind(const group::View& group);
/// What the kernel offers (spec M4 needs its link events, M3 its timers).
[[nodiscard]] Json kernel_json(const engine::Capabilities& kernel);
/// Who asks a port by heartbeats of kind hanet, and what he says of himself.
[[nodiscard]] Json askers_json(const engine::Engine& engine, engine::PortIndex port,
                               MonotonicTime now);
/// `sender` may be null while hanetd starts.
[[nodiscard]] Json group_json(const group::View& group, const engine::Engine& engine,
                              const engine::Sender* sender, MonotonicTime now);
[[nodiscard]] Json record_json(const failover::SwitchoverRecord& record);
/// The steps of a switchover that has not happened.
[[nodiscard]] Json plan_json(const failover::Plan& plan);
[[nodiscard]] Json notice_json(const group::Notice& notice);

}  // namespace hanet::report
