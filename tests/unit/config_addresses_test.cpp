// SPDX-License-Identifier: Apache-2.0
//
// The addresses of a heartbeat: every wrong one, and every wrong combination, with its complete
// message (O2, M1).
//
// A wrong address is the mistake that no test run on a healthy network shows: the heartbeat gets
// its answers, from the wrong side. It shows on the day of the failure. So all of it is caught
// here.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "config/config.h"
#include "config_samples.h"

namespace hanet::config {
namespace {

using samples::in_heartbeat;

struct AddressRefusal {
  std::string name;
  std::string lines;    ///< of [group.heartbeat], from line 6
  std::string message;  ///< after "f:", with "~" for "key 'group[0].heartbeat."
};

void PrintTo(const AddressRefusal& refusal, std::ostream* out) { *out << "\n" << refusal.lines; }

class RefusedAddress : public testing::TestWithParam<AddressRefusal> {};

TEST_P(RefusedAddress, O2_M1_IsToldFileLineKeyFoundAndAllowed) {
  const Result<Config> config = parse(in_heartbeat(GetParam().lines), "f");
  ASSERT_FALSE(config.has_value()) << "this was accepted";
  std::string expected = "f:" + GetParam().message;
  expected.replace(expected.find('~'), 1, "key 'group[0].heartbeat.");
  EXPECT_EQ(config.error().message, expected);
}

std::string name_of(const testing::TestParamInfo<AddressRefusal>& info) { return info.param.name; }

constexpr auto kOneHost = ", allowed: the IPv4 or IPv6 address of one host";
constexpr auto kOneHostOrBoth =
    "missing, allowed: the IPv4 or IPv6 address of one host, or both 'primary_target' and "
    "'standby_target'";

AddressRefusal target(std::string name, std::string_view text, std::string_view found) {
  return {std::move(name), fmt::format("target = \"{}\"", text),
          fmt::format("6: ~target': found {}{}", found, kOneHost)};
}

std::vector<AddressRefusal> targets() {
  return {
      {"NoTarget", "kind = \"arp\"", std::string("5: ~target': ") + kOneHostOrBoth},
      {"OnlyThePrimarysTarget", "primary_target = \"192.0.2.1\"",
       std::string("5: ~target': ") + kOneHostOrBoth},
      {"OnlyTheStandbysTarget", "standby_target = \"192.0.2.1\"",
       std::string("5: ~target': ") + kOneHostOrBoth},
      {"ANumberAsTarget", "target = 10",
       std::string("6: ~target': found the integer 10") + kOneHost},
      target("AnEmptyTarget", "", "''"),
      target("AHostName", "gateway.example", "'gateway.example'"),
      target("AnAddressWithPrefixLength", "192.0.2.10/24", "'192.0.2.10/24'"),
      target("AnAddressWithZone", "fe80::1%eth0", "'fe80::1%eth0'"),
      target("AnAddressWithSpace", " 192.0.2.10", "' 192.0.2.10'"),
      target("AnAddressBeforeANul", "192.0.2.10\\u0000x", "'192.0.2.10\\x00x'"),
      target("AnOctalAddress", "192.0.2.010", "'192.0.2.010'"),
      target("AMulticastTarget", "224.0.0.18", "'224.0.0.18' (a multicast address)"),
      target("AnUnspecifiedTarget", "0.0.0.0", "'0.0.0.0' (an unspecified address)"),
      target("ALoopbackTarget", "127.0.0.53", "'127.0.0.53' (a loopback address)"),
      target("TheBroadcastAddress", "255.255.255.255", "'255.255.255.255' (a broadcast address)"),
      target("AMulticastTargetOfIpv6", "ff02::1", "'ff02::1' (a multicast address)"),
      target("AnUnspecifiedTargetOfIpv6", "::", "'::' (an unspecified address)"),
      target("ALoopbackTargetOfIpv6", "::1", "'::1' (a loopback address)"),
      target("AnIpv4MappedTarget", "::ffff:192.0.2.1",
             "'::ffff:192.0.2.1' (an IPv4-mapped address)"),
      {"AMulticastSource", "target = \"192.0.2.10\"\nstandby_source = \"239.1.1.1\"",
       std::string("7: ~standby_source': found '239.1.1.1' (a multicast address)") + kOneHost},
      {"ATargetOfThePrimaryThatIsNoAddress",
       "target = \"192.0.2.10\"\nprimary_target = \"192.0.2\"",
       std::string("7: ~primary_target': found '192.0.2'") + kOneHost},
  };
}

std::vector<AddressRefusal> families() {
  return {
      {"TargetsOfTwoFamilies", "primary_target = \"192.0.2.1\"\nstandby_target = \"2001:db8::1\"",
       "7: ~standby_target': found '2001:db8::1' (IPv6), allowed: an IPv4 address, as in "
       "'primary_target'"},
      {"APathsTargetOfAnotherFamily", "standby_target = \"192.0.2.1\"\ntarget = \"2001:db8::1\"",
       "6: ~standby_target': found '192.0.2.1' (IPv4), allowed: an IPv6 address, as in 'target'"},
      {"ASourceOfAnotherFamily", "target = \"192.0.2.10\"\nprimary_source = \"fe80::2\"",
       "7: ~primary_source': found 'fe80::2' (IPv6), allowed: an IPv4 address, as the target "
       "'192.0.2.10'"},
      {"AnIpv4SourceOfAnIpv6Target", "target = \"fe80::1\"\nstandby_source = \"192.0.2.1\"",
       "7: ~standby_source': found '192.0.2.1' (IPv4), allowed: an IPv6 address, as the target "
       "'fe80::1'"},
      {"AGlobalSourceOfAnIpv6Target", "target = \"2001:db8::1\"\nprimary_source = \"2001:db8::2\"",
       "7: ~primary_source': found '2001:db8::2', allowed: a link-local address (fe80::/10), "
       "because the target is IPv6"},
      {"ASiteLocalSource", "target = \"2001:db8::1\"\nprimary_source = \"fec0::2\"",
       "7: ~primary_source': found 'fec0::2', allowed: a link-local address (fe80::/10), because "
       "the target is IPv6"},
  };
}

std::vector<AddressRefusal> sources() {
  const std::string needs =
      "missing, allowed: an IPv4 address of this host, because kind 'icmp' needs one per path";
  return {
      {"ASourceThatIsTheTarget", "target = \"192.0.2.10\"\nprimary_source = \"192.0.2.10\"",
       "7: ~primary_source': found '192.0.2.10' (also the target), allowed: an address of this "
       "host"},
      {"ASourceThatIsTheTargetOfItsPath",
       "target = \"192.0.2.10\"\nstandby_target = \"192.0.2.11\"\nstandby_source = \"192.0.2.11\"",
       "8: ~standby_source': found '192.0.2.11' (also the target), allowed: an address of this "
       "host"},
      {"ASourceThatIsTheTargetInOtherLetters",
       "target = \"fe80::A\"\nprimary_source = \"fe80:0:0::a\"",
       "7: ~primary_source': found 'fe80::a' (also the target), allowed: an address of this host"},
      {"OneSourceForBothPaths",
       "target = \"192.0.2.10\"\nprimary_source = \"192.0.2.2\"\nstandby_source = \"192.0.2.2\"",
       "8: ~standby_source': found '192.0.2.2' (also 'primary_source'), allowed: an address that "
       "only this path has"},
      {"IcmpWithoutThePrimarysSource",
       "kind = \"icmp\"\ntarget = \"192.0.2.10\"\nstandby_source = \"192.0.2.3\"",
       "5: ~primary_source': " + needs},
      {"IcmpWithoutTheStandbysSource",
       "kind = \"icmp\"\ntarget = \"192.0.2.10\"\nprimary_source = \"192.0.2.2\"",
       "5: ~standby_source': " + needs},
  };
}

INSTANTIATE_TEST_SUITE_P(Target, RefusedAddress, testing::ValuesIn(targets()), name_of);
INSTANTIATE_TEST_SUITE_P(Family, RefusedAddress, testing::ValuesIn(families()), name_of);
INSTANTIATE_TEST_SUITE_P(Source, RefusedAddress, testing::ValuesIn(sources()), name_of);

}  // namespace
}  // namespace hanet::config
