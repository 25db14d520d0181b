// SPDX-License-Identifier: Apache-2.0
//
// The engine's second part: which port has the identity, and where frames go meanwhile
// (bpf/steer.bpf.h, bpf/trunk.bpf.h); see engine.h.
//
// A path is named by one of its ports. Every store to steer is one field that the programs read
// alone, in an order in which each state between two stores is harmless: who receives is set before
// who sends.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "engine/engine.h"
#include "engine/packed_mac.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

void copy_mac(__u8 (&destination)[6], const net::MacAddress& source) {
  std::copy(source.begin(), source.end(), destination);
}

hanet_identity_ipv4 key_of(GroupIndex group, const net::ArpEntry& entry) {
  return {.group = static_cast<__u16>(group), .vlan = entry.vlan, .address = entry.address};
}

/// Whatever the MAC address.
bool has_key_of(const std::set<net::ArpEntry>& entries, const net::ArpEntry& entry) {
  const auto at = entries.lower_bound({.vlan = entry.vlan, .address = entry.address, .mac = {}});
  return at != entries.end() && at->vlan == entry.vlan && at->address == entry.address;
}

}  // namespace

Status Engine::add_trunk(const TrunkSpec& spec) {
  std::uint32_t index = 0;
  while (index < HANET_MAX_TRUNKS && trunks_[index].count != 0) ++index;
  if (index == HANET_MAX_TRUNKS)
    return failure(fmt::format("hanet runs at most {} trunks", static_cast<int>(HANET_MAX_TRUNKS)));
  if (spec.ports.size() > HANET_TRUNK_PORTS)
    return failure(
        fmt::format("a trunk has at most {} ports", static_cast<int>(HANET_TRUNK_PORTS)));
  hanet_trunk& trunk = trunks_[index];
  trunk = hanet_trunk{};
  trunk.mode = spec.mode;
  trunk.group = spec.group;
  for (std::size_t at = 0; at < spec.ports.size(); ++at) {
    const TrunkSpec::Port& port = spec.ports[at];
    hanet_trunk_port& slot = trunk.ports[at];
    slot.port = port.port;
    slot.ifindex = ports_[port.port].ifindex;
    slot.weight = port.weight;
    copy_mac(slot.wire_mac, port.wire_mac);
    trunk.total += port.weight;
  }
  store(trunk.count, static_cast<std::uint32_t>(spec.ports.size()));
  for (std::size_t at = 0; at < spec.ports.size(); ++at) {
    hanet_port& port = ports_[spec.ports[at].port];
    port.trunk_slot = static_cast<std::uint32_t>(at);
    store(port.trunk, index + 1);
    review(spec.ports[at].port);
  }
  return {};
}

const hanet_trunk* Engine::trunk_of(PortIndex port) const {
  const std::uint32_t trunk = ports_[port].trunk;
  return trunk == 0 ? nullptr : &trunks_[trunk - 1];
}

hanet_trunk_port* Engine::slot_of(PortIndex port) {
  const hanet_port& one = ports_[port];
  return one.trunk == 0 ? nullptr : &trunks_[one.trunk - 1].ports[one.trunk_slot];
}

std::vector<PortIndex> Engine::path_of(PortIndex port) const {
  const hanet_trunk* trunk = trunk_of(port);
  if (trunk == nullptr) return {port};
  std::vector<PortIndex> all;
  for (std::uint32_t at = 0; at < trunk->count; ++at) all.push_back(trunk->ports[at].port);
  return all;
}

// The kernel side does so by itself soon; now is better, and harmless when it fails.
void Engine::review(PortIndex port) {
  if (ports_[port].trunk == 0) return;
  [[maybe_unused]] const Status reviewed = control(HANET_CONTROL_REVIEW_PORT, port);
}

void Engine::set_weight(PortIndex port, std::uint32_t weight) {
  hanet_trunk_port* slot = slot_of(port);
  if (slot == nullptr || slot->weight == weight) return;
  hanet_trunk& trunk = trunks_[ports_[port].trunk - 1];
  store(trunk.total, trunk.total - slot->weight + weight);
  store(slot->weight, weight);
}

bool Engine::doubts_carrier(PortIndex port, bool up) const {
  return sees_every_edge() &&
         engine::load(ports_[port].carrier) != (up ? HANET_CARRIER_UP : HANET_CARRIER_DOWN);
}

void Engine::learn_carrier(PortIndex port, bool up, std::uint64_t last_edge) {
  if (!doubts_carrier(port, up) || engine::load(ports_[port].carrier_changed_ns) != last_edge)
    return;
  // Counted, stamped and acted on like any other edge; where it fails, the next news asks again.
  [[maybe_unused]] const Status told =
      control(up ? HANET_CONTROL_CARRIER_UP : HANET_CONTROL_CARRIER_DOWN, port);
}

void Engine::hear_carrier_lost(PortIndex port) {
  if (ports_[port].trunk == 0 || engine::load(ports_[port].carrier) != HANET_CARRIER_UNKNOWN)
    return;
  store(trunks_[ports_[port].trunk - 1].carrier_lost_ns,
        static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count()));
}

void Engine::set_wire_mac(PortIndex port, const net::MacAddress& mac) {
  if (hanet_trunk_port* slot = slot_of(port)) copy_mac(slot->wire_mac, mac);
}

// While no port is proved, the lead is as good as any to speak.
void Engine::choose_lead(PortIndex lead) {
  if (ports_[lead].trunk == 0) return;
  hanet_trunk& trunk = trunks_[ports_[lead].trunk - 1];
  store(trunk.lead, ports_[lead].trunk_slot);
  if (engine::load(trunk.working) == 0) store(trunk.speaker, ports_[lead].trunk_slot);
}

void Engine::give_identity(PortIndex lead, const net::MacAddress& identity_mac) {
  const std::vector<PortIndex> path = path_of(lead);
  choose_lead(lead);
  for (const PortIndex port : path) {
    store(steer_[port].identity_mac, packed(identity_mac));
    if (port != lead) store(steer_[port].mode, HANET_STEER_MEMBER);
  }
  for (const PortIndex port : path) waits_[port] = false;
  store(steer_[lead].mode, path.size() > 1 ? HANET_STEER_LEAD : HANET_STEER_NONE);
}

void Engine::take_identity(PortIndex lead) {
  for (const PortIndex port : path_of(lead)) {
    waits_[port] = true;
    if (!left_steers_[port]) store(steer_[port].mode, HANET_STEER_IDLE);
  }
}

Status Engine::name_identity(GroupIndex group, const std::set<net::ArpEntry>& entries) {
  const int map = bpf_map__fd(skeleton_->maps.identity_ipv4);
  std::set<net::ArpEntry>& named = named_[group];
  int first_error = 0;
  std::erase_if(named, [&](const net::ArpEntry& entry) {
    if (entries.contains(entry)) return false;
    if (has_key_of(entries, entry)) return true;  // with another MAC address, see below
    const hanet_identity_ipv4 key = key_of(group, entry);
    const int error = bpf_map_delete_elem(map, &key);
    if (error == 0 || error == -ENOENT) return true;
    first_error = error;
    return false;
  });
  for (const net::ArpEntry& entry : entries) {
    if (named.contains(entry)) continue;
    const hanet_identity_ipv4 key = key_of(group, entry);
    hanet_identity_mac value{};
    copy_mac(value.mac, entry.mac);
    const int error = bpf_map_update_elem(map, &key, &value, BPF_ANY);
    if (error == 0) {
      named.insert(entry);
      continue;
    }
    bpf_map_delete_elem(map, &key);  // what it said before would be wrong
    first_error = error;
  }
  if (first_error == 0) return {};
  if (first_error == -E2BIG)
    return failure(fmt::format(
        "the identities have more than {} IPv4 addresses together; a port that waits may "
        "send ARP in the name of the rest",
        static_cast<int>(HANET_MAX_IDENTITY_IPV4)));
  return errno_error(first_error, "tell the kernel side the identity's IPv4 addresses");
}

void Engine::arm_bridging(PortIndex active, PortIndex standby,
                          const net::MacAddress& identity_mac) {
  for (const PortIndex port : path_of(standby)) {
    store(steer_[port].identity_mac, packed(identity_mac));
    store(steer_[port].peer_port, active);
    store(steer_[port].armed, 0);
  }
  for (const PortIndex port : path_of(active)) {
    store(steer_[port].identity_mac, packed(identity_mac));
    store(steer_[port].peer_port, standby);
    store(steer_[port].armed, port == active ? 1 : 0);
  }
}

void Engine::bridge_on_verdict(PortIndex port) {
  // Without it the identity moves at once.
  [[maybe_unused]] const Status refused = control(HANET_CONTROL_BRIDGE, port);
}

void Engine::disarm_bridging(PortIndex active) {
  for (const PortIndex port : path_of(active)) store(steer_[port].armed, 0);
}

void Engine::begin_move(PortIndex from, PortIndex to, const net::MacAddress& identity_mac) {
  disarm_bridging(from);
  disarm_bridging(to);
  const bool one_trunk = ports_[from].trunk != 0 && ports_[from].trunk == ports_[to].trunk;
  store(steer_[from].peer_port, to);
  choose_lead(to);
  const std::vector<PortIndex> receiving = path_of(to);
  for (const PortIndex port : receiving) waits_[port] = false;
  for (const PortIndex port : receiving) store(steer_[port].identity_mac, packed(identity_mac));
  // In this order, against a verdict at the same moment (steer_on_verdict).
  store(steer_[from].steered_ns,
        static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count()));
  if (!one_trunk) store(steer_[from].mode, HANET_STEER_BRIDGE_OUT);
  for (const PortIndex port : receiving)
    store(steer_[port].mode, port == to ? HANET_STEER_ADOPT : HANET_STEER_MEMBER);
  end_left_steering(ports_[from].group);
}

}  // namespace hanet::engine
