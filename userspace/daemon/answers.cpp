// SPDX-License-Identifier: Apache-2.0
//
// See answers.h.
#include "daemon/answers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <optional>

#include "group/live_parameters.h"
#include "report/changes.h"
#include "report/status.h"
#include "report/units.h"
#include "report/verdict.h"

namespace hanet::daemon {
namespace {

constexpr std::array<std::string_view, 3> kReading{"status", "explain", "running"};

Json refusal(const std::string& reason) { return {{"ok", false}, {"error", reason}}; }

}  // namespace

Json Answers::to_reader(const Json& request) const {
  const std::string command = request.value("command", "");
  if (std::ranges::count(kReading, command) != 0) return (*this)(request);
  return refusal(fmt::format("'{}' changes something, which needs root", command));
}

Json Answers::operator()(const Json& request) const {
  const std::string command = request.value("command", "");
  if (command == "status") return status(request);
  if (command == "explain") return explain(request);
  if (command == "running") return running();
  if (command == "reload") return reload(request);
  if (command == "confirm") {
    const Status confirmed = sources_.reloads.confirm();
    return confirmed ? Json{{"ok", true}} : refusal(confirmed.error().message);
  }
  if (command == "switch" || command == "set" || command == "remove" || command == "add")
    return for_group(command, request);
  return refusal(fmt::format("unknown command '{}'", command));
}

// Of all groups, or of the one that is asked for: then the verdict is that of this one.
Json Answers::status(const Json& request) const {
  const std::string only = request.value("group", "");
  const Json late = late_groups(only);
  if (!only.empty() && late.empty())
    if (const auto known = find_group(only); !known) return refusal(known.error().message);
  const MonotonicTime now = monotonic_now();
  const engine::Capabilities& kernel = sources_.engine.capabilities();
  Json groups = Json::array();
  for (const auto& group : sources_.groups.all())
    if (only.empty() || group->view().config.name == only)
      groups.push_back(
          report::group_json(group->view(), sources_.engine, sources_.groups.sender(), now));
  const std::deque<Json>& kept = sources_.history.records().switchovers;
  const auto newest = std::find_if(kept.rbegin(), kept.rend(), [&](const Json& record) {
    return only.empty() || record.value("group", "") == only;
  });
  const Json last = newest == kept.rend() ? Json() : *newest;
  return {{"ok", true},
          {"verdict", report::verdict_json(groups, late, last)},
          {"daemon",
           {{"pid", ::getpid()},
            {"version", HANET_VERSION},
            {"uptime_s", std::chrono::duration<double>(now - sources_.started).count()},
            {"link_source", kernel.link_source},
            {"deadlines", kernel.deadlines},
            {"requests", kernel.pacer},
            {"timers_usual_late_us", report::microseconds(sources_.engine.usual_lateness())},
            {"kernel", report::kernel_json(kernel)},
            {"events_dropped", sources_.engine.accounts().events_dropped}}},
          {"groups", std::move(groups)},
          {"late", late}};
}

Json Answers::late_groups(const std::string& only) const {
  Json late = Json::array();
  for (const LateGroup& group : sources_.groups.late())
    if (only.empty() || only == group.config.name)
      late.push_back(
          {{"name", group.config.name}, {"missing", group.missing}, {"reason", group.text()}});
  return late;
}

Json Answers::running() const {
  return {{"ok", true},
          {"file", sources_.reloads.file().string()},
          {"running", report::values_json(config::values_of(sources_.reloads.running()))}};
}

Json Answers::reload(const Json& request) const {
  std::optional<std::chrono::seconds> confirm_within;
  if (request.contains("confirm_s"))
    confirm_within = std::chrono::seconds(request.at("confirm_s").get<std::int64_t>());
  const Result<config::Changes> changes = sources_.reloads.reload(confirm_within);
  if (!changes) return refusal(changes.error().message);
  return {{"ok", true}, {"changes", report::changes_json(*changes)}};
}

Json Answers::explain(const Json& request) const {
  return report::explain_json(sources_.history.records(),
                              request.value("last", std::numeric_limits<std::size_t>::max()));
}

Result<group::PathGroup*> Answers::find_group(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& group : sources_.groups.all()) {
    if (group->view().config.name == name) return group.get();
    names.push_back(group->view().config.name);
  }
  for (const LateGroup& late : sources_.groups.late()) {
    if (late.config.name == name)
      return failure(fmt::format("group '{}' is {}", name, late.text()));
    names.push_back(late.config.name);
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
