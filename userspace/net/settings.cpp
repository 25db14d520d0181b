// SPDX-License-Identifier: Apache-2.0
//
// See settings.h.
#include "net/settings.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include "net/link.h"

namespace hanet::net {
namespace {

constexpr const char* kAddressGeneration = "ipv6/conf/addr_gen_mode";

// Behind "/proc/sys/net", which shows the network namespace of the process that opens it.
constexpr std::array<const char*, 4> kKinds{"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"};

const std::set<std::string>& staying() {
  static const std::set<std::string> kStaying{
      "ipv6/conf/disable_ipv6",  // it would take addresses away
      // The kernel's own, read only.
      "ipv4/conf/mc_forwarding", "ipv6/conf/mc_forwarding",
      // In seconds, jiffies and packets, what *_ms and *_bytes say exactly.
      "ipv4/neigh/base_reachable_time", "ipv6/neigh/base_reachable_time", "ipv4/neigh/retrans_time",
      "ipv6/neigh/retrans_time", "ipv4/neigh/unres_qlen", "ipv6/neigh/unres_qlen"};
  return kStaying;
}

std::string file_of(const std::string& interface, const std::string& setting) {
  const std::size_t slash = setting.rfind('/');
  return fmt::format("/proc/sys/net/{}/{}/{}", setting.substr(0, slash), interface,
                     setting.substr(slash + 1));
}

// Setting it by its file makes the kernel give itself an address at once (net/ipv6/addrconf.c,
// addrconf_sysctl_addr_gen_mode).
void set_generation(NetlinkSocket& socket, const InterfaceName& interface,
                    const std::string& value) {
  std::uint8_t mode = 0;
  if (std::from_chars(value.data(), value.data() + value.size(), mode).ec != std::errc()) return;
  [[maybe_unused]] const Status ignored =
      socket.request(set_address_generation(interface.index, mode), "set how addresses are made");
}

}  // namespace

std::string read_setting(const std::string& interface, const std::string& setting) {
  std::ifstream file(file_of(interface, setting));
  std::string value;
  std::getline(file, value);
  return value;
}

bool has_setting(const std::string& interface, const std::string& setting) {
  std::error_code none;
  return std::filesystem::exists(file_of(interface, setting), none);
}

Settings read_settings(const std::string& interface) {
  Settings all;
  for (const char* kind : kKinds) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(
             fmt::format("/proc/sys/net/{}/{}", kind, interface), none)) {
      std::string setting = fmt::format("{}/{}", kind, entry.path().filename().string());
      if (staying().contains(setting)) continue;
      // One that is not set can not be read (stable_secret).
      if (std::string value = read_setting(interface, setting); !value.empty())
        all.emplace(std::move(setting), std::move(value));
    }
  }
  return all;
}

std::vector<std::string> write_settings(NetlinkSocket& socket, const InterfaceName& interface,
                                        const Settings& settings) {
  for (const auto& [setting, value] : settings)
    if (setting != kAddressGeneration) std::ofstream(file_of(interface.name, setting)) << value;
  // Last, because a secret changes it (addrconf_sysctl_stable_secret).
  if (const auto mode = settings.find(kAddressGeneration); mode != settings.end())
    set_generation(socket, interface, mode->second);
  std::vector<std::string> others;
  for (const auto& [setting, value] : settings)
    if (read_setting(interface.name, setting) != value) others.push_back(setting);
  return others;
}

const Settings& waiting_settings() {
  static const Settings kWaiting{
      {"ipv4/conf/arp_ignore", "1"}, {"ipv6/conf/accept_ra", "0"}, {kAddressGeneration, "1"}};
  return kWaiting;
}

bool ignores_routes_without_carrier(const std::string& port) {
  return read_setting(port, "ipv4/conf/ignore_routes_with_linkdown") == "1" ||
         read_setting(port, "ipv6/conf/ignore_routes_with_linkdown") == "1";
}

bool refuses_ipv6(const std::string& port) {
  return read_setting(port, "ipv6/conf/disable_ipv6") == "1";
}

bool is_router(const std::string& interface) {
  std::ifstream file("/proc/sys/net/ipv6/conf/" + interface + "/forwarding");
  int forwarding = 0;
  return file >> forwarding && forwarding != 0;
}

}  // namespace hanet::net
