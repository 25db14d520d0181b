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

/// `[group.heartbeat]`: fills in the heartbeat of a group whose paths are there already.
void read_heartbeat(const TableReader& group, GroupConfig& config, Claims& claims);

/// The keys of each path, in the order of GroupConfig::paths.
struct PathKeys {
  std::string_view path;  ///< of [[group]]: its interfaces; the others are of [group.heartbeat]
  std::string_view kind;
  std::string_view target;
  std::string_view source;
  std::string_view peer_mac;
  std::string_view target_mac;
  std::string_view gateway;
};
inline constexpr std::array<PathKeys, HANET_MAX_PATHS> kPathKeys{
    {{"primary", "primary_kind", "primary_target", "primary_source", "primary_peer_mac",
      "primary_target_mac", "primary_gateway"},
     {"standby", "standby_kind", "standby_target", "standby_source", "standby_peer_mac",
      "standby_target_mac", "standby_gateway"},
     {"standby2", "standby2_kind", "standby2_target", "standby2_source", "standby2_peer_mac",
      "standby2_target_mac", "standby2_gateway"},
     {"standby3", "standby3_kind", "standby3_target", "standby3_source", "standby3_peer_mac",
      "standby3_target_mac", "standby3_gateway"},
     {"standby4", "standby4_kind", "standby4_target", "standby4_source", "standby4_peer_mac",
      "standby4_target_mac", "standby4_gateway"},
     {"standby5", "standby5_kind", "standby5_target", "standby5_source", "standby5_peer_mac",
      "standby5_target_mac", "standby5_gateway"},
     {"standby6", "standby6_kind", "standby6_target", "standby6_source", "standby6_peer_mac",
      "standby6_target_mac", "standby6_gateway"},
     {"standby7", "standby7_kind", "standby7_target", "standby7_source", "standby7_peer_mac",
      "standby7_target_mac", "standby7_gateway"}}};

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
