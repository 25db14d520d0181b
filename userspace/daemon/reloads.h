// SPDX-License-Identifier: Apache-2.0
//
// Another configuration while hanetd runs (spec O8).
//
// The whole file is checked first, by the code that the start checks it by; a file that is refused
// has changed nothing. A reload may have to be confirmed: whoever reloads a router over the network
// that it routes gets the old configuration back if the new one cuts the line, or if hanetd is
// started anew meanwhile (unconfirmed.h).
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
#include "daemon/unconfirmed.h"
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
  /// `started`: what the groups were begun with.
  Reloads(Where where, const Candidate& started, Unconfirmed& unconfirmed, GroupSet& groups,
          PortLocks& locks, group::Notices::Publish publish)
      : where_(std::move(where)),
        unconfirmed_(unconfirmed),
        log_level_(started.config.log_level),
        text_(started.config.text),
        is_way_back_(started.is_way_back),
        groups_(groups),
        locks_(locks),
        publish_(std::move(publish)) {}

  /// Reads the file and makes it what runs. With `confirm_within` (1 s .. kMaxConfirm) it is undone
  /// after that time, unless confirm() comes. The error is ready to print.
  [[nodiscard]] Result<config::Changes> reload(std::optional<std::chrono::seconds> confirm_within);
  /// The error says what a restart would do all the same.
  [[nodiscard]] Status confirm();
  /// Is what runs another one than the file, because nobody has confirmed that?
  [[nodiscard]] bool is_way_back() const { return is_way_back_; }
  /// Says that what runs is the way back: at the start.
  void tell_way_back();
  /// Undoes what nobody has confirmed in time; tries again if that fails.
  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const { return undone_at_; }

  [[nodiscard]] config::Config running() const;
  [[nodiscard]] const std::filesystem::path& file() const { return where_.file; }

 private:
  [[nodiscard]] Status may_begin(std::optional<std::chrono::seconds> confirm_within) const;
  [[nodiscard]] Status check(const config::Config& before, const config::Config& wanted) const;
  [[nodiscard]] Status carry_out(const config::Config& wanted);
  /// Before anything changes.
  [[nodiscard]] Status keep_the_way_back(std::optional<std::chrono::seconds> confirm_within,
                                         const config::Config& wanted);
  [[nodiscard]] Status forget_the_way_back();
  void tell(group::EventName event, std::string text) const;
  void alarm(std::string text);
  void end_alarm(std::string text);

  Where where_;
  Unconfirmed& unconfirmed_;
  std::string log_level_;
  std::string text_;  // of the file, as it was when it was taken
  bool is_way_back_;  // what runs is not the file, because nobody has confirmed that
  GroupSet& groups_;
  PortLocks& locks_;
  group::Notices::Publish publish_;
  std::optional<MonotonicTime> undone_at_;  // a reload waits to be confirmed
  config::Config before_;                   // it
  std::string told_;                        // why it could not be undone yet
  bool alarmed_ = false;
};

}  // namespace hanet::daemon
