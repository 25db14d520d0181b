// SPDX-License-Identifier: Apache-2.0
//
// See verdict.h.
#include "report/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace hanet::report {
namespace {

std::string text_of(const Json& object, const char* key) {
  return object.at(key).get<std::string>();
}

std::string seconds_of(const std::string& wall_time) { return wall_time.substr(0, 19); }

std::string down_paths(const Json& group) {
  std::string text;
  for (const Json& path : group.at("paths"))
    if (path.at("health") == "down")
      text += fmt::format("{}{} is down: {}", text.empty() ? "" : ", ", text_of(path, "name"),
                          text_of(path, "reason"));
  return text;
}

bool is_blind(const Json& watched) { return watched.at("session").at("state") == "blind"; }

std::string blind_ports(const Json& group) {
  std::string text;
  for (const Json& path : group.at("paths")) {
    const Json ports = path.contains("ports") ? path.at("ports") : Json::array({path});
    for (const Json& port : ports)
      if (is_blind(port)) text += (text.empty() ? "" : ", ") + text_of(port, "name");
  }
  return text;
}

std::string first_loss(const Json& group) {
  const std::string state = text_of(group, "state");
  if (state != "incomplete" && state != "standby not ready") return {};
  for (const Json& finding : group.at("findings"))
    if (finding.at("is_loss") == true) return state + ": " + text_of(finding, "text");
  return {};
}

/// Why the group is not protected; empty if it is.
std::string reason_of(const Json& group) {
  const std::string state = text_of(group, "state");
  if (const std::string loss = first_loss(group); !loss.empty()) return loss;
  if (state != "protected") {
    const std::string down = down_paths(group);
    return down.empty() ? state : fmt::format("{} ({})", state, down);
  }
  if (const std::string blind = blind_ports(group); !blind.empty())
    return fmt::format("no heartbeat leaves by {}", blind);
  if (const Json& left = group.at("left_behind"); !left.empty())
    return fmt::format("the {} {} would be left behind", text_of(left.at(0), "kind"),
                       text_of(left.at(0), "name"));
  return {};
}

std::string last_text(const Json& last) {
  if (last.is_null()) return "no switchover on record";
  return fmt::format("last switchover {}: {} from {} to {}, {}, {}",
                     seconds_of(text_of(last, "wall_time")), text_of(last, "group"),
                     text_of(last, "from"), text_of(last, "to"), text_of(last, "cause"),
                     text_of(last, "outcome"));
}

}  // namespace

Json verdict_json(const Json& groups, const Json& late, const Json& last) {
  Json reasons = Json::array();
  std::string since;  // wall times in this form are ordered like text
  std::string text;
  for (const Json& group : groups) {
    const std::string reason = reason_of(group);
    since = std::max(since, text_of(group, "state_since"));
    if (reason.empty()) continue;
    // What else is found is not watched all the time.
    const bool known = group.at("state") != "protected";
    reasons.push_back({{"group", group.at("name")},
                       {"reason", reason},
                       {"since", known ? group.at("state_since") : Json()}});
    text +=
        fmt::format("{}group {}: {}{}", text.empty() ? "" : "; ", text_of(group, "name"), reason,
                    known ? " since " + seconds_of(text_of(group, "state_since")) : std::string());
  }
  for (const Json& group : late) {
    reasons.push_back(
        {{"group", group.at("name")}, {"reason", group.at("reason")}, {"since", nullptr}});
    text += fmt::format("{}group {}: {}", text.empty() ? "" : "; ", text_of(group, "name"),
                        text_of(group, "reason"));
  }
  if (groups.empty() && late.empty()) {
    text = "no group is configured";
    reasons.push_back({{"group", ""}, {"reason", text}, {"since", nullptr}});
  }
  const bool is_protected = reasons.empty();
  text = is_protected ? fmt::format("protected since {}", seconds_of(since))
                      : "not protected: " + text;
  return {{"protected", is_protected},
          {"text", fmt::format("{}; {}", text, last_text(last))},
          {"since", is_protected ? Json(since) : Json()},
          {"reasons", std::move(reasons)},
          {"last_switchover", last}};
}

}  // namespace hanet::report
