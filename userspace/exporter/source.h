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
#include <functional>
#include <mutex>
#include <span>
#include <string>

#include "core/clock.h"
#include "engine/maps.h"
#include "exporter/handover.h"
#include "hanet/abi.h"
#include "report/metrics_page.h"

namespace hanet::exporter {

/// hanetd writes every 100 ms. A full routing table may keep it for seconds; the service manager's
/// watchdog has no more patience.
inline constexpr Nanoseconds kSilenceMeansFrozen = std::chrono::seconds(10);

/// One look: hanetd's page as of one moment, and the kernel side's counters, which go on meanwhile
/// (engine::load()).
struct Counters {
  const report::Metrics& metrics;
  std::span<const hanet_session> sessions;
  std::span<const hanet_port> ports;
  const hanet_engine& engine;
};

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

  /// Calls `use` once, or returns false: no hanetd runs, or it is frozen.
  [[nodiscard]] bool read(const std::function<void(const Counters&)>& use, MonotonicTime now) const;

 private:
  std::filesystem::path socket_;
  mutable std::mutex mutex_;  // of what follows; only attach() and detach() write it
  bool attached_ = false;
  std::string version_;
  Fd ended_;
  engine::Mapping page_;
  engine::MappedArray<hanet_session> sessions_;
  engine::MappedArray<hanet_port> ports_;
  engine::MappedArray<hanet_engine> engine_;
};

}  // namespace hanet::exporter
