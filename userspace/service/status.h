// SPDX-License-Identifier: Apache-2.0
//
// What hanet shows, as JSON: the one source of `hanetctl status`, `explain` and `watch`, with and
// without --json. Field names are documented in hanetctl(1); units are in the names.
#pragma once

#include "engine/engine.h"
#include "engine/sender.h"
#include "failover/record.h"
#include "service/group_runner.h"
#include "service/json.h"

namespace hanet::service {

/// One session and one port as the maps hold them; also works without a daemon.
[[nodiscard]] Json session_json(const hanet_session& session, MonotonicTime now);
[[nodiscard]] Json port_json(const hanet_port& port);

/// What the kernel offers (spec M4 needs its link events, M3 its timers).
[[nodiscard]] Json kernel_json(const engine::Capabilities& kernel);
/// `sender` may be null while hanetd starts.
[[nodiscard]] Json group_json(const GroupRunner& group, const engine::Engine& engine,
                              const engine::Sender* sender, MonotonicTime now);
[[nodiscard]] Json record_json(const failover::SwitchoverRecord& record);
/// The steps of a switchover that has not happened.
[[nodiscard]] Json plan_json(const failover::Plan& plan);
[[nodiscard]] Json notice_json(const Notice& notice);

}  // namespace hanet::service
