// SPDX-License-Identifier: Apache-2.0
//
// See render.h. Written to be read at 3 a.m.: the answer first, numbers behind it.
#include "render.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace hanet::ctl {
namespace {

constexpr const char* kNoAddress = "no address";

template <typename... Args>
void line(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
  out.push_back('\n');
}

std::string text_of(const Json& object, const char* key) {
  return object.value(key, std::string());
}

double number_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || !found->is_number() ? 0.0 : found->get<double>();
}

std::uint64_t count_of(const Json& object, const char* key) {
  return object.value(key, std::uint64_t{0});
}

std::string listed(const Json& words, const char* none = "") {
  std::string text;
  for (const Json& word : words) text += (text.empty() ? "" : ", ") + word.get<std::string>();
  return text.empty() ? none : text;
}

void render_requests(std::string& out, const Json& session) {
  line(out, "      requests   {} sent, {} answered, {} lost, {} unanswered now",
       count_of(session, "sent"), count_of(session, "received"), count_of(session, "lost"),
       count_of(session, "unanswered"));
  line(out, "      round trip {:.1f} us min, {:.1f} mean, {:.1f} max, jitter {:.1f}",
       number_of(session, "rtt_min_us"), number_of(session, "rtt_mean_us"),
       number_of(session, "rtt_max_us"), number_of(session, "jitter_us"));
}

// Somebody wrote into the map what hanetctl set refuses.
std::string clamped_text(const Json& object) {
  return object.value("clamped", false) ? " (CLAMPED: what was set is out of range)" : "";
}

void render_session(std::string& out, const Json& session) {
  std::string target = text_of(session, "target");
  if (const std::string gateway = text_of(session, "gateway"); !gateway.empty())
    target += " by " + gateway;
  line(out, "      heartbeat  {} {} {}({}), {} us x {}{}: {}", text_of(session, "kind"),
       text_of(session, "kind") == "silence" ? "of" : "to", target.empty() ? "" : target + " ",
       text_of(session, "target_mac").empty() ? "not found yet" : text_of(session, "target_mac"),
       count_of(session, "interval_us"), count_of(session, "multiplier"), clamped_text(session),
       text_of(session, "state"));
  if (text_of(session, "kind") == "silence")
    line(out, "      heard      in {} intervals, the newest frame {:.1f} us ago",
         count_of(session, "received"), number_of(session, "heard_us_ago"));
  else
    render_requests(out, session);
  if (const std::uint64_t claims = count_of(session, "rival_claims"); claims > 0)
    line(out, "      rival      {} claimed the target's address, {} times",
         text_of(session, "rival_mac"), claims);
  std::string deferred;
  if (const std::uint64_t count = count_of(session, "stall_deferrals"); count > 0)
    deferred = fmt::format("; {} deferred because a CPU stood still, last CPU {}", count,
                           count_of(session, "stalled_cpu"));
  line(out, "      verdicts   {} down, {} up{}", count_of(session, "down_verdicts"),
       count_of(session, "up_verdicts"), deferred);
}

// Of a path, or of a port of a trunk.
void render_sessions(std::string& out, const Json& watched) {
  if (!watched.contains("sessions")) return render_session(out, watched.at("session"));
  const Json& sessions = watched.at("sessions");
  const auto answer = std::ranges::count_if(
      sessions, [](const Json& session) { return text_of(session, "state") == "up"; });
  line(out, "      targets    {} of {} answer, the quorum is {}", answer, sessions.size(),
       count_of(watched, "quorum"));
  for (const Json& session : sessions) render_session(out, session);
}

// Other hosts, and what they say of themselves.
void render_askers(std::string& out, const Json& port) {
  for (const Json& asker : port.value("asked_by", Json::array()))
    line(out, "      asked by   {}, {} answered, the newest {:.1f} us ago; path {}, identity {}",
         text_of(asker, text_of(asker, "address").empty() ? "mac" : "address"),
         count_of(asker, "answered"), number_of(asker, "heard_us_ago"), text_of(asker, "path"),
         text_of(asker, "identity"));
}

void render_rejected(std::string& out, const Json& port) {
  std::string rejected;
  const Json& reasons = port.at("rejected");
  for (auto reason = reasons.begin(); reason != reasons.end(); ++reason)
    rejected += fmt::format("{}{} {}", rejected.empty() ? "" : ", ", reason.key(),
                            reason->get<std::uint64_t>());
  if (!rejected.empty()) line(out, "      rejected   {}", rejected);
}

void render_port(std::string& out, const Json& port) {
  line(out, "      link       carrier {}, {} lost and {} back since start; looked at every {} us{}",
       text_of(port, "carrier"), count_of(port, "carrier_down_events"),
       count_of(port, "carrier_up_events"), count_of(port, "link_poll_us"), clamped_text(port));
  if (port.contains("xdp"))
    line(out, "      attached   XDP {}, TC {}; link events from {}", text_of(port, "xdp"),
         text_of(port, "tc"), text_of(port, "link_source"));
  const Json in_front = port.value("tc_in_front", Json::object());
  for (auto direction = in_front.begin(); direction != in_front.end(); ++direction)
    if (!direction->empty())
      line(out, "      IN FRONT   of hanet at the {}: {}", direction.key(), listed(*direction));
  render_askers(out, port);
  render_rejected(out, port);
}

void render_trunk(std::string& out, const Json& path) {
  const Json& trunk = path.at("trunk");
  const Json& speaker = trunk.at("speaker");
  line(out, "      trunk      {}, lead {}{}; capacity {} of {} works, {} lost, fails over at {} %",
       text_of(trunk, "mode"), text_of(trunk, "lead"),
       speaker.is_string() ? ", speaker " + speaker.get<std::string>() : "",
       count_of(trunk, "working"), count_of(trunk, "capacity"), count_of(trunk, "lost"),
       count_of(trunk, "threshold_percent"));
  line(out, "      frames     {} left by other ports than the lead, {} came in by them",
       count_of(trunk, "spread_out"), count_of(trunk, "gathered_in"));
  for (const Json& port : path.at("ports")) {
    const std::string reason = text_of(port, "reason");
    line(out, "    {:<13} {:<8} {}{}{}", text_of(port, "name"),
         port.value("lead", false) ? "lead" : "", text_of(port, "health"),
         reason.empty() ? "" : ": ", reason);
    render_sessions(out, port);
    render_port(out, port.at("port"));
  }
}

void render_identity(std::string& out, const Json& identity) {
  line(out, "  identity  {} {}; {} routes, {} rules, {} neighbours", text_of(identity, "mac"),
       listed(identity.at("addresses"), kNoAddress), count_of(identity, "routes"),
       count_of(identity, "rules"), count_of(identity, "neighbours"));
  for (const Json& vlan : identity.at("vlans"))
    line(out, "    VLAN {} on {}: {}", count_of(vlan, "id"), text_of(vlan, "interface"),
         listed(vlan.at("addresses"), kNoAddress));
}

void render_kernel(std::string& out, const Json& daemon) {
  const Json& kernel = daemon.at("kernel");
  line(out, "kernel {}: link events by {}; TC by {}; deadlines by {}; requests by {}",
       text_of(kernel, "release"), listed(kernel.at("link_sources")), listed(kernel.at("tc")),
       text_of(daemon, "deadlines"), text_of(daemon, "requests"));
  if (const double late = number_of(daemon, "timers_usual_late_us"); late > 0)
    line(out, "timers of this machine: 99 of 100 that met no stall are less than {:.0f} us late",
         late);
}

void render_group(std::string& out, const Json& group) {
  line(out, "{}: {}, active path {}", text_of(group, "name"), text_of(group, "state"),
       text_of(group, "active"));
  if (group.value("switching_to", Json()).is_string())
    line(out, "  the identity is about to move to {}", text_of(group, "switching_to"));
  if (const Json& failback = group.at("failback"); failback.at("in_s").is_number())
    line(out, "  returns to the primary in {:.1f} s", number_of(failback, "in_s"));
  else if (failback.at("held") == true)
    line(out, "  a person moved it here: it stays until the primary fails, or is chosen again");
  for (const Json& upper : group.value("left_behind", Json::array()))
    line(out, "  LEFT BEHIND at a switchover: the {} {}, {} {}", text_of(upper, "kind"),
         text_of(upper, "name"), upper.value("is_master", false) ? "the master of" : "on top of",
         text_of(upper, "port"));
  for (const Json& finding : group.value("findings", Json::array()))
    line(out, "  {}: {}", finding.value("is_loss", false) ? "LOSS" : "ALARM",
         text_of(finding, "text"));
  if (const Json device = group.value("device", Json()); device.is_object())
    line(out, "  device    {} ({}) uses {}; {} switches by verdicts", text_of(device, "name"),
         text_of(device, "kind"), text_of(device, "uses"), number_of(device, "switches"));
  if (const Json keys = group.value("keys", Json::array()); !keys.empty())
    line(out, "  keys      {}; the first signs", listed(keys));
  render_identity(out, group.at("identity"));
  for (const Json& path : group.at("paths")) {
    const std::string reason = text_of(path, "reason");
    line(out, "  {:<15} {:<8} {}{}{}", text_of(path, "name"), text_of(path, "role"),
         text_of(path, "health"), reason.empty() ? "" : ": ", reason);
    if (const std::string peer = text_of(path, "peer"); !peer.empty())
      line(out, "      peer       its identity is {}", peer);
    if (path.value("suppressed", false))
      line(out, "      flaps      penalty {:.0f}: no failback to it for now",
           number_of(path, "penalty"));
    if (path.contains("trunk")) {
      render_trunk(out, path);
      continue;
    }
    render_sessions(out, path);
    render_port(out, path.at("port"));
  }
}

/// What was seen before the verdict, in order of time. A record of an earlier hanetd may have less.
void render_flight(std::string& out, const Json& record) {
  const auto at = [&](const char* key) {
    return (number_of(record, key) - number_of(record, "verdict_ns")) / 1000;
  };
  const std::uint64_t unanswered = count_of(record, "unanswered");
  if (record.value("last_reply_ns", Json()).is_number() && unanswered > 0)
    line(out, "  {:>10.1f} us  the last reply came", at("last_reply_ns"));
  line(out, "  {:>10.1f} us  {}", at("first_lost_ns"),
       unanswered == 0 ? "first interval without a frame from the peer was over"
                       : fmt::format("first of {} unanswered requests left", unanswered));
  line(out, "  {:>10.1f} us  the detection time was over", at("deadline_ns"));
  if (record.value("deferred_since_ns", Json()).is_number())
    line(out, "  {:>10.1f} us  the verdict waits: CPU {} stood still", at("deferred_since_ns"),
         count_of(record, "stalled_cpu"));
  else if (record.value("timer_late_us", Json()).is_number())
    line(out, "                 the latest of our own timers was {:.1f} us late, on CPU {}",
         number_of(record, "timer_late_us"), count_of(record, "timer_cpu"));
}

void render_switchover(std::string& out, const Json& record) {
  line(out, "#{} {}  {}: {} to {}, {}", count_of(record, "number"), text_of(record, "wall_time"),
       text_of(record, "group"), text_of(record, "from"), text_of(record, "to"),
       text_of(record, "outcome"));
  line(out, "  cause  {}", text_of(record, "cause"));
  line(out, "  rule   {}", text_of(record, "rule"));
  if (record.value("load", Json()).is_number())
    line(out, "  load   {:.2f} (of the minute before)", number_of(record, "load"));
  if (record.at("first_lost_ns").is_number()) render_flight(out, record);
  line(out, "  {:>10.1f} us  verdict{}", 0.0,
       record.value("steered_in_kernel", false) ? "; the kernel bridges to the standby" : "");
  line(out, "  {:>10.1f} us  hanetd {}", number_of(record, "event_to_user_us"),
       record.value("verdict_waited", false) ? "acts on it; until then the path was given time"
                                             : "has it");
  if (const double waited = number_of(record, "waited_us"); waited > 0)
    line(out, "  {:>10.1f} us  {}", number_of(record, "event_to_user_us") + waited,
         text_of(record, "cause") == "group enabled" ? "a person enables the group"
                                                     : "a path is there that can take over");
  if (const double bridged = number_of(record, "bridged_us"); bridged > 0)
    line(out, "  {:>10.1f} us  the identity begins to move", bridged);
  for (const Json& step : record.at("steps"))
    line(out, "  {:>10.1f} us  {} ({:.1f} us): {}", number_of(step, "at_us"), text_of(step, "name"),
         number_of(step, "duration_us"), text_of(step, "result"));
  line(out, "  {:>10.1f} us  verified", number_of(record, "verified_us"));
  if (!text_of(record, "reason").empty()) line(out, "  PROBLEM {}", text_of(record, "reason"));
}

// hanetd --responder.
std::string render_responder(const Json& status) {
  std::string out;
  const Json& responder = status.at("responder");
  line(out, "hanetd {}, pid {}, up {:.0f} s: it answers heartbeats and does nothing else",
       text_of(status.at("daemon"), "version"), count_of(status.at("daemon"), "pid"),
       number_of(status.at("daemon"), "uptime_s"));
  line(out, "  keys      {}", listed(responder.at("keys")));
  for (const Json& port : responder.at("ports")) {
    line(out, "  {:<15} {}, {} heartbeats answered; XDP {}", text_of(port, "name"),
         port.value("present", false) ? text_of(port, "mac") : "IS NOT HERE",
         count_of(port, "answered_heartbeats"), text_of(port, "xdp"));
    render_askers(out, port);
    render_rejected(out, port);
  }
  return out;
}

}  // namespace

std::string render_status(const Json& status) {
  if (status.contains("responder")) return render_responder(status);
  std::string out;
  line(out, "{}", text_of(status.at("verdict"), "text"));
  const Json& daemon = status.at("daemon");
  line(out, "hanetd {}, pid {}, up {:.0f} s", text_of(daemon, "version"), count_of(daemon, "pid"),
       number_of(daemon, "uptime_s"));
  render_kernel(out, daemon);
  for (const Json& group : status.at("groups")) render_group(out, group);
  return out;
}

std::string render_steps(const Json& answer) {
  std::string out;
  for (const Json& step : answer.value("steps", Json::array()))
    line(out, "would {} ({} changes)", text_of(step, "name"), count_of(step, "changes"));
  return out;
}

std::string render_offline(const Json& status) {
  std::string out;
  // A hanetd that works shows itself ten times a second; one that begins many groups, between them.
  constexpr double kAtWork_s = 3;
  const bool runs = status.contains("error");
  const bool works = runs && number_of(status, "away_s") < kAtWork_s;
  line(out, "{}",
       works  ? "hanetd is at work and does not answer yet, as in a long reload; ask again"
       : runs ? "not protected: hanetd does not answer; it is frozen or starved"
              : "not protected: hanetd does not run");
  line(out, "it has been away for {:.0f} s", number_of(status, "away_s"));
  line(
      out, "{}",
      status.at("kernel_sends") == false
          ? "the kernel side does not send: no silent failure is found"
      : status.at("kernel_bridges") == false
          ? status.value("kernel_bridged", false)
                ? "the kernel side sends heartbeats and carries what is bridged; it bridges no more"
                : "the kernel side sends heartbeats, and bridges nothing"
          : "the kernel side goes on: it sends heartbeats, bridges when the path fails that "
            "carries "
            "and returns when that works again; no identity moves");
  line(out, "{}",
       works  ? "this is what the kernel side says:"
       : runs ? "if it stays so, restart it: 'systemctl restart hanetd'"
              : "start hanetd, or take the kernel side off: 'hanetctl detach'");
  for (const Json& path : status.at("paths")) {
    line(out, "  {}: {}", text_of(path, "name"), text_of(path, "steering"));
    if (path.contains("session")) render_sessions(out, path);
    render_port(out, path.at("port"));
  }
  return out;
}

std::string render_explain(const Json& explain) {
  const Json& records = explain.at("switchovers");
  std::string out = records.empty() ? "no switchover on record\n" : "";
  for (const Json& record : records) render_switchover(out, record);
  const Json& alarms = explain.at("alarms");
  if (!alarms.empty()) line(out, "alarms:");
  for (const Json& alarm : alarms) out += render_notice(alarm);
  return out;
}

std::string render_changes(const Json& changes) {
  std::string out;
  if (const Json& level = changes.at("log_level"); !level.is_null())
    line(out, "daemon.log_level: {} -> {}", text_of(level, "from"), text_of(level, "to"));
  for (const Json& group : changes.at("groups")) {
    const std::string fate = text_of(group, "fate");
    line(out, "{}: {}{}", text_of(group, "group"), fate,
         fate == "changed" ? " at once, no heartbeat is lost" : "");
    for (const Json& key : group.at("keys"))
      line(out, "  {:<28} {} -> {}{}", text_of(key, "key"), text_of(key, "from"),
           text_of(key, "to"),
           fate == "restarted" && text_of(key, "effect") != "at once" ? "  (restarts the group)"
                                                                      : "");
  }
  return out.empty() ? "nothing differs\n" : out;
}

std::string render_notice(const Json& notice) {
  return fmt::format("{}  {}  {}  {}\n", text_of(notice, "wall_time"), text_of(notice, "group"),
                     text_of(notice, "event"), text_of(notice, "text"));
}

}  // namespace hanet::ctl
