// SPDX-License-Identifier: Apache-2.0
//
// What every command has in common: its options, what it prints, how it asks hanetd, and the exit
// codes, which hanetctl(1) documents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <string>

#include "core/json.h"
#include "core/result.h"

namespace hanet::ctl {

enum Exit : std::uint8_t {
  kOk = 0,
  kRefused = 1,
  kUsage = 2,
  kBadConfig = 3,
  kNoDaemon = 4,
  kNotProtected = 5,
};

struct Options {
  std::filesystem::path run_directory = "/run/hanet";
  std::filesystem::path state_directory;  ///< empty: where the service keeps the history
  std::filesystem::path pin_directory = "/sys/fs/bpf/hanet";
  bool json = false;
  std::string group;
  std::string to;
  bool dry_run = false;
  std::string port;
  std::string key;
  std::string value;
  std::string file;
  bool host = false;
  std::size_t last = 5;
  std::int64_t confirm_s = 0;  ///< 0: the reload needs no confirmation
};

/// Of an answer, for a person.
using Show = std::function<void(const Json&)>;

void print(const std::string& text);
void print(const Json& value);

/// Tells why, also as JSON where that was asked for; returns `code`.
int refuse(const Options& options, int code, const std::string& reason);
int refuse_without_daemon(const Options& options, const Error& error);
/// Does an error of Client::connect() say that there is no hanetd?
[[nodiscard]] bool is_no_daemon(const Error& error);

/// What hanetd answered; or the exit code of what it refused, told.
[[nodiscard]] std::expected<Json, int> checked(const Options& options, const Result<Json>& answer);
/// The answer, not printed yet; or the exit code of a refusal, already told.
[[nodiscard]] std::expected<Json, int> answer_to(const Options& options, const Json& request);
/// For a program as it is, for a person as `show` prints it.
void show_answer(const Options& options, const Json& answer, const Show& show);
/// The same; returns the exit code.
int ask(const Options& options, const Json& request, const Show& show);

}  // namespace hanet::ctl
