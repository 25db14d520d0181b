// SPDX-License-Identifier: Apache-2.0
//
// A path that is watched by listening, and on which nothing is heard.
//
// It is unknown, so nothing that hanet does will go wrong there, and nothing will go right: a
// standby that is not proved is no place to go, and an active path that was never heard never
// fails. A wrong MAC address or a peer that never broadcasts looks like that. So it is an alarm.
#pragma once

#include <set>

#include "group/port_list.h"

namespace hanet::group {

class UnheardWatch {
 public:
  UnheardWatch(const Context& context, const PortList& ports) : context_(context), ports_(ports) {}

  /// Tells of each port once, when its session has listened in vain for the settling time.
  void tick(MonotonicTime now);

 private:
  const Context& context_;
  const PortList& ports_;
  std::set<std::size_t> told_;  // ports
};

}  // namespace hanet::group
