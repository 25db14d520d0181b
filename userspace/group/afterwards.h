// SPDX-License-Identifier: Apache-2.0
//
// Steps that only bridged the time until the kernel had finished (failover::Plan::afterwards): sent
// a second later, or before the next plan.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "failover/plan.h"
#include "net/netlink.h"

namespace hanet::group {

/// The kernel's worker has delivered new IPv6 addresses long before (net/ipv6/addrconf.c).
inline constexpr Nanoseconds kAfterwardsDelay = std::chrono::seconds(1);

class Afterwards {
 public:
  Afterwards(net::NetlinkSocket& requests, const std::string& group)
      : requests_(requests), group_(group) {}

  void keep(std::vector<failover::Step> steps, MonotonicTime at) {
    steps_ = std::move(steps);
    at_ = at;
  }
  void tick(MonotonicTime now) {
    if (now >= at_) finish();
  }
  void finish() {
    for (failover::Step& step : steps_)
      if (Status sent = requests_.send(step.messages); !sent)
        log::warning("{}: {}", group_, sent.error().message);
    if (!steps_.empty()) [[maybe_unused]]
      const auto ignored = requests_.collect();
    steps_.clear();
  }
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const {
    return steps_.empty() ? std::nullopt : std::optional(at_);
  }

 private:
  net::NetlinkSocket& requests_;
  const std::string& group_;
  std::vector<failover::Step> steps_;
  MonotonicTime at_{};
};

}  // namespace hanet::group
