// SPDX-License-Identifier: Apache-2.0
//
// A configuration as text by key, and what another one would change (spec O8).
//
// A reload has to know what differs and what each difference needs. Comparing texts by key answers
// both for a person and for hanetd with the same code, and a configuration can be compared with one
// of another process: hanetd tells the values that are in force, hanetctl those of a file.
//
// Pure and thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace hanet::config {

/// By key, as the file has it: "mode", "heartbeat.interval_us". Every key that a group may have is
/// there, with what counts where the file leaves it out; and "heartbeat.keys", by what the keys of
/// the key file are called.
using Values = std::map<std::string, std::string, std::less<>>;

struct NamedValues {
  std::string group;  ///< the metaname
  Values values;
  bool operator==(const NamedValues&) const = default;
};

/// Of a whole file.
struct ConfigValues {
  std::string log_level;
  std::vector<NamedValues> groups;
  bool operator==(const ConfigValues&) const = default;
};

/// Without the name.
[[nodiscard]] Values values_of(const GroupConfig& group);
[[nodiscard]] ConfigValues values_of(const Config& config);

/// What another value of a key needs while hanetd runs.
enum class Effect : std::uint8_t {
  AtOnce,          ///< no heartbeat is lost
  RestartOfGroup,  ///< the group ends and starts anew; its programs stay attached
};
[[nodiscard]] Effect effect_of(std::string_view key);

struct KeyChange {
  std::string key;
  std::string from;
  std::string to;
  bool operator==(const KeyChange&) const = default;
};

enum class GroupFate : std::uint8_t { Changed, Restarted, Added, Removed };
[[nodiscard]] std::string_view to_text(GroupFate fate);

struct GroupChange {
  std::string group;
  GroupFate fate = GroupFate::Changed;
  std::vector<KeyChange> keys;  ///< changed and restarted groups: what differs
  bool operator==(const GroupChange&) const = default;
};

struct Changes {
  std::optional<KeyChange> log_level;
  /// Those groups that differ: the ones that are removed first, then the order of the new file.
  std::vector<GroupChange> groups;
  [[nodiscard]] bool is_nothing() const { return !log_level && groups.empty(); }
  bool operator==(const Changes&) const = default;
};

[[nodiscard]] Changes changes_between(const ConfigValues& from, const ConfigValues& to);

}  // namespace hanet::config
