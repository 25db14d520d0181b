// SPDX-License-Identifier: Apache-2.0
//
// The engine's fifth part: what an instance left that was killed (spec D7); see engine.h.
//
// Its programs go on steering behind those of this instance, as they were told last: the maps that
// they decide by are no longer pinned, so their timers are gone. They are taken away as soon as
// this instance knows what is to be steered.
#include <bpf/bpf.h>

#include <system_error>

#include "engine/engine.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

// A killed instance's programs steer no longer than that beside ours: longer than any start takes,
// and than a verdict at an interval of one second and a multiplier of five.
constexpr Nanoseconds kLeftSteers = std::chrono::seconds(10);

}  // namespace

void Engine::end_left(GroupIndex group) {
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && ports_[port].group == group) attachments_[port].end_left();
}

// What a killed instance steered goes on until it is known here as well what is to be steered: the
// path of the identity works, or its traffic is bridged or moved (begin_move()).
void Engine::end_what_is_left(MonotonicTime now) {
  if (began_ && now > *began_ + 2 * kLeftSteers) return;
  if (!began_) {
    began_ = now;
    std::set<unsigned> watched;
    for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
      if (attachments_[port].is_attached()) watched.insert(ports_[port].ifindex);
    if (pacer_) watched.merge(pacer_->interfaces());
    end_left_links(pin_directory_, watched);
  }
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port) {
    if (ports_[port].in_use == 0) continue;
    const std::uint32_t mode = engine::load(steer_[port].mode);
    const bool has_identity = mode == HANET_STEER_NONE || mode == HANET_STEER_LEAD;
    if (mode == HANET_STEER_BRIDGE_OUT ||
        (has_identity && verdict(port).state == HANET_SESSION_UP) || now > *began_ + kLeftSteers)
      end_left(ports_[port].group);
  }
}

Result<bool> Engine::take_off_left(const std::filesystem::path& pin_directory) {
  std::error_code failed;
  if (!std::filesystem::exists(pin_directory, failed)) return false;
  Engine left;  // opened for the names of its maps; nothing is loaded
  left.pin_directory_ = pin_directory;
  left.skeleton_.reset(hanet_bpf__open());
  if (!left.skeleton_) return errno_error(errno, "open the BPF object");
  const Fd ports(bpf_obj_get((pin_directory / "ports").c_str()));
  end_left_links(pin_directory, {});
  if (ports.valid())
    if (auto watched = MappedArray<hanet_port>::of(ports.get(), HANET_MAX_PORTS, false))
      for (std::size_t port = 0; port < HANET_MAX_PORTS; ++port)
        if ((*watched)[port].in_use != 0) TcHook::end_left_filters((*watched)[port].ifindex);
  Pacer::end_left(pin_directory.string());
  left.remove_own_pins();
  if (!std::filesystem::remove(pin_directory, failed) && failed)
    return errno_error(failed.value(), "remove " + pin_directory.string());
  left.pin_directory_.clear();
  return true;
}

}  // namespace hanet::engine
