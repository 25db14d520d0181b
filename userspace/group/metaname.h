// SPDX-License-Identifier: Apache-2.0
//
// The group's name as an alternative name of the interface that has the identity (spec A1), so that
// `ip addr show mether0` always works. A switchover moves it as one of its steps.
#pragma once

#include "group/port_list.h"

namespace hanet::group {

class Metaname {
 public:
  Metaname(const Context& context, const PortList& ports) : context_(context), ports_(ports) {}

  /// Refuses a name that another interface has. After a kill it may be on one of the group's ports.
  [[nodiscard]] Status check() const;
  /// Gives it to the active interface. Best effort: Linux before 5.5 has no alternative names.
  void take();
  /// Removes it wherever it is, if take() was called.
  void give_up();

 private:
  const Context& context_;
  const PortList& ports_;
  bool taken_ = false;
};

}  // namespace hanet::group
