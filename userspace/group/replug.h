// SPDX-License-Identifier: Apache-2.0
//
// Cards that come and go while their group runs (spec F10).
//
// A card that vanished is expected back: under its name, or under another one with its MAC address
// or in its slot. It comes back as a standby whatever it was, because the identity is elsewhere by
// then; if nothing could take over, it gets the identity back (spec F11). A card that a person took
// out is left alone until the person adds it again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "group/bridge.h"
#include "group/dummy.h"
#include "group/identity_keeper.h"
#include "group/judge.h"
#include "group/ports.h"
#include "group/standbys.h"
#include "group/switcher.h"
#include "net/port_lock.h"

namespace hanet::group {

/// The parts of the group that a card's coming and going changes or asks.
struct ReplugParts {
  Ports& ports;
  PortJudge& judge;
  Standbys& standbys;
  Switcher& switcher;
  const IdentityKeeper& keeper;
  const WarmDummy& dummy;
  const Bridge& bridge;
};

class Replug {
 public:
  Replug(const Context& context, const ReplugParts& parts) : context_(context), parts_(parts) {}

  /// Ports that are missing at the start are expected back under their names.
  void begin();
  void vanished(const Port& port, MonotonicTime now);
  /// An interface that is no port is new or changed: it may be the card that is awaited.
  void other_link_changed(const net::LinkInfo& link, MonotonicTime now);
  /// Looks for cards that are missing.
  void tick(MonotonicTime now);

  [[nodiscard]] Status take_out(const std::string& interface);
  [[nodiscard]] Status put_back(const std::string& interface);

 private:
  struct Entry {
    std::string expected_name;          ///< of a port that is not there
    MonotonicTime come_back_at{};       ///< when to look for it again
    std::string trouble;                ///< why it could not be used last time
    std::optional<net::PortLock> lock;  ///< under a name that the configuration does not have
  };
  [[nodiscard]] Entry& of(const Port& port) { return entries_.at(parts_.ports.number_of(port)); }
  [[nodiscard]] Status check_card(const Port& port, const net::LinkInfo& link) const;
  [[nodiscard]] Status take_lock(const Port& port, const std::string& name);
  [[nodiscard]] Status take_back(const Port& port, const std::string& name);
  [[nodiscard]] Status why_not_taken_out(const Port& port) const;
  [[nodiscard]] const Port& other_holder(const Port& port) const;
  [[nodiscard]] bool alone_carries_traffic(const Port& port) const;

  const Context& context_;
  ReplugParts parts_;
  std::vector<Entry> entries_;  // port by port
};

}  // namespace hanet::group
