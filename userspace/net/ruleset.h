// SPDX-License-Identifier: Apache-2.0
//
// The firewall's rules, as `nft` lists them: which of them name a device.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace hanet::net {

struct FirewallRule {
  std::string where;  ///< "table ip nat chain out"
  std::string text;   ///< as nft writes it
};

/// What `nft list ruleset` and, where it is there, `iptables-legacy-save` say.
[[nodiscard]] Result<std::vector<FirewallRule>> firewall_rules();
/// The same from the text of `nft list ruleset`.
[[nodiscard]] std::vector<FirewallRule> rules_in(std::string_view ruleset);

/// Does a rule, set, chain or flow table name the device?
[[nodiscard]] bool names_device(const FirewallRule& rule, std::string_view device);
/// The rule with "PORT" in place of each of these devices, so that those of two ports compare.
[[nodiscard]] std::string without_names(const FirewallRule& rule,
                                        std::span<const std::string> devices);

}  // namespace hanet::net
