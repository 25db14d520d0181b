// SPDX-License-Identifier: Apache-2.0
//
// What the policy is told of the ports: gathers what the maps and rtnetlink say, keeps the trial of
// every port, and lets policy::judge() decide (policy/port.h).
#pragma once

#include <optional>
#include <vector>

#include "group/pace_watch.h"
#include "group/port_list.h"
#include "policy/port.h"

namespace hanet::group {

class PortJudge {
 public:
  PortJudge(const Context& context, const PortList& ports, const PaceWatch& paces)
      : context_(context), ports_(ports), paces_(paces) {}

  /// The ports are attached: their links may negotiate.
  void begin(MonotonicTime now);
  /// Starts the sessions of the watched ports; their first answers may take a while.
  [[nodiscard]] Status begin_monitoring(MonotonicTime now);
  /// The port was brought up, or came back.
  void expect_negotiation(const Port& port, MonotonicTime now);
  /// Requests count from now on.
  void begin_session(const Port& port) const;
  /// Heartbeats of the port are not judged before `until`: both ends of a pair finish before either
  /// judges the new path (spec F7).
  void pause_until(const Port& port, MonotonicTime until);

  /// What the policy is told of the ports of a path. `received`: when hanetd had the news.
  [[nodiscard]] std::vector<policy::PortState> judge(std::size_t path, MonotonicTime received);
  /// The policy was told that the port is down.
  void note_down(const Port& port, MonotonicTime at) { of(port).down_since = at; }
  /// When time alone may change a judgement.
  [[nodiscard]] std::optional<MonotonicTime> next_deadline(MonotonicTime now) const;

  [[nodiscard]] MonotonicTime down_since(const Port& port) const { return of(port).down_since; }
  [[nodiscard]] const policy::PortTrial& trial(const Port& port) const { return of(port).trial; }

 private:
  struct Entry {
    policy::PortTrial trial;
    MonotonicTime down_since{};  ///< when hanetd had the news that the port is down
    std::optional<MonotonicTime> again_at;
  };
  [[nodiscard]] Entry& of(const Port& port) { return entries_.at(ports_.number_of(port)); }
  [[nodiscard]] const Entry& of(const Port& port) const {
    return entries_.at(ports_.number_of(port));
  }
  void judge_again(const Port& port, MonotonicTime at);
  [[nodiscard]] policy::PortSeen seen(const Port& port) const;
  [[nodiscard]] std::optional<MonotonicTime> active_silent_since() const;
  [[nodiscard]] MonotonicTime rehash_ends(const Port& port) const;
  [[nodiscard]] MonotonicTime precedence_ends(const Port& port) const;

  const Context& context_;
  const PortList& ports_;
  const PaceWatch& paces_;
  std::vector<Entry> entries_;  // port by port
};

}  // namespace hanet::group
