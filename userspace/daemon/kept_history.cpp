// SPDX-License-Identifier: Apache-2.0
//
// See kept_history.h. The file: a line with the version and the checksum of the rest, and one JSON
// object.
#include "daemon/kept_history.h"

#include <fmt/format.h>

#include "core/log.h"
#include "core/private_file.h"
#include "report/status.h"

namespace hanet::daemon {
namespace {

constexpr std::size_t kSwitchovers = 64;
constexpr std::size_t kAlarms = 256;

// A record names everything that is missing after an incomplete switchover, which may be much.
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

// What happens together is written together.
constexpr Nanoseconds kPause = std::chrono::milliseconds(200);

// At the end, for a disk that is slow or gone.
constexpr std::chrono::seconds kPatience{2};

void warn(const Error& error) {
  log::warning("the history of switchovers does not outlive hanetd: {}", error.message);
}

std::string head_of(std::string_view text) {
  return fmt::format("hanet-history 1 {:016x}\n", checksum(text));
}

void keep(std::deque<Json>& kept, Json value, std::size_t most) {
  kept.push_back(std::move(value));
  if (kept.size() > most) kept.pop_front();
}

}  // namespace

Status KeptHistory::load() {
  Result<std::optional<std::string>> bytes = read_private_file(file_.file(), kMaxBytes);
  Status done = bytes ? Status() : pass_on(bytes);
  if (done && *bytes) done = read(**bytes);
  if (done) return {};
  return failure(
      fmt::format("the history {} is not used: {}", file_.file().string(), done.error().message));
}

Status KeptHistory::read(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const std::string_view text = end == std::string_view::npos ? "" : bytes.substr(end + 1);
  if (bytes.substr(0, bytes.size() - text.size()) != head_of(text)) return failure("it is damaged");
  try {
    const Json kept = Json::parse(text);
    switchovers_ = kept.at("switchovers").get<std::deque<Json>>();
    alarms_ = kept.at("alarms").get<std::deque<Json>>();
    last_number_ = kept.at("last_number").get<std::uint64_t>();
    return {};
  } catch (const Json::exception&) {
    return failure("it is damaged");
  }
}

void KeptHistory::follow(const failover::History& history, MonotonicTime now) {
  for (const failover::SwitchoverRecord& record : history.records()) {
    if (record.number <= last_number_) continue;
    last_number_ = record.number;
    keep(switchovers_, report::record_json(record), kSwitchovers);
    due_ = now + kPause;
  }
}

void KeptHistory::hear(const group::Notice& notice) {
  if (notice.event != "alarm" && notice.event != "alarm-cleared") return;
  keep(alarms_, report::notice_json(notice), kAlarms);
  due_ = notice.at + kPause;
}

std::string KeptHistory::text() const {
  return Json{{"switchovers", switchovers_}, {"alarms", alarms_}, {"last_number", last_number_}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

void KeptHistory::save() {
  due_.reset();
  std::string kept = text();
  while (kept.size() + head_of(kept).size() > kMaxBytes &&
         !(switchovers_.empty() && alarms_.empty())) {
    std::deque<Json>& longer = switchovers_.empty() ? alarms_ : switchovers_;
    longer.pop_front();
    kept = text();
  }
  if (Status begun = file_.write(head_of(kept) + kept); !begun) warn(begun.error());
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
