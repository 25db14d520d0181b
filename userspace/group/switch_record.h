// SPDX-License-Identifier: Apache-2.0
//
// The record of a switchover as it begins (spec O4): what was seen, when, and which rule fired.
#pragma once

#include "failover/record.h"
#include "group/judge.h"

namespace hanet::group {

/// The port whose verdict it was: of a trunk that failed, the last one that went down.
[[nodiscard]] const Port& verdict_port(const PortList& ports, const PortJudge& judge,
                                       const policy::Switchover& switchover);

/// `bridged`: the kernel bridges already. `received`: when hanetd had the news.
[[nodiscard]] failover::SwitchoverRecord begin_record(const Context& context, const PortList& ports,
                                                      const PortJudge& judge,
                                                      const policy::Switchover& switchover,
                                                      bool bridged, MonotonicTime received);

/// What the kernel side has kept of the moments before the verdict, unless the record has it: it is
/// written behind the verdict, which hanetd may have seen before.
void take_flight(failover::SwitchoverRecord& record, const engine::Engine& engine);

/// The switchover has ended: keeps its record, and tells that it was. `path`: the name of the one
/// that has the traffic now.
void finish_record(const Context& context, failover::SwitchoverRecord record,
                   const std::string& path);

}  // namespace hanet::group
