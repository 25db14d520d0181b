// SPDX-License-Identifier: Apache-2.0
//
// The programs in hooks.d: each is run for each event, one after the other, in the order of their
// names.
//
// A hook gets the event as environment (HANET_EVENT, HANET_GROUP, HANET_PATH, HANET_TEXT,
// HANET_WALL_TIME and HANET_ with the name of each fact) and whole as one line of JSON on its
// standard input. What it prints goes to the log, the first few kilobytes of it. It has a time
// limit, and what it leaves running ends with it.
//
// Who may write to a hook decides what root runs: only regular files of root, which nobody else can
// write, in a directory of which the same is true.
//
// Threading: the notifier's only thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/fd.h"
#include "core/json.h"

namespace hanet::daemon {

class Hooks {
 public:
  Hooks(std::filesystem::path directory, std::chrono::milliseconds limit)
      : directory_(std::move(directory)), limit_(limit) {}
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;
  /// Takes what still runs along.
  ~Hooks();

  /// An event to run them for, behind those that wait. Beyond some hundred the oldest is dropped.
  void add(const Json& event);
  /// Goes on: notes what the running one printed, ends it, starts the next.
  void tick(MonotonicTime now);

  /// Readable when the running one has ended; -1: none runs.
  [[nodiscard]] int process() const { return running_ ? running_->process.get() : -1; }
  /// Readable when it has printed something.
  [[nodiscard]] int output() const { return running_ ? running_->output.get() : -1; }
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

 private:
  struct Run {
    std::string hook;
    Json event;
  };
  struct Running {
    std::string hook;
    pid_t pid = -1;
    Fd process;  ///< pidfd
    Fd output;
    MonotonicTime ends_at{};
    std::string printed{};
    std::size_t bytes = 0;  ///< of all that it printed
    bool was_killed = false;
  };
  [[nodiscard]] std::vector<std::string> programs();
  [[nodiscard]] std::string why_not(const std::filesystem::path& file) const;
  void start(const Run& run, MonotonicTime now);
  void read_output();
  void end_process_group() const;
  void finish();
  void warn_once(const std::string& text);

  std::filesystem::path directory_;
  std::chrono::milliseconds limit_;
  std::deque<Run> waiting_;
  std::optional<Running> running_;
  std::set<std::string> warned_;
};

/// What a hook finds in its environment, each "NAME=value".
[[nodiscard]] std::vector<std::string> environment_of(const Json& event);
/// Names that run-parts(8) takes too: no editor's copies and no package manager's leftovers.
[[nodiscard]] bool is_hook_name(std::string_view name);

}  // namespace hanet::daemon
