// SPDX-License-Identifier: Apache-2.0
//
// Which settings of which interfaces hanet has changed, and what they were before.
//
// An interface that waits is told to be quiet, and the settings of an identity move with it. Each
// change is written down before it is made, with the value that was there before hanet came
// (snapshot/origins.h), so that it is put back in the end, whatever happened meanwhile. A setting
// that somebody else changes after hanet did is his: it is left alone.
//
// Two interfaces swap their settings at a switchover, so the one that is left waits as the other
// one waited.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "group/context.h"
#include "net/settings.h"
#include "snapshot/origins.h"

namespace hanet::group {

class SettingsLedger {
 public:
  explicit SettingsLedger(const Context& context);

  /// At the start, before anything is changed.
  void load();
  /// The identity is on this port, at the start. If hanetd was killed before the settings had
  /// followed it, they follow now.
  void begin(const net::Place& holder);
  /// A VLAN that came onto the port that has the identity.
  void carry_vlan(const net::Vlan& vlan);

  void quieten(const net::InterfaceName& interface);
  /// After a restart: an orderly end gave a waiting port its settings back, while those that moved
  /// stayed with the identity. If that is the port that the identity had left, it waits again in
  /// the place of the one that has it now.
  void wait_again(const net::Place& waiting, const net::Place& holder);
  /// After a switchover.
  void follow(const net::Place& from, const net::Place& to);
  /// The same where the interface that had the identity is gone.
  void give(const net::Place& to);
  void put_back(const net::InterfaceName& interface);
  /// What the interface with the identity did not take of the identity's settings: "ipv6/conf/mtu
  /// of p1 is 1400 and was 1500". What has become right meanwhile is forgotten.
  [[nodiscard]] std::vector<std::string> refused();
  /// Tries again to set them.
  void try_again();

  /// What the interface was like before the first hanetd, besides its settings; null: not known.
  [[nodiscard]] const snapshot::Origin* origin_of(const net::InterfaceName& interface) const;
  void remember(const net::InterfaceName& interface, bool admin_up,
                std::vector<net::Address> link_local);

 private:
  [[nodiscard]] std::vector<snapshot::Origin>::const_iterator find(
      const net::InterfaceName& interface) const;
  [[nodiscard]] snapshot::Origin& entry_of(const net::InterfaceName& interface);
  std::vector<std::string> change(const net::InterfaceName& interface, const net::Settings& wanted);
  void change_for_identity(const net::InterfaceName& interface, const net::Settings& wanted);
  void save();

  const Context& context_;
  std::filesystem::path file_;
  snapshot::Origins kept_;
  bool trouble_told_ = false;
  std::map<std::string, net::Settings> refused_;  // by interface
};

}  // namespace hanet::group
