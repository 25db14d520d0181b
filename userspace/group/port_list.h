// SPDX-License-Identifier: Apache-2.0
//
// The ports of a group, as its parts read them: which interface each is and what it is called, path
// by path in the order of the configuration. Ports (ports.h) is the one that writes them.
//
// A port keeps its number for the life of the group, also while its interface is gone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "group/context.h"
#include "net/identity.h"
#include "net/packet_socket.h"

namespace hanet::group {

/// Whether the group has the interface.
enum class Presence : std::uint8_t {
  Here,
  Gone,      ///< it vanished, and is expected back
  TakenOut,  ///< a person removed it; it is left alone until the person adds it again
};

/// The MAC addresses of a port besides the identity's.
struct PortMacs {
  net::MacAddress probe{};  ///< of its heartbeats
  net::MacAddress spare{};  ///< the interface's while it does not have the identity
  /// Source of its frames while another port of its trunk is the speaker.
  net::MacAddress wire{};
};

/// By what a card is known again under another name, or known to be another card in its slot.
struct Card {
  net::MacAddress mac{};  ///< its own, if the driver tells
  std::string bus_path;
};

struct Port {
  std::size_t path = 0;
  std::size_t slot = 0;  ///< which of the path's ports
  net::InterfaceName interface;
  std::vector<net::Vlan> vlans{};  ///< on it, in the order of their tags
  engine::PortIndex index = 0;
  PortMacs macs;
  std::uint32_t weight = 1;
  net::PacketSocket socket;  ///< announces, and receives the identity's frames
  Presence presence = Presence::Here;
  bool admin_up = true;
  bool rtnetlink_carrier = true;
  bool carrier_doubted = false;  ///< see engine::Engine::doubts_carrier
  Card card;

  [[nodiscard]] bool present() const { return presence == Presence::Here; }
  [[nodiscard]] net::Place place() const { return {interface, vlans}; }
};

class PortList {
 public:
  [[nodiscard]] const std::vector<Port>& all() const { return ports_; }
  [[nodiscard]] std::span<const Port> of(std::size_t path) const;
  [[nodiscard]] std::size_t number_of(const Port& port) const {
    return static_cast<std::size_t>(&port - ports_.data());
  }
  /// The port that has the identity when the path is active.
  [[nodiscard]] const Port& lead(std::size_t path) const;
  /// The port that has the identity now.
  [[nodiscard]] const Port& holder() const { return lead(context_.state.active); }
  [[nodiscard]] bool is_holder(const Port& port) const { return &port == &holder(); }
  /// The path's name for people: its interfaces.
  [[nodiscard]] std::string name(std::size_t path) const;
  [[nodiscard]] std::vector<std::string> names() const;
  /// The port that is called so now.
  [[nodiscard]] Result<const Port*> named(const std::string& interface) const;
  /// Requests of the port leave unseen by the kernel side.
  [[nodiscard]] bool is_blind(const Port& port) const;
  /// The address that one of the port's sessions asks.
  [[nodiscard]] std::string target_of(const Port& port, engine::SessionIndex session) const;
  /// "p0", or "p0 (192.0.2.11)" where the port asks several: whom one of its sessions is about.
  [[nodiscard]] std::string asked_by(const Port& port, engine::SessionIndex session) const;
  [[nodiscard]] const Port& from(const policy::Switchover& switchover) const {
    return of(switchover.from)[switchover.from_port];
  }
  [[nodiscard]] const Port& to(const policy::Switchover& switchover) const {
    return of(switchover.to)[switchover.to_port];
  }

 protected:
  explicit PortList(const Context& context) : context_(context) {}
  ~PortList() = default;

  const Context& context_;
  std::vector<Port> ports_;  // path by path
};

}  // namespace hanet::group
