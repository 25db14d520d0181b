// SPDX-License-Identifier: Apache-2.0
//
// The engine's fifth part: what an instance left that was killed (spec D7); see engine.h.
//
// Its programs go on steering behind those of this instance, as they were told last: the maps that
// they decide by are no longer pinned, so their timers are gone. They are taken away as soon as
// this instance knows what is to be steered.
#include <bpf/bpf.h>

#include <algorithm>
#include <system_error>

#include "engine/engine.h"
#include "engine/probe.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

// Longer than any start takes; a verdict may take longer.
constexpr Nanoseconds kLeftSteers = std::chrono::seconds(10);

}  // namespace

std::set<unsigned> Engine::watched_by_left(const std::filesystem::path& directory) {
  std::set<unsigned> watched;
  const Fd map(bpf_obj_get((directory / "ports").c_str()));
  if (!map.valid() || !has_values_of(map.get(), sizeof(hanet_port))) return watched;
  const auto ports = MappedArray<hanet_port>::of(map.get(), HANET_MAX_PORTS, false);
  for (std::size_t port = 0; ports && port < HANET_MAX_PORTS; ++port)
    if ((*ports)[port].in_use != 0 && (*ports)[port].ifindex != 0)
      watched.insert((*ports)[port].ifindex);
  return watched;
}

// While something is left, a port that waits lets pass what is bridged to it or from it.
void Engine::end_left(GroupIndex group) {
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port) {
    if (ports_[port].in_use == 0 || ports_[port].group != group) continue;
    const bool had_left = attachments_[port].has_left();
    if (had_left && waits_[port] && engine::load(steer_[port].mode) == HANET_STEER_NONE) {
      const PortIndex peer = steer_[port].peer_port;
      const bool bridged =
          peer < HANET_MAX_PORTS && engine::load(steer_[peer].mode) == HANET_STEER_BRIDGE_OUT;
      store(steer_[port].mode, bridged ? HANET_STEER_BRIDGE_IN : HANET_STEER_IDLE);
    }
    if (had_left) attachments_[port].end_left();
  }
}

// Ports that the other instance watched and this one does not.
void Engine::end_strays() {
  std::set<unsigned> watched;
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (attachments_[port].is_attached()) watched.insert(ports_[port].ifindex);
  for (const unsigned left : left_interfaces_)
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

// Its programs do what their group wants without hanetd by the stamp in their own map.
void Engine::keep_left_accounts() {
  const Fd map(bpf_obj_get((pin_directory_ / "engine").c_str()));
  if (!map.valid() || !has_values_of(map.get(), sizeof(hanet_engine))) return;
  auto accounts = MappedArray<hanet_engine>::of(map.get(), 1, true);
  if (accounts) left_accounts_ = std::move(*accounts);
}

Nanoseconds Engine::show_presence(MonotonicTime now) {
  const auto stamp = static_cast<std::uint64_t>(now.time_since_epoch().count());
  const std::uint64_t before = engine::load(accounts_[0].attended_ns);
  store(accounts_[0].attended_ns, stamp);
  if (left_accounts_.valid()) store(left_accounts_[0].attended_ns, stamp);
  return before == 0 ? Nanoseconds(0) : now - from_kernel_ns(before);
}

void Engine::attend(MonotonicTime now) {
  if (!std::exchange(began_, true)) end_strays();
  if (std::ranges::none_of(attachments_, &PortAttachment::has_left)) {
    left_accounts_ = {};
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
  for (const unsigned ifindex : watched_by_left(pin_directory)) TcHook::end_left_filters(ifindex);
  end_left_links(pin_directory, {});
  for (const char* name : kTracing) const PinnedLink ends = PinnedLink::adopt(pin_directory / name);
  Pacer::end_left(pin_directory.string());
  left.remove_own_pins();
  left.pin_directory_.clear();
  if (!std::filesystem::remove(pin_directory, failed) && failed)
    return errno_error(failed.value(), "remove " + pin_directory.string());
  return true;
}

}  // namespace hanet::engine
