// SPDX-License-Identifier: Apache-2.0
//
// The metanetwork device of a group (spec A3): the interface, called by the metaname, that has the
// identity for good.
//
// It is one end of a veth pair. What the host sends by it comes out at the other end, where the
// kernel side takes it (bpf/device.bpf.h), so a queueing discipline on the device works as on a
// card. The other end carries nothing else and has no address.
//
// hanetd makes the device and leaves it there when it ends: addresses, routes and sockets hang on
// it. `hanetctl detach` takes it off.
//
// Threading: hanetd's main thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "group/ports.h"
#include "net/link.h"

namespace hanet::group {

class MetanetDevice {
 public:
  MetanetDevice(const Context& context, Ports& ports) : context_(context), ports_(ports) {}

  /// The group has one; else nothing else of this is to be called.
  [[nodiscard]] bool is_used() const { return context_.config.has_device(); }
  /// Finds what an earlier hanetd made. Refuses a name that another interface has.
  [[nodiscard]] Status look();
  [[nodiscard]] bool is_there() const { return interface_.index != 0; }
  [[nodiscard]] const net::InterfaceName& interface() const { return interface_; }
  [[nodiscard]] const net::MacAddress& mac() const { return mac_; }
  /// The port of the path that a killed instance's kernel side uses; null: nobody knows.
  [[nodiscard]] const Port* left_path() const;
  /// Makes it, if it is not there, with this MAC address and the least MTU of the ports, and brings
  /// it up.
  [[nodiscard]] Status make(const net::MacAddress& mac);
  /// Its frames go by the path of this port from now on. The ports are attached.
  [[nodiscard]] Status attach(const Port& path);
  /// By the path that is used.
  [[nodiscard]] const net::PacketSocket& socket() const { return socket_; }
  /// What shows switches where those are who are behind a bridge that the device belongs to; none
  /// without a bridge.
  [[nodiscard]] std::vector<net::Frame> announcements_of_guests() const;
  /// Asks whoever is above the device which multicast groups it is in: the answers leave by the
  /// path that is used now, and a switch there learns them (RFC 4541 section 2.1.1).
  void ask_for_memberships() const;
  /// Lets every port take in what is for the device, and, where something above it wants that, all
  /// frames. It stays so without hanetd: with a frozen or dead one a verdict may use another path.
  void open_filters();
  /// The ports take in what is theirs again.
  void close_filters();
  /// Looks now and then at what rtnetlink does not tell.
  void tick(MonotonicTime now);
  /// A notification about any link: the device's own, or that of a port that it follows.
  void link_changed(const net::LinkInfo& link, bool removed);

 private:
  void follow(const net::LinkInfo& link);
  [[nodiscard]] Status bring_up();
  [[nodiscard]] Result<unsigned> least_mtu() const;
  void follow_mtu();

  const Context& context_;
  Ports& ports_;
  net::InterfaceName interface_;
  net::MacAddress mac_{};
  unsigned other_end_ = 0;
  unsigned device_mtu_ = 0, ports_mtu_ = 0;  // the device's, and the least of the ports'
  unsigned bridge_ = 0;                      // that it belongs to; or 0
  net::PacketSocket socket_;
  net::PacketSocket inwards_;  // at the other end: what it sends, the device receives
  MonotonicTime look_at_{};
  bool wants_everything_ = false;
  struct Filter {
    net::MacAddress mac{};
    bool everything = false;
    bool operator==(const Filter&) const = default;
  };
  std::map<unsigned, Filter> filters_;  // as they were told the ports, by interface
};

}  // namespace hanet::group
