// SPDX-License-Identifier: Apache-2.0
//
// What a switchover could not put on the new interface: it is missing until it is there.
//
// The identity that is kept has it all the time, so that it comes back where it can, at the latest
// with the next switchover. Meanwhile it is tried again, with growing pauses, and is an alarm for
// as long as it lasts (spec F14).
#pragma once

#include <array>
#include <optional>

#include "group/findings.h"
#include "group/identity_keeper.h"
#include "group/ports.h"
#include "group/settings_ledger.h"

namespace hanet::group {

class Completion {
 public:
  Completion(const Context& context, const Ports& ports, IdentityKeeper& keeper,
             SettingsLedger& ledger)
      : context_(context), ports_(ports), keeper_(keeper), ledger_(ledger) {}

  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  [[nodiscard]] const std::optional<Finding>& finding() const { return told_; }

 private:
  void try_again(MonotonicTime now);
  [[nodiscard]] std::optional<Finding> look(std::vector<std::string> refused) const;
  void tell();

  const Context& context_;
  const Ports& ports_;
  IdentityKeeper& keeper_;
  SettingsLedger& ledger_;
  std::optional<Finding> told_;
  std::array<std::size_t, 7> counts_{};  // of what it was made of
  std::optional<MonotonicTime> again_at_;
  Nanoseconds pause_{};
};

}  // namespace hanet::group
