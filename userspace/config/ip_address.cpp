// SPDX-License-Identifier: Apache-2.0
//
// IP addresses as text, and which of them can belong to one host.
//
// glibc's inet_pton is as strict as a configuration file wants it: four decimal numbers without
// leading zeros (which inet_aton would read as octal, or fill up from fewer parts), no zone, no
// prefix length. It reads a C string, though, so a NUL inside the text would hide what follows it;
// that is refused here. inet_ntop writes RFC 5952: lower case, the longest run of two or more zero
// groups shortened, the first of equals.
#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "config/config.h"

namespace hanet::config {
namespace {

std::string_view why_not_a_host_v4(const std::array<std::uint8_t, 16>& bytes) {
  static constexpr std::array<std::uint8_t, 4> kBroadcast{255, 255, 255, 255};
  // RFC 6890: 0.0.0.0/8 is "this host on this network", 127.0.0.0/8 loopback.
  if (bytes[0] == 0) return "an unspecified address";
  if (bytes[0] == 127) return "a loopback address";
  if (std::equal(kBroadcast.begin(), kBroadcast.end(), bytes.begin())) return "a broadcast address";
  if ((bytes[0] & 0xf0) == 0xe0) return "a multicast address";
  return {};
}

std::string_view why_not_a_host_v6(const std::array<std::uint8_t, 16>& bytes) {
  in6_addr address{};
  std::memcpy(&address, bytes.data(), sizeof address);
  if (IN6_IS_ADDR_UNSPECIFIED(&address)) return "an unspecified address";
  if (IN6_IS_ADDR_LOOPBACK(&address)) return "a loopback address";
  if (IN6_IS_ADDR_MULTICAST(&address)) return "a multicast address";
  // RFC 4291 2.5.5.2: a notation for IPv4 inside a host; no packet carries it.
  if (IN6_IS_ADDR_V4MAPPED(&address)) return "an IPv4-mapped address";
  return {};
}

}  // namespace

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const char* text = ::inet_ntop(family, bytes.data(), buffer.data(), buffer.size());
  return text != nullptr ? std::string(text) : std::string();
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  for (const int family : {AF_INET, AF_INET6}) {
    IpAddress address{.family = family};
    if (::inet_pton(family, terminated.c_str(), address.bytes.data()) == 1) return address;
  }
  return std::nullopt;
}

bool IpAddress::is_link_local() const {
  if (family == AF_INET) return bytes[0] == 169 && bytes[1] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

std::string_view IpAddress::why_not_a_host() const {
  return family == AF_INET ? why_not_a_host_v4(bytes) : why_not_a_host_v6(bytes);
}

}  // namespace hanet::config
