// SPDX-License-Identifier: Apache-2.0
//
// What is different in a group whose identity is on a metanetwork device (spec A3); see
// path_group.h.
//
// Nothing moves at a switchover, so nothing has to be known of what an interface is, put back, or
// kept for a restart. With `take_over` the identity moves twice all the same: onto the device when
// hanetd starts and finds it on a port, and back to the active port when it ends.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "core/log.h"
#include "failover/device.h"
#include "group/path_group.h"
#include "group/targets.h"
#include "net/capture.h"
#include "net/pair.h"

namespace hanet::group {
namespace {

// A manager gives several addresses, one after the other; and two that insist do not fight.
constexpr Nanoseconds kMoveInAgain = std::chrono::seconds(1);

}  // namespace

// Whose addresses are nobody's but its own: what a router's advertisements brought is there again
// when the device hears them.
Result<const Port*> PathGroup::find_owner(const FoundPorts& found) const {
  const Port* owner = nullptr;
  for (const Port& port : parts_.ports.all()) {
    const net::Identity& there = found.identities[parts_.ports.number_of(port)];
    if (!port.present() || std::ranges::all_of(there.addresses, net::made_by_kernel)) continue;
    const std::string& name = port.interface.name;
    if (!config_.take_over)
      return failure(
          fmt::format("group {0}: {1} has addresses of its own: give them to {0} instead, or take "
                      "them over with "
                      "take_over = true",
                      config_.name, name));
    if (owner != nullptr)
      return failure(
          fmt::format("group {}: {} and {} both have addresses, and one identity is taken over; "
                      "remove those of "
                      "one of them",
                      config_.name, owner->interface.name, name));
    if (!there.vlans.empty())
      return failure(fmt::format(
          "group {0}: {1} has VLANs, which can not be taken over; make them on {0} instead",
          config_.name, name));
    owner = &port;
  }
  return owner;
}

Status PathGroup::look_device() {
  Result<FoundPorts> found = parts_.ports.find({});
  if (!found) return pass_on(found);
  if (Status free = parts_.device.look(); !free) return free;
  Result<const Port*> owner = find_owner(*found);
  if (!owner) return pass_on(owner);
  enters_from_ = *owner;
  net::Identity identity;
  if (parts_.device.is_there()) {
    Result<net::Identity> there = net::capture(environment_.requests, parts_.device.interface());
    if (!there) return pass_on(there);
    identity = std::move(*there);
  } else {
    const std::size_t at = enters_from_ == nullptr ? 0 : parts_.ports.number_of(*enters_from_);
    identity.mac = found->identities[at].mac;
    if (enters_from_ != nullptr) identity = found->identities[at];
  }
  parts_.keeper.hold(std::move(identity));
  if (Status asked = check_targets(environment_.requests, config_, parts_.keeper.identity(),
                                   found->identities);
      !asked)
    return asked;
  parts_.ports.choose_macs(0, parts_.keeper.identity().mac);
  std::vector<std::size_t> counts;
  for (const config::PathConfig& path : config_.paths) counts.push_back(path.ports.size());
  const Port* used = parts_.device.left_path();
  if (used == nullptr) used = enters_from_ == nullptr ? &parts_.ports.all().front() : enters_from_;
  state_ =
      policy::initial_state(counts, used->path, rules_, used->slot, config_.live.threshold_percent);
  return {};
}

Status PathGroup::attach_device() {
  const Port& path = parts_.ports.holder();
  if (Status attached = parts_.device.attach(path); !attached) return attached;
  parts_.announcements.speak_by(parts_.device.socket());
  if (enters_from_ == nullptr) {
    environment_.engine.carry_by_device(context_.index);
    parts_.keeper.mark_stale();
    return {};
  }
  return move_in(*enters_from_);
}

// While the addresses move, what comes in is the device's already: a millisecond of it is lost,
// once.
Status PathGroup::move_in(const Port& from) {
  environment_.engine.carry_by_device(context_.index);
  Result<failover::Execution> done = take_in(from);
  if (!done) {
    environment_.engine.release_from_device(context_.index);
    return pass_on(done);
  }
  has_moved_in_ = true;
  notices_.add("taken-over", from.interface.name,
               fmt::format("the identity of {} is on {} now{}{}", from.interface.name, config_.name,
                           done->problems.empty() ? "" : "; ", fmt::join(done->problems, "; ")));
  for (const std::string& refused : parts_.standbys.follow(from.place(), parts_.device.interface()))
    log::warning("{}: {}", config_.name, refused);
  return parts_.standbys.prepare(from);
}

// All that is on a port comes to the device, or none of it.
Result<failover::Execution> PathGroup::take_in(const Port& from) {
  Result<net::Identity> there = net::capture(environment_.requests, from.interface);
  if (!there) return pass_on(there);
  net::allow_ipv6(parts_.device.interface().name);
  failover::Plan plan = failover::plan_with_own_mac(
      *there, parts_.device.interface(), parts_.device.mac(), parts_.keeper.known_neighbours());
  const auto back = [&] {
    return failover::plan_with_own_mac(plan.expected, from.place(), there->mac);
  };
  const auto announce = [&](const failover::Plan& moved) {
    for (const net::Frame& frame : moved.announcements) [[maybe_unused]]
      const int refused = parts_.ports.holder().socket.send(frame);
  };
  failover::Execution done = failover::execute(environment_.requests, plan, back, announce);
  if (done.outcome == failover::Outcome::RolledBack)
    return failure(fmt::format("group {}: {} takes nothing of what is on {}: {}", config_.name,
                               config_.name, from.interface.name, fmt::join(done.problems, "; ")));
  parts_.keeper.hold(plan.expected);
  parts_.keeper.mark_stale();
  parts_.afterwards.keep(std::move(done.afterwards), monotonic_now() + kAfterwardsDelay);
  parts_.announcements.send_all(plan.announcements, monotonic_now());
  return done;
}

// A network manager that is started anew configures what its files say: the port.
void PathGroup::hear_of_port(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWADDR) return;
  const auto* address = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
  const bool is_of_port = std::ranges::any_of(parts_.ports.all(), [&](const Port& port) {
    return port.present() && port.interface.index == address->ifa_index;
  });
  if (is_of_port && address->ifa_scope != RT_SCOPE_LINK && !move_in_at_)
    move_in_at_ = monotonic_now() + kMoveInAgain;
}

void PathGroup::move_in_again(MonotonicTime now) {
  if (!move_in_at_ || now < *move_in_at_ || state_.running) return;
  move_in_at_.reset();
  for (const Port& port : parts_.ports.all()) {
    if (!port.present()) continue;
    Result<net::Identity> there = net::capture(environment_.requests, port.interface);
    if (!there || !has_own_address(*there)) continue;
    const std::string text = net::describe(there->addresses.front());
    if (!config_.take_over) {
      log::warning(
          "{}: somebody gave {} to {}, which carries what {} sends and has no address: remove it",
          config_.name, text, port.interface.name, config_.name);
      continue;
    }
    const Result<failover::Execution> done = take_in(port);
    if (!done) {
      log::warning("{}", done.error().message);
      continue;
    }
    recapture_device();
    notices_.add("taken-over", port.interface.name,
                 fmt::format("somebody gave {} to {}: it is on {} now{}{}", text,
                             port.interface.name, config_.name, done->problems.empty() ? "" : "; ",
                             fmt::join(done->problems, "; ")));
  }
}

void PathGroup::look_after_device(MonotonicTime now) {
  parts_.device.tick(now);
  move_in_again(now);
}

void PathGroup::stop_device() {
  has_moved_in_ = config_.take_over && parts_.device.is_there();
  parts_.afterwards.finish();
  put_back();
  notices_.flush();
}

// To the port that is used now: the network knows it there. Null: it stays on the device.
const Port* PathGroup::move_out() {
  const std::uint32_t used = engine::load(environment_.engine.device(context_.index).port);
  const Port* to = nullptr;
  for (const Port& port : parts_.ports.all())
    if (port.present() && (to == nullptr || port.index == used)) to = &port;
  if (to == nullptr) return nullptr;
  environment_.engine.release_from_device(context_.index);
  parts_.device.close_filters();
  Result<failover::Execution> done = failover::take_off_device(
      environment_.requests, parts_.device.interface(), to->interface.index,
      [&] { return parts_.standbys.follow(parts_.device.interface(), to->place()); });
  if (!done) {
    log::error("{}: its identity stays on {}: {}", config_.name, config_.name,
               done.error().message);
    return nullptr;
  }
  parts_.afterwards.keep(std::move(done->afterwards), MonotonicTime{});
  parts_.afterwards.finish();
  log::notice("{}: the identity is on {} again{}{}", config_.name, to->interface.name,
              done->problems.empty() ? "" : "; ", fmt::join(done->problems, "; "));
  return to;
}

// A verdict made the device use another path, and the one of before works again, or hanetd had just
// chosen it: the policy's word is the last.
void PathGroup::return_needless_switch(MonotonicTime received) {
  const Port& holder = parts_.ports.holder();
  const auto is_elsewhere = [&] {
    const std::uint32_t used = engine::load(environment_.engine.device(context_.index).port);
    return std::ranges::none_of(parts_.ports.of(state_.active),
                                [&](const Port& port) { return port.index == used; });
  };
  if (state_.running || !is_elsewhere()) return;
  // What is known of the active path may be older than the switch.
  const MonotonicTime switched =
      from_kernel_ns(engine::load(environment_.engine.device(context_.index).switched_ns));
  const Nanoseconds detection =
      engine::detection_time(environment_.engine.deciding_session(holder.index));
  if (monotonic_now() < switched + 2 * detection) return;
  refresh_path(state_.active, received);  // it was lost before the device used another one
  if (state_.running || !parts_.ports.is_holder(holder) || !is_elsewhere() ||
      policy::health_of(state_.paths[state_.active]) != policy::Health::Up)
    return;
  environment_.engine.use_path(context_.index, holder.index);
  parts_.steerer.tell_network();
  const std::string name = parts_.ports.name(state_.active);
  notices_.add("bridging-released", name,
               fmt::format("{} works again before the switch was at its end", name));
}

// On a device it is where it always is, and what it is there is right.
void PathGroup::recapture_device() {
  auto read = parts_.keeper.read(parts_.device.interface(), false);
  if (!read)
    return log::warning("{}: the identity of {} can not be read, the last snapshot stays: {}",
                        config_.name, config_.name, read.error().message);
  parts_.keeper.read_known_neighbours();
  parts_.switcher.prepare();
}

}  // namespace hanet::group
