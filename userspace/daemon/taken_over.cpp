// SPDX-License-Identifier: Apache-2.0
//
// See taken_over.h.
#include "daemon/taken_over.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace hanet::daemon {
namespace {

double seconds(Nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string_view what_became_of_it(std::uint32_t state) {
  switch (static_cast<hanet_session_state>(state)) {
    case HANET_SESSION_UP:
      return "works again";
    case HANET_SESSION_DOWN:
      return "is still down";
    case HANET_SESSION_UNKNOWN:
    case HANET_SESSION_PAUSED:
      break;
  }
  return "what became of it is not known";
}

std::string what_its_carrier_did(const engine::LeftEngine::Known& known, MonotonicTime since,
                                 MonotonicTime now) {
  const MonotonicTime changed = from_kernel_ns(known.carrier_changed_ns);
  if (changed <= since || known.carrier == HANET_CARRIER_UNKNOWN) return {};
  const double ago = seconds(now - changed);
  return known.carrier == HANET_CARRIER_DOWN
             ? fmt::format("; {} lost its carrier {:.1f} s ago and has none", known.port, ago)
             : fmt::format("; {} had no carrier until {:.1f} s ago", known.port, ago);
}

bool was_watched(std::span<const engine::LeftEngine::Known> sessions, MonotonicTime since) {
  return std::ranges::any_of(sessions, [&](const engine::LeftEngine::Known& known) {
    return from_kernel_ns(known.session.last_sent_ns) > since ||
           from_kernel_ns(known.session.last_reply_ns) > since;
  });
}

}  // namespace

std::string taken_over_text(std::span<const engine::LeftEngine::Known> sessions,
                            MonotonicTime since, MonotonicTime now) {
  std::string text = fmt::format(
      "took over from a hanetd that was seen {:.1f} s ago; {} meanwhile", seconds(now - since),
      was_watched(sessions, since) ? "the kernel side went on asking" : "nobody asked");
  std::set<std::string> told;  // a port may have several sessions
  for (const engine::LeftEngine::Known& known : sessions) {
    if (told.insert(known.port).second) text += what_its_carrier_did(known, since, now);
    const MonotonicTime verdict = from_kernel_ns(known.session.verdict_ns);
    if (verdict <= since || known.session.down_verdicts == 0) continue;
    text += fmt::format("; {} was found down {:.1f} s ago and {}", known.port,
                        seconds(now - verdict), what_became_of_it(known.session.state));
  }
  return text;
}

void tell_taken_over(const engine::Engine& engine, const group::Notices::Publish& publish) {
  if (engine.taken_over().empty()) return;
  group::Notices notices(group::kOfHanetd, publish);
  notices.add("taken-over", "",
              taken_over_text(engine.taken_over(), *engine.left_alone_since(), monotonic_now()));
  notices.flush();
}

}  // namespace hanet::daemon
