// SPDX-License-Identifier: Apache-2.0
//
// See reload.h. A file is read and compared here, with the rights of whoever asks: hanetd only says
// what runs.
#include "reload.h"

#include "config/config.h"
#include "config/values.h"
#include "render.h"
#include "report/changes.h"

namespace hanet::ctl {

int reload(const Options& options) {
  Json request{{"command", "reload"}};
  if (options.confirm_s != 0) request["confirm_s"] = options.confirm_s;
  return ask(options, request,
             [](const Json& answer) { print(render_changes(answer.at("changes"))); });
}

int confirm(const Options& options) {
  return ask(options, {{"command", "confirm"}}, [](const Json&) {});
}

int diff(const Options& options) {
  const std::expected<Json, int> answer = answer_to(options, {{"command", "running"}});
  if (!answer) return answer.error();
  const std::string file =
      options.file.empty() ? answer->at("file").get<std::string>() : options.file;
  const Result<config::Config> wanted = config::load(file);
  if (!wanted) return refuse(options, kBadConfig, wanted.error().message);
  const Json changes = report::changes_json(config::changes_between(
      report::values_of(answer->at("running")), config::values_of(*wanted)));
  if (options.json)
    print(Json{{"ok", true}, {"file", file}, {"changes", changes}});
  else
    print(render_changes(changes));
  return kOk;
}

}  // namespace hanet::ctl
