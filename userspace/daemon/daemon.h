// SPDX-License-Identifier: Apache-2.0
//
// hanetd: one thread that waits for the kernel, for rtnetlink, for people and for time.
//
// The loop does one thing at a time and nothing slow. Kernel-side events come first in every round,
// because they are what the host is waiting for.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/control.h"
#include "engine/engine.h"
#include "engine/sender.h"
#include "failover/record.h"
#include "group/group_runner.h"
#include "net/port_lock.h"

namespace hanet::daemon {

struct DaemonOptions {
  std::filesystem::path run_directory;  ///< control socket
  std::filesystem::path pin_directory;  ///< pinned maps
  bool bpf_timer = true;                ///< false: do without (engine::Engine::Options)
};

class Daemon {
 public:
  /// Brings everything up or nothing: on error what was attached is detached again.
  [[nodiscard]] static Result<std::unique_ptr<Daemon>> start(const config::Config& config,
                                                             const DaemonOptions& options);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  /// Detaches; the identity stays where it is.
  ~Daemon();

  /// Serves until SIGTERM or SIGINT.
  [[nodiscard]] Status run();

 private:
  Daemon() = default;
  [[nodiscard]] Status open_descriptors(const config::Config& config, const DaemonOptions& options);
  [[nodiscard]] Status start_groups(const config::Config& config, const DaemonOptions& options);
  void publish(const group::Notice& notice);
  void read_kernel_events();
  void read_notifications();
  void look_at_links();
  void handle_notification(const nlmsghdr& message);
  void tick();
  void set_timer();
  [[nodiscard]] bool handle_signal();
  [[nodiscard]] Json answer(const Json& request);
  [[nodiscard]] Json answer_group(const std::string& command, const Json& request);
  [[nodiscard]] group::GroupRunner* find_group(const std::string& name);

  std::vector<net::PortLock> locks_;
  std::unique_ptr<engine::Engine> engine_;
  net::NetlinkSocket requests_;
  net::NetlinkSocket notifications_;
  std::unique_ptr<ControlSocket> control_;
  Fd poll_;
  Fd timer_;
  Fd signals_;
  failover::History history_;
  std::vector<std::unique_ptr<group::GroupRunner>> groups_;
  std::unique_ptr<engine::Sender> sender_;  // last: stops first
  MonotonicTime started_{};
  Nanoseconds watchdog_{};
  MonotonicTime next_watchdog_{};
  std::uint64_t dropped_events_ = 0;
  bool look_again_ = false;  // a link could not be read
};

}  // namespace hanet::daemon
