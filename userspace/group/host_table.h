// SPDX-License-Identifier: Apache-2.0
//
// What a switchover would move on this host, what differs between the ports, and what would be
// lost: the inventory, read on every port of a group (spec O9).
//
// Needs no hanetd and changes nothing.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "core/json.h"
#include "core/result.h"
#include "net/bound.h"
#include "net/netlink.h"

namespace hanet::group {

struct Thing;

/// One thing that the active port and others have not alike, all of these in the same way.
struct TableEntry {
  const Thing* thing;
  std::vector<std::string> waiting;  ///< the ports that it is compared with
  std::vector<std::string> active;   ///< what only the active port has
  std::vector<std::string> other{};  ///< what only they have
  std::string_view help{};           ///< empty: the thing's
};

struct MovingThing {
  const Thing* thing;
  std::vector<std::string> has{};  ///< what the ports that wait have not
  std::size_t alike = 0;           ///< how much they have already
};

struct UnknownThing {
  const Thing* thing;
  std::string port;
  std::string why;
};

struct GroupTable {
  std::string group;
  std::string active;
  std::vector<std::string> waiting{};
  std::vector<MovingThing> moves{};
  std::vector<TableEntry> differs{};
  std::vector<TableEntry> lost{};
  std::vector<UnknownThing> unknown{};
  /// Nothing differs, nothing would be lost, and everything could be read.
  bool nothing_moves = false;  ///< the identity is on a metanetwork device: the rest is empty
  [[nodiscard]] bool is_whole() const { return differs.empty() && lost.empty() && unknown.empty(); }
};

/// A port that is not here now is left out. The error says what could not be read at all.
[[nodiscard]] Result<GroupTable> look_at_host(net::NetlinkSocket& socket,
                                              const config::GroupConfig& config);

/// As hanetctl(1) documents it.
[[nodiscard]] Json to_json(const GroupTable& table);

}  // namespace hanet::group
