// SPDX-License-Identifier: Apache-2.0
//
// The snapshot that outlives hanetd, and when it may be used; see group_runner.h.
//
// Nothing is configured from a guess (spec F3), and a file is a guess unless two things are sure:
// that the identity was lost against everybody's will, and that nobody has decided otherwise since.
// So it is used only
//
// - when the interface that carried the identity does not exist any more and no other port of the
//   group has an address, or
// - when hanetd died in the middle of a switchover and no port has the whole identity;
//
// and only in the boot and network namespace that it is of, and after an orderly end of hanetd only
// for the minute that a restart may take. An interface that is there without its addresses was
// emptied by somebody, and stays empty.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "failover/execute.h"
#include "group/group_runner.h"

namespace hanet::group {
namespace {

constexpr Nanoseconds kRestartTime = std::chrono::minutes(1);
// A full routing table belongs to its routing daemon, which will set it up again.
constexpr std::size_t kMaxRoutes = 10'000;

/// `found` is empty where the port is missing.
bool is_whole_on(const net::Identity& found, const net::Identity& lost, bool with_mac) {
  const net::Identity part = net::part_for(lost, net::place_of(found));
  if (found.on.index == 0 || part.addresses.size() != lost.addresses.size()) return false;
  return net::missing_from(found, net::retarget(lost, net::place_of(found)), !with_mac).empty();
}

}  // namespace

void GroupRunner::load_snapshot() {
  Result<std::optional<snapshot::KeptSnapshot>> kept = store_.load();
  if (!kept || !*kept) return;  // kept_ports() has told why
  kept_ = std::move(*kept);
  const MonotonicTime now = monotonic_now();
  snapshot::Snapshot& snapshot = kept_->snapshot;
  snapshot.identity = snapshot::aged(std::move(snapshot.identity), now - snapshot.taken_at);
  if (kept_->ended && now - *kept_->ended > kRestartTime) kept_.reset();
}

bool GroupRunner::may_be_missing(const std::string& interface) const {
  return kept_ && std::ranges::count(kept_->snapshot.ports, interface) != 0;
}

RunningPort GroupRunner::missing_port(const std::string& interface) {
  RunningPort port;
  port.interface.name = port.expected_name = interface;
  port.probe_mac = net::random_local_mac();
  port.present = port.admin_up = port.rtnetlink_carrier = false;
  return port;
}

// Where an identity that was lost has to come up; empty: none was, or nobody knows for sure.
std::optional<std::size_t> GroupRunner::place_of_lost_identity(
    const std::vector<net::Identity>& found) const {
  if (!kept_ || !has_own_address(kept_->snapshot.identity)) return std::nullopt;
  const net::Identity& lost = kept_->snapshot.identity;
  bool vanished = true, all_bare = true, whole = false;
  for (std::size_t at = 0; at < found.size(); ++at) {
    if (!ports_[at].present) continue;
    vanished &= found[at].on.index != lost.on.index;
    all_bare &= check_standby(without_dummy(found[at])).has_value();
    whole |= is_whole_on(found[at], lost, config_.move_mac);
  }
  const bool in_the_middle = kept_->moving_to.has_value();
  if (whole || (!in_the_middle && !all_bare)) return std::nullopt;
  if (!in_the_middle && !vanished) {
    log::notice("{}: {} has lost its addresses while hanetd did not run; it is taken as it is",
                config_.name, lost.on.name);
    return std::nullopt;
  }
  if (in_the_middle && *kept_->moving_to < ports_.size() && ports_[*kept_->moving_to].present)
    return kept_->moving_to;
  const auto same_name = std::ranges::find_if(ports_, [&](const RunningPort& port) {
    return port.present && port.interface.name == lost.on.name;
  });
  const auto place = same_name != ports_.end()
                         ? same_name
                         : std::ranges::find(ports_, true, &RunningPort::present);
  return place == ports_.end() ? std::nullopt
                               : std::optional(static_cast<std::size_t>(place - ports_.begin()));
}

bool GroupRunner::bears_kept_identity(const net::Identity& found) const {
  return kept_ && has_own_address(kept_->snapshot.identity) &&
         is_whole_on(found, kept_->snapshot.identity, config_.move_mac);
}

// An interface that was set down while hanetd did not run has lost its IPv6 addresses and routes to
// the kernel, not to a person. IPv4 addresses outlive that: one that is not there was removed.
net::Identity GroupRunner::before_it_went_down(const net::Identity& found) const {
  const auto port = std::ranges::find_if(
      ports_, [&](const RunningPort& one) { return one.interface.index == found.on.index; });
  if (!kept_ || port == ports_.end() || port->admin_up ||
      kept_->snapshot.identity.on.index != found.on.index)
    return found;
  // A VLAN may have been made anew.
  net::Identity whole = net::retarget(kept_->snapshot.identity, net::place_of(found));
  std::erase_if(whole.addresses, [&](const net::Address& address) {
    return address.family == AF_INET &&
           std::ranges::count(found.addresses, address.local, &net::Address::local) == 0;
  });
  net::call(whole, found.mac);
  return whole;
}

// Before anything else is changed: what is left of the identity elsewhere is taken off there.
Status GroupRunner::recover_identity() {
  if (!recovering_) return {};
  const net::Identity lost = keeper_.identity();
  RunningPort& to = lead(state_.active);
  const auto from = std::ranges::find_if(ports_, [&](const RunningPort& port) {
    return port.present && &port != &to && port.interface.index == lost.on.index;
  });
  const bool from_gone = from == ports_.end();
  if (!from_gone && from->spare_mac == lost.mac) from->spare_mac = net::random_local_mac();
  Result<net::LinkInfo> link = net::read_link(around_.requests, to.interface.index);
  if (!link) return pass_on(link);
  failover::Plan plan =
      failover::make_plan(lost, to.place(), link->mac,
                          {.cold = rules_.cold || !link->admin_up,
                           .move_mac = config_.move_mac,
                           .from_gone = from_gone,
                           .spare_mac = from_gone ? net::MacAddress{} : from->spare_mac,
                           .dummy = dummy_ ? std::optional(dummy_->address) : std::nullopt});
  const auto nowhere = [&] { return failover::no_way_back(plan); };
  failover::Execution done =
      failover::execute(around_.requests, plan, nowhere, [](const failover::Plan&) {});
  if (done.outcome == failover::Outcome::RolledBack)
    return failure(fmt::format("group {}: the identity of {} is lost and {} does not take it: {}",
                               config_.name, lost.on.name, to.interface.name,
                               fmt::join(done.problems, "; ")));
  restore_settings(around_.requests, to.place(), kept_->snapshot.settings);
  keeper_.hold(plan.expected);
  keeper_.mark_stale();
  to.admin_up = true;
  afterwards_ = std::move(done.afterwards);
  announcements_ = plan.announcements;
  announcements_left_ = config_.announce_count;
  publish("recovered", state_.active,
          fmt::format("the identity was lost with {}{} while hanetd did not run; {} has it now, as "
                      "it was last seen{}{}",
                      lost.on.name, kept_->moving_to ? " in the middle of a switchover" : "",
                      to.interface.name, done.problems.empty() ? "" : "; ",
                      fmt::join(done.problems, "; ")));
  return {};
}

void GroupRunner::save_snapshot(MonotonicTime now) {
  const RunningPort& active = lead(state_.active);
  const net::Identity& identity = keeper_.identity();
  if (state_.running || restoration_ || keeper_.stale() || !active.present || now < save_at_ ||
      saved_ == identity)
    return;
  saved_ = identity;
  std::vector<std::string> ports;
  for (const config::PathConfig& path : config_.paths)
    for (const config::PortConfig& port : path.ports) ports.push_back(port.interface);
  net::PlaceSettings settings;
  if (Result<StandbyBefore> now_set = remember_standby(around_.requests, active.interface))
    settings = std::move(now_set->settings);
  const Status saved = identity.routes.size() > kMaxRoutes
                           ? failure("it has too many routes")
                           : store_.save(identity, ports, settings, now);
  save_at_ = monotonic_now();
  save_at_ += std::max(kBurst, kRest * (save_at_ - now));
  if (!saved && !std::exchange(save_trouble_told_, true))
    log::warning("{}: no snapshot of the identity survives hanetd: {}", config_.name,
                 saved.error().message);
}

}  // namespace hanet::group
