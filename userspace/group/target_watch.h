// SPDX-License-Identifier: Apache-2.0
//
// Where the targets are, for people (spec M11).
//
// The kernel side follows a target to another MAC address by itself (bpf/target.bpf.h). That is a
// note with both addresses, because it explains what else changed on the network. Two MAC addresses
// that go on answering for one address are a fault: the host's traffic may go to the one that hanet
// does not watch. That is an alarm until only one of them answers. And where nobody answers the
// search for a target at all, a person is told what may be in the way. Where a port asks several,
// one that has fallen silent is a finding: the path works as long as a quorum answers (spec M9).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "group/findings.h"
#include "group/port_list.h"

namespace hanet::group {

/// A target that changes its MAC address may be heard at both for a moment: for so long it is no
/// conflict. The sender asks everybody once a second meanwhile.
inline constexpr Nanoseconds kBothAnswer = std::chrono::milliseconds(900);
/// Whoever did not answer some such questions is gone.
inline constexpr Nanoseconds kRivalGone = std::chrono::milliseconds(3500);

/// Without another one made with a foreign key, those before were of somebody who is gone.
inline constexpr Nanoseconds kForeignKeyGone = std::chrono::seconds(10);

class TargetWatch {
 public:
  TargetWatch(const Context& context, const PortList& ports) : context_(context), ports_(ports) {}

  void tick(MonotonicTime now);
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

 private:
  /// A session of a port.
  struct Asked {
    const Port& port;
    engine::SessionIndex session;
  };
  struct Entry {
    net::MacAddress at{};                        // as it was told last; zero: not found yet
    std::optional<MonotonicTime> rival_since{};  // of one that was heard again and again
    net::MacAddress rival{};
    bool alarm = false;
    MonotonicTime missing_since{};  // and nobody has been told
    bool told_missing = false;
  };
  void look_at(const Asked& asked, MonotonicTime now);
  void tell_missing(const Asked& asked, Entry& entry, MonotonicTime now) const;
  void follow(const Asked& asked, Entry& entry) const;
  void look_for_rival(const Asked& asked, Entry& entry, MonotonicTime now) const;
  void end_rivalry(const Asked& asked, Entry& entry) const;
  [[nodiscard]] std::vector<Finding> silent_targets() const;
  /// Of groups that sign: heartbeats that nobody here has a key for.
  [[nodiscard]] std::vector<Finding> foreign_keys(MonotonicTime now);
  /// Whose MAC address is known or searched for: "target 192.0.2.10", or the router to it.
  [[nodiscard]] std::string sought(const Asked& asked) const;

  const Context& context_;
  const PortList& ports_;
  std::map<engine::SessionIndex, Entry> entries_;
  struct Foreign {
    std::uint64_t count = 0;
    MonotonicTime heard{};
  };
  std::map<engine::PortIndex, Foreign> foreign_;
  std::vector<Finding> findings_;
};

}  // namespace hanet::group
