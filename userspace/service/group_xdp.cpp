// SPDX-License-Identifier: Apache-2.0
//
// A port whose driver runs hanet's XDP program no more; see group_runner.h.
//
// vmxnet3 forgets it whenever the card stops, and so does a port that somebody detached it from.
// The kernel side goes on at TC ingress by itself (bpf/hanet.bpf.c, tc_listen): nothing fails, but
// who compares round-trip times or looks for the program should know.
#include <fmt/format.h>

#include "service/group_runner.h"

namespace hanet::service {

void GroupRunner::tell_what_drivers_forget() {
  for (RunningPort& port : ports_) {
    const bool forgotten = port.present && around_.engine.attachment(port.port).has_xdp() &&
                           !around_.engine.replies_at_xdp(port.port);
    if (forgotten == port.forgotten_told) continue;
    port.forgotten_told = forgotten;
    publish(forgotten ? "xdp-forgotten" : "xdp-back", port.path,
            forgotten ? fmt::format("{} does not run its XDP program any more: its replies are "
                                    "matched at TC ingress, and it is watched as before",
                                    port.interface.name)
                      : fmt::format("{} runs its XDP program again", port.interface.name));
  }
}

}  // namespace hanet::service
