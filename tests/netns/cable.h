// SPDX-License-Identifier: Apache-2.0
//
// A cable that is cut and mended within microseconds: one prepared netlink message each.
//
// `lab fault` starts a shell and takes as long as the kernel bridges. Here the switch's port is
// disabled (IFLA_BRPORT_STATE): frames vanish, the carrier stays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fd.h"

namespace hanet::test {

class Cable {
 public:
  /// `port` is the switch's end, in `netns`. Throws when there is none.
  Cable(const std::string& netns, const std::string& port);
  /// Throw when the kernel refuses; what they say holds when they return.
  void cut() const { set_state(kDisabled); }
  void mend() const { set_state(kForwarding); }

 private:
  static constexpr std::uint8_t kDisabled = 0, kForwarding = 3;  // linux/if_bridge.h, BR_STATE_*
  void set_state(std::uint8_t state) const;

  Fd socket_;
  unsigned ifindex_ = 0;
};

/// Removes an interface of a namespace within microseconds.
void remove_interface(const std::string& netns, const std::string& name);

}  // namespace hanet::test
