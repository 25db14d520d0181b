// SPDX-License-Identifier: Apache-2.0
//
// One hanetd per port.
//
// A lock file would outlive a kill and know nothing of network namespaces. An abstract unix socket
// belongs to the namespace, vanishes with its process, and tells who holds it (SO_PEERCRED), so the
// refusal can name the pid.
#pragma once

#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::net {

class PortLock {
 public:
  /// Takes the lock of one interface in the caller's network namespace, or says who has it.
  [[nodiscard]] static Result<PortLock> take(const std::string& interface);
  /// The same for a run or pin directory: two instances must not remove each other's files.
  [[nodiscard]] static Result<PortLock> take_directory(const std::string& directory);

 private:
  [[nodiscard]] static Result<PortLock> take(const std::string& kind, const std::string& subject);

  Fd fd_;
};

}  // namespace hanet::net
