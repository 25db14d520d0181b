// SPDX-License-Identifier: Apache-2.0
//
// See plan.h.
#include "failover/plan.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <ranges>

#include "net/encode.h"
#include "net/link.h"

namespace hanet::failover {
namespace {

const std::vector<int> kGoneAlready{ESRCH, ENOENT, EADDRNOTAVAIL, ENODEV};
const std::vector<int> kThereAlready{EEXIST};

Step take_off_routes(const net::Identity& identity) {
  Step step{.name = "remove rules, routes and neighbours from " + identity.on.name,
            .messages = {},
            .tolerated = kGoneAlready};
  const bool has_ipv4 = std::ranges::any_of(
      identity.addresses, [](const net::Address& address) { return address.family == AF_INET; });
  for (const net::KernelObject& rule : identity.rules)
    step.messages.push_back(net::remove_rule(rule));
  for (const net::KernelObject& route : identity.routes)
    if (net::must_be_removed(route, has_ipv4)) step.messages.push_back(net::remove_route(route));
  for (const net::KernelObject& neighbour : identity.neighbours)
    step.messages.push_back(net::remove_neighbour(neighbour));
  return step;
}

// Backwards, because removing a primary IPv4 address takes its secondaries along
// (net/ipv4/devinet.c, __inet_del_ifa).
Step take_off_addresses(const net::Identity& identity) {
  Step step{.name = "remove addresses from " + identity.on.name,
            .messages = {},
            .tolerated = kGoneAlready};
  for (const net::Address& address : identity.addresses | std::views::reverse)
    step.messages.push_back(net::remove_address(address, identity.on.index));
  return step;
}

Step put_on_addresses(const Plan& plan) {
  Step step{.name = "add addresses to " + plan.to.name,
            .messages = {},
            .tolerated = kThereAlready,
            .essential = true};
  for (const net::Address& address : plan.expected.addresses)
    step.messages.push_back(net::add_address(address, plan.to.index));
  return step;
}

Step put_on_routes(const Plan& plan) {
  Step step{.name = "add routes, rules and neighbours to " + plan.to.name,
            .messages = {},
            .tolerated = kThereAlready,
            .essential = true};
  for (const net::KernelObject& neighbour : plan.expected.neighbours)
    step.messages.push_back(net::add_neighbour(neighbour));
  for (const net::KernelObject& route : plan.expected.routes)
    step.messages.push_back(net::add_route(route));
  for (const net::KernelObject& rule : plan.expected.rules)
    step.messages.push_back(net::add_rule(rule));
  return step;
}

Step carry_neighbours(const net::InterfaceName& to,
                      std::span<const net::KernelObject> known_neighbours) {
  Step step{
      .name = "carry known neighbours to " + to.name, .messages = {}, .tolerated = kThereAlready};
  for (const net::KernelObject& neighbour : known_neighbours)
    step.messages.push_back(net::add_neighbour(net::retarget_neighbour(neighbour, to)));
  return step;
}

bool delivered_by_worker(const net::Address& address) {
  return address.family == AF_INET6 && address.scope != RT_SCOPE_LINK;
}

// The kernel inserts the local route of a new IPv6 address from a worker (see make_plan); these
// routes deliver in the meantime, also between removing an address there and adding it here.
Step deliver_at_once(const Plan& plan) {
  Step step{.name = "deliver IPv6 addresses on " + plan.to.name,
            .messages = {},
            .tolerated = kThereAlready};
  for (const net::Address& address : plan.expected.addresses)
    if (delivered_by_worker(address))
      step.messages.push_back(net::add_local_delivery(address, plan.to.index));
  return step;
}

Step deliver_no_more(const Plan& plan) {
  Step step{.name = "leave the delivery of IPv6 addresses to the kernel",
            .messages = {},
            .tolerated = kGoneAlready};
  for (const net::Address& address : plan.expected.addresses)
    if (delivered_by_worker(address))
      step.messages.push_back(net::remove_local_delivery(address, plan.to.index));
  return step;
}

Step set_state(const net::InterfaceName& interface, bool up) {
  return {.name = "set " + interface.name + (up ? " up" : " down"),
          .messages = {net::set_admin_state(interface.index, up)},
          .tolerated = up ? std::vector<int>{} : kGoneAlready,
          .essential = up};
}

Step set_members(const std::vector<net::InterfaceName>& members, bool up) {
  Step step{.name = std::string("set the trunk's other ports ") + (up ? "up" : "down"),
            .messages = {},
            .tolerated = kGoneAlready};
  for (const net::InterfaceName& member : members)
    step.messages.push_back(net::set_admin_state(member.index, up));
  return step;
}

Step set_mac_of(const net::InterfaceName& interface, const net::MacAddress& mac, bool essential) {
  return {.name = "set MAC address of " + interface.name,
          .messages = {net::set_mac(interface.index, mac)},
          .tolerated = essential ? std::vector<int>{} : kGoneAlready,
          .essential = essential};
}

// From one interface that is down to another: no dummy is ever where traffic is.
Step swap_dummy(const Plan& plan, const PlanSettings& settings) {
  Step step{.name = "move the dummy address from " + plan.to.name + " to " + plan.from.name,
            .messages = {},
            .tolerated = kGoneAlready};
  step.tolerated.push_back(EEXIST);
  if (!settings.dummy) return step;
  step.messages.push_back(net::remove_address(*settings.dummy, plan.to.index));
  if (!settings.from_gone)
    step.messages.push_back(net::add_address(*settings.dummy, plan.from.index));
  return step;
}

// Behind everything that traffic waits for.
Step move_metaname(const Plan& plan, const PlanSettings& settings) {
  Step step{.name = "call " + plan.to.name + " " + settings.metaname,
            .messages = {},
            .tolerated = kGoneAlready};
  step.tolerated.insert(step.tolerated.end(), {EEXIST, EOPNOTSUPP});  // Linux before 5.5
  if (settings.metaname.empty()) return step;
  if (!settings.from_gone)
    step.messages.push_back(net::remove_alternative_name(plan.from.index, settings.metaname));
  step.messages.push_back(net::add_alternative_name(plan.to.index, settings.metaname));
  return step;
}

void append(std::vector<Step>& steps, Step step) {
  if (!step.messages.empty()) steps.push_back(std::move(step));
}

}  // namespace

net::Frame announcement(const net::Address& address, const net::MacAddress& mac, bool router) {
  if (address.family == AF_INET) {
    net::Ipv4Bytes bytes{};
    std::copy_n(address.local.begin(), bytes.size(), bytes.begin());
    return net::gratuitous_arp(mac, bytes);
  }
  net::Ipv6Bytes bytes{};
  std::copy_n(address.local.begin(), bytes.size(), bytes.begin());
  return net::unsolicited_advertisement(mac, bytes, router);
}

Plan make_plan(const net::Identity& identity, const net::InterfaceName& to,
               const net::MacAddress& to_mac, const PlanSettings& settings,
               std::span<const net::KernelObject> known_neighbours) {
  Plan plan;
  plan.from = identity.on;
  plan.to = to;
  plan.expected = net::retarget(identity, to);
  plan.moves_mac = settings.move_mac && identity.mac != to_mac;
  if (!plan.moves_mac) plan.expected.mac = to_mac;
  plan.cold = settings.cold;
  plan.from_gone = settings.from_gone;
  plan.spare_mac = settings.spare_mac;

  if (!settings.cold) append(plan.steps, deliver_at_once(plan));
  if (!settings.from_gone) {
    append(plan.steps, take_off_routes(identity));
    if (settings.cold) append(plan.steps, set_state(plan.from, false));
    append(plan.steps, take_off_addresses(identity));
    if (!identity.addresses.empty()) plan.address_removal = plan.steps.size() - 1;
    if (plan.moves_mac) append(plan.steps, set_mac_of(plan.from, settings.spare_mac, false));
  }
  if (settings.cold) append(plan.steps, set_members(settings.from_members, false));
  append(plan.steps, swap_dummy(plan, settings));
  if (plan.moves_mac) append(plan.steps, set_mac_of(to, identity.mac, true));
  if (settings.cold) {
    append(plan.steps, set_state(to, true));
    append(plan.steps, set_members(settings.to_members, true));
    append(plan.steps, deliver_at_once(plan));
  }
  append(plan.steps, carry_neighbours(to, known_neighbours));
  append(plan.steps, put_on_addresses(plan));
  append(plan.steps, put_on_routes(plan));
  append(plan.steps, move_metaname(plan, settings));
  append(plan.afterwards, deliver_no_more(plan));
  for (const net::Address& address : plan.expected.addresses)
    plan.announcements.push_back(announcement(address, plan.expected.mac, settings.router));
  return plan;
}

std::vector<Step> second_attempt(const Plan& plan) {
  std::vector<Step> steps;
  if (plan.cold) append(steps, set_state(plan.to, true));
  append(steps, put_on_addresses(plan));
  append(steps, put_on_routes(plan));
  return steps;
}

std::vector<Step> mac_with_restart(const net::InterfaceName& interface,
                                   const net::MacAddress& mac) {
  std::vector<Step> steps;
  append(steps, set_state(interface, false));
  append(steps, set_mac_of(interface, mac, true));
  append(steps, set_state(interface, true));
  return steps;
}

Plan no_way_back(const Plan& plan) {
  Plan none;
  none.from = none.to = plan.to;
  none.expected = plan.expected;
  return none;
}

}  // namespace hanet::failover
