// SPDX-License-Identifier: Apache-2.0
//
// What is kept of a group across a restart of hanetd (snapshot/), and what it is good for at the
// next start. When it may be used at all is decided by policy::find_holder() (policy/holder.h). Of
// an earlier hanetd that ended as it was asked to, it counts for the minute that a restart may
// take.
#pragma once

#include <future>
#include <optional>
#include <string>
#include <vector>

#include "failover/execute.h"
#include "group/dummy.h"
#include "group/findings.h"
#include "group/ports.h"
#include "policy/holder.h"
#include "snapshot/store.h"

namespace hanet::group {

/// Is there more than what the kernel makes by itself?
[[nodiscard]] bool has_own_address(const net::Identity& identity);

class KeptIdentity {
 public:
  KeptIdentity(const Context& context, Ports& ports, const WarmDummy& dummy)
      : context_(context),
        ports_(ports),
        dummy_(dummy),
        store_(context.env.run_directory, context.config.name) {}

  /// Reads what an earlier hanetd kept, if it may still be used.
  void load(MonotonicTime now);
  /// The interfaces that may be missing at the start.
  [[nodiscard]] std::vector<std::string> ports() const;
  /// Who has the identity now, by what is found of the ports.
  [[nodiscard]] policy::Holder find_holder(const FoundPorts& found) const;
  /// As it is to be from now on: what was found, or what was kept where that is more by right.
  [[nodiscard]] net::Identity identity_of(const policy::Holder& holder,
                                          const FoundPorts& found) const;

  /// Gives the lost identity to the holder. Before anything else is changed: what is left of it
  /// elsewhere is taken off there. The plan that was carried out.
  struct Recovered {
    failover::Plan plan;
    failover::Execution execution;
  };
  [[nodiscard]] Result<Recovered> recover(const net::Identity& lost);
  /// What came of it, for people.
  [[nodiscard]] std::string recovery_text(const net::Identity& lost,
                                          const Recovered& recovered) const;

  /// Writes the identity down if it is another one than at the last time, by `change`
  /// (IdentityKeeper::changes). Of many routes a thread does it.
  void save(const net::Identity& identity, std::uint64_t change, MonotonicTime now);
  /// Why the identity would not survive hanetd.
  [[nodiscard]] const std::optional<Finding>& finding() const { return finding_; }
  // A switchover is under way to a port, is not any more; hanetd ends in good order.
  void moves_to(const Port& port);
  void moves_no_more() { store_.moves_no_more(); }
  void ends(MonotonicTime now);

 private:
  using Written = Result<snapshot::SnapshotStore::MappedHead>;
  void put_in_place(Written written);
  void tell(const Status& saved);

  const Context& context_;
  Ports& ports_;
  const WarmDummy& dummy_;
  snapshot::SnapshotStore store_;
  std::optional<snapshot::KeptSnapshot> kept_;  // by an earlier hanetd
  std::future<Written> writing_;
  MonotonicTime writing_since_{};
  std::uint64_t written_ = 0;  // the change that is written down, or soon will be; 0: none
  MonotonicTime save_at_{};
  std::optional<Finding> finding_;
};

}  // namespace hanet::group
