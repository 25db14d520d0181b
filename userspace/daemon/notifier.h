// SPDX-License-Identifier: Apache-2.0
//
// Tells the journal and the programs in hooks.d what happened, from a process of its own (spec O5).
//
// Neither may ever hold a switchover up: a journal that is stuck makes its writers wait, and a hook
// is somebody else's program. So hanetd hands each event over to a child of its, without waiting,
// and the child has normal priority and all the time that it needs. It is started before hanetd has
// anything else open, and ends with hanetd.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "core/fd.h"
#include "core/json.h"
#include "core/result.h"

namespace hanet::daemon {

class Notifier {
 public:
  struct Options {
    std::filesystem::path hooks;  ///< a directory; that it is not there is no error
    bool journal = false;         ///< send entries to the journal
    std::chrono::milliseconds limit = std::chrono::seconds(30);  ///< of one hook
  };
  /// Call from the only thread there is.
  [[nodiscard]] static Result<Notifier> start(const Options& options);
  Notifier() = default;
  Notifier(Notifier&& other) noexcept { *this = std::move(other); }
  Notifier& operator=(Notifier&& other) noexcept;
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;
  /// Waits until the child has ended: it takes a running hook along.
  ~Notifier();

  /// Hands an event over, as report::notice_json() makes it. Never waits. False: the child is
  /// behind by some hundred events, or gone, and the event is lost to it.
  [[nodiscard]] bool tell(const Json& event);
  /// What hooks print goes to the log as well.
  void set_log_level(const std::string& name);

 private:
  [[nodiscard]] bool send(const std::string& text);

  Fd socket_;
  pid_t child_ = -1;
  bool is_gone_ = false;
};

}  // namespace hanet::daemon
