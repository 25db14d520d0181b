// SPDX-License-Identifier: Apache-2.0
//
// hanetctl's end of the control socket: one line of JSON out, one or many back.
#pragma once

#include <filesystem>
#include <functional>

#include "core/fd.h"
#include "core/json.h"
#include "core/result.h"

namespace hanet::ctl {

class Client {
 public:
  /// ENOENT or ECONNREFUSED in the error's code: no daemon serves this directory.
  [[nodiscard]] static Result<Client> connect(const std::filesystem::path& run_directory);

  [[nodiscard]] Result<Json> ask(const Json& request);
  /// Calls `each` for every line until the daemon closes or `each` returns false.
  [[nodiscard]] Status listen(const std::function<bool(const Json&)>& each);

 private:
  [[nodiscard]] Result<Json> read_line();

  Fd fd_;
  std::string input_;
};

}  // namespace hanet::ctl
