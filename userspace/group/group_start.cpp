// SPDX-License-Identifier: Apache-2.0
//
// How a group comes to life and ends; see group_runner.h.
//
// The order keeps a refusal harmless: everything that can be wrong is looked at before the first
// change, the standby is prepared before the programs are attached, and nothing is sent before the
// caller says so.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "core/log.h"
#include "group/group_runner.h"
#include "group/session_setup.h"
#include "net/capture.h"
#include "net/encode.h"

namespace hanet::group {
namespace {

Dummy make_dummy(const config::WarmConfig& config, engine::GroupIndex group) {
  const config::IpAddress chosen = config.dummy_address.value_or(config::default_dummy(group));
  const std::size_t bytes = chosen.family == AF_INET ? 4 : 16;
  net::Address address;
  address.family = chosen.family;
  address.prefix_length = static_cast<std::uint8_t>(8 * bytes);
  address.local.assign(chosen.bytes.begin(),
                       chosen.bytes.begin() + static_cast<std::ptrdiff_t>(bytes));
  address.peer = address.local;
  address.preferred_seconds = address.valid_seconds = UINT32_MAX;
  return {.mac = config.dummy_mac.value_or(net::random_local_mac()), .address = std::move(address)};
}

}  // namespace

bool has_own_address(const net::Identity& identity) {
  return std::ranges::any_of(identity.addresses, [](const net::Address& address) {
    return address.scope != RT_SCOPE_LINK;
  });
}

GroupRunner::GroupRunner(const config::GroupConfig& config, engine::GroupIndex index,
                         Surroundings around)
    : config_(config),
      index_(index),
      around_(std::move(around)),
      keeper_(around_.requests),
      store_(around_.run_directory, config.name) {
  rules_.cold = config.standby_is_down();
  if (config.standby_mode == config::StandbyMode::Warm) dummy_ = make_dummy(config.warm, index);
  rules_.cold_retry = config.cold_retry;
  rules_.failback = config.failback.policy;
  rules_.hold_down = config.failback.hold_down;
  rules_.damping_half_life = config.failback.damping_half_life;
}

Result<RunningPort> GroupRunner::find_port(const config::PortConfig& config, std::size_t path,
                                           std::size_t slot) {
  Result<net::LinkInfo> link = net::find_link(around_.requests, config.interface);
  if (!link && may_be_missing(config.interface)) {
    RunningPort missing = missing_port(config.interface);
    missing.path = path;
    missing.slot = slot;
    return missing;
  }
  if (!link) return pass_on(link);
  RunningPort port;
  port.path = path;
  port.slot = slot;
  port.interface = link->interface;
  port.spare_mac = link->mac;
  port.first_mac = link->permanent_mac.value_or(link->mac);
  port.bus_path = link->bus_path;
  port.admin_up = link->admin_up;
  port.rtnetlink_carrier = link->carrier;
  port.probe_mac = net::random_local_mac();
  weigh(port);
  return port;
}

Status GroupRunner::find_ports(std::vector<net::Identity>& found) {
  for (std::size_t path = 0; path < config_.paths.size(); ++path)
    for (std::size_t slot = 0; slot < config_.paths[path].ports.size(); ++slot) {
      Result<RunningPort> port = find_port(config_.paths[path].ports[slot], path, slot);
      if (!port) return pass_on(port);
      ports_.push_back(std::move(*port));
      found.emplace_back();
      if (!ports_.back().present) continue;
      Result<net::Identity> identity = net::capture(around_.requests, ports_.back().interface);
      if (!identity) return pass_on(identity);
      ports_.back().vlans = identity->vlans;
      found.back() = std::move(*identity);
    }
  return {};
}

// After a restart the identity may be on the alternate path, or on another port of a trunk: it
// stays where it is. An address that an idle port was given meanwhile makes it no bearer.
std::optional<std::size_t> GroupRunner::find_bearer(const std::vector<net::Identity>& found) const {
  const auto kept = std::ranges::find_if(
      found, [&](const net::Identity& identity) { return bears_kept_identity(identity); });
  // Else one with more than the kernel makes, or a host that lives by a router's addresses alone.
  auto bearer =
      kept != found.end() ? kept : std::ranges::find_if(found, [&](const net::Identity& identity) {
        return !check_standby(without_dummy(identity));
      });
  if (bearer == found.end())
    bearer = std::ranges::find_if(found, [&](const net::Identity& identity) {
      return has_own_address(without_dummy(identity));
    });
  if (bearer == found.end()) return std::nullopt;
  return static_cast<std::size_t>(bearer - found.begin());
}

Status GroupRunner::look() {
  std::vector<net::Identity> found;
  load_snapshot();
  if (Status done = find_ports(found); !done) return done;
  const std::optional<std::size_t> bearer = find_bearer(found);
  const std::optional<std::size_t> lost_to = place_of_lost_identity(found);
  recovering_ = lost_to.has_value();
  // Without any address, the first port that is there.
  const auto first = std::ranges::find(ports_, true, &RunningPort::present);
  const std::size_t holder = lost_to.value_or(bearer.value_or(
      first != ports_.end() ? static_cast<std::size_t>(first - ports_.begin()) : 0));
  if (!recovering_ && without_dummy(found[holder]) != found[holder])
    return failure(fmt::format(
        "group {}: the dummy address {} is an address of {}; choose another dummy_address",
        config_.name, net::describe(dummy_->address), found[holder].on.name));
  for (std::size_t at = 0; at < found.size(); ++at)
    if (at != holder && !recovering_)
      if (Status fit = check_standby(without_dummy(found[at])); !fit)
        return failure(fmt::format("group {}: {}", config_.name, fit.error().message));
  keeper_.hold(recovering_ ? kept_->snapshot.identity : before_it_went_down(found[holder]));
  choose_macs(holder);
  std::vector<std::size_t> counts;
  for (const config::PathConfig& path : config_.paths) counts.push_back(path.ports.size());
  state_ = policy::initial_state(counts, ports_[holder].path, rules_);
  state_.paths[state_.active].lead = ports_[holder].slot;
  for (policy::PathState& path : state_.paths)
    path.threshold_percent = config_.live.threshold_percent;
  if (!bearer && !recovering_)
    log::warning("{}: neither {} nor {} has an address yet; what {} gets later is the identity",
                 config_.name, path_name(0), path_name(1), ports_[holder].interface.name);
  if (Status free = check_metaname(); !free) return free;
  return check_dummy();
}

// Without the identity, its MAC address must not stay behind. Ports that are given one MAC address
// from the start keep it (spec F2).
void GroupRunner::choose_macs(std::size_t holder) {
  const net::MacAddress identity = keeper_.identity().mac;
  const bool one_for_all = std::ranges::all_of(
      ports_, [&](const RunningPort& port) { return port.spare_mac == identity; });
  for (RunningPort& port : ports_) {
    port.wire_mac = port.spare_mac == identity ? net::random_local_mac() : port.spare_mac;
    const bool is_holder = &port == &ports_[holder];
    if (config_.move_mac && is_holder && !one_for_all) port.spare_mac = port.wire_mac;
  }
}

// A link that tells no speed counts as the slowest one.
void GroupRunner::weigh(RunningPort& port) const {
  port.weight = 1;
  if (config_.trunk.capacity == config::Capacity::Speed)
    port.weight = std::max(net::link_speed(port.interface.name).value_or(1), 1U);
}

void GroupRunner::weigh_anew(RunningPort& port) {
  weigh(port);
  around_.engine.set_weight(port.port, port.weight);
}

// The ports of the active trunk are up, whatever the standby does.
config::StandbyMode GroupRunner::waiting_mode(const RunningPort& port) const {
  return port.path == state_.active ? config::StandbyMode::Hot : config_.standby_mode;
}

// One port of a path is enough to carry the dummy, and two that are up must not share it.
std::optional<Dummy> GroupRunner::dummy_of(const RunningPort& port) const {
  const bool wears = port.path != state_.active && port.slot == state_.paths[port.path].lead;
  return wears ? dummy_ : std::nullopt;
}

// After a kill the standby may wear its dummy already; anywhere else it is a real address.
net::Identity GroupRunner::without_dummy(net::Identity identity) const {
  if (dummy_)
    std::erase_if(identity.addresses, [&](const net::Address& address) {
      return address.local == dummy_->address.local;
    });
  return identity;
}

// After a kill it may still be on one of the group's own interfaces.
Status GroupRunner::check_metaname() const {
  const unsigned bearer = net::index_of_name(around_.requests, config_.name);
  const bool own = std::ranges::any_of(
      ports_, [&](const RunningPort& port) { return port.interface.index == bearer; });
  if (bearer == 0 || own) return {};
  return failure(fmt::format(
      "group {0}: an interface is called {0} already (ip link show {0}); choose another "
      "name for the group, or take this one from the interface",
      config_.name));
}

// Its own ports may wear it, after a kill.
Status GroupRunner::check_dummy() const {
  if (!dummy_) return {};
  Result<std::vector<unsigned>> bearers =
      net::bearers_of(around_.requests, dummy_->address.family, dummy_->address.local);
  if (!bearers) return pass_on(bearers);
  for (const unsigned bearer : *bearers) {
    if (std::ranges::any_of(
            ports_, [&](const RunningPort& port) { return port.interface.index == bearer; }))
      continue;
    const Result<net::LinkInfo> link = net::read_link(around_.requests, bearer);
    return failure(fmt::format(
        "group {}: the dummy address {} is an address of {}; choose another dummy_address",
        config_.name, net::describe(dummy_->address),
        link ? link->interface.name : fmt::format("interface {}", bearer)));
  }
  return check_dummy_mac();
}

void GroupRunner::take_metaname() {
  const unsigned active = lead(state_.active).interface.index;
  const unsigned bearer = net::index_of_name(around_.requests, config_.name);
  named_ = true;
  if (bearer == active) return;
  if (bearer != 0) [[maybe_unused]]
    const Status ignored = around_.requests.request(
        net::remove_alternative_name(bearer, config_.name), "take the metaname");
  if (Status named = around_.requests.request(net::add_alternative_name(active, config_.name),
                                              "name the active interface");
      !named)
    log::warning("{}: {}; 'ip link show {}' will not find it", config_.name, named.error().message,
                 config_.name);
}

Status GroupRunner::prepare_idle_ports() {
  for (RunningPort& port : ports_) {
    if (!port.present) continue;
    Result<StandbyBefore> before = remember_standby(around_.requests, port.place());
    if (!before) return pass_on(before);
    if (!carries(port)) {
      if (Status done = prepare_standby(around_.requests, port.place(), waiting_mode(port), *before,
                                        dummy_of(port));
          !done)
        return failure(fmt::format("group {}: {}", config_.name, done.error().message));
      port.admin_up = waiting_mode(port) == config::StandbyMode::Hot;
      port.waited_at_start = true;
    } else {
      first_settings_ = before->settings;
    }
    port.before = std::move(*before);
  }
  return {};
}

Status GroupRunner::make_trunk(std::size_t path) {
  const std::span<const RunningPort> ports = ports_of(path);
  if (ports.size() < 2) return {};
  engine::TrunkSpec spec{.group = index_,
                         .mode = config_.trunk.mode == config::TrunkMode::Static
                                     ? HANET_TRUNK_STATIC
                                     : HANET_TRUNK_INDEPENDENT,
                         .ports = {}};
  for (const RunningPort& port : ports)
    spec.ports.push_back({.port = port.port, .weight = port.weight, .wire_mac = port.wire_mac});
  return around_.engine.add_trunk(spec);
}

// The identity's frames, and answers to what the port sent, arrive at any port of a trunk.
Status GroupRunner::listen_as_trunk(const RunningPort& port, net::PacketSocket& socket) const {
  if (config_.paths[port.path].ports.size() < 2) return {};
  if (Status heard = socket.listen_to_all_multicast(); !heard) return heard;
  return socket.listen_to(port.wire_mac);
}

// A fresh look. What can not be read now is doubted further.
void GroupRunner::learn_carrier(RunningPort& port) {
  const std::uint64_t last_edge = engine::load(around_.engine.port(port.port).carrier_changed_ns);
  const Result<net::LinkInfo> link = net::read_link(around_.requests, port.interface.index);
  port.carrier_doubted = !link;
  if (link) around_.engine.learn_carrier(port.port, link->carrier_on, last_edge);
}

Result<engine::RequestFrames> GroupRunner::attach(std::size_t at) {
  RunningPort& port = ports_[at];
  const SessionPlan plan =
      plan_session(config_, config_.paths[port.path].ports[port.slot], port.probe_mac);
  engine::PortSpec spec{.name = port.interface.name,
                        .ifindex = port.interface.index,
                        .group = index_,
                        .probe_mac = port.probe_mac,
                        .probe_ipv4 = 0,
                        .probe_ipv6 = {}};
  if (plan.family == AF_INET)
    std::copy_n(plan.source.begin(), 4, reinterpret_cast<std::uint8_t*>(&spec.probe_ipv4));
  else
    spec.probe_ipv6 = plan.source;
  Result<engine::PortIndex> added = around_.engine.add_port(spec);
  if (!added) return pass_on(added);
  port.port = *added;
  if (port.present) learn_carrier(port);
  expect_negotiation(port);
  Result<engine::SessionIndex> session = around_.engine.add_session({.port = *added,
                                                                     .group = index_,
                                                                     .family = plan.family,
                                                                     .kind = plan.kind,
                                                                     .target = plan.target,
                                                                     .source = plan.source,
                                                                     .peer_mac = plan.peer_mac});
  if (!session) return pass_on(session);
  port.session = *session;
  if (port.present) {
    Result<net::PacketSocket> announcer = net::PacketSocket::open(port.interface.index);
    if (!announcer) return pass_on(announcer);
    if (Status heard = listen_as_trunk(port, *announcer); !heard) return pass_on(heard);
    port.announcer = std::move(*announcer);
  }
  return prepare_requests(plan, *session, around_.engine.session(*session), port.interface.index,
                          port.probe_mac);
}

Result<std::vector<engine::RequestFrames>> GroupRunner::start() {
  if (Status recovered = recover_identity(); !recovered) return pass_on(recovered);
  if (Status prepared = prepare_idle_ports(); !prepared) return pass_on(prepared);
  hanet_params& params = around_.engine.params(index_);
  params = {.interval_us = static_cast<std::uint32_t>(config_.live.interval.count()),
            .multiplier = config_.live.multiplier,
            .up_count = config_.live.up_count,
            .link_poll_us = static_cast<std::uint32_t>(config_.live.link_poll.count()),
            .enabled = config_.live.enabled ? 1U : 0U,
            .clamped = 0,
            .threshold_percent = config_.live.threshold_percent,
            .pad = 0};
  std::vector<engine::RequestFrames> requests;
  for (std::size_t at = 0; at < ports_.size(); ++at) {
    Result<engine::RequestFrames> attached = attach(at);
    if (!attached) return pass_on(attached);
    requests.push_back(std::move(*attached));
  }
  for (std::size_t path = 0; path < config_.paths.size(); ++path)
    if (Status made = make_trunk(path); !made) return pass_on(made);
  around_.engine.carry(lead(state_.active).port, keeper_.identity().mac);
  around_.engine.release(lead(other_path()).port);
  take_metaname();
  keeper_.read_known_neighbours();
  prepare_plan();
  return requests;
}

// Attaching costs time on the path and on the CPU: the first answers may take longer than the
// detection time, and the other path may be the first to be proved.
Status GroupRunner::begin_monitoring() {
  for (RunningPort& port : ports_) {
    if (!state_.paths[port.path].watched || !port.present) continue;
    if (Status started = around_.engine.start_session(port.session); !started) return started;
    port.first_answers_until = monotonic_now() + kFirstAnswers;
  }
  return {};
}

// Without hanetd the lead carries everything alone.
void GroupRunner::leave_a_lead_that_works() {
  const policy::PathState& active = state_.paths[state_.active];
  if (policy::down_reason(active, active.lead) == policy::DownReason::None) return;
  for (std::size_t slot = 0; slot < active.ports.size(); ++slot)
    if (policy::is_proved(active, slot))
      return apply(policy::ManualSwitch{.to = state_.active, .port = slot}, monotonic_now());
}

void GroupRunner::stop() {
  if (state_.paths.empty()) return;  // it never came to life
  store_.ends(monotonic_now());
  if (waiting_move_) perform_waiting_move();  // the bridge ends with hanetd
  if (restoration_) restore_identity();
  leave_a_lead_that_works();
  finish_afterwards();
  // A former primary stays down where nobody looks for it, but not with a made-up address.
  if (const RunningPort& idle = lead(other_path());
      dummy_ && idle.present && idle.before && !idle.waited_at_start) [[maybe_unused]]
    const Status ignored = around_.requests.request(
        net::remove_address(dummy_->address, idle.interface.index), "remove the dummy address");
  if (const unsigned bearer = net::index_of_name(around_.requests, config_.name);
      named_ && bearer != 0) [[maybe_unused]]
    const Status ignored = around_.requests.request(
        net::remove_alternative_name(bearer, config_.name), "remove the metaname");
  for (const RunningPort& port : ports_) {
    if (!port.before || !port.present) continue;
    if (carries(port))
      restore_settings(around_.requests, port.place(), port.before->settings);
    else if (port.waited_at_start)
      restore_standby(around_.requests, port.place(), left_alone(port), dummy_of(port));
    // A former primary goes on as a standby: with an address from a router advertisement it would
    // look like the bearer of the identity to the next hanetd.
  }
  flush_notices();
}

}  // namespace hanet::group
