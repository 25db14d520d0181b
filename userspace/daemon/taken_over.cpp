// SPDX-License-Identifier: Apache-2.0
//
// See taken_over.h.
#include "daemon/taken_over.h"

#include <fmt/format.h>

namespace hanet::daemon {
namespace {

double seconds(Nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

std::string taken_over_text(std::span<const engine::LeftEngine::Known> sessions,
                            MonotonicTime since, MonotonicTime now) {
  std::string text = fmt::format(
      "took over from a hanetd that was seen {:.1f} s ago; the kernel side watched meanwhile",
      seconds(now - since));
  for (const engine::LeftEngine::Known& known : sessions) {
    const MonotonicTime verdict = from_kernel_ns(known.session.verdict_ns);
    if (verdict <= since) continue;
    text +=
        fmt::format("; {} was found down {:.1f} s ago and {}", known.port, seconds(now - verdict),
                    known.session.state == HANET_SESSION_UP ? "works again" : "is still down");
  }
  return text;
}

void tell_taken_over(const engine::Engine& engine, const group::Notices::Publish& publish) {
  if (engine.taken_over().empty()) return;
  group::Notices notices("hanetd", publish);
  notices.add("taken-over", "",
              taken_over_text(engine.taken_over(), *engine.left_alone_since(), monotonic_now()));
  notices.flush();
}

}  // namespace hanet::daemon
