// SPDX-License-Identifier: Apache-2.0
//
// What a group tells the world while it works. Notices are kept until nothing is urgent: a log that
// nobody reads must not hold a switchover up.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "group/alarm_kind.h"
#include "group/event.h"

namespace hanet::group {

/// One line for people, one object for programs.
struct Notice {
  MonotonicTime at{};
  std::chrono::system_clock::time_point wall_time;
  std::string event;  ///< of kEvents
  std::string group;
  std::string path;
  std::string text;
  /// What programs want apart from the text, by name: "cause", "to" ...
  std::map<std::string, std::string> facts{};
  std::optional<AlarmKind> alarm{};  ///< of "alarm" and "alarm-cleared"
};

class Notices {
 public:
  using Publish = std::function<void(const Notice&)>;

  Notices(std::string group, Publish publish)
      : group_(std::move(group)), publish_(std::move(publish)) {}

  /// `path`: the name of the path that it is about.
  void add(EventName event, std::string path, std::string text,
           std::map<std::string, std::string> facts = {}) {
    waiting_.push_back(Notice{.at = monotonic_now(),
                              .wall_time = wall_now(),
                              .event = std::string(event.text),
                              .group = group_,
                              .path = std::move(path),
                              .text = std::move(text),
                              .facts = std::move(facts),
                              .alarm = {}});
  }
  void alarm(AlarmKind kind, std::string path, std::string text) {
    add("alarm", std::move(path), std::move(text), {{"kind", std::string(to_text(kind))}});
    waiting_.back().alarm = kind;
  }
  void alarm_cleared(AlarmKind kind, std::string path, std::string text) {
    add("alarm-cleared", std::move(path), std::move(text), {{"kind", std::string(to_text(kind))}});
    waiting_.back().alarm = kind;
  }
  /// Publishes what waits, in order.
  void flush() {
    for (const Notice& notice : waiting_) publish_(notice);
    waiting_.clear();
  }

 private:
  std::string group_;
  Publish publish_;
  std::vector<Notice> waiting_;
};

}  // namespace hanet::group
