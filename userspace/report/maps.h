// SPDX-License-Identifier: Apache-2.0
//
// One session and one port as the kernel side's maps hold them, as JSON. Needs the maps' memory and
// nothing else, so hanetctl uses it without a daemon.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"
#include "engine/quorum.h"
#include "hanet/abi.h"

namespace hanet::report {

/// It was up, and no requests leave any more: nothing is known of it now.
[[nodiscard]] bool is_stalled(const hanet_session& session, MonotonicTime now);
/// The address that it asks; empty where it asks nobody.
[[nodiscard]] std::string target_text(const hanet_session& session);
/// Of enum hanet_reject.
[[nodiscard]] std::string_view reject_name(std::size_t reason);
[[nodiscard]] Json session_json(const hanet_session& session, MonotonicTime now);
/// The other host that asks this one by heartbeats of kind hanet.
[[nodiscard]] Json asker_json(const hanet_beat_peer& peer, MonotonicTime now);
[[nodiscard]] Json port_json(const hanet_port& port);
/// Adds to the JSON of a path or a port: "session" is the one whose change made the port's verdict;
/// where there are several, all `sessions` are there too, and the quorum. None: nothing.
void put_sessions(Json& json, const hanet_port& port, Json sessions,
                  const engine::PortVerdict& verdict);

}  // namespace hanet::report
