// SPDX-License-Identifier: Apache-2.0
//
// Another configuration while hanetd runs (spec O8).
//
// The whole file is checked first, by the code that the start checks it by; a file that is refused
// has changed nothing. A reload may have to be confirmed: whoever reloads a router over the network
// that it routes gets the old configuration back if the new one cuts the line.
//
// Threading: hanetd's main thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "config/values.h"
#include "core/clock.h"
#include "core/result.h"
#include "daemon/group_set.h"
#include "group/notices.h"

namespace hanet::daemon {

/// How long a reload may wait to be confirmed.
inline constexpr std::chrono::seconds kMaxConfirm = std::chrono::hours(1);

class Reloads {
 public:
  struct Where {
    std::filesystem::path file;           ///< the configuration file
    std::filesystem::path run_directory;  ///< of what was kept
  };
  Reloads(Where where, std::string log_level, GroupSet& groups, PortLocks& locks,
          group::Notices::Publish publish)
      : where_(std::move(where)),
        log_level_(std::move(log_level)),
        groups_(groups),
        locks_(locks),
        publish_(std::move(publish)) {}

  /// Reads the file and makes it what runs. With `confirm_within` (1 s .. kMaxConfirm) it is undone
  /// after that time, unless confirm() comes. The error is ready to print.
  [[nodiscard]] Result<config::Changes> reload(std::optional<std::chrono::seconds> confirm_within);
  [[nodiscard]] Status confirm();
  /// Undoes what nobody has confirmed in time.
  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const { return undone_at_; }

  [[nodiscard]] config::Config running() const;
  [[nodiscard]] const std::filesystem::path& file() const { return where_.file; }

 private:
  [[nodiscard]] Status check(const config::Config& before, const config::Config& wanted) const;
  [[nodiscard]] Status carry_out(const config::Config& wanted);
  void tell(std::string event, std::string text) const;

  Where where_;
  std::string log_level_;
  GroupSet& groups_;
  PortLocks& locks_;
  group::Notices::Publish publish_;
  std::optional<MonotonicTime> undone_at_;  // a reload waits to be confirmed
  config::Config before_;                   // it
};

}  // namespace hanet::daemon
