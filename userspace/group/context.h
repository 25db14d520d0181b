// SPDX-License-Identifier: Apache-2.0
//
// What the parts of a group share: its configuration, its place in the engine, the state that the
// policy decided, and what the daemon lends. No part changes any of it but through the engine, the
// netlink socket and the notices.
#pragma once

#include <filesystem>
#include <functional>

#include "config/config.h"
#include "engine/engine.h"
#include "failover/record.h"
#include "group/notices.h"
#include "net/netlink.h"
#include "net/packet_socket.h"
#include "policy/group.h"

namespace hanet::group {

/// What a group needs from its daemon.
struct Environment {
  engine::Engine& engine;
  net::NetlinkSocket& requests;
  failover::History& history;
  Notices::Publish publish;
  /// Whether any group uses an interface as a port now.
  std::function<bool(unsigned ifindex)> is_port;
  /// Gives the sender a socket on an interface that is new; an invalid one takes the old away.
  std::function<void(engine::SessionIndex, net::PacketSocket)> replace_socket;
  /// Whether the kernel side does not see the requests that the sender sends.
  std::function<bool(engine::SessionIndex)> is_blind;
  /// Reads pending rtnetlink notifications, so that a capture is as fresh as the failure. They come
  /// back to the group by its hear() and link_changed().
  std::function<void()> drain_notifications;
  std::filesystem::path run_directory{};  ///< where snapshots are kept
};

struct Context {
  const config::GroupConfig& config;
  engine::GroupIndex index;
  const policy::GroupRules& rules;
  /// Written by PathGroup::apply() alone, with what policy::decide() returns.
  const policy::GroupState& state;
  const Environment& env;
  Notices& notices;

  [[nodiscard]] engine::Engine& engine() const { return env.engine; }
  [[nodiscard]] net::NetlinkSocket& requests() const { return env.requests; }
};

}  // namespace hanet::group
