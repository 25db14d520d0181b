// SPDX-License-Identifier: Apache-2.0
//
// The engine's seventh part: metanetwork devices (bpf/device.bpf.h); see engine.h.
//
// The program is put in front of what a killed instance left, like those of the ports, and passes
// everything until the device is entered: then it sends as the other one did last.
#include <fmt/format.h>

#include <algorithm>

#include "engine/engine.h"
#include "engine/packed_mac.h"
#include "engine/port_table.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

std::uint32_t place_of_device(GroupIndex group) { return HANET_MAX_PORTS + group; }

}  // namespace

Status Engine::add_device(const DeviceSpec& spec) {
  if (spec.leads.empty() || spec.leads.size() > HANET_MAX_PATHS)
    return failure(fmt::format("{}: a device has 1 to {} paths", spec.name,
                               static_cast<int>(HANET_MAX_PATHS)));
  hanet_device& device = devices_[spec.group];
  device = hanet_device{};
  device.port = HANET_NONE;
  device.ifindex = spec.ifindex;
  device.sends = spec.sends;
  device.mac = packed(spec.mac);
  device.paths = static_cast<std::uint32_t>(spec.leads.size());
  std::ranges::copy(spec.leads, device.leads);
  const Direction direction = spec.sends == spec.ifindex ? Direction::Egress : Direction::Ingress;
  Result<TcHook> hook = TcHook::attach(bpf_program__fd(skeleton_->progs.tc_device), spec.sends,
                                       direction, spec.name, pin_directory_);
  if (!hook) {
    device = hanet_device{};
    return pass_on(hook);
  }
  device_hooks_[spec.group] = std::move(*hook);
  not_entered_.insert(spec.group);
  return is_left_at(spec.sends) ? Status{} : enter_device(spec.group);
}

Status Engine::enter_device(GroupIndex group) {
  const hanet_device& device = devices_[group];
  if (device.ifindex == 0 || not_entered_.erase(group) == 0) return {};
  if (const int updated = enter_port(*skeleton_, device.sends, place_of_device(group));
      updated != 0)
    return errno_error(updated, "register the metanetwork device");
  return {};
}

void Engine::remove_device(GroupIndex group) {
  hanet_device& device = devices_[group];
  if (device.ifindex == 0) return;
  const std::uint32_t used = engine::load(device.port);
  last_paths_[device.ifindex] = used < HANET_MAX_PORTS ? ports_[used].ifindex : 0;
  not_entered_.erase(group);
  strike_port(*skeleton_, device.sends);
  device_hooks_[group] = TcHook();
  device = hanet_device{};
}

unsigned Engine::left_path_of_device(unsigned ifindex) const {
  if (const unsigned left = left_.path_of_device(ifindex); left != 0) return left;
  const auto last = last_paths_.find(ifindex);
  return last == last_paths_.end() ? 0 : last->second;
}

void Engine::use_path(GroupIndex group, PortIndex lead) { store(devices_[group].port, lead); }

void Engine::order_paths(GroupIndex group, std::span<const PortIndex> leads) {
  for (std::size_t at = 0; at < leads.size() && at < HANET_MAX_PATHS; ++at)
    store(devices_[group].leads[at], leads[at]);
}

void Engine::arm_device(GroupIndex group, bool armed) {
  store(devices_[group].armed, armed ? 1U : 0U);
}

void Engine::set_device_mac(GroupIndex group, const net::MacAddress& mac) {
  store(devices_[group].mac, packed(mac));
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && ports_[port].group == group)
      store(steer_[port].identity_mac, packed(mac));
}

void Engine::set_modes(GroupIndex group, hanet_steer_mode mode) {
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && ports_[port].group == group)
      store(steer_[port].mode, static_cast<std::uint32_t>(mode));
}

void Engine::carry_by_device(GroupIndex group) {
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && ports_[port].group == group) {
      waits_[port] = false;
      store(steer_[port].identity_mac, std::uint64_t{devices_[group].mac});
    }
  set_modes(group, HANET_STEER_DEVICE);
}

void Engine::release_from_device(GroupIndex group) { set_modes(group, HANET_STEER_NONE); }

}  // namespace hanet::engine
