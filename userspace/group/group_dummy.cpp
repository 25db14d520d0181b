// SPDX-License-Identifier: Apache-2.0
//
// Whether the MAC address of a warm standby's dummy is nobody's; see group_runner.h.
//
// At a switchover the failed interface gets it while the other one gets the identity's. If it were
// the identity's, one MAC address would be on two interfaces from the start; if it were a port's
// own, it would be back on the network when that card is reset or put into another place.
#include <fmt/format.h>

#include <optional>

#include "group/group_runner.h"
#include "net/link.h"

namespace hanet::group {
namespace {

/// The MAC address that the interface would have without hanet. Empty: not to be told, because the
/// driver does not say and an interface that is down may still wear an earlier hanetd's dummy.
std::optional<net::MacAddress> own_mac(const net::LinkInfo& link) {
  if (link.permanent_mac) return link.permanent_mac;
  return link.admin_up ? std::optional(link.mac) : std::nullopt;
}

}  // namespace

Status GroupRunner::check_dummy_mac() const {
  const auto refusal = [&](const std::string& bearer) {
    return failure(fmt::format("group {}: the dummy MAC address {} is {}; choose another dummy_mac",
                               config_.name, net::to_text(dummy_->mac), bearer));
  };
  for (const RunningPort& port : ports_) {
    if (!port.present) continue;
    Result<net::LinkInfo> link = net::read_link(around_.requests, port.interface.index);
    if (!link) return pass_on(link);
    if (own_mac(*link) == dummy_->mac) return refusal("that of " + port.interface.name);
  }
  if (keeper_.identity().mac == dummy_->mac) return refusal("the identity's");
  return {};
}

}  // namespace hanet::group
