// SPDX-License-Identifier: Apache-2.0
//
// The engine's fifth part: what an instance left that was killed (spec D7); see engine.h.
//
// Until this instance takes over, the other one watches on (left_engine.h). Then its programs go on
// steering behind those of this one, as they were told last, and are taken away as soon as this
// instance knows what is to be steered.
#include <bpf/bpf.h>

#include <algorithm>
#include <system_error>

#include "engine/engine.h"
#include "engine/port_table.h"
#include "engine/probe.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

// Longer than any start takes; a verdict may take longer.
constexpr Nanoseconds kLeftSteers = std::chrono::seconds(10);

}  // namespace

// In this order: nobody makes a verdict between the first step and start_sessions(), so what takes
// long comes before; and what the other one still asks for afterwards nobody counts.
Status Engine::take_port_over(PortIndex index) {
  if (not_taken_over_.erase(index) == 0) return {};
  const hanet_port& port = ports_[index];
  const MonotonicTime now = monotonic_now();
  const std::vector<LeftEngine::Known> ended = left_.end_sessions(port.ifindex);
  taken_over_.insert(taken_over_.end(), ended.begin(), ended.end());
  if (Status attached = attachments_[index].attach_xdp(); !attached) return attached;
  if (const int updated = enter_port(*skeleton_, port.ifindex, index); updated != 0)
    return errno_error(updated, fmt::format("register port {}", port.name));
  take_attachment(index);
  for (const SessionIndex session : sessions_of(index))
    if (const auto known = std::ranges::find_if(
            ended, [&](const auto& one) { return is_known(one.session, sessions_[session], now); });
        known != ended.end())
      known_[session] = *known;
  return {};
}

// While something is left, a port that waits lets pass what is bridged to it or from it. All modes
// first: to detach a program takes tens of milliseconds, and a verdict may come meanwhile.
void Engine::end_left(GroupIndex group) {
  const auto has_left = [&](PortIndex port) {
    return ports_[port].in_use != 0 && ports_[port].group == group && attachments_[port].has_left();
  };
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port) {
    if (!has_left(port) || !waits_[port] || engine::load(steer_[port].mode) != HANET_STEER_NONE)
      continue;
    const PortIndex peer = steer_[port].peer_port;
    const bool bridged =
        peer < HANET_MAX_PORTS && engine::load(steer_[peer].mode) == HANET_STEER_BRIDGE_OUT;
    store(steer_[port].mode, bridged ? HANET_STEER_BRIDGE_IN : HANET_STEER_IDLE);
  }
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (has_left(port)) attachments_[port].end_left();
}

// Ports that the other instance watched and this one does not.
void Engine::end_strays() {
  std::set<unsigned> watched;
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (attachments_[port].is_attached()) watched.insert(ports_[port].ifindex);
  for (const unsigned left : left_.interfaces())
    if (!watched.contains(left)) TcHook::end_left_filters(left);
  if (pacer_) watched.merge(pacer_->interfaces());
  end_left_links(pin_directory_, watched);
}

// The path of the identity works, or its traffic is bridged or moved (begin_move() does not wait to
// be asked); or so much time has passed that the path must have its verdict.
bool Engine::knows_what_to_steer(PortIndex port, MonotonicTime now) const {
  const std::uint32_t mode = engine::load(steer_[port].mode);
  const bool has_identity = !waits_[port] && (mode == HANET_STEER_NONE || mode == HANET_STEER_LEAD);
  Nanoseconds longest = kLeftSteers;
  for (const SessionIndex session : sessions_of(port))
    longest = std::max(longest, 2 * detection_time(sessions_[session]));
  return mode == HANET_STEER_BRIDGE_OUT ||
         (has_identity && verdict(port).state == HANET_SESSION_UP) ||
         (attachments_[port].has_left() && now > attachments_[port].attached_at() + longest);
}

// Its state is the kernel side's from the start on, unless that has learned something by now.
void Engine::go_on_as(SessionIndex index, const LeftEngine::Known& known) {
  hanet_session& session = sessions_[index];
  flights_[index] = known.flight;
  std::uint32_t before = HANET_SESSION_UNKNOWN;
  if (std::atomic_ref(session.state)
          .compare_exchange_strong(before, known.session.state, std::memory_order_seq_cst))
    store(session.state_since_ns, known.session.state_since_ns);
}

Nanoseconds Engine::show_presence(MonotonicTime now) {
  const auto stamp = static_cast<std::uint64_t>(now.time_since_epoch().count());
  const std::uint64_t before = engine::load(accounts_[0].attended_ns);
  store(accounts_[0].attended_ns, stamp);
  left_.show_presence(stamp);
  return before == 0 ? Nanoseconds(0) : now - from_kernel_ns(before);
}

// A port that has no sessions yet, because its interface came later, has nothing to take over.
Status Engine::take_over() {
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (Status taken = take_port_over(port); !taken) return taken;
  if (!left_.goes_on()) return {};
  if (Status pinned = pin(); !pinned) return pinned;
  left_.stop();
  // Last: an interface takes its time to go.
  Pacer::end_left(pin_directory_.string(), pacer_ ? pacer_->token_interface() : 0);
  return {};
}

void Engine::attend(MonotonicTime now) {
  if (!std::exchange(began_, true)) end_strays();
  if (std::ranges::none_of(attachments_, &PortAttachment::has_left)) {
    left_ = {};
    return;
  }
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && knows_what_to_steer(port, now)) end_left(ports_[port].group);
}

Result<bool> Engine::take_off_left(const std::filesystem::path& pin_directory) {
  std::error_code failed;
  const bool is_there = std::filesystem::exists(pin_directory, failed);
  if (failed) return errno_error(failed.value(), "look at " + pin_directory.string());
  if (!is_there) return false;
  Engine left;  // opened for the names of its maps; nothing is loaded
  left.skeleton_.reset(hanet_bpf__open());
  if (!left.skeleton_) return errno_error(errno, "open the BPF object");
  left.pin_directory_ = pin_directory;
  for (const unsigned ifindex : LeftEngine::open(pin_directory).interfaces())
    TcHook::end_left_filters(ifindex);
  end_left_links(pin_directory, {});
  for (const char* name : kTracing) const PinnedLink ends = PinnedLink::adopt(pin_directory / name);
  Pacer::end_left(pin_directory.string(), 0);
  left.remove_own_pins();
  left.pin_directory_.clear();
  if (!std::filesystem::remove(pin_directory, failed) && failed)
    return errno_error(failed.value(), "remove " + pin_directory.string());
  return true;
}

}  // namespace hanet::engine
