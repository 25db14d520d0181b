// SPDX-License-Identifier: Apache-2.0
//
// The one list of what an interface is (spec F13): each thing with what becomes of it at a
// switchover, what helps, and how it is read.
//
// `hanetctl check --host` shows it for this host, the alarms before a fault are made of it
// (readiness.h), and a test compares hanetd(8) with it. What is not on the list nobody has thought
// of. The settings are listed by the kernel itself (net/settings.h), so a new one is on it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "net/bound.h"
#include "net/link.h"
#include "net/look.h"
#include "net/ruleset.h"

namespace hanet::group {

/// What becomes of a thing at a switchover.
enum class Fate : std::uint8_t {
  Moves,      ///< and is verified afterwards
  MustAgree,  ///< compared all the time; a difference is an alarm before the fault
  Said,       ///< it stays behind; where both ports have it alike nothing is lost
  Lost,       ///< it is lost whatever the other port has
};

/// What the whole host has, read once.
struct HostLook {
  std::vector<net::LinkInfo> links;
  Result<std::vector<net::FirewallRule>> firewall;
  std::vector<std::string> ports;  ///< the names of the group's ports
};

/// A port of a group, as it is now.
struct PortLook {
  const HostLook& host;
  net::NetlinkSocket& socket;
  net::Identity identity;  ///< all that would move if it were the holder
  const config::GroupConfig& config;
  bool waits = false;
};

struct Thing {
  std::string_view name;
  Fate fate;
  std::string_view help;  ///< what is meant, and what helps
  net::BoundThings (*read)(const PortLook& port);
};
[[nodiscard]] std::span<const Thing> inventory();

/// A property of a link that must be the same on both ports.
struct LinkTrait {
  std::string_view name;
  std::string (*value)(const net::LinkInfo& link);  ///< "an MTU of 1500"
  std::string_view why;                             ///< what happens where it is not
  /// What a person types to make `to` like `has`.
  std::string (*command)(const net::LinkInfo& has, const std::string& to);
  bool is_loss;  ///< a part of the identity would be lost
};
[[nodiscard]] std::span<const LinkTrait> link_traits();

[[nodiscard]] std::string_view to_text(Fate fate);

}  // namespace hanet::group
