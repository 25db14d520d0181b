// SPDX-License-Identifier: Apache-2.0
//
// See status.h.
#include "report/status.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>

#include "config/key_file.h"
#include "config/parameters.h"
#include "group/live_parameters.h"
#include "report/maps.h"
#include "report/units.h"

namespace hanet::report {
namespace {

std::string wall_text(std::chrono::system_clock::time_point at) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()) %
                  std::chrono::seconds(1);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}",
                     fmt::localtime(std::chrono::system_clock::to_time_t(at)), us.count());
}

Json names_of(const std::vector<hanet_key>& keys) {
  Json names = Json::array();
  for (const hanet_key& key : keys) names.push_back(config::key_name(key));
  return names;
}

Json addresses_json(const net::Identity& identity, std::uint32_t tag) {
  Json addresses = Json::array();
  for (const net::Address& address : identity.addresses)
    if (address.vlan == tag) addresses.push_back(net::describe(address));
  return addresses;
}

Json identity_json(const net::Identity& identity) {
  Json vlans = Json::array();
  for (const net::Vlan& vlan : identity.vlans)
    vlans.push_back({{"interface", vlan.on.name},
                     {"protocol", fmt::format("{:04x}", vlan.tag >> 16)},
                     {"id", net::id_of(vlan)},
                     {"addresses", addresses_json(identity, vlan.tag)}});
  return {{"mac", net::to_text(identity.mac)},
          {"addresses", addresses_json(identity, 0)},
          {"vlans", std::move(vlans)},
          {"nexthops", identity.nexthops.size()},
          {"routes", identity.routes.size()},
          {"rules", identity.rules.size()},
          {"neighbours", identity.neighbours.size()}};
}

Json left_behind_json(const group::View& group) {
  Json shown = Json::array();
  for (const group::Upper* upper : left_behind(group))
    shown.push_back({{"port", upper->below.name},
                     {"name", upper->name},
                     {"kind", upper->kind},
                     {"is_master", upper->is_master}});
  return shown;
}

Json failback_json(const group::View& group, MonotonicTime now) {
  const std::optional<MonotonicTime> at = policy::failback_at(group.state, group.rules);
  return {{"policy", policy::to_text(group.rules.failback)},
          {"held", group.state.failback_held},
          {"in_s",
           at ? Json(std::max(0.0, std::chrono::duration<double>(*at - now).count())) : Json()}};
}

Json findings_json(const group::View& group) {
  Json findings = Json::array();
  for (const group::Finding& finding : group.findings)
    findings.push_back(
        {{"port", finding.port}, {"text", finding.text}, {"is_loss", finding.is_loss}});
  return findings;
}

// Programs of others that see the port's frames first.
Json in_front_json(const engine::PortAttachment& attachment) {
  Json in_front = Json::object();
  for (const engine::Direction direction : {engine::Direction::Ingress, engine::Direction::Egress})
    in_front[std::string(engine::to_text(direction))] = attachment.tc(direction).chain().before;
  return in_front;
}

Json sent_session_json(const engine::Engine& engine, const engine::Sender* sender,
                       engine::SessionIndex index, MonotonicTime now) {
  Json session = session_json(engine.session(index), now);
  if (sender == nullptr) return session;
  const engine::Sender::Account& account = sender->account(index);
  session["searches"] = account.searches.load();
  session["send_errors"] = account.send_errors.load();
  session["sender_late_max_us"] = microseconds(account.latest_ns.load());
  if (account.is_blind()) session["state"] = "blind";
  return session;
}

Json watched_port_json(const group::View& group, const group::Port& port,
                       const engine::Engine& engine, const engine::Sender* sender,
                       MonotonicTime now) {
  Json link = port_json(engine.port(port.index));
  link["link_source"] = engine.capabilities().link_source;
  link["xdp"] = engine.attachment(port.index).xdp_mode();
  link["tc"] = engine.attachment(port.index).tc(engine::Direction::Egress).mode();
  if (group.config.signs()) link["asked_by"] = askers_json(engine, port.index, now);
  link["tc_in_front"] = in_front_json(engine.attachment(port.index));
  const policy::PathState& path = group.state.paths[port.path];
  const bool idle = !path.watched;
  const policy::DownReason reason = policy::down_reason(path, port.slot);
  const bool up = path.ports[port.slot].session == policy::SessionState::Up;
  Json json{{"name", port.interface.name},
            {"lead", &port == &group.ports.lead(port.path)},
            {"health", idle                                 ? "idle"
                       : reason != policy::DownReason::None ? "down"
                       : up                                 ? "up"
                                                            : "unknown"},
            {"reason", policy::to_text(reason)},
            {"weight", port.weight},
            {"peer", policy::to_text(path.ports[port.slot].peer)},
            {"port", std::move(link)}};
  Json sessions = Json::array();
  for (const engine::SessionIndex index : engine.sessions_of(port.index))
    sessions.push_back(sent_session_json(engine, sender, index, now));
  put_sessions(json, engine.port(port.index), std::move(sessions), engine.verdict(port.index));
  return json;
}

Json trunk_json(const group::View& group, std::size_t at, const engine::Engine& engine) {
  const group::Port& lead = group.ports.lead(at);
  const hanet_trunk* trunk = engine.trunk_of(lead.index);
  if (trunk == nullptr) return nullptr;
  const policy::PathState& path = group.state.paths[at];
  const policy::Capacity capacity = policy::capacity_of(path);
  const std::uint32_t speaker = engine::load(trunk->speaker);
  const bool independent = trunk->mode == HANET_TRUNK_INDEPENDENT;
  return {{"mode", config::to_text(group.config.trunk.mode)},
          {"lead", lead.interface.name},
          {"speaker", independent ? Json(group.ports.of(at)[speaker].interface.name) : Json()},
          {"threshold_percent", path.threshold_percent},
          {"capacity", capacity.total},
          {"working", capacity.working},
          {"lost", capacity.lost},
          {"spread_out", trunk->spread_out},
          {"gathered_in", trunk->gathered_in},
          {"second_copies", trunk->second_copies},
          {"speaker_changes", trunk->speaker_changes}};
}

// Of a group whose identity never moves; else null.
Json device_json(const group::View& group, const engine::Engine& engine) {
  if (!group.config.has_device()) return {};
  const hanet_device& device = engine.device(group.index);
  const std::uint32_t used = engine::load(device.port);
  const auto port = std::ranges::find(group.ports.all(), used, &group::Port::index);
  return {{"name", group.config.name},
          {"kind", "veth"},
          {"uses", port == group.ports.all().end() ? Json() : Json(port->interface.name)},
          {"switches", engine::load(device.switches)},
          {"refused", engine::load(device.refused)},
          {"unsent", engine::load(device.unsent)}};
}

// A path of one port has that port's session and link; a trunk has them in its ports.
Json path_json(const group::View& group, std::size_t at, const engine::Engine& engine,
               const engine::Sender* sender, MonotonicTime now) {
  const policy::PathState& path = group.state.paths[at];
  const std::span<const group::Port> ports = group.ports.of(at);
  Json watched = Json::array();
  for (const group::Port& port : ports)
    watched.push_back(watched_port_json(group, port, engine, sender, now));
  Json json{{"name", group.ports.name(at)},
            {"role", at == group.state.active ? "active" : "standby"},
            {"mode", config::to_text(group.config.standby_mode)},
            {"health", !path.watched ? "idle" : policy::to_text(policy::health_of(path))},
            {"reason", policy::to_text(policy::down_reason(path))},
            {"penalty", path.damping.penalty(now, group.rules.damping_half_life)},
            {"suppressed", path.damping.suppressed(now, group.rules.damping_half_life)}};
  if (ports.size() == 1) {
    json["peer"] = std::move(watched[0]["peer"]);
    for (const char* key : {"session", "sessions", "quorum"})
      if (watched[0].contains(key)) json[key] = std::move(watched[0][key]);
    json["port"] = std::move(watched[0]["port"]);
  } else {
    json["trunk"] = trunk_json(group, at, engine);
    json["ports"] = std::move(watched);
  }
  return json;
}

}  // namespace

std::vector<const group::Upper*> left_behind(const group::View& group) {
  std::vector<const group::Upper*> left;
  for (const group::Upper& upper : group.uppers)
    if (std::ranges::any_of(group.ports.all(), [&](const group::Port& each) {
          return each.present() && each.place().has(upper.below.index);
        }))
      left.push_back(&upper);
  return left;
}

Json kernel_json(const engine::Capabilities& kernel) {
  utsname name{};
  ::uname(&name);
  return {{"release", name.release},
          {"link_sources", kernel.link_sources},
          {"tc", kernel.tc_modes},
          {"timers", kernel.timers}};
}

Json askers_json(const engine::Engine& engine, engine::PortIndex port, MonotonicTime now) {
  Json askers = Json::array();
  for (const engine::Engine::Asker& one : engine.askers(port))
    askers.push_back(asker_json(one.peer, now));
  return askers;
}

Json group_json(const group::View& group, const engine::Engine& engine,
                const engine::Sender* sender, MonotonicTime now) {
  const policy::GroupState& state = group.state;
  const hanet_params& params = engine.params(group.index);
  Json paths = Json::array();
  for (std::size_t at = 0; at < state.paths.size(); ++at)
    paths.push_back(path_json(group, at, engine, sender, now));
  return {{"name", group.config.name},
          {"active", group.ports.lead(state.active).interface.name},
          {"state", policy::to_text(group.condition)},
          {"state_since", wall_text(group.condition_since)},
          {"device", device_json(group, engine)},
          {"switching_to",
           state.running
               ? Json(group.ports.of(state.running->to)[state.running->to_port].interface.name)
               : Json()},
          {"failback", failback_json(group, now)},
          {"left_behind", left_behind_json(group)},
          {"findings", findings_json(group)},
          {config::kEnabled.name, state.enabled},
          {config::kInterval.name, params.interval_us},
          {config::kMultiplier.name, params.multiplier},
          {config::kUpCount.name, params.up_count},
          {config::kLinkPoll.name, params.link_poll_us},
          {config::kThreshold.name, params.threshold_percent},
          {config::kOnDaemonLoss.name,
           config::to_text(group::live_parameters_of(params).on_daemon_loss)},
          {config::kDaemonLoss.name, params.daemon_loss_ms},
          {"clamped", params.clamped},
          {"keys", names_of(group.config.keys)},
          {"identity", identity_json(group.identity)},
          {"paths", std::move(paths)}};
}

namespace {

Json or_null(const std::optional<MonotonicTime>& at) {
  return at ? Json(kernel_ns(*at)) : Json(nullptr);
}

/// What was seen before the verdict; the heartbeats' times are relative to it, as those of the
/// steps.
void put_flight(Json& shown, const failover::SwitchoverRecord& record) {
  const failover::Flight flight = record.flight.value_or(failover::Flight());
  Json heartbeats = Json::array();
  for (const failover::SeenHeartbeat& seen : flight.heartbeats)
    heartbeats.push_back(
        {{"sent_us", microseconds(seen.sent - record.verdict)},
         {"replied_us",
          seen.replied ? Json(microseconds(*seen.replied - record.verdict)) : Json(nullptr)}});
  shown["last_reply_ns"] = or_null(flight.last_reply);
  shown["heartbeats"] = std::move(heartbeats);
  shown["deferred_since_ns"] = or_null(flight.deferred_since);
  shown["stalled_cpu"] = flight.deferred_since ? Json(flight.stalled_cpu) : Json(nullptr);
  shown["timer_late_us"] =
      flight.timer_late ? Json(microseconds(*flight.timer_late)) : Json(nullptr);
  shown["timer_cpu"] = flight.timer_late ? Json(flight.timer_cpu) : Json(nullptr);
}

}  // namespace

Json record_json(const failover::SwitchoverRecord& record) {
  Json steps = Json::array();
  for (const failover::StepResult& step : record.execution.steps)
    steps.push_back({{"name", step.name},
                     {"at_us", microseconds(step.started - record.verdict)},
                     {"duration_us", microseconds(step.duration)},
                     {"result", step.result}});
  Json shown{
      {"number", record.number},
      {"group", record.group},
      {"from", record.from},
      {"to", record.to},
      {"cause", record.cause},
      {"rule", record.rule},
      {"wall_time", wall_text(record.wall_time)},
      {"first_lost_ns", or_null(record.first_lost)},
      {"deadline_ns", or_null(record.deadline)},
      {"verdict_ns", kernel_ns(record.verdict)},
      {"unanswered", record.unanswered},
      {"load", record.load ? Json(*record.load) : Json(nullptr)},
      {"overshoot_us",
       record.deadline ? Json(microseconds(record.verdict - *record.deadline)) : Json(nullptr)},
      {"event_to_user_us", microseconds(record.event_received - record.verdict)},
      {"reconfiguration_us", microseconds(record.execution.last_message_sent - record.move_began)},
      {"bridged_us",
       record.steered_in_kernel ? microseconds(record.move_began - record.verdict) : 0.0},
      {"bridge_wait_us", microseconds(record.bridge_wait)},
      {"waited_us", microseconds(record.decided - record.event_received)},
      {"total_us", microseconds(record.execution.last_message_sent -
                                record.first_lost.value_or(record.verdict))},
      {"verified_us", microseconds(record.finished - record.verdict)},
      {"steered_in_kernel", record.steered_in_kernel},
      {"verdict_waited", record.verdict_waited},
      {"outcome", failover::to_text(record.execution.outcome)},
      {"reason", fmt::format("{}", fmt::join(record.execution.problems, "; "))},
      {"steps", std::move(steps)}};
  put_flight(shown, record);
  return shown;
}

Json plan_json(const failover::Plan& plan) {
  Json steps = Json::array();
  for (const failover::Step& step : plan.steps)
    steps.push_back({{"name", step.name}, {"changes", step.messages.size()}});
  if (!plan.announcements.empty())
    steps.push_back({{"name", "announce the addresses from " + plan.to.name},
                     {"changes", plan.announcements.size()}});
  return steps;
}

Json notice_json(const group::Notice& notice) {
  return {{"at_ns", kernel_ns(notice.at)}, {"wall_time", wall_text(notice.wall_time)},
          {"event", notice.event},         {"group", notice.group},
          {"path", notice.path},           {"text", notice.text},
          {"facts", notice.facts}};
}

}  // namespace hanet::report
