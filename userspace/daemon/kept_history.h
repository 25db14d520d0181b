// SPDX-License-Identifier: Apache-2.0
//
// The history of switchovers and alarms, which outlives hanetd (spec O10).
//
// The question "what happened last night" is asked after a restart as well. So what `explain` shows
// is kept as it is shown, in a file (report/history_file.h). It is made up when nothing is urgent,
// and written by a thread of its own: nobody waits for a disk. Bounded, oldest forgotten first.
#pragma once

#include <filesystem>
#include <optional>

#include "core/background_file.h"
#include "core/clock.h"
#include "core/result.h"
#include "failover/record.h"
#include "group/notices.h"
#include "report/history_file.h"

namespace hanet::daemon {

class KeptHistory {
 public:
  explicit KeptHistory(const std::filesystem::path& directory)
      : file_(report::history_file_in(directory)) {}

  /// Reads what an earlier hanetd left. The error says why a file that is there is not used; then
  /// the history is empty.
  [[nodiscard]] Status load();
  /// Takes over what is new.
  void follow(const failover::History& history, MonotonicTime now);
  /// Keeps it if it is an alarm, or the end of one.
  void hear(const group::Notice& notice);
  /// Has written what is due; the loop comes by often enough (kReconcile).
  void tick(MonotonicTime now);
  /// Has written what was not written yet, and waits for it for a while.
  void finish();

  [[nodiscard]] const report::KeptRecords& records() const { return records_; }

 private:
  void save();

  BackgroundFile file_;
  report::KeptRecords records_;
  std::optional<MonotonicTime> due_;
};

}  // namespace hanet::daemon
