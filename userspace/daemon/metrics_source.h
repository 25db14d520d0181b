// SPDX-License-Identifier: Apache-2.0
//
// Hands out to readers without rights what metrics are made of (spec O5, S5): read-only descriptors
// of the kernel side's maps and of hanetd's own page.
//
// An unprivileged process may not open a pinned map (kernel.unprivileged_bpf_disabled), and should
// not: with the right to open one comes the right to write it. A descriptor that was opened with
// BPF_F_RDONLY can be mapped for reading and nothing else, whoever holds it, also root. The page is
// a memory file that is sealed against every write but by the mapping that hanetd has had before
// (F_SEAL_FUTURE_WRITE, Linux 5.1), and against getting shorter, which would kill a reader by
// SIGBUS.
//
// Asked for by {"command": "maps"} on a connected socket; the answer is one line of JSON, and the
// descriptors come with its first byte (SCM_RIGHTS, unix(7)):
//
//   {"ok": true, "version": "0.1.0",
//    "descriptors": [{"name": "page", "bytes": N}, {"name": "sessions", "bytes": N}, ...]}
//
// in that order. The sessions' cookies are in their map: whoever gets the descriptors and is on the
// LAN as well can forge echo replies. So they are for those who may read the status.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <span>

#include "config/config.h"
#include "core/clock.h"
#include "core/fd.h"
#include "core/result.h"
#include "daemon/answers.h"
#include "engine/maps.h"
#include "report/metrics.h"

namespace hanet::daemon {

class MetricsSource {
 public:
  struct Sources {
    const engine::Engine& engine;
    const failover::History& history;
    const Groups& groups;
  };
  /// The engine has to be loaded and its maps pinned in `pin_directory`.
  [[nodiscard]] static Result<std::unique_ptr<MetricsSource>> open(
      const std::filesystem::path& pin_directory, const Sources& sources);
  MetricsSource(const MetricsSource&) = delete;
  MetricsSource& operator=(const MetricsSource&) = delete;
  /// Says in the page that hanetd has ended.
  ~MetricsSource();

  /// Answers a client; false when it is to be dropped. Never blocks.
  [[nodiscard]] bool hand_out(int client) const;

  /// Before its first notice.
  void open_group(engine::GroupIndex index, std::string_view name) {
    book_.open_group(index, name);
  }
  void hear(const group::Notice& notice) { book_.hear(notice); }
  /// Counts what is new; writes the page if that was not done just now. `sender` may be null.
  void tick(const engine::Sender* sender, MonotonicTime now);

 private:
  struct HandedOut {
    std::string_view name;
    std::size_t bytes = 0;
    Fd fd;
  };
  explicit MetricsSource(const Sources& sources) : sources_(sources), book_(sources.engine) {}
  [[nodiscard]] Status make_page();
  [[nodiscard]] Status open_maps(const std::filesystem::path& pin_directory);

  Sources sources_;
  report::MetricsBook book_;
  engine::Mapping memory_;
  report::MetricsPage* page_ = nullptr;
  std::array<HandedOut, 4> handed_out_;
  MonotonicTime due_{};
};

}  // namespace hanet::daemon
