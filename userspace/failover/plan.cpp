// SPDX-License-Identifier: Apache-2.0
//
// See plan.h.
#include "failover/plan.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <ranges>

#include "net/encode.h"
#include "net/link.h"
#include "net/route.h"

namespace hanet::failover {
namespace {

const std::vector<int> kGoneAlready{ESRCH, ENOENT, EADDRNOTAVAIL, ENODEV};
const std::vector<int> kThereAlready{EEXIST};

// "eth0", or "eth0, eth0.5".
std::string names_of(const net::Identity& identity) {
  std::string names = identity.on.name;
  for (const net::Vlan& vlan : identity.vlans) names += ", " + vlan.on.name;
  return names;
}

Step take_off_routes(const net::Identity& identity) {
  Step step{.name = "remove rules, routes and neighbours from " + names_of(identity),
            .messages = {},
            .tolerated = kGoneAlready};
  // On the interface of the route: its last address takes the routes along.
  const auto has_ipv4 = [&](const net::KernelObject& route) {
    return std::ranges::any_of(identity.addresses, [&](const net::Address& address) {
      return address.family == AF_INET &&
             net::leaves_by(route, net::holder_of(identity, address).index);
    });
  };
  for (const net::KernelObject& rule : identity.rules)
    step.messages.push_back(net::remove_rule(rule));
  for (const net::KernelObject& route : identity.routes)
    if (net::must_be_removed(route, has_ipv4(route)))
      step.messages.push_back(net::remove_route(route));
  for (const net::KernelObject& neighbour : identity.neighbours)
    step.messages.push_back(net::remove_neighbour(neighbour));
  return step;
}

// Backwards, because removing a primary IPv4 address takes its secondaries along
// (net/ipv4/devinet.c, __inet_del_ifa).
Step take_off_addresses(const net::Identity& identity) {
  Step step{.name = "remove addresses from " + names_of(identity),
            .messages = {},
            .tolerated = kGoneAlready};
  for (const net::Address& address : identity.addresses | std::views::reverse)
    step.messages.push_back(net::remove_address(address, net::holder_of(identity, address).index));
  return step;
}

// An IPv6 address that has a lifetime leaves its route behind, until that has run down
// (net/ipv6/addrconf.c, ipv6_del_addr: only permanent ones clean up).
Step take_off_prefix_routes(const net::Identity& identity) {
  Step step{
      .name = "remove the kernel's routes of addresses with a lifetime from " + names_of(identity),
      .messages = {},
      .tolerated = kGoneAlready};
  for (const net::Address& address : identity.addresses)
    if (address.family == AF_INET6 && address.valid_seconds != UINT32_MAX)
      step.messages.push_back(
          net::remove_prefix_route(address, net::holder_of(identity, address).index));
  return step;
}

Step put_on_addresses(const Plan& plan) {
  Step step{.name = "add addresses to " + names_of(plan.expected),
            .messages = {},
            .tolerated = kThereAlready};
  for (const net::Address& address : plan.expected.addresses)
    step.messages.push_back(
        net::add_address(address, net::holder_of(plan.expected, address).index));
  return step;
}

// Whoever flushes the routes of an interface flushes the kernel's own too, and without the one to
// the neighbours no gateway is valid. Giving an IPv4 address anew makes it again only if its metric
// differs (net/ipv4/devinet.c, fib_modify_prefix_metric), so put_on_addresses() sets the right one
// afterwards. An IPv6 address given anew always does (net/ipv6/addrconf.c, inet6_addr_modify).
Step renew_kernel_routes(const Plan& plan) {
  Step step{.name = "add the kernel's own routes to " + names_of(plan.expected),
            .messages = {},
            .tolerated = kThereAlready};
  for (net::Address address : plan.expected.addresses) {
    if (address.family != AF_INET) continue;
    address.priority = address.priority.value_or(0) + 1;
    step.messages.push_back(
        net::add_address(address, net::holder_of(plan.expected, address).index));
  }
  return step;
}

Step put_on_routes(const Plan& plan) {
  Step step{.name = "add routes, rules and neighbours to " + names_of(plan.expected),
            .messages = {},
            .tolerated = kThereAlready};
  for (const net::KernelObject& neighbour : plan.expected.neighbours)
    step.messages.push_back(net::add_neighbour(neighbour));
  // Behind the routes that their gateways are reached by, before the routes that use them.
  const auto far = std::ranges::find_if(plan.expected.routes, net::through_gateway);
  for (auto route = plan.expected.routes.begin(); route != far; ++route)
    step.messages.push_back(net::add_route(*route));
  for (const net::KernelObject& nexthop : plan.expected.nexthops)
    step.messages.push_back(net::give_nexthop(nexthop));
  // Of both families and all tables, before a full routing table of one of them.
  const std::ranges::subrange through(far, plan.expected.routes.end());
  for (const net::KernelObject& route : through | std::views::filter(net::is_default))
    step.messages.push_back(net::add_route(route));
  for (const net::KernelObject& rule : plan.expected.rules)
    step.messages.push_back(net::add_rule(rule));
  for (const net::KernelObject& route : through | std::views::filter(std::not_fn(net::is_default)))
    step.messages.push_back(net::add_route(route));
  return step;
}

Step carry_neighbours(const net::Identity& from, const Plan& plan,
                      std::span<const net::KernelObject> known_neighbours) {
  Step step{.name = "carry known neighbours to " + names_of(plan.expected),
            .messages = {},
            .tolerated = kThereAlready};
  for (const net::KernelObject& neighbour :
       net::retarget_neighbours({known_neighbours.begin(), known_neighbours.end()},
                                net::place_of(from), net::place_of(plan.expected)))
    step.messages.push_back(net::add_neighbour(neighbour));
  return step;
}

bool delivered_by_worker(const net::Address& address) {
  return address.family == AF_INET6 && address.scope != RT_SCOPE_LINK;
}

// The kernel inserts the local route of a new IPv6 address from a worker (see make_plan); these
// routes deliver in the meantime, also between removing an address there and adding it here.
Step deliver_at_once(const Plan& plan) {
  Step step{.name = "deliver IPv6 addresses on " + names_of(plan.expected),
            .messages = {},
            .tolerated = kThereAlready};
  for (const net::Address& address : plan.expected.addresses)
    if (delivered_by_worker(address))
      step.messages.push_back(
          net::add_local_delivery(address, net::holder_of(plan.expected, address).index));
  return step;
}

Step deliver_no_more(const Plan& plan) {
  Step step{.name = "leave the delivery of IPv6 addresses to the kernel",
            .messages = {},
            .tolerated = kGoneAlready};
  for (const net::Address& address : plan.expected.addresses)
    if (delivered_by_worker(address))
      step.messages.push_back(
          net::remove_local_delivery(address, net::holder_of(plan.expected, address).index));
  return step;
}

bool has_ipv4(const net::Configured& strangers) {
  return std::ranges::any_of(strangers.addresses,
                             [](const net::Address& address) { return address.family == AF_INET; });
}

Step take_off_strangers(const Plan& plan, const net::Configured& strangers) {
  Step step{.name = "take other addresses off " + plan.to.name,
            .messages = {},
            .tolerated = kGoneAlready};
  for (const net::Address& address : strangers.addresses | std::views::reverse)
    if (address.family == AF_INET)
      step.messages.push_back(net::remove_address(address, plan.to.index));
  return step;
}

Step set_state(const net::InterfaceName& interface, bool up) {
  return {.name = "set " + interface.name + (up ? " up" : " down"),
          .messages = {net::set_admin_state(interface.index, up)},
          .tolerated = up ? std::vector<int>{} : kGoneAlready};
}

Step set_members(const std::vector<net::InterfaceName>& members, bool up) {
  Step step{.name = std::string("set the trunk's other ports ") + (up ? "up" : "down"),
            .messages = {},
            .tolerated = kGoneAlready};
  for (const net::InterfaceName& member : members)
    step.messages.push_back(net::set_admin_state(member.index, up));
  return step;
}

// They go up with their port, unless they are told not to (ip-link(8), loose_binding).
Step set_vlans_up(const Plan& plan) {
  Step step{.name = "set the VLANs of " + plan.to.name + " up", .messages = {}, .tolerated = {}};
  for (const net::Vlan& vlan : plan.expected.vlans)
    step.messages.push_back(net::set_admin_state(vlan.on.index, true));
  return step;
}

Step set_mac_of(const net::InterfaceName& interface, const net::MacAddress& mac, bool needed) {
  return {.name = "set MAC address of " + interface.name,
          .messages = {net::set_mac(interface.index, mac)},
          .tolerated = needed ? std::vector<int>{} : kGoneAlready};
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

bool Plan::is_router(std::uint32_t vlan) const { return std::ranges::count(routers, vlan) != 0; }

net::Frame announcement(const net::Address& address, const net::MacAddress& mac, bool router) {
  net::Frame frame;
  if (address.family == AF_INET) {
    net::Ipv4Bytes bytes{};
    std::copy_n(address.local.begin(), bytes.size(), bytes.begin());
    frame = net::gratuitous_arp(mac, bytes);
  } else {
    net::Ipv6Bytes bytes{};
    std::copy_n(address.local.begin(), bytes.size(), bytes.begin());
    frame = net::unsolicited_advertisement(mac, bytes, router);
  }
  return address.vlan == 0 ? frame : net::tagged(std::move(frame), address.vlan);
}

Plan make_plan(const net::Identity& all, const net::Place& place, const net::MacAddress& to_mac,
               const PlanSettings& settings, std::span<const net::KernelObject> known_neighbours) {
  Plan plan;
  // Very many routes are copied only where a part of them stays behind.
  const bool whole = std::ranges::all_of(
      all.vlans, [&](const net::Vlan& vlan) { return place.at(vlan.tag) != nullptr; });
  const net::Identity part = whole ? net::Identity{} : net::part_for(all, place);
  const net::Identity& identity = whole ? all : part;
  const net::InterfaceName& to = place.port;
  plan.from = identity.on;
  plan.from_vlans = identity.vlans;
  plan.to = to;
  plan.expected = net::retarget(identity, place);
  plan.moves_mac = settings.move_mac && identity.mac != to_mac;
  if (!plan.moves_mac) net::use_mac(plan.expected, to_mac);
  plan.cold = settings.cold;
  plan.from_gone = settings.from_gone;
  plan.spare_mac = settings.spare_mac;
  plan.routers = settings.routers;

  if (!settings.cold) append(plan.steps, deliver_at_once(plan));
  if (!settings.from_gone) {
    append(plan.steps, take_off_routes(identity));
    if (settings.cold) append(plan.steps, set_state(plan.from, false));
    append(plan.steps, take_off_addresses(identity));
    if (!identity.addresses.empty()) plan.address_removal = plan.steps.size() - 1;
    append(plan.steps, take_off_prefix_routes(identity));
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
  append(plan.steps, carry_neighbours(identity, plan, known_neighbours));
  append(plan.steps, take_off_strangers(plan, settings.strangers));
  plan.addresses_at = plan.steps.size();
  append(plan.steps, put_on_addresses(plan));
  plan.routes_at = plan.steps.size();
  append(plan.steps, put_on_routes(plan));
  append(plan.steps, put_on_strangers(plan.to, settings.strangers));
  // Of two routes to a subnet the kernel takes the older one, and that has to be the identity's.
  if (!settings.from_gone && !settings.cold)
    append(plan.steps, put_on_strangers(plan.from, settings.left_strangers));
  append(plan.steps, move_metaname(plan, settings));
  append(plan.afterwards, deliver_no_more(plan));
  for (const net::Address& address : plan.expected.addresses)
    plan.announcements.push_back(
        announcement(address, plan.expected.mac, plan.is_router(address.vlan)));
  return plan;
}

void renew_lifetimes(Plan& plan, const net::Identity& identity) {
  for (net::Address& address : plan.expected.addresses) {
    const auto same = std::ranges::find_if(
        identity.addresses, [&](const net::Address& one) { return net::is_same(one, address); });
    if (same == identity.addresses.end()) continue;
    address.preferred_seconds = same->preferred_seconds;
    address.valid_seconds = same->valid_seconds;
  }
  Step step = put_on_addresses(plan);
  if (!step.messages.empty()) plan.steps.at(plan.addresses_at.value()) = std::move(step);
}

std::vector<Step> second_attempt(const Plan& plan, const net::Identity& lacking) {
  std::vector<Step> steps;
  if (plan.cold) append(steps, set_state(plan.to, true));
  append(steps, set_vlans_up(plan));
  // What is there is no harm, but of very many routes only those that are not.
  Plan again;
  again.to = plan.to;
  again.expected = {.on = plan.expected.on,
                    .vlans = plan.expected.vlans,
                    .mac = plan.expected.mac,
                    .addresses = plan.expected.addresses,
                    .nexthops = plan.expected.nexthops,
                    .routes = lacking.routes,
                    .rules = plan.expected.rules,
                    .neighbours = plan.expected.neighbours};
  std::ranges::move(put_on(again), std::back_inserter(steps));
  return steps;
}

std::vector<Step> put_on(const Plan& plan) {
  std::vector<Step> steps;
  append(steps, renew_kernel_routes(plan));
  append(steps, put_on_addresses(plan));
  append(steps, put_on_routes(plan));
  return steps;
}

Step put_on_strangers(const net::InterfaceName& interface, const net::Configured& strangers) {
  Step step{.name = "put other addresses on " + interface.name,
            .messages = {},
            .tolerated = kThereAlready};
  if (!has_ipv4(strangers)) return step;
  for (const net::Address& address : strangers.addresses)
    if (address.family == AF_INET)
      step.messages.push_back(net::add_address(address, interface.index));
  for (const net::KernelObject& route : strangers.routes)
    step.messages.push_back(net::add_route(route));
  return step;
}

Step set_macs(const std::vector<net::Vlan>& vlans) {
  Step step{.name = "set MAC addresses of VLANs", .messages = {}, .tolerated = kGoneAlready};
  for (const net::Vlan& vlan : vlans)
    step.messages.push_back(net::set_mac(vlan.on.index, vlan.mac));
  return step;
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
