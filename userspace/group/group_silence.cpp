// SPDX-License-Identifier: Apache-2.0
//
// A path that is watched by listening, and on which nothing is heard; see group_runner.h.
//
// It is unknown, so nothing that hanet does will go wrong there, and nothing will go right: a
// standby that is not proved is no place to go, and an active path that was never heard never
// fails. A wrong MAC address or a peer that never broadcasts looks like that. Silent monitoring is
// the trouble that users of other systems find last, so it is said aloud.
#include <fmt/format.h>

#include "group/group_runner.h"

namespace hanet::group {
namespace {

net::MacAddress peer_of(const hanet_session& session) {
  net::MacAddress mac{};
  std::copy(std::begin(session.target_mac), std::end(session.target_mac), mac.begin());
  return mac;
}

bool is_unheard(const hanet_session& session) {
  return session.kind == HANET_HEARTBEAT_SILENCE &&
         engine::load(session.state) == HANET_SESSION_UNKNOWN &&
         engine::load(session.counted_ns) == 0;
}

}  // namespace

void GroupRunner::tell_what_is_unheard(MonotonicTime now) {
  for (RunningPort& port : ports_) {
    const hanet_session& session = around_.engine.session(port.session);
    if (!is_unheard(session)) {
      port.unheard_told = false;
      continue;
    }
    if (port.unheard_told || !port.present || !port.admin_up ||
        now < from_kernel_ns(engine::load(session.state_since_ns)) + kSettleTime)
      continue;
    port.unheard_told = true;
    publish("alarm", port.path,
            fmt::format("{} has heard nothing from its peer {}: {}", port.interface.name,
                        engine::load(session.target_mac_known) != 0
                            ? net::to_text(peer_of(session))
                            : std::string("(whose MAC address nobody told)"),
                        port.path == state_.active ? "a failure of this path will not be noticed"
                                                   : "it is no path to fail over to"));
  }
}

}  // namespace hanet::group
