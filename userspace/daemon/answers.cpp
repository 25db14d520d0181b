// SPDX-License-Identifier: Apache-2.0
//
// See answers.h.
#include "daemon/answers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "group/live_parameters.h"
#include "report/status.h"
#include "report/verdict.h"

namespace hanet::daemon {
namespace {

Json refusal(const std::string& reason) { return {{"ok", false}, {"error", reason}}; }

}  // namespace

Json Answers::operator()(const Json& request) const {
  const std::string command = request.value("command", "");
  if (command == "status") return status();
  if (command == "explain") return explain(request);
  if (command == "switch" || command == "set" || command == "remove" || command == "add")
    return for_group(command, request);
  return refusal(fmt::format("unknown command '{}'", command));
}

Json Answers::status() const {
  const MonotonicTime now = monotonic_now();
  const engine::Capabilities& kernel = sources_.engine.capabilities();
  Json groups = Json::array();
  for (const auto& group : sources_.groups)
    groups.push_back(report::group_json(group->view(), sources_.engine, sources_.sender, now));
  const std::deque<Json>& kept = sources_.history.switchovers();
  const Json last = kept.empty() ? Json() : kept.back();
  return {{"ok", true},
          {"verdict", report::verdict_json(groups, last)},
          {"daemon",
           {{"pid", ::getpid()},
            {"version", HANET_VERSION},
            {"uptime_s", std::chrono::duration<double>(now - sources_.started).count()},
            {"link_source", kernel.link_source},
            {"deadlines", kernel.deadlines},
            {"kernel", report::kernel_json(kernel)},
            {"events_dropped", sources_.engine.accounts().events_dropped}}},
          {"groups", std::move(groups)}};
}

Json Answers::explain(const Json& request) const {
  const auto newest = [&](const std::deque<Json>& kept) {
    const auto last = std::min(request.value("last", kept.size()), kept.size());
    return Json(std::vector<Json>(kept.end() - static_cast<std::ptrdiff_t>(last), kept.end()));
  };
  return {{"ok", true},
          {"switchovers", newest(sources_.history.switchovers())},
          {"alarms", newest(sources_.history.alarms())}};
}

Result<group::PathGroup*> Answers::find_group(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& group : sources_.groups) {
    if (group->view().config.name == name) return group.get();
    names.push_back(group->view().config.name);
  }
  return failure(fmt::format("no group '{}'; there is {}", name, fmt::join(names, ", ")));
}

Json Answers::for_group(const std::string& command, const Json& request) const {
  const Result<group::PathGroup*> group = find_group(request.value("group", ""));
  if (!group) return refusal(group.error().message);
  if (command == "switch" && request.value("dry_run", false)) {
    const Result<const failover::Plan*> plan = (*group)->preview(request.value("to", ""));
    if (!plan) return refusal(plan.error().message);
    return {{"ok", true}, {"steps", report::plan_json(**plan)}};
  }
  const Status done = carry_out(**group, command, request);
  if (!done) return refusal(done.error().message);
  return {{"ok", true}};
}

Status Answers::carry_out(group::PathGroup& group, const std::string& command,
                          const Json& request) const {
  if (command == "switch") return group.switch_to(request.value("to", ""));
  if (command == "remove") return group.take_out(request.value("port", ""));
  if (command == "add") return group.put_back(request.value("port", ""));
  return set(group, request);
}

Status Answers::set(group::PathGroup& group, const Json& request) const {
  const std::string key = request.value("key", "");
  const std::string value = request.value("value", "");
  const group::View view = group.view();
  if (Status done = group::set_live_parameter(sources_.engine, view.index, key, value); !done)
    return done;
  group::Notices notices(view.config.name, publish_);
  notices.add("set", view.ports.name(view.state.active), fmt::format("{} is {} now", key, value));
  notices.flush();
  group.refresh(monotonic_now());
  return {};
}

}  // namespace hanet::daemon
