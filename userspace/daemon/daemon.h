// SPDX-License-Identifier: Apache-2.0
//
// hanetd: one thread that waits for the kernel, for rtnetlink, for people and for time.
//
// The loop does one thing at a time and nothing slow. Kernel-side events come first in every round,
// because they are what the host is waiting for.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/answers.h"
#include "daemon/control.h"
#include "daemon/group_set.h"
#include "daemon/kept_history.h"
#include "daemon/metrics_source.h"
#include "daemon/notifier.h"
#include "daemon/reloads.h"
#include "daemon/unconfirmed.h"
#include "daemon/wakeups.h"
#include "engine/engine.h"
#include "failover/record.h"
#include "group/path_group.h"
#include "net/port_lock.h"

namespace hanet::daemon {

struct DaemonOptions {
  std::filesystem::path config_file;      ///< read again by a reload
  std::filesystem::path run_directory;    ///< sockets, and what is kept until the next boot
  std::filesystem::path state_directory;  ///< what is kept for good; empty: the one above
  std::filesystem::path pin_directory;    ///< pinned maps
  std::filesystem::path hooks;            ///< programs that are run for each event
  std::chrono::milliseconds hook_limit = std::chrono::seconds(30);  ///< of one of them
  bool wait = false;      ///< a group whose ports are not here waits for them
  bool pacer = true;      ///< true: the kernel sends, where it can (engine::Engine::Options)
  bool bpf_timer = true;  ///< false: do without (engine::Engine::Options)

  [[nodiscard]] const std::filesystem::path& lasting() const {
    return state_directory.empty() ? run_directory : state_directory;
  }
};

class Daemon {
 public:
  /// Brings everything up or nothing: on error what was attached is detached again.
  /// `unconfirmed` must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<Daemon>> start(const Candidate& candidate,
                                                             Unconfirmed& unconfirmed,
                                                             const DaemonOptions& options);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  /// Detaches; the identity stays where it is.
  ~Daemon();

  /// Serves until SIGTERM or SIGINT; SIGHUP reloads.
  [[nodiscard]] Status run();

 private:
  Daemon() = default;
  [[nodiscard]] Status lock(const config::Config& config, const DaemonOptions& options);
  [[nodiscard]] Status open_descriptors(const config::Config& config, const DaemonOptions& options);
  void remember(const std::filesystem::path& directory);
  void open_metrics();
  void publish(const group::Notice& notice);
  void read_kernel_events();
  void read_notifications();
  void look_at_links();
  void handle_notification(const nlmsghdr& message);
  void tick();
  void tell_service_manager();
  void tell_if_taken_over();
  void tell_if_away(Nanoseconds away);
  void answer_signals();
  [[nodiscard]] bool must_outlive() const;
  [[noreturn]] void leave();
  void keep_history();
  void let_askers_go(MonotonicTime now);
  [[nodiscard]] bool is_switching() const;
  [[nodiscard]] MonotonicTime next_deadline() const;
  [[nodiscard]] bool is_port(unsigned ifindex) const;
  [[nodiscard]] group::Environment environment(const DaemonOptions& options);

  Notifier notifier_;  // first: it outlives what it tells of
  std::vector<net::PortLock> directories_;
  PortLocks ports_;
  std::unique_ptr<engine::Engine> engine_;
  net::NetlinkSocket requests_;
  net::NetlinkSocket notifications_;
  std::unique_ptr<ControlSocket> control_;  // for root
  std::unique_ptr<ControlSocket> reading_;  // for those who change nothing
  Wakeups wakeups_;
  failover::History history_;
  std::unique_ptr<KeptHistory> kept_history_;
  std::unique_ptr<GroupSet> groups_;
  std::unique_ptr<MetricsSource> metrics_;  // null: nothing can be counted
  std::unique_ptr<Reloads> reloads_;
  MonotonicTime started_{};
  MonotonicTime let_go_at_{};
  Watchdog watchdog_;
  std::string told_service_manager_;
  std::string away_text_;            // that hanetd stood still, not told yet
  std::size_t told_taken_over_ = 0;  ///< sessions
  std::uint64_t dropped_events_ = 0;
  bool look_again_ = false;  // a link could not be read
  bool ends_ = false;        // hanetd is asked to
};

}  // namespace hanet::daemon
