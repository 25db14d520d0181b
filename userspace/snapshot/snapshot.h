// SPDX-License-Identifier: Apache-2.0
//
// A snapshot of an identity as text, to be kept beyond the life of hanetd (spec F3).
//
// JSON, because a person may want to read it; every field of an identity is there, and reading is
// strict: a text that lacks one is no snapshot. What it says is true for one boot of one network
// namespace only, so both are part of it.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "net/identity.h"

namespace hanet::snapshot {

struct Snapshot {
  std::string group;
  std::string boot;                ///< the kernel's boot_id
  std::string netns;               ///< of the network namespace, e.g. "net:[4026531840]"
  std::vector<std::string> ports;  ///< the interfaces of the group, in the order of its paths
  MonotonicTime taken_at{};
  net::Identity identity;
};

[[nodiscard]] std::string to_text(const Snapshot& snapshot);
/// Empty: this is no snapshot.
[[nodiscard]] std::optional<Snapshot> parse_snapshot(std::string_view text);

/// Lifetimes ran down meanwhile; an address whose time is over is gone.
[[nodiscard]] net::Identity aged(net::Identity identity, Nanoseconds age);

}  // namespace hanet::snapshot
