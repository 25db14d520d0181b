// SPDX-License-Identifier: Apache-2.0
//
// See reloads.h.
#include "daemon/reloads.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "core/log.h"
#include "group/host_check.h"

namespace hanet::daemon {
namespace {

// After a try to undo a reload that failed.
constexpr Nanoseconds kTryAgain = std::chrono::seconds(5);

std::string summary_of(const config::Changes& changes) {
  if (changes.is_nothing()) return "nothing differs";
  std::vector<std::string> parts;
  if (changes.log_level)
    parts.push_back(fmt::format("{} is {}", changes.log_level->key, changes.log_level->to));
  for (const config::GroupChange& change : changes.groups)
    parts.push_back(fmt::format("{} {}", change.group, config::to_text(change.fate)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool begins(const config::Changes& changes, const std::string& group) {
  return std::ranges::any_of(changes.groups, [&](const config::GroupChange& change) {
    return change.group == group &&
           (change.fate == config::GroupFate::Added || change.fate == config::GroupFate::Restarted);
  });
}

// The addresses of this host would stay on a device that nobody carries any more.
Status check_devices(const config::Config& before, const config::Config& wanted) {
  for (const config::GroupConfig& group : before.groups) {
    if (!group.has_device() || group.take_over) continue;
    const auto kept = std::ranges::find(wanted.groups, group.name, &config::GroupConfig::name);
    if (kept != wanted.groups.end() && kept->has_device()) continue;
    return failure(
        fmt::format("group {0}: {0} has addresses of this host, and carries nothing without its "
                    "group; first: stop "
                    "hanetd, 'hanetctl detach'",
                    group.name));
  }
  return {};
}

}  // namespace

config::Config Reloads::running() const {
  config::Config running = groups_.running();
  running.log_level = log_level_;
  running.text = text_;
  return running;
}

// Only groups that are new or start anew are looked at on the host: the others are at work.
Status Reloads::check(const config::Config& before, const config::Config& wanted) const {
  const config::Changes changes =
      config::changes_between(config::values_of(before), config::values_of(wanted));
  const std::vector<engine::GroupIndex> all = groups_.indexes_for(wanted);
  config::Config beginning;
  std::vector<engine::GroupIndex> indexes;
  for (std::size_t at = 0; at < wanted.groups.size(); ++at) {
    if (!begins(changes, wanted.groups[at].name) || groups_.would_be_late(wanted.groups[at]))
      continue;
    beginning.groups.push_back(wanted.groups[at]);
    indexes.push_back(all[at]);
  }
  if (Status kept = check_devices(before, wanted); !kept) return kept;
  return group::check_host(beginning, where_.file.string(), where_.run_directory, indexes,
                           config::DeviceOnPort::IsMistake, [&] { groups_.show_life(); });
}

Status Reloads::carry_out(const config::Config& wanted) {
  if (Status locked = locks_.take(wanted); !locked) return locked;
  const Status changed = groups_.change(wanted);
  locks_.keep_only(groups_.running());
  if (!changed) return changed;
  log_level_ = wanted.log_level;
  text_ = wanted.text;
  log::set_level(log_level_);
  return {};
}

Status Reloads::keep_the_way_back(std::optional<std::chrono::seconds> confirm_within,
                                  const config::Config& wanted) {
  if (!confirm_within) return {};
  if (Status kept = unconfirmed_.keep(wanted.text, text_); !kept)
    return failure(fmt::format("the way back can not be kept: {}", kept.error().message));
  return {};
}

Status Reloads::may_begin(std::optional<std::chrono::seconds> confirm_within) const {
  if (undone_at_ && told_.empty())
    return failure(
        "a reload waits to be confirmed: 'hanetctl confirm' keeps it, or wait until it is undone");
  if (confirm_within && (confirm_within->count() < 1 || *confirm_within > kMaxConfirm))
    return failure(fmt::format("confirm: found {} s, allowed: 1 to {}", confirm_within->count(),
                               kMaxConfirm.count()));
  return {};
}

Result<config::Changes> Reloads::reload(std::optional<std::chrono::seconds> confirm_within) {
  const config::Config before = running();
  Result<config::Config> wanted = config::load(where_.file);
  Status done = may_begin(confirm_within);
  if (done) done = wanted ? check(before, *wanted) : pass_on(wanted);
  if (done) done = locks_.take(*wanted);
  if (done) done = keep_the_way_back(confirm_within, *wanted);
  if (!done) {
    locks_.keep_only(groups_.running());
    tell("reload-refused", fmt::format("nothing was changed: {}", done.error().message));
    return pass_on(done);
  }
  if (Status carried = carry_out(*wanted); !carried) {
    if (confirm_within) unconfirmed_.take_back();
    tell("reload-failed", fmt::format("the file does not run: {}", carried.error().message));
    return pass_on(carried);
  }
  config::Changes changes =
      config::changes_between(config::values_of(before), config::values_of(*wanted));
  told_.clear();
  undone_at_.reset();
  is_way_back_ = false;
  end_alarm("the file runs");
  if (confirm_within) {
    before_ = before;
    undone_at_ = monotonic_now() + *confirm_within;
  } else if (Status forgotten = forget_the_way_back(); !forgotten) {
    alarm(forgotten.error().message);
  }
  tell("reload", fmt::format("{}: {}{}", where_.file.string(), summary_of(changes),
                             confirm_within ? fmt::format("; undone in {} s unless it is confirmed",
                                                          confirm_within->count())
                                            : ""));
  return changes;
}

Status Reloads::confirm() {
  if (!undone_at_) return failure("no reload waits to be confirmed");
  if (Status forgotten = forget_the_way_back(); !forgotten) return forgotten;
  undone_at_.reset();
  told_.clear();
  end_alarm("the file is confirmed");
  tell("reload-confirmed", "the reload is confirmed");
  return {};
}

Status Reloads::forget_the_way_back() {
  if (Status forgotten = unconfirmed_.forget(); !forgotten)
    return failure(fmt::format("{}; a restart would run what ran before this file",
                               forgotten.error().message));
  return {};
}

void Reloads::tell_way_back() {
  alarm(fmt::format(
      "nobody confirmed the reload of {}, so what ran before it runs, after each start: "
      "'hanetctl diff' shows the difference, 'hanetctl reload' takes the file",
      where_.file.string()));
}

void Reloads::tick(MonotonicTime now) {
  if (!undone_at_ || now < *undone_at_) return;
  // A group that works is not ended for one that can not begin.
  Status undone = check(running(), before_);
  if (undone) undone = carry_out(before_);
  if (!undone) {
    undone_at_ = now + kTryAgain;
    if (std::exchange(told_, undone.error().message) != undone.error().message)
      alarm(fmt::format(
          "nobody confirmed the reload, and it can not be undone: {}; mend that, or keep "
          "what runs by 'hanetctl confirm'",
          undone.error().message));
    return;
  }
  undone_at_.reset();
  told_.clear();
  is_way_back_ = true;
  end_alarm("it is undone");
  tell("reload-undone",
       fmt::format("nobody confirmed the reload: what ran before runs again, after a restart as "
                   "well; {} was not changed: mend it, or take it by 'hanetctl reload'",
                   where_.file.string()));
}

void Reloads::alarm(std::string text) {
  alarmed_ = true;
  group::Notices notices(group::kOfHanetd, publish_);
  notices.alarm(group::AlarmKind::FileUnconfirmed, "", std::move(text));
  notices.flush();
}

void Reloads::end_alarm(std::string text) {
  if (!std::exchange(alarmed_, false)) return;
  group::Notices notices(group::kOfHanetd, publish_);
  notices.alarm_cleared(group::AlarmKind::FileUnconfirmed, "", std::move(text));
  notices.flush();
}

void Reloads::tell(group::EventName event, std::string text) const {
  group::Notices notices(group::kOfHanetd, publish_);
  notices.add(event, "", std::move(text));
  notices.flush();
}

}  // namespace hanet::daemon
