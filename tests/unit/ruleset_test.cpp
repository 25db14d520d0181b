// SPDX-License-Identifier: Apache-2.0
//
// Which rules of a firewall name a device, in the words of nft.
#include "net/ruleset.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hanet::net {
namespace {

constexpr const char* kRuleset = R"(table inet filter {
	set uplinks {
		type ifname
		elements = { "eth0",
			     "eth1" }
	}

	flowtable fast {
		hook ingress priority filter
		devices = { eth0, eth1 }
	}

	chain input {
		type filter hook input priority filter; policy drop;
		iifname "eth0" tcp dport 22 accept
		iifname "eth01" accept
		tcp dport { 80, 443 } accept
	}
}
table netdev early {
	chain in {
		type filter hook ingress device "eth0" priority filter; policy accept;
	}
}
)";

std::vector<std::string> naming(const std::string& device) {
  std::vector<std::string> found;
  const std::vector<std::string> ports{"eth0", "eth1"};
  for (const FirewallRule& rule : rules_in(kRuleset))
    if (names_device(rule, device)) found.push_back(without_names(rule, ports));
  return found;
}

TEST(Ruleset, O9_RulesSetsFlowTablesAndChainsThatNameADeviceAreFound) {
  EXPECT_EQ(
      naming("eth0"),
      (std::vector<std::string>{
          "table inet filter set uplinks: elements = { PORT,",
          "table inet filter flowtable fast: devices = { PORT, PORT }",
          "table inet filter chain input: iifname PORT tcp dport 22 accept",
          "table netdev early chain in: type filter hook ingress device PORT priority filter; "
          "policy accept;"}));
  EXPECT_EQ(naming("eth1"), (std::vector<std::string>{
                                "table inet filter set uplinks: PORT }",
                                "table inet filter flowtable fast: devices = { PORT, PORT }"}));
}

TEST(Ruleset, O9_ADeviceOfASimilarNameIsAnotherOne) {
  EXPECT_TRUE(naming("eth").empty());
  EXPECT_EQ(naming("eth01").size(), 1U) << "the witness: it is named itself";
}

}  // namespace
}  // namespace hanet::net
