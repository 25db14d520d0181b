// SPDX-License-Identifier: Apache-2.0
//
// See target_watch.h.
#include "group/target_watch.h"

#include <fmt/format.h>

#include <algorithm>

namespace hanet::group {
namespace {

net::MacAddress mac_of(const __u8 (&bytes)[6]) {
  net::MacAddress mac{};
  std::copy(std::begin(bytes), std::end(bytes), mac.begin());
  return mac;
}

std::string target_of(const Context& context, const Port& port) {
  return context.config.target_of(context.config.paths[port.path].ports[port.slot]).text();
}

}  // namespace

void TargetWatch::tick(MonotonicTime now) {
  for (const Port& port : ports_.all()) {
    Entry& entry = entries_[ports_.number_of(port)];
    if (engine::load(context_.engine().session(port.session).target_mac_known) == HANET_MAC_UNKNOWN)
      continue;
    follow(port, entry);
    look_for_rival(port, entry, now);
  }
}

void TargetWatch::follow(const Port& port, Entry& entry) const {
  const net::MacAddress at = mac_of(context_.engine().session(port.session).target_mac);
  if (at == entry.at) return;
  if (entry.at != net::MacAddress{})
    context_.notices.add(
        "target-moved", ports_.name(port.path),
        fmt::format("the target {} is at {} now, seen by {}; it was at {}, which fell silent",
                    target_of(context_, port), net::to_text(at), port.interface.name,
                    net::to_text(entry.at)));
  entry.at = at;
}

void TargetWatch::look_for_rival(const Port& port, Entry& entry, MonotonicTime now) const {
  const hanet_session& session = context_.engine().session(port.session);
  const std::uint64_t heard_ns = engine::load(session.rival_heard_ns);
  const MonotonicTime heard = from_kernel_ns(heard_ns);
  if (heard_ns == 0 || now > heard + kRivalGone) return end_rivalry(port, entry);
  entry.rival = mac_of(session.rival_mac);
  if (!entry.rival_since) entry.rival_since = heard;
  const MonotonicTime known = from_kernel_ns(engine::load(session.target_mac_learned_ns));
  const MonotonicTime both = *entry.rival_since + kBothAnswer;
  if (entry.alarm || heard < both || known < both) return;
  entry.alarm = true;
  context_.notices.add(
      "alarm", ports_.name(port.path),
      fmt::format("two MAC addresses answer for the target {} on {}: {}, which is watched, and {}; "
                  "traffic may go to either, so one of the two hosts has to give the address up",
                  target_of(context_, port), port.interface.name, net::to_text(entry.at),
                  net::to_text(entry.rival)));
}

void TargetWatch::end_rivalry(const Port& port, Entry& entry) const {
  entry.rival_since.reset();
  if (!entry.alarm) return;
  entry.alarm = false;
  context_.notices.add(
      "alarm-cleared", ports_.name(port.path),
      fmt::format("only {} answers for the target {} on {} now", net::to_text(entry.at),
                  target_of(context_, port), port.interface.name));
}

}  // namespace hanet::group
