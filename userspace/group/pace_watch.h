// SPDX-License-Identifier: Apache-2.0
//
// How often each port's session asks: less where its network answers only a part (spec M10). What
// is made of the counters is policy/pacing.h; here they are read, the kernel side is told, and a
// person is.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "group/findings.h"
#include "group/port_list.h"
#include "policy/pacing.h"

namespace hanet::group {

class PaceWatch {
 public:
  PaceWatch(const Context& context, const PortList& ports) : context_(context), ports_(ports) {}

  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline(MonotonicTime now) const;
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

  /// A port that fell silent counts as failed from then on (policy::PortSeen::partial_until). The
  /// active path is waited for where the kernel bridges meanwhile (may_be_policed), or where
  /// nothing else works.
  [[nodiscard]] MonotonicTime partial_until(const Port& port) const;
  /// Its network has not let so many requests pass for long enough to say that it will.
  [[nodiscard]] bool may_be_policed(const Port& port) const;
  /// Its network is known to answer only a part.
  [[nodiscard]] bool is_limited(const Port& port) const;

 private:
  [[nodiscard]] policy::AnswersSeen seen(const Port& port, engine::SessionIndex session) const;
  [[nodiscard]] const policy::Pacing& of(engine::SessionIndex session) const;
  [[nodiscard]] bool may_be_policed(const Port& port, engine::SessionIndex session) const;
  [[nodiscard]] bool is_waited_for(const Port& port, engine::SessionIndex session) const;
  [[nodiscard]] bool another_is_clean(const Port& port) const;
  [[nodiscard]] MonotonicTime doubted_until(const Port& port, engine::SessionIndex session,
                                            bool is_told) const;
  [[nodiscard]] std::optional<Finding> look(const Port& port, engine::SessionIndex session) const;

  const Context& context_;
  const PortList& ports_;
  std::map<engine::SessionIndex, policy::Pacing> paces_;
  std::vector<Finding> findings_;
};

}  // namespace hanet::group
