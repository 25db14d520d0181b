// SPDX-License-Identifier: Apache-2.0
//
// The engine's third part: the sessions of its ports, one for each target; see engine.h. What they
// say together is quorum.h.
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "engine/engine.h"
#include "hanet.skel.h"

namespace hanet::engine {

Status Engine::reserve_sessions(PortIndex port, std::uint32_t count) {
  std::array<bool, HANET_MAX_SESSIONS> taken{};
  for (const SessionRow& row : rows_) std::fill_n(taken.begin() + row.first, row.count, true);
  const auto first = std::search_n(taken.begin(), taken.end(), count, false);
  if (first == taken.end())
    return failure(fmt::format("{}: hanet runs at most {} sessions", ports_[port].name,
                               static_cast<int>(HANET_MAX_SESSIONS)));
  rows_[port] = {.first = static_cast<SessionIndex>(first - taken.begin()), .count = count};
  return {};
}

Result<SessionIndex> Engine::add_session(const SessionSpec& spec) {
  hanet_port& port = ports_[spec.port];
  const SessionRow& row = rows_[spec.port];
  if (port.targets == row.count)
    return failure(fmt::format("{}: the port was added with {} target(s)", port.name, row.count));
  const SessionIndex index = row.first + port.targets;
  hanet_session& session = sessions_[index];
  session = hanet_session{};
  struct {
    std::uint64_t cookie;
    std::uint32_t id;
  } random{};
  if (::getrandom(&random, sizeof(random), 0) != static_cast<ssize_t>(sizeof(random)))
    return errno_error(errno, "draw a session's cookie");
  session.id = random.id;
  session.cookie = random.cookie;
  session.port = spec.port;
  session.group = spec.group;
  session.family = static_cast<std::uint16_t>(spec.family);
  session.kind = static_cast<std::uint8_t>(spec.kind);
  session.other_end = spec.other_end ? 1 : 0;
  copy_to(session.target, spec.target);
  copy_to(session.next_hop, spec.next_hop);
  copy_to(session.source, spec.source);
  if (spec.peer_mac) {
    copy_to(session.target_mac, *spec.peer_mac);
    session.target_mac_known = HANET_MAC_CONFIGURED;
    session.target_mac_learned_ns = 1;  // the sender asks there
  }
  session.state = HANET_SESSION_PAUSED;
  store(session.in_use, 1);
  if (port.targets == 0) store(port.session, index);
  store(port.targets, port.targets + 1);
  choose_listener(spec.port);
  choose_whether_to_listen();
  return index;
}

// Without such a session no frame pays for it.
void Engine::choose_whether_to_listen() {
  bool listens = false;
  for (SessionIndex index = 0; index < HANET_MAX_SESSIONS; ++index)
    listens = listens ||
              (sessions_[index].in_use != 0 && sessions_[index].kind == HANET_HEARTBEAT_SILENCE);
  store(skeleton_->bss->watch_silence, listens);
}

Status Engine::start_sessions(PortIndex port) {
  if (Status taken = take_group_over(ports_[port].group); !taken) return taken;
  bool goes_on = false;
  for (const SessionIndex session : sessions_of(port)) {
    const auto known = known_.extract(session);
    if (known) inherit(sessions_[session], known.mapped().session);
    if (Status started = control(HANET_CONTROL_START_SESSION, session); !started) return started;
    if (known) go_on_as(session, known.mapped());
    goes_on = goes_on || known;
  }
  if (goes_on) review(port);
  return {};
}

void Engine::pause_sessions(PortIndex port) {
  for (const SessionIndex session : sessions_of(port))
    store(sessions_[session].state, HANET_SESSION_PAUSED);
  review(port);
}

PortVerdict Engine::verdict(PortIndex port) const {
  const hanet_port& of = ports_[port];
  if (of.targets == 0) return {};
  return verdict_of(of, {&sessions_[of.session], of.targets});
}

void Engine::set_pace(SessionIndex session, std::chrono::microseconds pace) {
  store(sessions_[session].pace_us, static_cast<std::uint32_t>(pace.count()));
}

}  // namespace hanet::engine
