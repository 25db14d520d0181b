// SPDX-License-Identifier: Apache-2.0
//
// hanetctl's end of the control socket: one line of JSON out, one or many back.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>

#include "core/fd.h"
#include "core/json.h"
#include "core/result.h"

namespace hanet::ctl {

/// A daemon that does not answer is frozen; people want to know that soon.
inline constexpr std::chrono::seconds kAnswersWithin{5};
/// Groups with full routing tables that all begin anew take their time.
inline constexpr std::chrono::seconds kReloadsWithin{80};

class Client {
 public:
  /// Root's socket, or that of the readers for whom may not open it. ENOENT or ECONNREFUSED in the
  /// error's code: no daemon serves this directory.
  [[nodiscard]] static Result<Client> connect(const std::filesystem::path& run_directory);

  /// ETIMEDOUT in the error's code: it did not answer in time.
  [[nodiscard]] Result<Json> ask(const Json& request,
                                 std::chrono::seconds patience = kAnswersWithin);
  /// Calls `each` for every line until the daemon closes or `each` returns false.
  [[nodiscard]] Status listen(const std::function<bool(const Json&)>& each);

 private:
  [[nodiscard]] static Result<Client> connect_to(const std::filesystem::path& socket);
  [[nodiscard]] Result<Json> read_line();

  Fd fd_;
  std::string input_;
};

}  // namespace hanet::ctl
