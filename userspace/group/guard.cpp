// SPDX-License-Identifier: Apache-2.0
//
// See guard.h.
#include "group/guard.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <ranges>
#include <set>
#include <utility>

#include "core/log.h"
#include "failover/plan.h"
#include "group/findings.h"
#include "net/capture.h"
#include "net/encode.h"
#include "net/link.h"
#include "net/route.h"

namespace hanet::group {
namespace {

// The kernel names nobody for IPv6 addresses (net/ipv6/addrconf.c, inet6_ifa_notify), nor for what
// it does itself: an address whose lifetime is over is removed by right.
bool somebody_did_it(const nlmsghdr& message, const net::Identity& identity) {
  if (message.nlmsg_pid != 0) return true;
  if (message.nlmsg_type != RTM_DELADDR && message.nlmsg_type != RTM_NEWADDR) return false;
  const net::Address* own = net::address_in(message, identity);
  return own != nullptr && own->family == AF_INET6 && own->valid_seconds == UINT32_MAX;
}

using Locals = std::vector<std::vector<std::uint8_t>>;

Locals ipv4_on(const net::Identity& identity, std::uint32_t vlan) {
  Locals locals;
  for (const net::Address& address : identity.addresses)
    if (address.family == AF_INET && address.vlan == vlan) locals.push_back(address.local);
  return locals;
}

// The kernel orders the IPv4 addresses of a subnet on an interface by their age, and the oldest is
// the source.
bool keeps_order(const net::Identity& there, const net::Identity& expected, std::uint32_t vlan) {
  Locals after = ipv4_on(there, vlan);
  const Locals wanted = ipv4_on(expected, vlan);
  for (const auto& local : wanted)
    if (std::ranges::find(after, local) == after.end()) after.push_back(local);
  return after.size() >= wanted.size() && std::equal(wanted.begin(), wanted.end(), after.begin());
}

// What the kernel said, each once; that something is there already is no trouble.
std::string reasons_in(const std::vector<net::Acknowledgement>& answers) {
  std::set<std::string> reasons;
  for (const net::Acknowledgement& answer : answers)
    if (answer.code != 0 && answer.code != EEXIST)
      reasons.insert(answer.message.empty() ? std::strerror(answer.code) : answer.message);
  return reasons.empty() ? "" : fmt::format(" (the kernel: {})", fmt::join(reasons, "; "));
}

}  // namespace

bool Guard::is_own(const nlmsghdr& message) const {
  return message.nlmsg_pid == context_.requests().port_id();
}

RepairDue Guard::due() const {
  if (!repair_) return RepairDue::None;
  return repair_->came_up ? RepairDue::CameUp : RepairDue::Taken;
}

bool Guard::hear(const nlmsghdr& message) {
  if (is_intrusion(message)) return true;
  note_withdrawal(message);
  return false;
}

void Guard::index_routes() {
  if (std::exchange(indexed_, keeper_.changes()) != keeper_.changes())
    index_ = net::RouteIndex(keeper_.identity().routes);
}

std::optional<net::Part> Guard::part_in(const nlmsghdr& message) {
  const net::Identity& identity = keeper_.identity();
  index_routes();
  std::optional<net::Part> own = net::part_in(message, identity, index_);
  if (own || unread_.empty()) return own;
  net::Identity unread;
  unread.on = identity.on;
  unread.vlans = identity.vlans;
  unread.routes = unread_;
  return net::part_in(message, unread, net::RouteIndex(unread_));
}

bool Guard::is_intrusion(const nlmsghdr& message) {
  if (!context_.config.restore || is_own(message)) return false;
  // What a move takes away is no intrusion; while one waits, a repair may wait as well.
  const bool runs = context_.state.running.has_value();
  if (runs && !repair_) return false;
  if (message.nlmsg_type == RTM_NEWADDR && !runs) return returned_to_standby(message);
  if (message.nlmsg_type == RTM_NEWROUTE && !runs && route_returned_to_standby(message))
    return true;
  const bool removal = message.nlmsg_type == RTM_DELADDR || message.nlmsg_type == RTM_DELROUTE;
  return removal && context_.state.active != 0 && is_removal_to_repair(message);
}

bool Guard::is_removal_to_repair(const nlmsghdr& message) {
  const net::Identity& identity = keeper_.identity();
  const std::optional<net::Part> lost = part_in(message);
  if (!lost || !set_by_configuration(message) || !somebody_did_it(message, identity)) return false;
  withdrawn_.erase(net::key_of(*lost));  // it had come back
  if (repair_) {                         // one of many that go together
    repair_->taken = true;
    return true;
  }
  const net::Address* own = net::address_in(message, identity);
  const net::InterfaceName& on = own == nullptr ? identity.on : net::holder_of(identity, *own);
  const Result<net::LinkInfo> link = net::read_link(context_.requests(), on.index);
  // Going down takes addresses along: no intrusion.
  if (!link || !link->admin_up || !may_repair()) return false;
  context_.notices.add(
      "restored", ports_.name(context_.state.active),
      fmt::format("{} was removed from {} by {}; hanet puts it back (restore = false lets it go)",
                  net::describe_part(*lost), on.name, who(message.nlmsg_pid)));
  repair_ = Repair{.at = monotonic_now() + repairs_.take_pause(), .taken = true, .came_up = false};
  return true;
}

bool Guard::was_taken_meanwhile(net::Identity held) {
  if (!context_.config.restore || context_.state.active == 0) return false;
  if (net::lacking(keeper_.identity(), held).is_nothing()) return false;
  net::Identity fresh = keeper_.hold(std::move(held));
  context_.env.drain_notifications();
  if (repair_) {
    keeper_.mark_stale();  // of what was added meanwhile
    return true;
  }
  keeper_.hold(std::move(fresh));
  return false;
}

bool Guard::may_repair() {
  const policy::Repairs::Answer answer = repairs_.ask(monotonic_now());
  if (answer == policy::Repairs::Answer::JustRefused) {
    truce_ends_ = monotonic_now() + policy::kTruce;
    context_.notices.alarm(
        AlarmKind::IdentityContested, ports_.name(context_.state.active),
        fmt::format("another program changes the identity again and again; hanet lets it have "
                    "its way for {} s",
                    std::chrono::duration_cast<std::chrono::seconds>(policy::kTruce).count()));
  }
  return answer == policy::Repairs::Answer::Granted;
}

// What a program that insisted gave to a port that waits is not left there for ever.
void Guard::tick(MonotonicTime now) {
  if (repair_ && now >= repair_->at) restore();
  if (!truce_ends_ || now < *truce_ends_ || context_.state.running) return;
  truce_ends_.reset();
  take_off_standbys();
}

std::optional<MonotonicTime> Guard::next_deadline() const {
  const std::optional<MonotonicTime> truce = context_.state.running ? std::nullopt : truce_ends_;
  if (!repair_ || !truce) return repair_ ? std::optional(repair_->at) : truce;
  return std::min(repair_->at, *truce);
}

void Guard::expect_identity_back() {
  if (!context_.config.restore || context_.state.running) return;
  if (!repair_) repair_ = Repair{};
  repair_->came_up = true;
  repair_->at = monotonic_now() + policy::kBurst;
}

// What is removed or replaced, and is no intrusion. A repair that begins before the next reading
// must not bring it back.
void Guard::note_withdrawal(const nlmsghdr& message) {
  const bool may_be_repaired = repair_ || (context_.config.restore && context_.state.active != 0);
  // An interface that goes down takes a part along.
  if (!may_be_repaired || is_own(message) || !ports_.holder().admin_up) return;
  for (net::Part& part : net::replaced_by(message, keeper_.identity(), keeper_.slots()))
    withdraw(std::move(part));
  note_replacement(message);
  // The kernel itself removes routes only with an interface or an address.
  const bool removed = message.nlmsg_type == RTM_DELADDR ||
                       (message.nlmsg_type == RTM_DELROUTE && message.nlmsg_pid != 0);
  const bool added = message.nlmsg_type == RTM_NEWADDR || message.nlmsg_type == RTM_NEWROUTE;
  if (!removed && !(added && !withdrawn_.empty())) return;
  std::optional<net::Part> part = part_in(message);
  if (!part) return;
  if (removed)
    withdraw(std::move(*part));
  else
    withdrawn_.erase(net::key_of(*part));
}

// Whoever takes it next takes it from the identity, although no reading has found it yet.
void Guard::note_replacement(const nlmsghdr& message) {
  if (!repair_ || !set_by_configuration(message)) return;
  std::optional<net::KernelObject> route = net::replacement_in(message, keeper_.identity());
  if (!route) return;
  std::erase_if(unread_,
                [&](const net::KernelObject& one) { return net::may_replace(*route, one); });
  if (!part_in(message)) unread_.push_back(std::move(*route));
}

void Guard::withdraw(net::Part part) {
  if (const auto* route = std::get_if<net::KernelObject>(&part)) std::erase(unread_, *route);
  std::string key = net::key_of(part);
  withdrawn_.insert_or_assign(std::move(key), std::move(part));
}

std::vector<net::Part> Guard::withdrawn() const {
  const auto parts = withdrawn_ | std::views::values;
  return {parts.begin(), parts.end()};
}

// What is there now, without what was withdrawn while it was read.
Result<net::Identity> Guard::read_for_repair() {
  keeper_.keep_snapshot();
  Result<net::Identity> there = net::capture(context_.requests(), ports_.holder().interface);
  if (!there) {
    keeper_.mark_stale();
    return there;
  }
  auto before = std::exchange(withdrawn_, {});
  context_.env.drain_notifications();  // the reading may be newer than what was heard, or older
  net::take_away(*there, withdrawn());
  withdrawn_.merge(before);
  return there;
}

Result<net::Identity> Guard::hold_what_will_be_back() {
  Result<net::Identity> there = read_for_repair();
  if (!there || !repair_) return there;
  // IPv4 addresses outlive going down: one that is not there, and was not taken, was withdrawn.
  if (repair_->came_up && !repair_->taken)
    for (const net::Address& address : keeper_.identity().addresses)
      if (address.family == AF_INET) withdraw(address);
  Strangers& strangers = keeper_.strangers();
  strangers.forget_absent(*there);
  net::Identity held = keeper_.identity();
  std::ranges::copy(unread_, std::back_inserter(held.routes));
  net::Identity whole = net::made_whole(held, strangers.without(*there), withdrawn());
  if (repair_->came_up) whole.neighbours = keeper_.identity().neighbours;
  keeper_.hold(std::move(whole));
  note_reading();
  return there;
}

void Guard::restore() {
  if (!repair_) return;
  const Port& holder = ports_.holder();
  const auto is_down = [&] { return !holder.admin_up || !holder.present(); };
  // When it comes up, it has all of it back.
  constexpr Nanoseconds kLookAgain = std::chrono::seconds(1);
  repair_->at = monotonic_now() + kLookAgain;
  if (is_down()) return;
  const Result<net::Identity> there = hold_what_will_be_back();
  if (is_down()) return;
  if (!there) {
    log::warning("{}: what is on {} can not be read, so what was taken is put back later: {}",
                 context_.config.name, holder.interface.name, there.error().message);
    return;
  }
  repair_.reset();
  put_on_again(*there);
}

void Guard::put_on_again(const net::Identity& there) {
  net::NetlinkSocket& requests = context_.requests();
  failover::Plan plan;
  plan.expected = keeper_.identity();
  plan.to = plan.expected.on;
  const net::Configured& strangers = keeper_.strangers().all();
  std::vector<net::NetlinkMessage> in_the_way;
  for (const net::Address& address : there.addresses)
    if (address.family == AF_INET && !keeps_order(there, plan.expected, address.vlan))
      in_the_way.push_back(net::remove_address(address, net::holder_of(there, address).index));
  if (Status sent = requests.send(in_the_way); !sent)
    log::warning("{}: {}", context_.config.name, sent.error().message);
  std::vector<failover::Step> steps = failover::second_attempt(plan, plan.expected);
  if (!in_the_way.empty()) steps.push_back(failover::put_on_strangers(plan.to, strangers));
  for (failover::Step& step : steps)
    if (Status sent = requests.send(step.messages); !sent)
      log::warning("{}: {}", context_.config.name, sent.error().message);
  const auto answers = requests.collect();
  keeper_.mark_stale();
  tell_what_is_not_back(plan.expected, answers ? reasons_in(*answers)
                                               : fmt::format(" ({})", answers.error().message));
}

// From here on the snapshot follows what is there, so a loss would be one for good.
void Guard::tell_what_is_not_back(const net::Identity& expected, const std::string& reasons) {
  context_.env.drain_notifications();
  if (repair_) return;  // somebody took more meanwhile
  const Result<net::Identity> there = net::capture(context_.requests(), expected.on);
  if (!there) return;
  const std::vector<std::string> missing = net::missing_from(*there, expected, true);
  if (missing.empty()) return;
  context_.notices.alarm(
      AlarmKind::RepairRefused, ports_.name(context_.state.active),
      fmt::format("this could not be put back on {}, and hanet lets it go; add it again if the "
                  "host needs it: {}{}",
                  expected.on.name, listed(missing), reasons));
}

}  // namespace hanet::group
