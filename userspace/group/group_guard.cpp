// SPDX-License-Identifier: Apache-2.0
//
// Other managers: what hanet moved stays moved; see group_runner.h.
//
// A network manager knows the primary by its configuration and nothing of a switchover: it may
// flush what it did not put on the standby, or give the primary its addresses back. The first cuts
// the host off, the second puts one address on two interfaces. Both are told in a notice, with the
// process as far as the kernel names it, and undone. On the primary, where the configuration of
// others is right, a removal is a removal and hanet follows it (spec F3).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "core/log.h"
#include "group/group_runner.h"
#include "net/capture.h"
#include "net/encode.h"

namespace hanet::group {
namespace {

// Two programs that disagree must not fill a disk: so many repairs, then silence for a while.
constexpr int kRepairs = 5;
constexpr Nanoseconds kTruce = std::chrono::seconds(60);
// `ip route flush` and its like look again after each round, and go on while they find something:
// each repair waits so many times longer than the one before, until they have found nothing.
constexpr int kPatience = 3;

// The kernel names nobody for IPv6 addresses (net/ipv6/addrconf.c, inet6_ifa_notify), nor for what
// it does itself: an address whose lifetime is over is removed by right.
bool somebody_did_it(const nlmsghdr& message, const net::Identity& identity) {
  if (message.nlmsg_pid != 0) return true;
  if (message.nlmsg_type != RTM_DELADDR && message.nlmsg_type != RTM_NEWADDR) return false;
  const net::Address* own = net::address_in(message, identity);
  return own != nullptr && own->family == AF_INET6 && own->valid_seconds == UINT32_MAX;
}

/// A netlink port is the process id of the program that opened its first socket, nearly always.
std::string who(std::uint32_t netlink_port) {
  if (netlink_port == 0) return "a program that the kernel does not name";
  std::ifstream file(fmt::format("/proc/{}/comm", netlink_port));
  std::string name;
  if (std::getline(file, name)) return fmt::format("{} (pid {})", name, netlink_port);
  return fmt::format("a program that has ended (pid {})", netlink_port);
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

// What a routing daemon withdraws is its own affair; what a person or a network manager set is not.
bool set_by_configuration(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_DELROUTE) return true;
  switch (static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message))->rtm_protocol) {
    case RTPROT_KERNEL:  // it names nobody when it removes one itself
    case RTPROT_BOOT:
    case RTPROT_STATIC:
    case RTPROT_RA:
    case RTPROT_DHCP:
      return true;
    default:
      return false;
  }
}

}  // namespace

// True: the message is about something that will be put right, so the snapshot must not follow it.
bool GroupRunner::intruded(const nlmsghdr& message) {
  if (!config_.restore || message.nlmsg_pid == around_.requests.port_id()) return false;
  // What a move takes away is no intrusion; while one waits, a repair may wait as well.
  if (state_.running && !restoration_) return false;
  if (message.nlmsg_type == RTM_NEWADDR) return !state_.running && returned_to_standby(message);
  const bool removal = message.nlmsg_type == RTM_DELADDR || message.nlmsg_type == RTM_DELROUTE;
  if (!removal || state_.active == 0) return false;
  const std::optional<net::Part> lost = net::part_in(message, keeper_.identity());
  if (!lost || !set_by_configuration(message) || !somebody_did_it(message, keeper_.identity()))
    return false;
  std::erase(let_go_, *lost);  // it had come back
  if (restoration_) {          // one of many that go together
    restoration_->intruded = true;
    return true;
  }
  const net::Address* own = net::address_in(message, keeper_.identity());
  const net::InterfaceName& on =
      own == nullptr ? keeper_.identity().on : net::bearer_of(keeper_.identity(), *own);
  const Result<net::LinkInfo> link = net::read_link(around_.requests, on.index);
  if (!link || !link->admin_up) return false;  // going down takes addresses along: no intrusion
  if (!may_repair()) return false;
  publish(
      "restored", state_.active,
      fmt::format("{} was removed from {} by {}; hanet puts it back (restore = false lets it go)",
                  net::describe_part(*lost), on.name, who(message.nlmsg_pid)));
  restoration_ =
      Restoration{.at = monotonic_now() + repair_pause_, .intruded = true, .came_up = false};
  repair_pause_ *= kPatience;
  return true;
}

// An address of the identity on a port that waits.
bool GroupRunner::returned_to_standby(const nlmsghdr& message) {
  for (const RunningPort& port : ports_) {
    if (carries(port) || !port.present) continue;
    net::Identity there = keeper_.identity();
    there.on = port.interface;
    there.vlans = port.vlans;
    const net::Address* own = net::address_in(message, there);
    if (own == nullptr || !may_repair()) continue;
    const std::string address = net::describe(*own);
    publish("restored", port.path,
            fmt::format("{} was given to {} by {}; it is on {}, so hanet removes it there", address,
                        net::bearer_of(there, *own).name, who(message.nlmsg_pid),
                        lead(state_.active).interface.name));
    if (Status gone = around_.requests.request(
            net::remove_address(*own, net::bearer_of(there, *own).index), "remove " + address);
        !gone)
      log::warning("{}: {}", config_.name, gone.error().message);
    return true;
  }
  return false;
}

// A reading may be newer than the notifications that were heard. What it lacks is judged by them,
// with the snapshot from before.
bool GroupRunner::taken_meanwhile(net::Identity held) {
  if (!config_.restore || state_.active == 0) return false;
  if (net::missing_from(keeper_.identity(), held, true).empty()) return false;
  net::Identity fresh = keeper_.identity();
  keeper_.hold(std::move(held));
  around_.drain_notifications();
  if (restoration_) {
    keeper_.mark_stale();  // of what was added meanwhile
    return true;
  }
  keeper_.hold(std::move(fresh));
  return false;
}

bool GroupRunner::may_repair() {
  const MonotonicTime now = monotonic_now();
  if (now > repairs_since_ + kTruce) {
    repairs_since_ = now;
    repairs_ = 0;
    repair_pause_ = kBurst;
  }
  if (++repairs_ == kRepairs + 1)
    publish("alarm", state_.active,
            fmt::format("another program changes the identity again and again; hanet lets it have "
                        "its way for {} s",
                        std::chrono::duration_cast<std::chrono::seconds>(kTruce).count()));
  return repairs_ <= kRepairs;
}

// Going down takes IPv6 addresses and all routes along, and coming up brings none of them back
// (net/ipv6/addrconf.c, addrconf_ifdown; net/ipv4/fib_frontend.c, fib_disable_ip).
void GroupRunner::expect_identity_back() {
  if (!config_.restore || state_.running) return;
  if (!restoration_) restoration_.emplace();
  restoration_->came_up = true;
  restoration_->at = monotonic_now() + kBurst;
}

// What is removed or replaced, and is no intrusion. A repair that begins before the next reading
// must not bring it back.
void GroupRunner::note_what_is_let_go(const nlmsghdr& message) {
  const bool may_be_repaired = restoration_ || (config_.restore && state_.active != 0);
  // An interface that goes down takes a part along.
  if (!may_be_repaired || message.nlmsg_pid == around_.requests.port_id() ||
      !lead(state_.active).admin_up)
    return;
  const net::Identity& identity = keeper_.identity();
  std::ranges::copy(net::replaced_by(message, identity), std::back_inserter(let_go_));
  // The kernel itself removes routes only with an interface or an address.
  const bool removed = message.nlmsg_type == RTM_DELADDR ||
                       (message.nlmsg_type == RTM_DELROUTE && message.nlmsg_pid != 0);
  const bool added = message.nlmsg_type == RTM_NEWADDR || message.nlmsg_type == RTM_NEWROUTE;
  if (!removed && !(added && !let_go_.empty())) return;
  const std::optional<net::Part> part = net::part_in(message, identity);
  if (!part) return;
  std::erase(let_go_, *part);
  if (removed) let_go_.push_back(*part);
}

// What is there now, without what was let go while it was read.
Result<net::Identity> GroupRunner::read_for_repair() {
  keeper_.keep_snapshot();
  Result<net::Identity> there = net::capture(around_.requests, lead(state_.active).interface);
  if (!there) {
    keeper_.mark_stale();
    return there;
  }
  std::vector<net::Part> before = std::exchange(let_go_, {});
  around_.drain_notifications();  // the reading may be newer than what was heard, or older
  net::take_away(*there, let_go_);
  let_go_.insert(let_go_.end(), before.begin(), before.end());
  return there;
}

// What others changed meanwhile, and had the right to, stays changed. Returns what is there now.
Result<net::Identity> GroupRunner::hold_what_will_be_back() {
  Result<net::Identity> there = read_for_repair();
  if (!there) return there;
  // IPv4 addresses outlive going down: one that is not there, and was not taken, was let go.
  if (restoration_->came_up && !restoration_->intruded)
    for (const net::Address& address : keeper_.identity().addresses)
      if (address.family == AF_INET) let_go_.emplace_back(address);
  net::Identity whole = net::made_whole(keeper_.identity(), *there, let_go_);
  if (restoration_->came_up) whole.neighbours = keeper_.identity().neighbours;
  keeper_.hold(std::move(whole));
  let_go_.clear();
  return there;
}

void GroupRunner::restore_identity() {
  const RunningPort& active = lead(state_.active);
  const auto is_down = [&] { return !active.admin_up || !active.present; };
  // That is a failure, and the snapshot counts; when it comes up, it has all of it back.
  constexpr Nanoseconds kLookAgain = std::chrono::seconds(1);
  restoration_->at = monotonic_now() + kLookAgain;
  if (is_down()) return;
  const Result<net::Identity> there = hold_what_will_be_back();
  if (is_down()) return;
  if (!there) {
    log::warning("{}: what is on {} can not be read, so what was taken is put back later: {}",
                 config_.name, active.interface.name, there.error().message);
    return;
  }
  restoration_.reset();
  put_on_again(*there);
}

void GroupRunner::put_on_again(const net::Identity& there) {
  failover::Plan plan;
  plan.expected = keeper_.identity();
  plan.to = plan.expected.on;
  std::vector<net::NetlinkMessage> in_the_way;
  for (const net::Address& address : there.addresses)
    if (address.family == AF_INET && !keeps_order(there, plan.expected, address.vlan))
      in_the_way.push_back(net::remove_address(address, net::bearer_of(there, address).index));
  if (Status sent = around_.requests.send(in_the_way); !sent)
    log::warning("{}: {}", config_.name, sent.error().message);
  for (failover::Step& step : failover::second_attempt(plan))
    if (Status sent = around_.requests.send(step.messages); !sent)
      log::warning("{}: {}", config_.name, sent.error().message);
  const auto answers = around_.requests.collect();
  keeper_.mark_stale();
  tell_what_is_not_back(plan.expected, answers ? reasons_in(*answers)
                                               : fmt::format(" ({})", answers.error().message));
}

// From here on the snapshot follows what is there, so a loss would be one for good.
void GroupRunner::tell_what_is_not_back(const net::Identity& expected, const std::string& reasons) {
  around_.drain_notifications();
  if (restoration_) return;  // somebody took more meanwhile
  const Result<net::Identity> there = net::capture(around_.requests, expected.on);
  if (!there) return;
  const std::vector<std::string> missing = net::missing_from(*there, expected, true);
  if (missing.empty()) return;
  publish("alarm", state_.active,
          fmt::format("this could not be put back on {}, and hanet lets it go; add it again if the "
                      "host needs it: {}{}",
                      expected.on.name, fmt::join(missing, ", "), reasons));
}

}  // namespace hanet::group
