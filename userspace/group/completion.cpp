// SPDX-License-Identifier: Apache-2.0
//
// See completion.h.
#include "group/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/log.h"
#include "failover/plan.h"

namespace hanet::group {
namespace {

// A setting that a person changes is noticed soon; what will never be costs next to nothing.
constexpr Nanoseconds kFirstPause = std::chrono::seconds(1),
                      kLongestPause = std::chrono::seconds(10);

}  // namespace

std::optional<Finding> Completion::look(std::vector<std::string> refused) const {
  std::vector<std::string> lines = net::describe_all(keeper_.missing());
  std::ranges::move(refused, std::back_inserter(lines));
  if (lines.empty()) return std::nullopt;
  const std::string& port = ports_.holder().interface.name;
  return Finding{
      .port = port,
      .text = fmt::format("{} did not take all of the identity; missing: {}. hanet tries "
                          "again, and keeps it for the other path",
                          port, listed(lines)),
      .is_loss = true};
}

std::optional<MonotonicTime> Completion::next_deadline() const {
  return context_.state.running ? std::nullopt : again_at_;
}

void Completion::tell() {
  // What is missing may be a full routing table, which nobody reads in every tick.
  const net::Identity& missing = keeper_.missing();
  std::vector<std::string> refused = ledger_.refused();
  const std::array counts{missing.addresses.size(),
                          missing.nexthops.size(),
                          missing.routes.size(),
                          missing.rules.size(),
                          missing.neighbours.size(),
                          std::size_t{ports_.holder().interface.index},
                          refused.size()};
  if (std::exchange(counts_, counts) == counts) return;
  std::optional<Finding> now = look(std::move(refused));
  if (now == told_) return;
  const std::string& path = ports_.name(context_.state.active);
  if (now)
    context_.notices.alarm(AlarmKind::IdentityIncomplete, path, now->text);
  else
    context_.notices.alarm_cleared(
        AlarmKind::IdentityIncomplete, path,
        fmt::format("{} has all of the identity", ports_.holder().interface.name));
  told_ = std::move(now);
}

void Completion::tick(MonotonicTime now) {
  if (context_.state.running) return;
  tell();
  if (!told_) {
    again_at_.reset();
  } else if (!again_at_) {
    pause_ = kFirstPause;
    again_at_ = now + pause_;
  } else if (now >= *again_at_) {
    try_again(now);
  }
}

void Completion::try_again(MonotonicTime now) {
  pause_ = std::min(2 * pause_, kLongestPause);
  again_at_ = now + pause_;
  const Port& holder = ports_.holder();
  if (!holder.present() || !holder.admin_up) return;
  ledger_.try_again();
  if (keeper_.missing().is_nothing()) return;
  failover::Plan plan;
  plan.expected = keeper_.missing();
  plan.to = plan.expected.on;
  for (failover::Step& step : failover::put_on(plan))
    if (Status sent = context_.requests().send(step.messages); !sent)
      log::debug("{}: {}", context_.config.name, sent.error().message);
  [[maybe_unused]] const auto ignored = context_.requests().collect();
  keeper_.mark_stale();
}

}  // namespace hanet::group
