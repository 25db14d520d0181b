// SPDX-License-Identifier: Apache-2.0
//
// The identity: what moves at a switchover (spec F2, F4), as values.
//
// Addresses are taken apart, because their labels change with the interface's name. Routes, rules
// and neighbours are kept as the kernel gave them, header and attributes, so that nothing is lost
// that this version of hanet does not know; only what names the interface is rewritten. Two
// identities compare field by field, which is how a switchover is verified.
//
// What is on the VLANs of a port is a part of the port's identity: it moves to the VLANs with the
// same tags on another port.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "net/attributes.h"
#include "net/types.h"

namespace hanet::net {

/// Where an identity is: the interface's name and number.
struct InterfaceName {
  std::string name;
  unsigned index = 0;
  bool operator==(const InterfaceName&) const = default;
};

/// A VLAN sub-interface of a port.
struct Vlan {
  std::uint32_t tag = 0;  ///< as in a frame: the protocol's EtherType, then 16 bits with the id
  InterfaceName on;
  MacAddress mac{};
  bool operator==(const Vlan&) const = default;
};

/// 1 .. 4094
[[nodiscard]] inline unsigned id_of(const Vlan& vlan) { return vlan.tag & 0xfffU; }

/// Where an identity is or can be.
struct Place {
  // NOLINTNEXTLINE(google-explicit-constructor): a port without VLANs is a place
  Place(InterfaceName on, std::vector<Vlan> with = {})
      : port(std::move(on)), vlans(std::move(with)) {}
  InterfaceName port;
  std::vector<Vlan> vlans;  ///< in the order of their tags
  /// The VLAN with this tag, the port itself for 0; null: there is none.
  [[nodiscard]] const InterfaceName* at(std::uint32_t tag) const;
  [[nodiscard]] bool has(unsigned ifindex) const;
};

/// One IPv4 or IPv6 address (struct ifaddrmsg and its IFA_* attributes).
struct Address {
  int family = 0;
  std::uint8_t prefix_length = 0;
  std::uint8_t scope = 0;
  std::uint32_t flags = 0;                ///< IFA_F_*, without those that the kernel computes
  std::vector<std::uint8_t> local;        ///< 4 or 16 bytes: the host's own address
  std::vector<std::uint8_t> peer;         ///< IFA_ADDRESS; equals local except on point-to-point
  std::vector<std::uint8_t> broadcast;    ///< empty: none
  std::string label;                      ///< IPv4 only
  std::uint32_t preferred_seconds = 0;    ///< 0xffffffff: for ever
  std::uint32_t valid_seconds = 0;        ///< 0xffffffff: for ever
  std::optional<std::uint32_t> priority;  ///< metric of the connected route
  std::uint8_t protocol = 0;              ///< IFA_PROTO, Linux 5.18
  std::uint32_t vlan = 0;                 ///< tag of the VLAN that it is on; 0: the port itself
  bool operator==(const Address&) const = default;
};

/// A route, rule or neighbour: the family header's bytes and the attributes by number.
struct KernelObject {
  std::vector<std::uint8_t> header;
  Attributes attributes;
  bool operator==(const KernelObject&) const = default;
};

struct Identity {
  InterfaceName on;
  std::vector<Vlan> vlans{};  ///< in the order of their tags
  MacAddress mac{};
  /// Those of the port, then VLAN by VLAN; in the kernel's order: primaries before secondaries.
  std::vector<Address> addresses;
  /// Nexthop objects of the interfaces, then the groups that they are members of.
  std::vector<KernelObject> nexthops;
  std::vector<KernelObject> routes;      ///< directly reachable ones first, as they must be added
  std::vector<KernelObject> rules;       ///< policy rules that name the interface
  std::vector<KernelObject> neighbours;  ///< permanent entries and proxies
  [[nodiscard]] bool empty() const { return addresses.empty() && routes.empty(); }
  /// Not even a rule or a neighbour.
  [[nodiscard]] bool is_nothing() const {
    return empty() && nexthops.empty() && rules.empty() && neighbours.empty();
  }
  bool operator==(const Identity&) const = default;
};

/// What the kernel takes for one address; labels and lifetimes may differ.
[[nodiscard]] bool is_same(const Address& one, const Address& other);

/// An address or a route of an identity.
using Part = std::variant<Address, KernelObject>;

/// What the kernel takes for one: the same for two parts that differ in what is left of their
/// lifetimes only.
[[nodiscard]] std::string key_of(const Part& part);

/// Finds one of very many routes. It knows them by their positions, so it is of one identity as it
/// is now.
class RouteIndex {
 public:
  RouteIndex() = default;
  explicit RouteIndex(std::span<const KernelObject> routes);
  /// The very same one; null: none.
  [[nodiscard]] const KernelObject* find(std::span<const KernelObject> routes,
                                         const KernelObject& wanted) const;

 private:
  std::vector<std::pair<std::size_t, std::uint32_t>> all_;  // by hash
};

/// Finds those of very many routes that another one may replace (may_replace). By their positions,
/// as RouteIndex.
class RouteSlots {
 public:
  RouteSlots() = default;
  explicit RouteSlots(std::span<const KernelObject> routes);
  [[nodiscard]] std::vector<const KernelObject*> replaceable_by(
      const KernelObject& route, std::span<const KernelObject> routes) const;

 private:
  std::vector<std::pair<std::size_t, std::uint32_t>> all_;  // by hash
};

[[nodiscard]] Place place_of(const Identity& identity);
/// The interface that an address of the identity is on.
[[nodiscard]] const InterfaceName& holder_of(const Identity& identity, const Address& address);
/// Gives the port another MAC address, and the VLANs that share it.
void use_mac(Identity& identity, const MacAddress& mac);

/// Where ARP has to find the identity's IPv4 addresses.
[[nodiscard]] std::set<ArpEntry> arp_entries(const Identity& identity);

/// The same identity as it has to look in another place: labels, interface numbers and names. What
/// is on a VLAN that `to` has not is left out: it can not be there.
[[nodiscard]] Identity retarget(const Identity& identity, const Place& to);

/// What retarget() would not leave out, where it is.
[[nodiscard]] Identity part_for(const Identity& identity, const Place& to);

/// Neighbours as they have to look in another place; those on VLANs that `to` has not are left out.
[[nodiscard]] std::vector<KernelObject> retarget_neighbours(std::vector<KernelObject> neighbours,
                                                            const Place& from, const Place& to);

/// What `found` lacks of `expected`, one line for each, for people; empty when it is all there.
/// Remaining lifetimes may have run down; the MAC address is compared unless `ignore_mac`.
[[nodiscard]] std::vector<std::string> missing_from(const Identity& found, const Identity& expected,
                                                    bool ignore_mac);

/// What it says of MAC addresses and VLANs.
[[nodiscard]] std::vector<std::string> wrong_macs(const Identity& found, const Identity& expected);

/// The same as an identity that has only that; its MAC address is not compared.
[[nodiscard]] Identity lacking(const Identity& found, const Identity& expected);

/// One line for each address, nexthop object, route, rule and neighbour.
[[nodiscard]] std::vector<std::string> describe_all(const Identity& identity);

/// What an identity has to be when what was taken from it is put back: `held`, the snapshot from
/// before, in its order and without what was `withdrawn` or was on VLANs that are gone, and what is
/// `there` that it had not. Rules and neighbours are as they are there. (The kernel drops routes
/// with an address silently, so what was taken could not be listed instead.)
[[nodiscard]] Identity made_whole(const Identity& held, const Identity& there,
                                  std::span<const Part> withdrawn);

/// What was held, and what is there besides: nobody's removal counts.
[[nodiscard]] Identity united(const Identity& held, const Identity& there);

/// What was found, and what is known to be missing of it; addresses in the order of `order`.
[[nodiscard]] Identity with(const Identity& found, const Identity& missing, const Identity& order);

/// Makes an identity one without these addresses and routes.
void take_away(Identity& identity, std::span<const Part> parts);

/// The number of the interface that a neighbour is on.
[[nodiscard]] unsigned interface_of(const KernelObject& neighbour);
/// Does a policy rule name the interface?
[[nodiscard]] bool rule_names(const KernelObject& rule, const std::string& interface);

[[nodiscard]] std::string describe(const Address& address);
[[nodiscard]] std::string describe_part(const Part& part);

}  // namespace hanet::net
