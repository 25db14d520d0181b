// SPDX-License-Identifier: Apache-2.0
//
// See kept_history.h.
#include "daemon/kept_history.h"

#include <utility>

#include "core/log.h"
#include "report/status.h"

namespace hanet::daemon {
namespace {

constexpr std::size_t kSwitchovers = 64;
constexpr std::size_t kAlarms = 256;

// What happens together is written together.
constexpr Nanoseconds kPause = std::chrono::milliseconds(200);

// At the end, for a disk that is slow or gone.
constexpr std::chrono::seconds kPatience{2};

void warn(const Error& error) {
  log::warning("the history of switchovers does not outlive hanetd: {}", error.message);
}

void keep(std::deque<Json>& kept, Json value, std::size_t most) {
  kept.push_back(std::move(value));
  if (kept.size() > most) kept.pop_front();
}

}  // namespace

Status KeptHistory::load() {
  Result<report::KeptRecords> kept = report::read_history(file_.file());
  if (!kept) return pass_on(kept);
  records_ = std::move(*kept);
  return {};
}

void KeptHistory::follow(const failover::History& history, MonotonicTime now) {
  for (const failover::SwitchoverRecord& record : history.records()) {
    if (record.number <= records_.last_number) continue;
    records_.last_number = record.number;
    keep(records_.switchovers, report::record_json(record), kSwitchovers);
    due_ = now + kPause;
  }
}

void KeptHistory::hear(const group::Notice& notice) {
  if (notice.event != "alarm" && notice.event != "alarm-cleared") return;
  keep(records_.alarms, report::notice_json(notice), kAlarms);
  due_ = notice.at + kPause;
}

void KeptHistory::save() {
  due_.reset();
  std::string kept = report::history_text(records_);
  while (kept.size() > report::kMaxHistoryBytes &&
         !(records_.switchovers.empty() && records_.alarms.empty())) {
    std::deque<Json>& longer =
        records_.switchovers.empty() ? records_.alarms : records_.switchovers;
    longer.pop_front();
    kept = report::history_text(records_);
  }
  if (Status begun = file_.write(std::move(kept)); !begun) warn(begun.error());
}

void KeptHistory::tick(MonotonicTime now) {
  if (due_ && now >= *due_) save();
  if (const std::optional<Error> failed = file_.take_failure()) warn(*failed);
}

void KeptHistory::finish() {
  if (due_) save();
  if (!file_.wait(kPatience)) warn({.message = "the disk does not take it"});
  if (const std::optional<Error> failed = file_.take_failure()) warn(*failed);
}

}  // namespace hanet::daemon
