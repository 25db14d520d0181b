// SPDX-License-Identifier: Apache-2.0
//
// The plan: every message of the next switchover, encoded before it is needed.
//
// Whenever the identity changes, the plan is made again, so that between a verdict and the last
// message nothing is computed. Making a plan is pure: identity in, messages and frames out.
//
// Order (spec F1). What an observer sees is that the old interface gives the identity up before the
// new one takes it: addresses and MAC are taken off first, so no two interfaces that are up ever
// share one. The frames' way is closed and bridged by the kernel side meanwhile, so the order costs
// no packets.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "net/frames.h"
#include "net/identity.h"
#include "net/look.h"
#include "net/netlink.h"

namespace hanet::failover {

struct PlanSettings {
  bool cold = false;  ///< standby mode: the old interface goes down, the new one comes up
  bool move_mac = true;
  bool from_gone = false;  ///< the old interface does not exist any more: only the second half
  /// The tags of the VLANs, 0 for the port itself, between which the host routes IPv6: its
  /// advertisements there must say so, or its neighbours drop their default route through it
  /// (RFC 4861 section 7.2.5).
  std::vector<std::uint32_t> routers = {};
  /// What the old interface is called on the wire afterwards; never the identity's MAC.
  net::MacAddress spare_mac{};
  /// The group's name, an alternative name of the interface that has the identity (spec A1);
  /// empty: none moves.
  std::string metaname = {};
  /// Warm standby: what the interface that carries nothing has instead of the identity, besides
  /// spare_mac. The two interfaces swap; both are down meanwhile (spec F6).
  std::optional<net::Address> dummy = {};
  /// What is on the new interface already, and is no part of the identity. Its IPv4 addresses come
  /// behind the identity's: the first one of a subnet is the source of what the host sends.
  net::Configured strangers = {};
  /// The same on the old one: the kernel drops it with the identity's first address.
  net::Configured left_strangers = {};
  /// Cold trunks: the other ports of the old path, which go down, and of the new one, which come
  /// up.
  std::vector<net::InterfaceName> from_members = {};
  std::vector<net::InterfaceName> to_members = {};
};

/// Messages that are sent together and reported under one name.
struct Step {
  std::string name;
  std::vector<net::NetlinkMessage> messages;
  /// Errors that mean "it is so already".
  std::vector<int> tolerated;
};

struct Plan {
  net::InterfaceName from;
  net::InterfaceName to;
  net::Identity expected;             ///< how the identity must look on `to` afterwards
  std::vector<net::Vlan> from_vlans;  ///< those that move
  bool moves_mac = false;
  bool cold = false;
  bool from_gone = false;
  net::MacAddress spare_mac{};         ///< of `from`, where the MAC address moves
  std::vector<std::uint32_t> routers;  ///< PlanSettings::routers
  [[nodiscard]] bool is_router(std::uint32_t vlan) const;
  std::vector<Step> steps;
  /// Of the steps, the one that takes the addresses off `from`, last one first.
  std::optional<std::size_t> address_removal;
  /// The one that adds the addresses, and the one that adds the routes. Those that hosts answer by
  /// come first: to the neighbours, and the default ones.
  std::optional<std::size_t> addresses_at, routes_at;
  std::vector<net::Frame> announcements;  ///< one for each address (spec F5)
  /// Removes what only bridged the time until the kernel had finished; to be sent a second later.
  std::vector<Step> afterwards;
};

/// `known_neighbours` are carried over to the new interface, so that nobody has to be resolved
/// anew. For IPv6 that is more than a round trip: the kernel makes a fresh address deliverable from
/// a worker (net/ipv6/addrconf.c, addrconf_dad_work), up to a millisecond after its connected
/// route, and an advertisement that arrives between is lost; the next solicitation comes a second
/// later (measured: 1,005 ms without this step).
///
/// What is on VLANs that `to` has not stays where it is, as far as the kernel leaves it there: a
/// cold path's interface goes down, and takes routes and IPv6 addresses along.
[[nodiscard]] Plan make_plan(const net::Identity& identity, const net::Place& to,
                             const net::MacAddress& to_mac, const PlanSettings& settings,
                             std::span<const net::KernelObject> known_neighbours = {});

/// Tells the network where an address is: gratuitous ARP, or an unsolicited advertisement; with the
/// tag of its VLAN.
[[nodiscard]] net::Frame announcement(const net::Address& address, const net::MacAddress& mac,
                                      bool router);

/// The plan gives the addresses what `identity` says is left of their lifetimes.
void renew_lifetimes(Plan& plan, const net::Identity& identity);

/// Only the steps that put the identity on plan.to, for a second attempt at what is missing.
[[nodiscard]] std::vector<Step> second_attempt(const Plan& plan, const net::Identity& lacking);

/// What puts the identity on plan.to, and changes no interface's state.
[[nodiscard]] std::vector<Step> put_on(const Plan& plan);

/// What others configured comes back behind the identity's addresses, with the routes that went
/// with theirs. Only IPv4 addresses have an order, so without one there is nothing to do.
[[nodiscard]] Step put_on_strangers(const net::InterfaceName& interface,
                                    const net::Configured& strangers);

/// Gives VLANs their MAC addresses that did not take them over from their port: somebody has set
/// one once, so the kernel leaves it alone (net/8021q/vlan.c, vlan_sync_address).
[[nodiscard]] Step set_macs(const std::vector<net::Vlan>& vlans);

/// The way back of a plan whose identity is on no interface: it changes nothing.
[[nodiscard]] Plan no_way_back(const Plan& plan);

/// Takes an interface down, sets its MAC address and brings it up again: the way for drivers that
/// refuse a change on a running interface. What going down removes is added by second_attempt().
[[nodiscard]] std::vector<Step> mac_with_restart(const net::InterfaceName& interface,
                                                 const net::MacAddress& mac);

}  // namespace hanet::failover
