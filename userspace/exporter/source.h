// SPDX-License-Identifier: Apache-2.0
//
// hanetd as the exporter sees it: mapped memory, or nothing.
//
// Whatever hanetd does, the exporter goes on: it notices an end at once (pidfd) or by the page,
// that nobody writes any more, lets go of the memory, and attaches to the next hanetd.
//
// Threading: attach() and detach() by one thread; read() by any.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>

#include "core/clock.h"
#include "engine/maps.h"
#include "exporter/handover.h"
#include "report/metrics_page.h"

namespace hanet::exporter {

/// hanetd writes ten times a second. A full routing table may keep it for seconds; the service
/// manager's watchdog has no more patience.
inline constexpr Nanoseconds kSilenceMeansFrozen = std::chrono::seconds(10);

class Source {
 public:
  /// `socket`: hanetd's for readers.
  explicit Source(std::filesystem::path socket) : socket_(std::move(socket)) {}

  [[nodiscard]] Status attach();
  void detach();
  [[nodiscard]] bool attached() const { return attached_; }
  /// Of the hanetd that it was attached to last.
  [[nodiscard]] const std::string& version() const { return version_; }
  /// Readable once hanetd has ended; -1 where that is not told.
  [[nodiscard]] int ended_descriptor() const { return ended_.get(); }
  /// Has it ended, as far as can be seen? A frozen one has not.
  [[nodiscard]] bool has_ended() const;

  /// hanetd as of one moment; false: none runs, or it is frozen.
  [[nodiscard]] bool read(report::Metrics& metrics, MonotonicTime now) const;

 private:
  std::filesystem::path socket_;
  mutable std::mutex mutex_;  // of what follows; only attach() and detach() write it
  bool attached_ = false;
  std::string version_;
  Fd ended_;
  engine::Mapping page_;
};

}  // namespace hanet::exporter
