// SPDX-License-Identifier: Apache-2.0
//
// The ports of the lab's switches, which a bench breaks without a program.
//
// A fault by tools/lab starts bash, ip or nft, and on a small machine those are work for the very
// CPUs whose answer is measured: the same tree and machine read twice the outage. Here a fault is
// one message to the kernel, of a size that is known before, and its instant is known.
//
// A port of a bridge that is disabled takes and sends nothing, and keeps its carrier; one that is
// set down takes the carrier of the cable's other end away.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "net/netlink.h"

namespace hanet::bench {

enum class PortFault : std::uint8_t { Silent, Carrier };

class SwitchPorts {
 public:
  SwitchPorts() = default;
  /// Those of namespace `netns` (a name under /run/netns) with these names. Needs CAP_SYS_ADMIN.
  [[nodiscard]] static Result<SwitchPorts> open(const std::string& netns,
                                                const std::vector<std::string>& names);
  /// Breaks some of them, in one go. Returns when it has happened.
  [[nodiscard]] Status fail(PortFault how, const std::vector<std::string>& names);
  /// Undoes what fail() did.
  [[nodiscard]] Status heal();

 private:
  struct Broken {
    PortFault how;
    unsigned ifindex;
  };
  /// `allowed`: the errno value of an answer that is as good as none.
  [[nodiscard]] Status send(std::vector<net::NetlinkMessage> batch, const char* what,
                            int allowed = 0);

  net::NetlinkSocket socket_;
  std::map<std::string, unsigned> ifindex_;
  std::vector<Broken> broken_;
};

}  // namespace hanet::bench
