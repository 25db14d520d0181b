// SPDX-License-Identifier: Apache-2.0
//
// The sections of a configuration file, from the table that holds them to the types of config.h.
//
// A group is checked on its own first. What must hold between groups (no port and no metaname
// twice) is checked at the end: each group leaves its names as claims, with the place of each in
// the file. Nothing here stops at a mistake; what a function returns after one is only good for
// finding more.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/reader.h"

namespace hanet::config {

/// A name that must not occur twice, and where the file says it.
struct Claim {
  std::string name;
  std::string path;
  std::uint32_t line;
};

/// The valid names of all groups.
struct Claims {
  std::vector<Claim> metanames;
  std::vector<Claim> ports;
  std::vector<Claim> dummies;   ///< addresses and MAC addresses of warm standbys
  std::vector<Claim> sessions;  ///< one for each target of each port
  std::size_t group = 0;        ///< the one that is read
};

/// `[[group]]` with everything below it.
[[nodiscard]] GroupConfig read_group(const TableReader& group, Claims& claims);

/// `[group.heartbeat]`: fills in the heartbeat of a group whose two paths are there already.
void read_heartbeat(const TableReader& group, GroupConfig& config, Claims& claims);

/// The keys of each path, in the order of GroupConfig::paths.
struct PathKeys {
  std::string_view kind;
  std::string_view target;
  std::string_view source;
  std::string_view peer_mac;
  std::string_view target_mac;
  std::string_view gateway;
};
inline constexpr std::array<PathKeys, 2> kPathKeys{
    {{"primary_kind", "primary_target", "primary_source", "primary_peer_mac", "primary_target_mac",
      "primary_gateway"},
     {"standby_kind", "standby_target", "standby_source", "standby_peer_mac", "standby_target_mac",
      "standby_gateway"}}};

/// How each path is watched, and at which MAC addresses the peers are, where the file says it.
void read_kinds(const TableReader& heartbeat, GroupConfig& config);
/// Does path `at` find its peer without the group's `target`?
[[nodiscard]] bool has_own_peer(const TableReader& heartbeat, const GroupConfig& config,
                                std::size_t at);
/// [group.heartbeat] of a group that signs: its key file, and what makes no sense there.
void read_signed_kind(const TableReader& heartbeat, GroupConfig& config);
/// [group.heartbeat] of a group whose signed heartbeats are datagrams: before the addresses are
/// read.
void read_datagrams(const TableReader& heartbeat, GroupConfig& config);
/// What makes no sense together with what was read there.
void check_datagrams(const TableReader& heartbeat, const GroupConfig& config);
/// What makes no sense together with listening.
void check_silence(const TableReader& heartbeat, const GroupConfig& config);

/// Finds ports and metanames that are used twice, and metanames that are ports.
void check_claims(const Claims& claims, Mistakes& mistakes);

/// A key whose value is the name of an enumerator: that one, or `fallback` if missing or wrong.
template <typename Enum, std::size_t kCount>
[[nodiscard]] Enum read_enum(const TableReader& table, std::string_view key,
                             const std::array<Enum, kCount>& values, Enum fallback) {
  std::array<std::string_view, kCount> words;
  for (std::size_t i = 0; i < kCount; ++i) words[i] = to_text(values[i]);
  const std::optional<std::size_t> index = table.choice(key, words);
  return index ? values[*index] : fallback;
}

}  // namespace hanet::config
