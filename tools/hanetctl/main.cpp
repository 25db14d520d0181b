// SPDX-License-Identifier: Apache-2.0
//
// hanetctl: asks hanetd, and shows the answer to people or programs. hanetctl(1) documents the
// commands, the JSON fields and the exit codes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <expected>
#include <string>
#include <string_view>

#include "asking.h"
#include "client.h"
#include "config/config.h"
#include "config/parameters.h"
#include "config/text.h"
#include "group/host_check.h"
#include "group/host_table.h"
#include "offline.h"
#include "reload.h"
#include "render.h"
#include "render_host.h"

namespace {

using namespace hanet::ctl;
using hanet::Json;

constexpr const char* kOwnFile = "/etc/hanet/hanet.toml";  // hanetd's

std::string parameter_names() {
  std::string names;
  for (const hanet::config::LiveParameter& parameter : hanet::config::kLiveParameters)
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", parameter.name,
                         parameter.words.empty()
                             ? fmt::format("{} to {}", parameter.range.low, parameter.range.high)
                             : fmt::format("{}", fmt::join(parameter.words, ", ")));
  return names;
}

/// What the kernel side says where no hanetd does: `error` of the one that does not answer.
int status_without_daemon(const Options& options, const hanet::Error& error) {
  const bool runs = !is_no_daemon(error);
  const int code = runs ? kRefused : kNoDaemon;
  hanet::Result<Json> offline = offline_status(options.pin_directory);
  if (!offline) return refuse(options, code, runs ? error.message : offline.error().message);
  if (runs) {
    offline->update({{"ok", false}, {"error", error.message}});
    fmt::print(stderr, "hanetctl: {}\n", error.message);
  }
  show_answer(options, *offline, [](const Json& shown) { print(render_offline(shown)); });
  return code;
}

int status(const Options& options) {
  hanet::Result<Client> client = Client::connect(options.run_directory);
  if (!client && (is_no_daemon(client.error()) || client.error().code == ETIMEDOUT))
    return status_without_daemon(options, client.error());
  if (!client) return refuse_without_daemon(options, client.error());
  Json request{{"command", "status"}};
  if (!options.group.empty()) request["group"] = options.group;
  const hanet::Result<Json> asked = client->ask(request);
  if (!asked && asked.error().code == ETIMEDOUT)
    return status_without_daemon(options, asked.error());
  const std::expected<Json, int> answer = checked(options, asked);
  if (!answer) return answer.error();
  show_answer(options, *answer, [](const Json& shown) { print(render_status(shown)); });
  if (answer->contains("responder")) return kOk;  // it protects nobody, and is not asked to
  return answer->at("verdict").at("protected") == true ? kOk : kNotProtected;
}

// "What happened last night" is asked also where hanetd does not run any more.
int explain(const Options& options) {
  const auto show = [](const Json& answer) { print(render_explain(answer)); };
  const hanet::Result<Client> client = Client::connect(options.run_directory);
  if (client || !is_no_daemon(client.error()))
    return ask(options, {{"command", "explain"}, {"last", options.last}}, show);
  const hanet::Result<Json> kept = offline_explain(options);
  if (!kept) return refuse(options, kNoDaemon, kept.error().message);
  if (options.json)
    print(*kept);
  else
    show(*kept);
  fmt::print(stderr, "hanetctl: hanetd does not run; this is what it has kept\n");
  return kOk;
}

int detach(const Options& options) {
  const hanet::Result<std::string> done =
      hanet::ctl::detach(options.run_directory, options.pin_directory);
  if (!done) return refuse(options, kRefused, done.error().message);
  if (options.json)
    print(Json{{"ok", true}, {"text", *done}});
  else
    print(*done + "\n");
  return kOk;
}

int watch(const Options& options) {
  hanet::Result<Client> client = Client::connect(options.run_directory);
  if (!client) return refuse_without_daemon(options, client.error());
  hanet::Result<Json> begun = client->ask({{"command", "watch"}});
  if (!begun) return refuse(options, kRefused, begun.error().message);
  if (!begun->value("ok", false))
    return refuse(options, kRefused, begun->value("error", "refused"));
  const hanet::Status ended = client->listen([&](const Json& notice) {
    if (options.json)
      print(notice);
    else
      print(render_notice(notice));
    return true;
  });
  return refuse(options, kNoDaemon, ended.error().message);
}

int check(const Options& options) {
  const hanet::Result<hanet::config::Config> config = hanet::config::load(options.file);
  hanet::Status good = config
                           ? hanet::group::check_host(*config, options.file, options.run_directory)
                           : hanet::Status(std::unexpected(config.error()));
  if (!good) return refuse(options, kBadConfig, good.error().message);
  if (options.json)
    print(Json{{"ok", true}, {"groups", config->groups.size()}});
  else
    print(fmt::format("{}: good, {} group(s)\n", options.file, config->groups.size()));
  return kOk;
}

// The table is shown also where hanetd would not start: it may say why.
int check_with_table(const Options& options) {
  const hanet::Result<hanet::config::Config> config = hanet::config::load(options.file);
  if (!config) return refuse(options, kBadConfig, config.error().message);
  hanet::Result<hanet::net::NetlinkSocket> socket = hanet::net::NetlinkSocket::open();
  if (!socket) return refuse(options, kRefused, socket.error().message);
  Json groups = Json::array();
  bool is_whole = true;
  for (const hanet::config::GroupConfig& group : config->groups) {
    const hanet::Result<hanet::group::GroupTable> table =
        hanet::group::look_at_host(*socket, group);
    if (!table) return refuse(options, kBadConfig, table.error().message);
    is_whole = is_whole && table->is_whole();
    groups.push_back(hanet::group::to_json(*table));
  }
  const hanet::Status starts =
      hanet::group::check_host(*config, options.file, options.run_directory);
  if (options.json)
    print(Json{{"ok", starts && is_whole},
               {"groups", groups},
               {"error", starts ? Json() : Json(starts.error().message)}});
  else
    print(render_host(groups));
  if (!starts) fmt::print(stderr, "hanetctl: {}\n", starts.error().message);
  return !starts ? kBadConfig : is_whole ? kOk : kRefused;
}

void nothing_to_show(const Json&) {}

// A word that is no command is what is wrong, whatever else is missing.
int explain_usage(const CLI::App& app, const CLI::ParseError& stop, const Options& options) {
  if (stop.get_exit_code() == 0) return app.exit(stop);
  const std::vector<std::string> unknown = app.remaining();
  if (!app.get_subcommands().empty() || unknown.empty() || unknown.front().starts_with('-')) {
    if (options.json) print(Json{{"ok", false}, {"error", stop.what()}});
    app.exit(stop);
    return kUsage;
  }
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    commands.push_back(command->get_name());
  const std::vector<std::string_view> known(commands.begin(), commands.end());
  const std::string_view meant = hanet::config::nearest(unknown.front(), known);
  return refuse(options, kUsage,
                fmt::format("there is no command {}; {}", hanet::config::in_quotes(unknown.front()),
                            meant.empty() ? "there is " + hanet::config::listed(known)
                                          : fmt::format("did you mean '{}'?", meant)));
}

void add_looking(CLI::App& app, Options& options, int& result) {
  CLI::App* shown = app.add_subcommand("status", "groups, paths, sessions and counters");
  shown->add_option("group", options.group, "only this group");
  shown->callback([&] { result = status(options); });
  app.add_subcommand("watch", "events as they happen")->callback([&] { result = watch(options); });
  CLI::App* explained = app.add_subcommand("explain", "the last switchovers: why, when, what");
  explained->add_option("--last", options.last, "how many");
  explained->callback([&] { result = explain(options); });
}

void add_moving(CLI::App& app, Options& options, int& result) {
  CLI::App* move = app.add_subcommand("switch", "move a group to another path");
  move->add_option("group", options.group, "metaname of the group")->required();
  move->add_option("--to", options.to, "interface to move to")->required();
  move->add_flag("--dry-run", options.dry_run, "show the steps, change nothing");
  move->callback([&] {
    result = ask(options,
                 {{"command", "switch"},
                  {"group", options.group},
                  {"to", options.to},
                  {"dry_run", options.dry_run}},
                 [](const Json& answer) { print(render_steps(answer)); });
  });
  for (const char* command : {"remove", "add"}) {
    const bool removes = command == std::string_view("remove");
    CLI::App* card = app.add_subcommand(
        command, removes ? "take an idle card out of its group" : "put a card back");
    card->add_option("group", options.group, "metaname of the group")->required();
    card->add_option("port", options.port, "interface")->required();
    card->callback([&, command] {
      result =
          ask(options, {{"command", command}, {"group", options.group}, {"port", options.port}},
              nothing_to_show);
    });
  }
}

void add_ending(CLI::App& app, Options& options, int& result) {
  app.add_subcommand("detach", "take off what a hanetd that was killed left in the kernel")
      ->callback([&] { result = detach(options); });
}

void add_setting(CLI::App& app, Options& options, int& result) {
  CLI::App* set = app.add_subcommand("set", "change a live parameter");
  set->add_option("group", options.group, "metaname of the group")->required();
  set->add_option("key", options.key, parameter_names())->required();
  set->add_option("value", options.value)->required();
  set->callback([&] {
    result = ask(options,
                 {{"command", "set"},
                  {"group", options.group},
                  {"key", options.key},
                  {"value", options.value}},
                 nothing_to_show);
  });
  CLI::App* reloaded = app.add_subcommand("reload", "make the configuration file what runs");
  reloaded
      ->add_option("--confirm", options.confirm_s,
                   "undo it after so many seconds, 1 to 3600,"
                   " unless 'hanetctl confirm' comes")
      ->check(CLI::Range(1, 3600));
  reloaded->callback([&] { result = reload(options); });
  app.add_subcommand("confirm", "keep what a reload changed")->callback([&] {
    result = confirm(options);
  });
  CLI::App* differs = app.add_subcommand("diff", "what a reload would change");
  differs->add_option("file", options.file, "instead of hanetd's own file");
  differs->callback([&] { result = diff(options); });
}

void add_checking(CLI::App& app, Options& options, int& result) {
  CLI::App* checked = app.add_subcommand("check", "check a configuration file");
  checked->add_option("file", options.file, fmt::format("default: {}", kOwnFile));
  checked->add_flag("--host", options.host, "show what would move, what differs, what is lost");
  checked->callback([&] {
    if (options.file.empty()) options.file = kOwnFile;
    result = options.host ? check_with_table(options) : check(options);
  });
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int result = kOk;
  CLI::App app("hanetctl - shows and steers hanetd");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "hanetctl " HANET_VERSION);
  app.add_option("--run-dir", options.run_directory, "directory of hanetd's sockets");
  app.add_option("--state-dir", options.state_directory, "directory of the history");
  app.add_option("--pin-dir", options.pin_directory, "directory of the pinned BPF maps");
  app.add_flag("--json", options.json, "print JSON");
  for (const auto& add : {add_looking, add_moving, add_setting, add_checking, add_ending})
    add(app, options, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    // Whatever came before the mistake was parsed, and what came behind it was not.
    options.json =
        std::any_of(argv + 1, argv + argc, [](std::string_view word) { return word == "--json"; });
    return explain_usage(app, stop, options);
  } catch (const Json::exception& missing) {
    return refuse(
        options, kRefused,
        fmt::format("hanetd answers as another version does, restart it: {}", missing.what()));
  }
  return result;
}
