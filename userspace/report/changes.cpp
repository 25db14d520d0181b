// SPDX-License-Identifier: Apache-2.0
//
// See changes.h.
#include "report/changes.h"

namespace hanet::report {
namespace {

Json key_json(const config::KeyChange& change) {
  const bool at_once = config::effect_of(change.key) == config::Effect::AtOnce;
  return {{"key", change.key},
          {"from", change.from},
          {"to", change.to},
          {"effect", at_once ? "at once" : "restart of the group"}};
}

}  // namespace

Json values_json(const config::ConfigValues& values) {
  Json groups = Json::array();
  for (const config::NamedValues& group : values.groups)
    groups.push_back({{"group", group.group}, {"values", group.values}});
  return {{"log_level", values.log_level}, {"groups", std::move(groups)}};
}

config::ConfigValues values_of(const Json& json) {
  config::ConfigValues values{.log_level = json.at("log_level").get<std::string>(), .groups = {}};
  for (const Json& group : json.at("groups"))
    values.groups.push_back(
        {group.at("group").get<std::string>(),
         group.at("values").get<std::map<std::string, std::string, std::less<>>>()});
  return values;
}

Json changes_json(const config::Changes& changes) {
  Json groups = Json::array();
  for (const config::GroupChange& change : changes.groups) {
    Json keys = Json::array();
    for (const config::KeyChange& key : change.keys) keys.push_back(key_json(key));
    groups.push_back({{"group", change.group},
                      {"fate", config::to_text(change.fate)},
                      {"keys", std::move(keys)}});
  }
  Json level;
  if (changes.log_level)
    level = Json{{"from", changes.log_level->from}, {"to", changes.log_level->to}};
  return {{"log_level", std::move(level)}, {"groups", std::move(groups)}};
}

}  // namespace hanet::report
