// SPDX-License-Identifier: Apache-2.0
//
// Interfaces: what rtnetlink says of one, and the messages that change one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "net/identity.h"
#include "net/netlink.h"
#include "net/types.h"

namespace hanet::net {

/// As many members as rtnetlink has attributes that hanet asks for.
struct LinkInfo {
  InterfaceName interface;
  MacAddress mac{};
  std::optional<MacAddress> permanent_mac{};  ///< the card's own, where the driver tells
  bool admin_up = false;
  bool carrier = false;     ///< of an interface that is up
  bool carrier_on = false;  ///< as netif_carrier_ok() sees it, whether it is up or not
  /// Where the card is, "pci/0000:01:00.0" with the driver's word for one of several ports on it;
  /// empty for what is no card, for virtio, and where the kernel does not tell (before Linux 5.14).
  std::string bus_path{};
  std::uint8_t address_generation = 0;  ///< IN6_ADDR_GEN_MODE_*
  std::string kind{};                   ///< "macvlan", "veth"; empty for hardware
  unsigned lower = 0;          ///< in this namespace, what it is on top of (a veth: its peer); or 0
  unsigned master = 0;         ///< the bridge, bond or VRF it is a member of; or 0
  std::string master_kind{};   ///< "bridge", "vrf"
  std::uint32_t vlan_tag = 0;  ///< of a VLAN, see Vlan; else 0
  std::uint16_t type = 0;      ///< ARPHRD_*
  std::uint32_t mtu = 0;
  std::uint32_t group = 0;        ///< ip-link(8), group; nft's iifgroup
  std::uint32_t promiscuity = 0;  ///< so many want it to receive every frame
  bool answers_arp = true;        ///< not IFF_NOARP
};

/// Every interface of this namespace.
[[nodiscard]] Result<std::vector<LinkInfo>> read_links(NetlinkSocket& socket);
[[nodiscard]] std::unexpected<Error> no_such_interface(unsigned ifindex);
/// The link as a VLAN of a port; empty if it is none.
[[nodiscard]] std::optional<Vlan> vlan_on(const LinkInfo& link, unsigned port);

/// What a person types to make a VLAN with this tag on a port.
[[nodiscard]] std::string command_for_twin(std::uint32_t tag, const std::string& port);
/// Those of them that are VLANs of a port, in the order of their tags.
[[nodiscard]] std::vector<Vlan> vlans_among(const std::vector<LinkInfo>& links, unsigned port);

/// Finds one interface, by its number, or by a name of any kind, its own or an alternative one. The
/// error says that it is not there.
[[nodiscard]] Result<LinkInfo> read_link(NetlinkSocket& socket, unsigned ifindex);
[[nodiscard]] Result<LinkInfo> find_link(NetlinkSocket& socket, const std::string& name);
/// A port with the VLANs that are on it now.
[[nodiscard]] Result<Place> place_on(NetlinkSocket& socket, const InterfaceName& port);
/// Reads RTM_NEWLINK or RTM_DELLINK.
[[nodiscard]] LinkInfo link_of(const nlmsghdr& message);

/// In Mbit/s, as the driver tells (ethtool).
struct LinkSpeeds {
  std::optional<std::uint32_t> told;      ///< now; empty where it does not, as without a link
  std::optional<std::uint32_t> possible;  ///< the fastest mode that it offers, or has
};
[[nodiscard]] LinkSpeeds link_speeds(const std::string& interface);
/// The fastest of the modes in a mask of the kernel's (ETHTOOL_LINK_MODE_*_BIT).
[[nodiscard]] std::optional<std::uint32_t> fastest_mode(std::span<const std::uint32_t> mask);
/// The kernel's name of the driver (ethtool); empty where it does not tell, or there is no such
/// interface.
[[nodiscard]] std::string driver_of(unsigned ifindex);

/// The number of the interface that has a name of any kind; 0: none does.
[[nodiscard]] unsigned index_of_name(NetlinkSocket& socket, const std::string& name);

/// Messages for a batch. Alternative names: Linux 5.5 (RTM_NEWLINKPROP).
[[nodiscard]] NetlinkMessage add_alternative_name(unsigned ifindex, std::string_view name);
[[nodiscard]] NetlinkMessage remove_alternative_name(unsigned ifindex, std::string_view name);
[[nodiscard]] NetlinkMessage set_admin_state(unsigned ifindex, bool up);
/// `flags`: IFF_ALLMULTI, IFF_PROMISC (netdevice(7)).
[[nodiscard]] NetlinkMessage set_flags(unsigned ifindex, unsigned flags, bool on);
[[nodiscard]] NetlinkMessage set_mtu(unsigned ifindex, unsigned mtu);
[[nodiscard]] NetlinkMessage set_mac(unsigned ifindex, const MacAddress& mac);
/// Whether the kernel makes a link-local address by itself when the interface comes up.
[[nodiscard]] NetlinkMessage set_address_generation(unsigned ifindex, std::uint8_t mode);

}  // namespace hanet::net
