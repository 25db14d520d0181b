// SPDX-License-Identifier: Apache-2.0
//
// The engine's seventh part: heartbeats of kind hanet, their keys and who asks; see engine.h.
//
// The programs read a group's keys while they are written here, and no lock holds them off. So one
// thing changes at a time, in an order in which each state between is a good one: a key is whole
// before it has a name, it has a name before requests are signed with it, and nothing is signed
// with it any more before it goes. What does not change is written over with itself.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine/engine.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

/// The entry of one group in the map, changed step by step.
class KeyRing {
 public:
  KeyRing(int map, GroupIndex group) : map_(map), group_(group) {}

  [[nodiscard]] Status read() {
    if (bpf_map_lookup_elem(map_, &group_, &keys_) != 0)
      return errno_error(errno, "read the keys of a group");
    return {};
  }
  [[nodiscard]] bool has(std::uint32_t id) const {
    return std::ranges::any_of(keys_.key, [&](const hanet_key& key) { return key.id == id; });
  }
  [[nodiscard]] std::uint32_t signer() const { return keys_.key[keys_.signs].id; }
  [[nodiscard]] const hanet_key (&all() const)[HANET_KEYS] { return keys_.key; }

  void sign_with(std::uint32_t id) {
    for (std::uint32_t at = 0; at < HANET_KEYS; ++at)
      if (keys_.key[at].id == id) keys_.signs = at;
    write();
  }
  void forget(std::uint32_t id) {
    for (hanet_key& key : keys_.key) {
      if (key.id != id || id == 0) continue;
      key.id = 0;
      write();
      key = {};
      write();
    }
  }
  /// Where there is room.
  void learn(const hanet_key& wanted) {
    const auto room = std::ranges::find(keys_.key, 0U, &hanet_key::id);
    if (room == std::end(keys_.key)) return;
    *room = wanted;
    room->id = 0;
    write();
    room->id = wanted.id;
    write();
  }
  [[nodiscard]] const Status& written() const { return written_; }

 private:
  void write() {
    if (bpf_map_update_elem(map_, &group_, &keys_, BPF_ANY) != 0)
      written_ = errno_error(errno, "write the keys of a group");
  }

  int map_;
  GroupIndex group_;
  hanet_keys keys_{};
  Status written_;
};

}  // namespace

Status Engine::set_keys(GroupIndex group, std::span<const hanet_key> wanted) {
  KeyRing ring(bpf_map__fd(skeleton_->maps.keys), group);
  if (Status read = ring.read(); !read) return read;
  const auto is_wanted = [&](std::uint32_t id) {
    return std::ranges::count(wanted, id, &hanet_key::id) != 0;
  };
  // One that stays signs until the new one is there.
  if (!is_wanted(ring.signer()))
    for (const hanet_key& key : wanted)
      if (ring.has(key.id)) ring.sign_with(key.id);
  for (const hanet_key& key : wanted) {
    if (ring.has(key.id)) continue;
    // The one that signs goes last: of two new ones the first can sign then.
    const bool is_full = !ring.has(0);
    for (const bool signer : {false, true})
      for (const hanet_key& old : ring.all())
        if (is_full && !ring.has(0) && !is_wanted(old.id) && (old.id == ring.signer()) == signer)
          ring.forget(old.id);
    ring.learn(key);
    if (!is_wanted(ring.signer())) ring.sign_with(key.id);
  }
  if (!wanted.empty()) ring.sign_with(wanted.front().id);
  for (const hanet_key& old : ring.all())
    if (!is_wanted(old.id)) ring.forget(old.id);
  return ring.written();
}

void Engine::set_own_mac(PortIndex port, const net::MacAddress& mac) {
  copy_to(ports_[port].own_mac, mac);
}

Status Engine::set_own_addresses(PortIndex port, std::set<net::Ipv6Bytes> addresses) {
  const int map = bpf_map__fd(skeleton_->maps.beat_addresses);
  std::set<net::Ipv6Bytes>& answered = own_addresses_[port];
  const auto entry = [&](const net::Ipv6Bytes& address) {
    hanet_beat_address own{.address = {}, .port = port};
    copy_to(own.address, address);
    return own;
  };
  Status all;
  for (const net::Ipv6Bytes& address : answered)
    if (const hanet_beat_address gone = entry(address); !addresses.contains(address))
      bpf_map_delete_elem(map, &gone);
  std::erase_if(addresses, [&](const net::Ipv6Bytes& address) {
    const std::uint32_t present = 1;
    const hanet_beat_address own = entry(address);
    if (answered.contains(address) || bpf_map_update_elem(map, &own, &present, BPF_ANY) == 0)
      return false;
    if (all) all = errno_error(errno, "enter an address at which heartbeats are answered");
    return true;
  });
  answered = std::move(addresses);
  const auto answers = [](const auto& of_port) { return !of_port.second.empty(); };
  store(skeleton_->bss->answer_datagrams, std::ranges::any_of(own_addresses_, answers));
  return all;
}

std::vector<Engine::Asker> Engine::askers(PortIndex port) const {
  std::vector<Asker> found;
  const int map = bpf_map__fd(skeleton_->maps.beat_peers);
  hanet_beat_asker at{};
  const hanet_beat_asker* before = nullptr;
  // The kernel may forget one between two steps and begin anew: never more than there can be.
  for (int step = 0; step < HANET_MAX_BEAT_PEERS; ++step) {
    if (bpf_map_get_next_key(map, before, &at) != 0) break;
    before = &at;
    hanet_beat_peer peer{};
    if (at.port == port && bpf_map_lookup_elem(map, &at, &peer) == 0)
      found.push_back({.session = at, .peer = peer});
  }
  return found;
}

}  // namespace hanet::engine
