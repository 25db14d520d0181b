// SPDX-License-Identifier: Apache-2.0
//
// Counts for the metrics page what hanetd sees (spec O5): switchovers, alarms, verdicts, and what
// the groups are now.
//
// Threading: hanetd's main thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/engine.h"
#include "engine/sender.h"
#include "failover/record.h"
#include "group/notices.h"
#include "group/path_group.h"
#include "report/metrics_page.h"

namespace hanet::report {

/// Would the next failure be survived, in every respect that the first line of `hanetctl status`
/// has (verdict.h)? `sender` may be null while hanetd starts.
[[nodiscard]] bool is_protected(const group::View& group, const engine::Engine& engine,
                                const engine::Sender* sender, MonotonicTime now);

class MetricsBook {
 public:
  /// What the kernel side has counted before is not counted again.
  explicit MetricsBook(const engine::Engine& engine);

  /// The group is at work, with this number in the kernel side: before anything of it is followed.
  GroupMetrics& settle(engine::GroupIndex index, std::string_view group);
  void hear(const group::Notice& notice);
  /// Takes over what is new.
  void follow(const failover::History& history);
  /// The same with the down verdicts of the kernel side.
  void follow(const engine::Engine& engine);

  /// What there is now: begin_look(), then each group, then finish_look().
  void begin_look();
  void look(const group::View& group, const engine::Engine& engine, const engine::Sender* sender,
            MonotonicTime now);
  /// One that waits for its ports, behind those that run: not protected, and in no condition.
  void look_at_late(std::string_view group);
  [[nodiscard]] const Metrics& finish_look(const engine::Engine& engine, MonotonicTime now);

 private:
  [[nodiscard]] GroupMetrics* find(std::string_view group);
  [[nodiscard]] GroupMetrics* place_for(std::string_view group);
  void add_paths(const group::View& group, const engine::Engine& engine);

  Metrics metrics_{};
  std::size_t path_count_ = 0;
  std::array<bool, HANET_MAX_GROUPS> looked_at_{};
  std::uint64_t last_number_ = 0;
  std::array<std::uint64_t, HANET_MAX_SESSIONS> verdicts_{};  ///< of each session, when looked last
};

}  // namespace hanet::report
