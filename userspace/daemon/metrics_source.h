// SPDX-License-Identifier: Apache-2.0
//
// Hands out to readers without rights what metrics are made of (spec O5, S5): a read-only
// descriptor of a page that hanetd writes.
//
// The page is a memory file that is sealed against every write but by the mapping that hanetd has
// had before (F_SEAL_FUTURE_WRITE, Linux 5.1), and against getting shorter, which would kill a
// reader by SIGBUS. So who holds it can not write, whatever its rights.
//
// The kernel side's maps can not be handed out like this. A descriptor that was opened with
// BPF_F_RDONLY can not be mapped at all: do_mmap() (mm/mmap.c) takes VM_SHARED off a file without
// the right to write, and bpf_map_mmap() wants it. One that can be mapped can be written. So their
// counters are copied into the page, and nobody gets the secrets that are beside them.
//
// Asked for by {"command": "metrics"} on a connected socket; the answer is one line of JSON, and
// the descriptor comes with its first byte (SCM_RIGHTS, unix(7)):
//
//   {"ok": true, "version": "0.1.0", "layout": 1, "bytes": N}
#pragma once

#include <memory>
#include <string_view>

#include "core/clock.h"
#include "core/fd.h"
#include "core/json.h"
#include "core/result.h"
#include "daemon/group_set.h"
#include "engine/maps.h"
#include "report/metrics.h"

namespace hanet::daemon {

class MetricsSource {
 public:
  struct Sources {
    const engine::Engine& engine;
    const failover::History& history;
    const GroupSet& groups;
  };
  /// The engine has to be loaded.
  [[nodiscard]] static Result<std::unique_ptr<MetricsSource>> open(const Sources& sources);
  MetricsSource(const MetricsSource&) = delete;
  MetricsSource& operator=(const MetricsSource&) = delete;
  /// Says in the page that hanetd has ended.
  ~MetricsSource();

  /// Answers a client; false when it is to be dropped. Never blocks.
  [[nodiscard]] bool hand_out(int client) const;

  void hear(const group::Notice& notice) { book_.hear(notice); }
  /// Counts what is new; writes the page if that was not done just now. `sender` may be null.
  void tick(const engine::Sender* sender, MonotonicTime now);

 private:
  explicit MetricsSource(const Sources& sources) : sources_(sources), book_(sources.engine) {}
  [[nodiscard]] Status make_page();

  Sources sources_;
  report::MetricsBook book_;
  engine::Mapping memory_;
  report::MetricsPage* page_ = nullptr;
  Fd handed_out_;
  MonotonicTime due_{};
};

}  // namespace hanet::daemon
