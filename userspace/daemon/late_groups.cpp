// SPDX-License-Identifier: Apache-2.0
//
// See late_groups.h.
#include "daemon/late_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/text.h"
#include "core/log.h"
#include "group/host_check.h"

namespace hanet::daemon {
namespace {

// How often it is looked whether ports have come, and how soon what failed is tried again.
constexpr Nanoseconds kLookForPorts = std::chrono::milliseconds(100);
constexpr Nanoseconds kTryToBeginAgain = std::chrono::seconds(2);
// So long nobody is called: most drivers that are slower than a service are so by a second or two.
constexpr Nanoseconds kPatienceWithPorts = std::chrono::seconds(5);

}  // namespace

std::string LateGroup::text() const {
  std::string text = refused.empty() ? "about to begin" : "unable to begin: " + refused;
  if (!missing.empty())
    text = fmt::format("waiting for {}, which {} not here yet", config::listed(missing),
                       missing.size() == 1 ? "is" : "are");
  return text + (goes_on ? "; what the hanetd before left goes on in the kernel" : "");
}

Result<std::vector<std::string>> missing_ports(const config::GroupConfig& group,
                                               const std::filesystem::path& run_directory) {
  config::Config alone;
  alone.groups.push_back(group);
  return group::ports_not_here(alone, run_directory);
}

Result<config::Config> without_late_groups(const config::Config& config,
                                           const std::filesystem::path& run_directory) {
  config::Config here = config;
  here.groups.clear();
  for (const config::GroupConfig& group : config.groups) {
    const Result<std::vector<std::string>> missing = missing_ports(group, run_directory);
    if (!missing) return std::unexpected(missing.error());
    if (missing->empty()) here.groups.push_back(group);
  }
  return here;
}

void LateGroups::wait_for(const config::Config& wanted, const IsAtWork& is_at_work,
                          const std::map<std::string, std::string>& refused) {
  const std::vector<LateGroup> before = std::exchange(groups_, {});
  std::set<std::string> names;
  for (const config::GroupConfig& config : wanted.groups) {
    names.insert(config.name);
    if (!is_at_work(config.name)) take_in(config, before, refused);
  }
  for (const std::string& group : std::set<std::string>(told_))
    if (!names.contains(group))
      tell_no_more(group, "the group is not configured any more");
    else if (is_at_work(group))
      tell_no_more(group, "the group has begun");
}

void LateGroups::take_in(const config::GroupConfig& config, const std::vector<LateGroup>& before,
                         const std::map<std::string, std::string>& refused) {
  const auto known = std::ranges::find(
      before, config.name, [](const LateGroup& one) -> const auto& { return one.config.name; });
  const bool is_new = known == before.end();
  groups_.push_back(is_new ? LateGroup{.config = {}, .missing = {}, .since = monotonic_now()}
                           : *known);
  LateGroup& late = groups_.back();
  late.config = config;
  look_at(late);
  if (!is_new) return;
  const auto misfit = refused.find(config.name);
  if (misfit != refused.end()) late.refused = misfit->second;
  log::write_line(misfit != refused.end() ? log::Level::Error : log::Level::Notice,
                  fmt::format("{}: {}", config.name, late.text()));
}

void LateGroups::look_at(LateGroup& late) const {
  Sight sight = look_(late.config);
  late.missing = std::move(sight.missing);
  late.goes_on = sight.goes_on;
}

void LateGroups::add(const config::GroupConfig& config, const std::string& refused) {
  groups_.push_back(
      {.config = config, .missing = {}, .refused = refused, .since = monotonic_now()});
}

void LateGroups::tell(LateGroup& late, MonotonicTime now) {
  const bool is_about_to_begin = late.missing.empty() && late.refused.empty();
  if (is_about_to_begin || now < late.since + kPatienceWithPorts || late.told == late.text())
    return;
  late.told = late.text();
  told_.insert(late.config.name);
  group::Notices notices(late.config.name, publish_);
  notices.alarm(group::AlarmKind::GroupLate, "",
                fmt::format("{}; the group is not protected until it begins", late.told));
  notices.flush();
}

void LateGroups::tell_no_more(const std::string& group, const std::string& text) {
  if (told_.erase(group) == 0) return;
  group::Notices notices(group, publish_);
  notices.alarm_cleared(group::AlarmKind::GroupLate, "", text);
  notices.flush();
}

bool LateGroups::try_to_begin(LateGroup& late, MonotonicTime now, const Begin& begin) {
  if (!late.missing.empty() || now < late.try_at) return false;
  if (const Status begun = begin(late.config); !begun) {
    late.try_at = now + kTryToBeginAgain;
    if (std::exchange(late.refused, begun.error().message) != begun.error().message)
      log::error("{}: {}", late.config.name, late.text());
    return false;
  }
  const std::string_view why =
      late.refused.empty() ? "every port is here" : "nothing is in its way any more";
  log::notice("{}: {}, the group begins", late.config.name, why);
  tell_no_more(late.config.name, fmt::format("{}, the group has begun", why));
  return true;
}

bool LateGroups::begin_one(MonotonicTime now, const Begin& begin) {
  if (groups_.empty() || now < look_at_) return false;
  look_at_ = now + kLookForPorts;
  for (auto late = groups_.begin(); late != groups_.end(); ++late) {
    look_at(*late);
    tell(*late, now);
    if (!try_to_begin(*late, now, begin)) continue;
    groups_.erase(late);
    return true;
  }
  return false;
}

}  // namespace hanet::daemon
