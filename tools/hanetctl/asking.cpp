// SPDX-License-Identifier: Apache-2.0
//
// See asking.h.
#include "asking.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "client.h"
#include "terminal.h"

namespace hanet::ctl {

namespace {

void put(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

void print(const std::string& text) { put(shown_on(terminal_of(STDOUT_FILENO), text)); }

void print(const Json& value) { put(value.dump() + "\n"); }

int refuse(const Options& options, int code, const std::string& reason) {
  if (options.json) print(Json{{"ok", false}, {"error", reason}});
  fmt::print(stderr, "hanetctl: {}\n", reason);
  return code;
}

bool is_no_daemon(const Error& error) { return error.code == ENOENT || error.code == ECONNREFUSED; }

int refuse_without_daemon(const Options& options, const Error& error) {
  const bool absent = is_no_daemon(error);
  return refuse(options, absent ? kNoDaemon : kRefused,
                absent ? "hanetd does not run (" + error.message + ")" : error.message);
}

std::expected<Json, int> checked(const Options& options, const Result<Json>& answer) {
  if (!answer) return std::unexpected(refuse(options, kRefused, answer.error().message));
  if (!answer->value("ok", false))
    return std::unexpected(refuse(options, kRefused, answer->value("error", "refused")));
  return *answer;
}

std::expected<Json, int> answer_to(const Options& options, const Json& request) {
  Result<Client> client = Client::connect(options.run_directory);
  if (!client) return std::unexpected(refuse_without_daemon(options, client.error()));
  const bool reloads = request.value("command", "") == "reload";
  const Result<Json> answer = client->ask(request, reloads ? kReloadsWithin : kAnswersWithin);
  if (reloads && !answer && answer.error().code == ETIMEDOUT)
    return std::unexpected(refuse(options, kRefused,
                                  fmt::format("hanetd has not answered within {} s; the reload may "
                                              "still be carried out: 'hanetctl diff' tells",
                                              kReloadsWithin.count())));
  return checked(options, answer);
}

void show_answer(const Options& options, const Json& answer, const Show& show) {
  if (options.json)
    print(answer);
  else
    show(answer);
}

int ask(const Options& options, const Json& request, const Show& show) {
  const std::expected<Json, int> answer = answer_to(options, request);
  if (!answer) return answer.error();
  show_answer(options, *answer, show);
  return kOk;
}

}  // namespace hanet::ctl
