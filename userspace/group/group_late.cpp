// SPDX-License-Identifier: Apache-2.0
//
// What others changed while the identity moved; see group_runner.h.
//
// Between the last look at the failed interface and the message that takes an address off it lie
// some hundred microseconds, and another program may use them. An address that it added there is a
// part of the identity that nobody has moved; one that it removed was given to the standby although
// the kernel had it no more. The first shows by being left behind, the second by the kernel's
// answer that there was nothing to take off. Both are put right before the switchover counts as
// done, so what the standby has is what the kernel had (spec F3).
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <ranges>

#include "core/log.h"
#include "group/group_runner.h"
#include "net/capture.h"
#include "net/encode.h"

namespace hanet::group {
namespace {

// What the kernel takes for one address; labels and lifetimes may differ.
bool is_same(const net::Address& one, const net::Address& other) {
  return one.vlan == other.vlan && one.family == other.family && one.local == other.local &&
         one.peer == other.peer && one.prefix_length == other.prefix_length;
}

bool has(const std::vector<net::Address>& addresses, const net::Address& wanted) {
  return std::ranges::any_of(addresses,
                             [&](const net::Address& one) { return is_same(one, wanted); });
}

// The step took the addresses off last one first.
std::vector<net::Address> not_there_any_more(const failover::Plan& plan,
                                             const failover::Execution& done) {
  std::vector<net::Address> gone;
  if (!plan.address_removal || plan.cold) return gone;  // going down takes IPv6 addresses along
  const std::vector<net::Address>& all = plan.expected.addresses;
  for (const std::size_t message : done.steps.at(*plan.address_removal).so_already)
    gone.push_back(all.at(all.size() - 1 - message));
  return gone;
}

}  // namespace

void GroupRunner::follow_late_changes(failover::Plan& plan, const failover::Execution& done) {
  if (plan.from_gone || done.outcome == failover::Outcome::RolledBack) return;
  const Result<net::LinkInfo> link = net::read_link(around_.requests, plan.from.index);
  Result<net::Identity> found = net::capture(around_.requests, plan.from);
  if (!link || !found) return;  // it vanished, and with it what was there
  const net::Identity left =
      net::part_for(without_dummy(std::move(*found)), net::place_of(plan.expected));
  std::vector<net::Address>& expected = plan.expected.addresses;
  const auto follow_removal = [&](const net::Address& address) {
    [[maybe_unused]] const Status ignored = around_.requests.request(
        net::remove_address(address, net::bearer_of(plan.expected, address).index),
        "follow a removal");
    std::erase_if(expected, [&](const net::Address& one) { return is_same(one, address); });
    log::notice("{}: {} was removed by another program during the switchover", config_.name,
                net::describe(address));
  };
  // What was to be put back was not there before either.
  if (link->admin_up && !restoration_)
    for (const net::Address& address : not_there_any_more(plan, done))
      if (!has(left.addresses, address)) follow_removal(address);
  net::Identity late;
  late.on = plan.from;
  late.vlans = plan.from_vlans;
  // Backwards: a primary address takes its secondaries along.
  for (const net::Address& address : left.addresses | std::views::reverse) {
    if (address.family == AF_INET6 && address.scope == RT_SCOPE_LINK) continue;
    const Status taken = around_.requests.request(
        net::remove_address(address, net::bearer_of(late, address).index), "take a late address");
    const bool known = has(expected, address);
    if (taken && !known) late.addresses.insert(late.addresses.begin(), address);
    if (!taken && known) follow_removal(address);  // put back and taken away again meanwhile
  }
  for (const net::Address& address : net::retarget(late, net::place_of(plan.expected)).addresses) {
    if (Status added = around_.requests.request(
            net::add_address(address, net::bearer_of(plan.expected, address).index),
            "follow an addition");
        !added) {
      log::warning("{}: {}: {}", config_.name, net::describe(address), added.error().message);
      continue;
    }
    expected.push_back(address);
    plan.announcements.push_back(
        failover::announcement(address, plan.expected.mac, plan.is_router(address.vlan)));
    log::notice("{}: {} was added by another program during the switchover", config_.name,
                net::describe(address));
  }
}

}  // namespace hanet::group
