// SPDX-License-Identifier: Apache-2.0
//
// Keeps what hanetd knows of a group's identity current, so that a switchover finds it ready.
//
// rtnetlink says that something changed; what, is read anew a moment later, once for a burst of
// changes. A host with a full routing table changes all the time, so reading never takes more than
// a tenth of the main thread's time.
//
// Threading: hanetd's main thread.
#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "group/strangers.h"
#include "net/identity.h"
#include "net/netlink.h"
#include "policy/repair.h"

namespace hanet::group {

/// Between two readings, or two writings, there is this many times what the last one took.
inline constexpr int kRest = 9;

/// Some more functions than a class of this house should have: each is one thing that is known of
/// the identity, or one event that changes it, and all of them keep one identity.
class IdentityKeeper {
 public:
  explicit IdentityKeeper(net::NetlinkSocket& requests) : requests_(requests) {}

  [[nodiscard]] const net::Identity& identity() const { return identity_; }
  /// Another number for each other identity, from 1 on: whoever follows it need not compare.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  /// Those of its routes that another one may replace.
  [[nodiscard]] const net::RouteSlots& slots();
  /// Neighbours the host talks to, to be carried over to another interface.
  [[nodiscard]] const std::vector<net::KernelObject>& known_neighbours() const {
    return known_neighbours_;
  }

  /// The identity as it was captured, or as a switchover has just put it somewhere else. Returns
  /// that of before.
  net::Identity hold(net::Identity identity);
  /// A switchover could not put this on the interface that has the identity now. It stays a part of
  /// the identity until it is there (spec F14).
  void lacks(net::Identity missing) { missing_ = std::move(missing); }
  /// What is still missing there.
  [[nodiscard]] const net::Identity& missing() const { return missing_; }
  /// What is on its interface and no part of it.
  [[nodiscard]] Strangers& strangers() { return strangers_; }
  /// Something of it changed: read it anew soon.
  void mark_stale();
  /// A notification about addresses, routes, rules or neighbours: marks the identity stale if it is
  /// about this one. True: the known neighbours changed.
  [[nodiscard]] bool hear(const nlmsghdr& message);

  /// Is a reading wanted that cannot wait for its time (spec F3: captured at the time of failure)?
  [[nodiscard]] bool stale() const { return stale_; }
  /// When it is time to read; empty if nothing changed.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

  struct Reading {
    /// False: the interface went down meanwhile and has lost a part, so the snapshot from before
    /// counts.
    bool is_new = false;
    /// The identity of before, where it is new.
    net::Identity before{};
    /// What is not there any more and belongs to the identity all the same; not told before.
    std::vector<std::string> kept;
  };
  /// Reads it from the interface that has it now. `dead`: its path has failed, and what others take
  /// off such a port stays a part of the identity (spec F15). An error leaves the snapshot from
  /// before.
  [[nodiscard]] Result<Reading> read(const net::InterfaceName& active, bool dead);
  /// Lifetimes run down without a notification: reads them anew, which takes no longer with very
  /// many routes. False: more than they has changed, or nothing could be read.
  [[nodiscard]] bool read_lifetimes(const net::InterfaceName& active);
  /// Not without carrier: the kernel has just forgotten them all then, and the last known are
  /// better.
  void read_known_neighbours();

  /// The snapshot counts although something changed: what changed is its end.
  void keep_snapshot();

 private:
  bool hear_neighbour(const nlmsghdr& message);
  [[nodiscard]] bool take_lifetimes(const net::Identity& found, Nanoseconds age);
  [[nodiscard]] std::vector<std::string> keep_what_was_taken(net::Identity& found);

  net::NetlinkSocket& requests_;
  net::Identity identity_;
  std::uint64_t changes_ = 1;
  net::RouteSlots slots_;
  std::uint64_t slotted_ = 0;  // the change that slots_ are of
  net::Identity missing_;
  Strangers strangers_;
  std::vector<net::KernelObject> known_neighbours_;
  std::unordered_set<std::string> taken_;  // off a dead port, as it was told
  bool stale_ = false;
  bool has_lifetimes_ = false;
  MonotonicTime read_at_{};  // the next reading, when stale
  MonotonicTime captured_at_{};
  Nanoseconds last_reading_{}, last_lifetimes_{};  // how long it took
};

}  // namespace hanet::group
