// SPDX-License-Identifier: Apache-2.0
//
// See target_watch.h.
#include "group/target_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "policy/port.h"

namespace hanet::group {
namespace {

net::MacAddress mac_of(const __u8 (&bytes)[6]) {
  net::MacAddress mac{};
  std::copy(std::begin(bytes), std::end(bytes), mac.begin());
  return mac;
}

bool has_source(const hanet_session& session) {
  return std::any_of(std::begin(session.source), std::end(session.source),
                     [](__u8 byte) { return byte != 0; });
}

}  // namespace

void TargetWatch::tick(MonotonicTime now) {
  for (const Port& port : ports_.all())
    for (const engine::SessionIndex session : context_.engine().sessions_of(port.index))
      look_at({port, session}, now);
  std::vector<Finding> found = silent_targets();
  std::ranges::move(foreign_keys(now), std::back_inserter(found));
  tell_changes(context_.notices, AlarmKind::TargetTrouble, findings_, found);
  findings_ = std::move(found);
}

void TargetWatch::look_at(const Asked& asked, MonotonicTime now) {
  Entry& entry = entries_[asked.session];
  const hanet_session& session = context_.engine().session(asked.session);
  if (engine::load(session.target_mac_known) == HANET_MAC_UNKNOWN) {
    tell_missing(asked, entry, now);
    return;
  }
  follow(asked, entry);
  look_for_rival(asked, entry, now);
}

// Where the path is down itself, that is what is said.
std::vector<Finding> TargetWatch::silent_targets() const {
  std::vector<Finding> found;
  for (const Port& port : ports_.all()) {
    const engine::Engine& engine = context_.engine();
    const hanet_port& watched = engine.port(port.index);
    if (watched.targets < 2 || engine.verdict(port.index).state == HANET_SESSION_DOWN) continue;
    const auto is_silent = [&](engine::SessionIndex session) {
      return engine::load(engine.session(session).state) == HANET_SESSION_DOWN;
    };
    const auto silent = std::ranges::count_if(engine.sessions_of(port.index), is_silent);
    for (const engine::SessionIndex session : engine.sessions_of(port.index))
      if (is_silent(session))
        found.push_back(
            {.port = port.interface.name,
             .text = fmt::format(
                 "the target {} does not answer {}; {} of {} do, and the path works "
                 "as long as {} {}",
                 ports_.target_of(port, session), port.interface.name, watched.targets - silent,
                 watched.targets, watched.quorum, watched.quorum == 1 ? "does" : "do")});
  }
  return found;
}

// The other end asks and is refused, and says nothing to our requests for the same reason.
std::vector<Finding> TargetWatch::foreign_keys(MonotonicTime now) {
  std::vector<Finding> found;
  if (!context_.config.signs()) return found;
  for (const Port& port : ports_.all()) {
    const hanet_port& counts = context_.engine().port(port.index);
    Foreign& known = foreign_[port.index];
    const std::uint64_t count = engine::load(counts.rejected[HANET_REJECT_UNKNOWN_KEY]) +
                                engine::load(counts.rejected[HANET_REJECT_WRONG_TAG]);
    if (count != known.count) known = {.count = count, .heard = now};
    if (known.count == 0 || now > known.heard + kForeignKeyGone) continue;
    found.push_back(
        {.port = port.interface.name,
         .text = fmt::format("heartbeats come to {} that are made with a key which is not in the "
                             "key file {}, or forged: both ends need the same keys",
                             port.interface.name, context_.config.key_file.native())});
  }
  return found;
}

// As long as a link may negotiate, nothing is missing.
std::string TargetWatch::sought(const Asked& asked) const {
  const std::string target = ports_.target_of(asked.port, asked.session);
  const config::PortConfig& port = context_.config.paths[asked.port.path].ports[asked.port.slot];
  if (!port.gateway) return fmt::format("target {}", target);
  return fmt::format("gateway {} to the target {}", port.gateway->text(), target);
}

void TargetWatch::tell_missing(const Asked& asked, Entry& entry, MonotonicTime now) const {
  const hanet_session& session = context_.engine().session(asked.session);
  const bool is_asked = session.kind != HANET_HEARTBEAT_SILENCE && asked.port.present() &&
                        asked.port.admin_up && asked.port.rtnetlink_carrier &&
                        engine::load(session.state) != HANET_SESSION_PAUSED;
  if (!is_asked) {
    entry.missing_since = {};
    return;
  }
  if (entry.missing_since == MonotonicTime{}) entry.missing_since = now;
  if (entry.told_missing || now < entry.missing_since + policy::kSettleTime) return;
  entry.told_missing = true;
  const bool has_sender = session.family != AF_INET || has_source(session);
  context_.notices.add(
      "target-missing", ports_.name(asked.port.path),
      fmt::format("nobody answers the search for the {} by {}{}", sought(asked),
                  asked.port.interface.name,
                  has_sender ? ""
                             : "; it has no sender address, and a network that suppresses ARP "
                               "(EVPN) does not pass such a search on: give each path a source "
                               "(primary_source, standby_source)"));
}

void TargetWatch::follow(const Asked& asked, Entry& entry) const {
  const net::MacAddress at = mac_of(context_.engine().session(asked.session).target_mac);
  if (at == entry.at) return;
  if (entry.at != net::MacAddress{})
    context_.notices.add(
        "target-moved", ports_.name(asked.port.path),
        fmt::format("the {} is at {} now, seen by {}; it was at {}, which fell silent",
                    sought(asked), net::to_text(at), asked.port.interface.name,
                    net::to_text(entry.at)));
  entry.at = at;
}

void TargetWatch::look_for_rival(const Asked& asked, Entry& entry, MonotonicTime now) const {
  const hanet_session& session = context_.engine().session(asked.session);
  const std::uint64_t heard_ns = engine::load(session.rival_heard_ns);
  const MonotonicTime heard = from_kernel_ns(heard_ns);
  if (heard_ns == 0 || now > heard + kRivalGone) return end_rivalry(asked, entry);
  entry.rival = mac_of(session.rival_mac);
  if (!entry.rival_since) entry.rival_since = heard;
  const MonotonicTime known = from_kernel_ns(engine::load(session.target_mac_learned_ns));
  const MonotonicTime both = *entry.rival_since + kBothAnswer;
  if (entry.alarm || heard < both || known < both) return;
  entry.alarm = true;
  context_.notices.alarm(
      AlarmKind::TargetContested, ports_.name(asked.port.path),
      fmt::format("two MAC addresses answer for the {} on {}: {}, which is watched, and {}; "
                  "traffic may go to either, so one of the two hosts has to give the address up",
                  sought(asked), asked.port.interface.name, net::to_text(entry.at),
                  net::to_text(entry.rival)));
}

void TargetWatch::end_rivalry(const Asked& asked, Entry& entry) const {
  entry.rival_since.reset();
  if (!entry.alarm) return;
  entry.alarm = false;
  context_.notices.alarm_cleared(
      AlarmKind::TargetContested, ports_.name(asked.port.path),
      fmt::format("only {} answers for the {} on {} now", net::to_text(entry.at), sought(asked),
                  asked.port.interface.name));
}

}  // namespace hanet::group
