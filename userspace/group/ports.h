// SPDX-License-Identifier: Apache-2.0
//
// How the ports of a group are bound to interfaces and to the engine.
//
// The session of a port and its entries in the maps stay also while its interface is gone. What its
// heartbeats and its link are worth is the PortJudge's.
//
// Threading: hanetd's main thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/sender.h"
#include "group/known_speeds.h"
#include "group/port_list.h"
#include "group/session_setup.h"
#include "net/link.h"

namespace hanet::group {

/// What a notification about a link meant for the group's ports.
struct LinkNews {
  const Port* port = nullptr;  ///< whose link it is; none: it is no port's
  bool vanished = false;
  bool came_up = false;  ///< it was administratively down
  bool renamed = false;
  bool bridge_ends = false;  ///< nothing can be bridged from it any more
};

/// What a notification meant for the VLANs of a port.
struct VlanNews {
  const Port* port = nullptr;           ///< whose list changed
  std::optional<net::Vlan> appeared{};  ///< it was not on the list
  bool is_same_interface = false;       ///< only its tag or MAC address changed
};

/// What is found of the ports at the start.
struct FoundPorts {
  std::vector<net::Identity> identities;  ///< port by port; empty where one is missing
};

class Ports : public PortList {
 public:
  explicit Ports(const Context& context)
      : PortList(context), speeds_(context.env.run_directory, context.config.name) {}

  /// Looks up every configured interface. One of `may_be_missing` may be absent.
  [[nodiscard]] Result<FoundPorts> find(std::span<const std::string> may_be_missing);
  /// Chooses the MAC addresses that the ports have without the identity. `holder` has it now.
  void choose_macs(std::size_t holder, const net::MacAddress& identity);
  /// Adds ports, sessions and trunks to the engine. Returns what the sender has to send.
  [[nodiscard]] Result<std::vector<engine::RequestFrames>> attach();

  /// A notification, or a fresh look. A card that was gone comes back by bind() only, also with its
  /// old number.
  LinkNews link_changed(const net::LinkInfo& link, bool removed);
  /// Keeps the lists of VLANs. A number that is used again may leave one port and come to another.
  std::vector<VlanNews> vlan_changed(const net::LinkInfo& link, bool removed);
  /// Looks at the carriers that are in doubt. What can not be read now is doubted further.
  void look_at_doubted_carriers();
  /// hanetd itself set it up or down.
  void set_admin_up(const Port& port, bool up) { own(port).admin_up = up; }
  void set_spare_mac(const Port& port, const net::MacAddress& mac) { own(port).macs.spare = mac; }
  /// A card that comes has another MAC address, and as a trunk's port it sends by that one.
  void set_own_mac(const Port& port, const net::MacAddress& mac);
  /// Binds a port to an interface that is there now. `listen_to`: the identity's MAC address, if
  /// the port has to receive its frames while it does not use it.
  [[nodiscard]] Status bind(const Port& port, const net::LinkInfo& link, const net::Place& place,
                            const net::MacAddress* listen_to);
  /// It is used again from now on.
  void use_again(const Port& port, const net::LinkInfo& link);
  /// Nothing of hanet's stays on the interface.
  void unbind(const Port& port, Presence why);
  /// Writes down what became known of the ports' speeds.
  void keep_speeds();
  /// Receives the frames of `is` instead of those of `was` on every port.
  void listen_to(const net::MacAddress& was, const net::MacAddress& is);

 private:
  [[nodiscard]] Port& own(const Port& port) { return ports_[number_of(port)]; }
  [[nodiscard]] Result<Port> find_port(const config::PortConfig& config,
                                       std::span<const std::string> may_be_missing);
  [[nodiscard]] Status attach_port(Port& port);
  [[nodiscard]] Result<engine::RequestFrames> add_session(const Port& port,
                                                          const SessionPlan& plan) const;
  [[nodiscard]] Status make_trunk(std::size_t path) const;
  [[nodiscard]] Status listen_as_trunk(const Port& port, net::PacketSocket& socket) const;
  void weigh(Port& port);
  void learn_carrier(Port& port) const;
  [[nodiscard]] const config::PortConfig& config_of(const Port& port) const {
    return context_.config.paths[port.path].ports[port.slot];
  }

  KnownSpeeds speeds_;
};

}  // namespace hanet::group
