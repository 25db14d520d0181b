// SPDX-License-Identifier: Apache-2.0
//
// See late_changes.h.
#include "group/late_changes.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <ranges>

#include "core/log.h"
#include "net/capture.h"
#include "net/encode.h"
#include "net/link.h"

namespace hanet::group {
namespace {

bool has(const std::vector<net::Address>& addresses, const net::Address& wanted) {
  return std::ranges::any_of(addresses,
                             [&](const net::Address& one) { return net::is_same(one, wanted); });
}

// The step took the addresses off last one first.
std::vector<net::Address> not_there_any_more(const failover::Plan& plan,
                                             const failover::Execution& done) {
  std::vector<net::Address> gone;
  if (!plan.address_removal || plan.cold) return gone;  // going down takes IPv6 addresses along
  const std::vector<net::Address>& all = plan.expected.addresses;
  for (const std::size_t message : done.steps.at(*plan.address_removal).unchanged)
    gone.push_back(all.at(all.size() - 1 - message));
  return gone;
}

// Puts right, address by address, what the plan expected.
class Correction {
 public:
  Correction(const Context& context, failover::Plan& plan) : context_(context), plan_(plan) {}

  void follow_removal(const net::Address& address) {
    [[maybe_unused]] const Status ignored = context_.requests().request(
        net::remove_address(address, net::holder_of(plan_.expected, address).index),
        "follow a removal");
    std::erase_if(plan_.expected.addresses,
                  [&](const net::Address& one) { return net::is_same(one, address); });
    log::notice("{}: {} was removed by another program during the switchover", context_.config.name,
                net::describe(address));
  }

  void follow_addition(const net::Address& address) {
    if (Status added = context_.requests().request(
            net::add_address(address, net::holder_of(plan_.expected, address).index),
            "follow an addition");
        !added) {
      log::warning("{}: {}: {}", context_.config.name, net::describe(address),
                   added.error().message);
      return;
    }
    plan_.expected.addresses.push_back(address);
    plan_.announcements.push_back(
        failover::announcement(address, plan_.expected.mac, plan_.is_router(address.vlan)));
    log::notice("{}: {} was added by another program during the switchover", context_.config.name,
                net::describe(address));
  }

  // Takes what is left off the old interface. Backwards: a primary address takes its secondaries
  // along. Returns what nobody had moved.
  net::Identity take_late_ones(const std::vector<net::Address>& left, bool follows_removals) {
    net::Identity late;
    late.on = plan_.from;
    late.vlans = plan_.from_vlans;
    for (const net::Address& address : left | std::views::reverse) {
      if (address.family == AF_INET6 && address.scope == RT_SCOPE_LINK) continue;
      const Status taken = context_.requests().request(
          net::remove_address(address, net::holder_of(late, address).index), "take a late address");
      const bool known = has(plan_.expected.addresses, address);
      if (taken && !known) late.addresses.insert(late.addresses.begin(), address);
      // Put back and taken away again meanwhile.
      if (!taken && known && follows_removals) follow_removal(address);
    }
    return late;
  }

 private:
  const Context& context_;
  failover::Plan& plan_;
};

}  // namespace

void follow_late_changes(const Context& context, failover::Plan& plan,
                         const LateChangeInputs& inputs) {
  if (plan.from_gone || inputs.repair == RepairDue::CameUp ||
      inputs.execution.outcome == failover::Outcome::RolledBack)
    return;
  const Result<net::LinkInfo> link = net::read_link(context.requests(), plan.from.index);
  Result<net::Identity> found = net::capture_addresses(context.requests(), plan.from);
  if (!link || !found) return;  // it vanished, and with it what was there
  const net::Identity left =
      net::part_for(inputs.cleaned(std::move(*found)), net::place_of(plan.expected));
  Correction correction(context, plan);
  if (link->admin_up && inputs.repair == RepairDue::None && inputs.follows_removals)
    for (const net::Address& address : not_there_any_more(plan, inputs.execution))
      if (!has(left.addresses, address) && !has(inputs.missing.addresses, address))
        correction.follow_removal(address);
  const net::Identity late = correction.take_late_ones(left.addresses, inputs.follows_removals);
  for (const net::Address& address : net::retarget(late, net::place_of(plan.expected)).addresses)
    correction.follow_addition(address);
}

}  // namespace hanet::group
