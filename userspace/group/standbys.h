// SPDX-License-Identifier: Apache-2.0
//
// The ports that wait: made fit to wait, and put back to what they were (standby.h).
//
// What a port was set to before hanet came is remembered for every port, also for the one that has
// the identity: it may wait later, and its settings follow the identity.
#pragma once

#include <optional>
#include <vector>

#include "group/dummy.h"
#include "group/port_list.h"
#include "group/ports.h"
#include "group/standby.h"

namespace hanet::group {

class Standbys {
 public:
  Standbys(const Context& context, Ports& ports, const WarmDummy& dummy, SettingsLedger& ledger)
      : context_(context), ports_(ports), dummy_(dummy), ledger_(ledger) {}

  /// At the start: every port that has not the identity. `identity_is_on`: null: none has it.
  [[nodiscard]] Status prepare_all(const Port* identity_is_on);
  /// The identity has left the port for good: it is on a metanetwork device.
  [[nodiscard]] Status prepare(const Port& port);
  /// A card that came back. `identity`: its MAC address must not be the card's own. Binds the port.
  [[nodiscard]] Status prepare_card(const Port& port, const net::LinkInfo& link,
                                    const net::MacAddress& identity,
                                    const net::MacAddress* listen_to);
  /// A VLAN that came onto a port: it waits as its port does, or belongs to the identity.
  void prepare_new_vlan(const Port& port, const net::Vlan& vlan);
  /// After a switchover: settings follow the identity. Returns what was refused.
  std::vector<std::string> follow(const net::Place& from, const net::Place& to);
  /// The identity is on an interface that came back: its settings go there.
  void give(const net::Place& to);
  /// A person takes the card out. It stays down: until it leaves the host it must not answer for
  /// the host's addresses.
  void leave(const Port& port, const net::MacAddress& identity);
  /// hanetd ends: what waits is put back. The identity stays where it is: on this port, or (null)
  /// on none.
  void restore_all(const net::MacAddress& identity, const Port* identity_is_on);

 private:
  struct Entry {
    std::optional<StandbyBefore> before;
    bool waited_at_start = false;  ///< it was a standby when hanetd or the card came
  };
  [[nodiscard]] Entry& of(const Port& port) { return entries_.at(ports_.number_of(port)); }
  [[nodiscard]] const Entry& of(const Port& port) const {
    return entries_.at(ports_.number_of(port));
  }
  [[nodiscard]] config::StandbyMode mode_of(const Port& port) const;
  /// The identity is elsewhere: on the active port, or on a metanetwork device.
  [[nodiscard]] bool is_bare(const Port& port) const;
  [[nodiscard]] StandbyBefore left_alone(const Port& port, const net::MacAddress& identity) const;
  [[nodiscard]] Status take_own_mac(const Port& port, const net::LinkInfo& link,
                                    const net::MacAddress& identity);

  const Context& context_;
  Ports& ports_;
  const WarmDummy& dummy_;
  SettingsLedger& ledger_;
  std::vector<Entry> entries_;  // port by port
};

}  // namespace hanet::group
