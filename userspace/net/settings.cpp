// SPDX-License-Identifier: Apache-2.0
//
// See settings.h.
#include "net/settings.h"

#include <fmt/format.h>
#include <linux/if_link.h>

#include <fstream>

#include "core/log.h"
#include "net/encode.h"
#include "net/link.h"

namespace hanet::net {
namespace {

// What a standby is told; /proc/sys/net shows the network namespace of the process that opens it.
constexpr std::string_view kAcceptRa = "ipv6/conf/{}/accept_ra";
constexpr std::string_view kArpIgnore = "ipv4/conf/{}/arp_ignore";
constexpr std::string_view kNoRouterAdvertisements = "0";
constexpr std::string_view kOnlyOwnAddresses = "1";  // Documentation/networking/ip-sysctl.rst

std::string setting_file(std::string_view setting, const std::string& port) {
  return "/proc/sys/net/" + fmt::format(fmt::runtime(setting), port);
}

std::string read_setting(std::string_view setting, const std::string& port) {
  std::ifstream file(setting_file(setting, port));
  std::string value;
  std::getline(file, value);
  return value;
}

// An empty value stands for a host without this protocol.
void write_setting(std::string_view setting, const std::string& port, std::string_view value) {
  if (value.empty()) return;
  std::ofstream file(setting_file(setting, port));
  file << value;
}

void move_setting(std::string_view setting, const std::string& from, const std::string& to,
                  std::string_view standby_value) {
  write_setting(setting, to, read_setting(setting, from));
  write_setting(setting, from, standby_value);
}

}  // namespace

Result<PortSettings> read_settings(NetlinkSocket& socket, const Place& place) {
  Result<std::vector<LinkInfo>> links = read_links(socket);
  if (!links) return pass_on(links);
  PortSettings before;
  for (const LinkInfo& link : *links) {
    const bool is_port = link.interface.index == place.port.index;
    if (!is_port && !vlan_on(link, place.port.index)) continue;
    before.settings[is_port ? 0 : link.vlan_tag] = {
        .address_generation = link.address_generation,
        .accept_ra = read_setting(kAcceptRa, link.interface.name),
        .arp_ignore = read_setting(kArpIgnore, link.interface.name),
        .admin_up = link.admin_up};
    if (is_port) before.mac = link.permanent_mac.value_or(link.mac);
  }
  if (!before.settings.contains(0)) return no_such_interface(place.port.index);
  return before;
}

bool ignores_routes_without_carrier(const std::string& port) {
  for (const std::string_view setting :
       {"ipv4/conf/{}/ignore_routes_with_linkdown", "ipv6/conf/{}/ignore_routes_with_linkdown"})
    if (read_setting(setting, port) == "1") return true;
  return false;
}

bool refuses_ipv6(const std::string& port) {
  return read_setting("ipv6/conf/{}/disable_ipv6", port) == "1";
}

void quieten(NetlinkSocket& socket, const InterfaceName& interface) {
  write_setting(kAcceptRa, interface.name, kNoRouterAdvertisements);
  write_setting(kArpIgnore, interface.name, kOnlyOwnAddresses);
  // Kernels without IPv6 refuse this, and need it not.
  if (Status done = socket.request(set_address_generation(interface.index, IN6_ADDR_GEN_MODE_NONE),
                                   fmt::format("keep {} from making addresses", interface.name));
      !done)
    log::debug("{}", done.error().message);
}

void restore_settings(NetlinkSocket& socket, const Place& place, const PlaceSettings& before) {
  std::vector<NetlinkMessage> batch;
  for (const auto& [tag, settings] : before) {
    const InterfaceName* on = place.at(tag);
    if (on == nullptr) continue;
    write_setting(kAcceptRa, on->name, settings.accept_ra);
    write_setting(kArpIgnore, on->name, settings.arp_ignore);
    batch.push_back(set_address_generation(on->index, settings.address_generation));
  }
  send_best_effort(socket, place.port.name, batch);
}

void move_settings(NetlinkSocket& socket, const Place& from, const Place& to,
                   const PlaceSettings& first) {
  std::vector<NetlinkMessage> batch;
  for (const auto& [tag, settings] : first) {
    const InterfaceName* left = from.at(tag);
    const InterfaceName* entered = to.at(tag);
    if (left == nullptr || entered == nullptr) continue;
    move_setting(kAcceptRa, left->name, entered->name, kNoRouterAdvertisements);
    move_setting(kArpIgnore, left->name, entered->name, kOnlyOwnAddresses);
    // A former primary that comes up again must make no address. The old interface may be gone.
    batch.push_back(set_address_generation(left->index, IN6_ADDR_GEN_MODE_NONE));
    batch.push_back(set_address_generation(entered->index, settings.address_generation));
  }
  if (Status sent = socket.send(batch); !sent) return;
  [[maybe_unused]] const auto answers = socket.collect();
}

}  // namespace hanet::net
