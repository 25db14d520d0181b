// SPDX-License-Identifier: Apache-2.0
//
// See unheard.h.
#include "group/unheard.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/port.h"

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

void UnheardWatch::tick(MonotonicTime now) {
  for (const Port& port : ports_.all()) {
    const hanet_session& session = context_.engine().deciding_session(port.index);
    const std::size_t number = ports_.number_of(port);
    if (!is_unheard(session)) {
      told_.erase(number);
      continue;
    }
    const MonotonicTime since = from_kernel_ns(engine::load(session.state_since_ns));
    if (told_.contains(number) || !port.present() || !port.admin_up ||
        now < since + policy::kSettleTime)
      continue;
    told_.insert(number);
    context_.notices.alarm(
        AlarmKind::PeerUnheard, ports_.name(port.path),
        fmt::format("{} has heard nothing from its peer {}: {}", port.interface.name,
                    engine::load(session.target_mac_known) != 0
                        ? net::to_text(peer_of(session))
                        : std::string("(whose MAC address nobody told)"),
                    port.path == context_.state.active
                        ? "a failure of this path will not be noticed"
                        : "it is no path to fail over to"));
  }
}

}  // namespace hanet::group
