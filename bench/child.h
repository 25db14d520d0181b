// SPDX-License-Identifier: Apache-2.0
//
// Child processes: run one to its end, or keep one as long as an object lives.
//
// A bench that is interrupted must leave nothing behind, so a child never outlives its owner: the
// kernel ends it when this process dies (PR_SET_PDEATHSIG), the destructor ends it before that.
// Each child leads a process group of its own, so that Ctrl-C reaches this process only, which then
// ends its children in order.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace hanet::bench {

using Arguments = std::vector<std::string>;

struct Output {
  int exit_code = 0;
  std::string out;    ///< standard output
  std::string error;  ///< standard error
};

/// Runs a program (looked up in PATH) and reads its output. A program that takes longer than
/// `limit` is killed, and that is an error; an exit code other than 0 is not.
[[nodiscard]] Result<Output> run(const Arguments& arguments, std::chrono::milliseconds limit);

/// The same, but any exit code other than 0 is an error with what the program wrote to stderr.
[[nodiscard]] Result<std::string> run_checked(const Arguments& arguments,
                                              std::chrono::milliseconds limit);

/// A program in the background. Move-only; ends the program when destroyed.
class Child {
 public:
  /// Starts it with standard output and error in `log`. Call from the main thread: the kernel ends
  /// the child when the thread that started it ends.
  [[nodiscard]] static Result<Child> start(const Arguments& arguments,
                                           const std::filesystem::path& log);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] bool running();
  /// -1 once its end was seen.
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Asks it to end (SIGTERM), insists after three seconds (SIGKILL), and tells how it ended.
  int stop();
  /// The exit code, or 128 + the signal, once running() or stop() has seen the end.
  [[nodiscard]] std::optional<int> exit_code() const { return exit_code_; }

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace hanet::bench
