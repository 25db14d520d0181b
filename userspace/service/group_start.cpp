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
#include <charconv>

#include "core/log.h"
#include "net/capture.h"
#include "net/encode.h"
#include "service/config_limits.h"
#include "service/group_runner.h"
#include "service/session_setup.h"

namespace hanet::service {
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

Status GroupRunner::look() {
  std::vector<net::Identity> found;
  load_snapshot();
  for (const config::PathConfig& path : config_.paths) {
    Result<net::LinkInfo> link = net::find_link(around_.requests, path.port().interface);
    if (!link && may_be_missing(path.port().interface)) {
      ports_.push_back(missing_port(path.port().interface));
      found.emplace_back();
      continue;
    }
    if (!link) return pass_on(link);
    RunningPort port;
    port.interface = link->interface;
    port.spare_mac = link->mac;
    port.first_mac = link->mac;
    port.admin_up = link->admin_up;
    port.rtnetlink_carrier = link->carrier;
    port.probe_mac = net::random_local_mac();
    ports_.push_back(std::move(port));
    Result<net::Identity> identity = net::capture(around_.requests, link->interface);
    if (!identity) return pass_on(identity);
    found.push_back(std::move(*identity));
  }
  // After a restart the identity may be on the alternate path: it stays where it is.
  const bool on_alternate =
      !has_own_address(without_dummy(found[0])) && has_own_address(without_dummy(found[1]));
  const std::optional<std::size_t> lost_to = place_of_lost_identity(found);
  recovering_ = lost_to.has_value();
  const bool primary_gone = !ports_[0].present && !recovering_;
  const std::size_t active = lost_to.value_or(on_alternate || primary_gone ? 1 : 0);
  if (!recovering_ && without_dummy(found[active]) != found[active])
    return failure(fmt::format(
        "group {}: the dummy address {} is an address of {}; choose another dummy_address",
        config_.name, net::describe(dummy_->address), found[active].on.name));
  if (!recovering_ && !has_own_address(found[active]))
    log::warning("{}: neither {} nor {} has an address yet; what {} gets later is the identity",
                 config_.name, ports_[0].interface.name, ports_[1].interface.name,
                 ports_[0].interface.name);
  for (std::size_t at = 0; at < found.size(); ++at)
    if (at != active && !recovering_)
      if (Status fit = check_standby(without_dummy(found[at])); !fit)
        return failure(fmt::format("group {}: {}", config_.name, fit.error().message));
  if (Status free = check_metaname(); !free) return free;
  if (Status nobodys = check_dummy(); !nobodys) return nobodys;
  keeper_.hold(recovering_ ? kept_->snapshot.identity : std::move(found[active]));
  state_ = policy::initial_state(ports_.size(), active, rules_);
  // Without the identity, its MAC address must not stay behind.
  if (config_.move_mac && ports_[0].spare_mac != ports_[1].spare_mac)
    ports_[active].spare_mac = net::random_local_mac();
  if (dummy_)
    for (RunningPort& port : ports_) port.spare_mac = dummy_->mac;
  return {};
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
  const unsigned bearer = net::index_of_name(config_.name);
  if (bearer == 0 || bearer == ports_[0].interface.index || bearer == ports_[1].interface.index)
    return {};
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
  return {};
}

void GroupRunner::take_metaname() {
  const unsigned active = ports_[state_.active].interface.index;
  const unsigned bearer = net::index_of_name(config_.name);
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
  for (std::size_t at = 0; at < ports_.size(); ++at) {
    if (!ports_[at].present) continue;
    Result<StandbyBefore> before = remember_settings(around_.requests, ports_[at].interface);
    if (!before) return pass_on(before);
    if (at != state_.active) {
      if (Status done = prepare_standby(around_.requests, ports_[at].interface,
                                        config_.standby_mode, *before, dummy_);
          !done)
        return failure(fmt::format("group {}: {}", config_.name, done.error().message));
      ports_[at].admin_up = !rules_.cold;
      ports_[at].waited_at_start = true;
    }
    ports_[at].before = std::move(*before);
  }
  return {};
}

Result<engine::RequestFrames> GroupRunner::attach(std::size_t at) {
  RunningPort& port = ports_[at];
  const SessionPlan plan = plan_session(config_, config_.paths[at].port(), port.probe_mac);
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
            .clamped = 0};
  std::vector<engine::RequestFrames> requests;
  for (std::size_t at = 0; at < ports_.size(); ++at) {
    Result<engine::RequestFrames> attached = attach(at);
    if (!attached) return pass_on(attached);
    requests.push_back(std::move(*attached));
  }
  take_metaname();
  keeper_.read_known_neighbours();
  prepare_plan();
  return requests;
}

Status GroupRunner::begin_monitoring() {
  for (std::size_t at = 0; at < ports_.size(); ++at) {
    if (!state_.paths[at].watched || !ports_[at].present) continue;
    if (Status started = around_.engine.start_session(ports_[at].session); !started) return started;
  }
  return {};
}

void GroupRunner::stop() {
  if (ports_.size() < 2) return;  // it never came to life
  store_.ends(monotonic_now());
  if (waiting_move_) perform_waiting_move();  // the bridge ends with hanetd
  finish_afterwards();
  // A former primary stays down where nobody looks for it, but not with a made-up address.
  if (const RunningPort& idle = ports_[state_.active == 0 ? 1 : 0];
      dummy_ && idle.present && idle.before && !idle.waited_at_start) [[maybe_unused]]
    const Status ignored = around_.requests.request(
        net::remove_address(dummy_->address, idle.interface.index), "remove the dummy address");
  if (const unsigned bearer = net::index_of_name(config_.name); named_ && bearer != 0)
      [[maybe_unused]]
    const Status ignored = around_.requests.request(
        net::remove_alternative_name(bearer, config_.name), "remove the metaname");
  for (std::size_t at = 0; at < ports_.size(); ++at) {
    const RunningPort& port = ports_[at];
    if (!port.before || !port.present) continue;
    if (at != state_.active && port.waited_at_start)
      restore_standby(around_.requests, port.interface, *port.before, dummy_);
    else
      restore_settings(around_.requests, port.interface, *port.before);
  }
}

Status GroupRunner::set(const std::string& key, const std::string& value) {
  struct Parameter {
    std::string_view key;
    config::Range range;
    std::uint32_t hanet_params::* field;
  };
  static constexpr std::array<Parameter, 5> kParameters{{
      {"interval_us", config::kIntervalUs, &hanet_params::interval_us},
      {"multiplier", config::kMultiplier, &hanet_params::multiplier},
      {"up_count", config::kUpCount, &hanet_params::up_count},
      {"link_poll_us", config::kLinkPollUs, &hanet_params::link_poll_us},
      {"enabled", {0, 1}, &hanet_params::enabled},
  }};
  const auto* parameter = std::ranges::find(kParameters, key, &Parameter::key);
  if (parameter == kParameters.end())
    return failure(
        fmt::format("key '{}': no such live parameter; allowed: interval_us, "
                    "multiplier, up_count, link_poll_us, enabled",
                    key));
  std::string_view text = value;
  if (key == "enabled" && text == "true") text = "1";
  if (key == "enabled" && text == "false") text = "0";
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size() || !parameter->range.holds(number))
    return failure(fmt::format(
        "key '{}': found {}, allowed: {}", key, value,
        key == "enabled" ? std::string("true or false")
                         : fmt::format("{} to {}", parameter->range.low, parameter->range.high)));
  hanet_params& params = around_.engine.params(index_);
  hanet_params wanted = params;
  wanted.*parameter->field = static_cast<std::uint32_t>(number);
  const std::chrono::microseconds detection{std::int64_t{wanted.interval_us} * wanted.multiplier};
  if (detection > config::kMaxDetectionTime)
    return failure(
        fmt::format("key '{}': {} us x {} is a detection time above {} s, which watches "
                    "nothing; choose a smaller interval_us or multiplier",
                    key, wanted.interval_us, wanted.multiplier, config::kMaxDetectionTime.count()));
  engine::store(params.*parameter->field, static_cast<std::uint32_t>(number));
  publish("set", state_.active, fmt::format("{} is {} now", key, value));
  refresh(monotonic_now());
  return {};
}

}  // namespace hanet::service
